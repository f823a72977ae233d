"""This program chooses the default recipe's settings: `python -m benchmarks.quality.default_tune`.

60 trials on the slices of MovieLens 100K's training data that the peers are tuned on, by the same measure.
What it finds is benchmarks/quality/default_settings.json, which the recipe ships; a test holds
the two together.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from benchmarks.environment import HERE
from benchmarks.quality.data import SLICES_ARE, slices
from butaca.recipes import DEFAULT
from butaca.tune import Trial, save_settings, tune

SETTINGS = HERE / "quality" / "default_settings.json"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--trials", type=int, default=60, help="(default 60, as the peers have)")
    parser.add_argument("--seed", type=int, default=0, help="of the search (default 0)")
    parser.add_argument("--out", type=Path, default=SETTINGS, help="where the settings go")
    args = parser.parse_args()
    console = Console(highlight=False)
    with Progress(console=console) as bar:
        task = bar.add_task("trials", total=args.trials)

        def progress(trial: Trial, best: float) -> None:
            bar.update(task, advance=1, description=f"{trial.value:.4f}, best {best:.4f}")

        tuned = tune(DEFAULT, slices(), trials=args.trials, seed=args.seed, progress=progress)
    save_settings(tuned, args.out, about={"slices": SLICES_ARE, "seed": args.seed})
    console.print(f"NDCG@20 {tuned.best.value:.4f} at trial {tuned.best.number}; the start had", end=" ")
    console.print(f"{tuned.trials[0].value:.4f}. Settings in {args.out.name}.")
    for trial in tuned.trials:
        console.print(f"{trial.number} {trial.value:.4f} {trial.seconds:.1f} s", style="dim")
    return 0


if __name__ == "__main__":
    sys.exit(main())
