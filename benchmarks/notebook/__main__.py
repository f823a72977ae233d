"""This benchmark runs the notebook with butaca and with TFRS: `python -m benchmarks.notebook`.

Each repeat runs, one after another and each in a process of its own: TFRS with metrics off while
training, butaca, TFRS the notebook's way (metrics on), and the machine's arithmetic. So what else the
machine does meets both sides alike. About three minutes a repeat; the first run also installs TFRS,
in an environment out of the repo. The last line of output is one line of JSON.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from benchmarks.child import run_shown
from benchmarks.command import run
from benchmarks.environment import HERE, TFRS
from benchmarks.notebook.figures import NotebookResults, as_json
from benchmarks.notebook.report import show
from butaca import Dataset, load_movielens, random_split

USER, K, SEED = "21", 10, 42


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3, help="of everything (default 3)")
    parser.add_argument("--quick", action="store_true", help="one repeat: a look, not a result")
    args = parser.parse_args()
    if args.repeats < 1:
        parser.error("--repeats is at least 1")
    repeats = 1 if args.quick else args.repeats
    return run(lambda progress: measure(repeats, progress), show, as_json=as_json)


def measure(repeats: int, progress: Console) -> NotebookResults:
    """Measures both sides `repeats` times, TFRS and butaca in turn."""
    load = os.getloadavg()[0]
    if load > 0.5:
        progress.print(
            f"Other work is running here (load average {load:.1f}): "
            "times will be long and the ratios not to be trusted (what uses all cores suffers most).",
            style="yellow",
        )
    raw = load_movielens("100k")
    peer = TFRS.python(progress)
    results = NotebookResults(load_average_before=load)
    with tempfile.TemporaryDirectory(prefix="butaca-bench-") as folder:
        hand_over(raw, Path(folder))
        script = str(HERE / "peers" / "tfrs_notebook.py")
        tfrs = [str(peer), "-I", script, "--data", folder, "--user", USER, "-k", str(K)]
        ours = [sys.executable, "-m", "benchmarks.notebook.butaca"]
        for n in range(repeats):
            turn, seed = f"{n + 1}/{repeats}", ["--seed", str(SEED + n)]
            results.tfrs_off.append(
                run_shown(
                    [*tfrs, *seed, "--metrics", "off"],
                    f"{turn}  TFRS, metrics off while training",
                    progress=progress,
                )
            )
            results.butaca.append(
                run_shown([*ours, "time", "--user", USER, "-k", str(K)], f"{turn}  butaca", progress=progress)
            )
            results.tfrs_on.append(
                run_shown(
                    [*tfrs, *seed, "--metrics", "on", "--evaluations", "0", "--queries", "0"],
                    f"{turn}  TFRS, the notebook's way, metrics on",
                    progress=progress,
                )
            )
            results.limits.append(
                run_shown(
                    [sys.executable, "-m", "benchmarks.serving.limits"],
                    f"{turn}  this machine's arithmetic",
                    progress=progress,
                )
            )
        results.seeds = run_shown([*ours, "seeds"], "last  butaca, seeds 0 to 4", progress=progress)["rows"]
    return results


def hand_over(raw: Dataset, folder: Path) -> None:
    """Writes what the peer reads: the rows of butaca's own split, and a title per movie."""
    train, test = random_split(raw.keyed_by("movie_title"), test_share=0.2, seed=SEED)
    for name, part in (("train.tsv", train), ("test.tsv", test)):
        users, titles = part.users.ids.decode(part.user), part.items.ids.decode(part.item)
        write_lines(folder / name, [f"{user}\t{title}" for user, title in zip(users, titles, strict=True)])
    write_lines(folder / "movies.txt", [str(record["movie_title"]) for record in raw.items.records()])


def write_lines(path: Path, lines: list[str]) -> None:
    path.write_text("\n".join(lines) + "\n", encoding="utf8")


if __name__ == "__main__":
    sys.exit(main())
