"""This benchmark puts the default recipe beside ten peers on MovieLens 100K: `python -m benchmarks.quality`.

Five random 80/20 splits, seen titles left out, every model fitted and judged as `butaca referee` does
(`benchmarks.quality.contestants` says what stays apart). Peers (irspack, implicit; in an environment of
their own, made on first use) run with the settings that `benchmarks.quality.tune` chose on a validation
slice of the first split's training data; no test pair takes part in any choice. The last line of output is
one line of JSON.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from rich.console import Console

from benchmarks.command import run
from benchmarks.environment import PEERS, BenchmarkError
from benchmarks.quality.contestants import DefaultRecipe
from benchmarks.quality.data import SLICES, SPLITS, TUNED_ON, held, peer_settings
from benchmarks.quality.figures import MEASURES, QualityResults, Split, as_json
from benchmarks.quality.report import show
from benchmarks.quality.runs import over_seeds, settle, tuned
from benchmarks.quality.times import fit_times
from benchmarks.quality.tune import NAMES, tune
from butaca.evaluate.verdict import Verdict, compare_many
from butaca.referee.contestants import Contestant
from butaca.referee.field import named


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--splits", type=int, nargs="+", default=list(SPLITS), metavar="SEED")
    parser.add_argument("--seeds", type=int, default=5, help="of every model that has one (default 5)")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=list(NAMES), metavar="PEER")
    parser.add_argument("--trials", type=int, help="tune the peers anew first, with so many trials each")
    parser.add_argument("--out", type=Path, help="also write the JSON here")
    args = parser.parse_args()
    if args.seeds < 1:
        parser.error("--seeds is at least 1")
    return run(
        lambda progress: measure(
            args.splits, args.seeds, peers=args.only, trials=args.trials, progress=progress
        ),
        show,
        as_json=as_json,
        out=args.out,
    )


def measure(
    splits: Sequence[int], seeds: int, *, peers: Sequence[str], trials: int | None, progress: Console
) -> QualityResults:
    """Judges every model, split by split; times are of the first."""
    load = os.getloadavg()[0]
    if load > 0.5:
        progress.print(
            f"Other work is running here (load average {load:.1f}): times will be long.", style="yellow"
        )
    settle()
    python = PEERS.python(progress)
    with tempfile.TemporaryDirectory(prefix="butaca-bench-") as folder:
        if trials is not None:
            tune(list(peers), trials, seed=0, out=Path(folder) / "settings.json", progress=progress)
            known = peer_settings(Path(folder) / "settings.json")
        else:
            known = peer_settings()
    missing = [name for name in peers if name not in known]
    if missing:
        raise BenchmarkError(
            f"No settings are known for {', '.join(missing)}: run `python -m benchmarks.quality.tune`"
        )
    chosen = {name: known[name] for name in peers}
    results = QualityResults(chosen, seeds, load)
    judged = [
        over_seeds([DefaultRecipe()], held(name), seeds, name=name, progress=progress)["butaca"]
        for name in (f"slice-{seed}" for seed in SLICES)
    ]
    results.validation = fmean(one.metric("ndcg", 20) for one in judged)
    entering: list[Contestant] = [DefaultRecipe(), *tuned(chosen, python), *named(["popularity"])]
    results.splits += [one_split(seed, seeds, entering=entering, progress=progress) for seed in splits]
    fit_times(results, str(splits[0]), chosen=chosen, python=python, progress=progress)
    return results


def one_split(seed: int, seeds: int, *, entering: Sequence[Contestant], progress: Console) -> Split:
    """Judges the model, every peer and popularity on one split, with the verdict."""
    peers = over_seeds(entering, held(str(seed)), seeds, name=f"split {seed}", progress=progress)
    model, popularity = peers.pop("butaca"), peers.pop("popularity")
    return Split(
        seed=seed,
        tuned_on=seed == TUNED_ON,
        model=model,
        peers=peers,
        popularity=popularity,
        verdict=Verdict(compare_many(model, peers, measures=[(metric, k) for metric, k, _ in MEASURES])),
    )


if __name__ == "__main__":
    sys.exit(main())
