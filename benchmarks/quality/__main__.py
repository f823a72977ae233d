"""The default recipe beside ten peers on MovieLens 100K: `python -m benchmarks.quality`.

Five random 80/20 splits, seen titles left out, every model judged by the same code. Peers (irspack,
implicit; in an environment of their own, made on first use) run with the settings that
`benchmarks.quality.tune` chose on a validation slice of the first split's training data; no test pair
takes part in any choice. The last line of output is one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Any

from rich.console import Console

from benchmarks.child import run_child
from benchmarks.command import run
from benchmarks.environment import HERE, PEERS, BenchmarkError
from benchmarks.quality.data import SLICES, SPLITS, TUNED_ON, hand_over, parts, peer_settings
from benchmarks.quality.figures import MEASURES, Results, Split, as_json
from benchmarks.quality.report import show
from benchmarks.quality.scores import OverSeeds, judge
from benchmarks.quality.tune import NAMES, tune
from butaca import Dataset, Histories, evaluate_scorer
from butaca.baselines.popularity import Popularity
from butaca.evaluate.verdict import Verdict, compare_many

SCRIPT = HERE / "peers" / "quality_peers.py"

#: Both sides train on this many threads.
THREADS = 2


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
        lambda progress: measure(args.splits, args.seeds, args.only, args.trials, progress),
        show,
        as_json,
        args.out,
    )


def measure(
    splits: Sequence[int], seeds: int, peers: Sequence[str], trials: int | None, progress: Console
) -> Results:
    """All of it, split by split; times on the first."""
    load = os.getloadavg()[0]
    if load > 0.5:
        progress.print(
            f"Other work is running here (load average {load:.1f}): times will be long.", style="yellow"
        )
    two_cores()
    PEERS.python(progress)
    with tempfile.TemporaryDirectory(prefix="butaca-bench-") as folder:
        if trials is not None:
            tune(list(peers), trials, 0, Path(folder) / "settings.json", progress)
            known = peer_settings(Path(folder) / "settings.json")
        else:
            known = peer_settings()
        missing = [name for name in peers if name not in known]
        if missing:
            raise BenchmarkError(
                f"No settings are known for {', '.join(missing)}: run `python -m benchmarks.quality.tune`"
            )
        chosen = {name: known[name] for name in peers}
        results = Results(chosen, seeds, load)
        names = [f"slice-{seed}" for seed in SLICES]
        judged = [butaca_scores(name, seeds, Path(folder), progress) for name in names]
        results.validation = fmean(one.metric("ndcg", 20) for one in judged)
        for number, seed in enumerate(splits):
            results.splits.append(one_split(seed, seeds, chosen, Path(folder), progress, timing=number == 0))
        fit_times(results, splits[0], chosen, Path(folder), progress)
    return results


def fit_times(results: Results, seed: int, chosen: dict[str, Any], folder: Path, progress: Console) -> None:
    """The model's fits and those of iALS in turn, three times, so that other work meets both alike."""
    train, test = parts(str(seed))
    ours = [sys.executable, "-m", "benchmarks.quality.butaca", "time", str(seed)]
    ials = {name: found for name, found in chosen.items() if name == "iALS"}
    for n in range(3):
        answer = told(progress, f"fit times, {n + 1} of 3: butaca", ours)
        results.fit_cold.append(answer["fit_cold"])
        results.fit_warm.append(median(answer["fit_warm"]))
        results.versions["butaca"] = answer["versions"]
        if ials:
            name = f"fit times, {n + 1} of 3"
            _, answer = peer_scores(train, test, ials, 1, 5, folder, progress, name)
            results.ials_warm.append(answer["peers"]["iALS"]["fit_warm"])


def one_split(
    seed: int, seeds: int, chosen: dict[str, Any], folder: Path, progress: Console, timing: bool
) -> Split:
    """The model, every peer and popularity on one split, and the verdict."""
    name = f"split {seed}"
    train, test = parts(str(seed))
    model = butaca_scores(str(seed), seeds, folder, progress)
    peers, answer = peer_scores(train, test, chosen, seeds, 3 if timing else 0, folder, progress, name)
    return Split(
        seed=seed,
        tuned_on=seed == TUNED_ON,
        model=model,
        peers=peers,
        popularity=evaluate_scorer(Popularity().fit(train), test, seen=Histories.of(train)),
        verdict=Verdict(compare_many(model, peers, measures=[(metric, k) for metric, k, _ in MEASURES])),
        fit_warm={n: p["fit_warm"] for n, p in answer["peers"].items() if timing},
        versions=answer["versions"],
    )


def butaca_scores(data: str, seeds: int, folder: Path, progress: Console, only: Any = None) -> OverSeeds:
    """Fit the default recipe with every seed, and judge it."""
    train, test = parts(data)
    command = [sys.executable, "-m", "benchmarks.quality.butaca", "scores", data]
    answer = told(progress, f"{data}: butaca", [*command, "--seeds", str(seeds), "--out", str(folder)])
    return collect(folder, answer["files"], train, test, only)


def peer_scores(
    train: Dataset,
    test: Dataset,
    chosen: dict[str, Any],
    seeds: int,
    warm: int,
    folder: Path,
    progress: Console,
    name: str,
    only: Any = None,
) -> tuple[dict[str, OverSeeds], dict[str, Any]]:
    """Fit every peer with its settings, and judge it; and what the child said."""
    hand_over(folder / "pairs.npz", (train, None))
    jobs = {peer: found["settings"] for peer, found in chosen.items()}
    (folder / "jobs.json").write_text(json.dumps(jobs), encoding="utf8")
    command = [str(PEERS.python(progress)), "-I", str(SCRIPT), "fit", "--data", str(folder / "pairs.npz")]
    command += ["--jobs", str(folder / "jobs.json"), "--out", str(folder)]
    command += ["--seeds", str(seeds), "--warm", str(warm), "--threads", str(THREADS)]
    answer = told(progress, f"{name}: {', '.join(jobs)}", command)
    peers = {
        peer: collect(folder, said["files"], train, test, only) for peer, said in answer["peers"].items()
    }
    return peers, answer


def collect(folder: Path, files: Sequence[str], train: Dataset, test: Dataset, only: Any) -> OverSeeds:
    """Judge score files and take them away."""
    paths = [folder / file for file in files]
    judged = judge(paths, train, test, only)
    for path in paths:
        path.unlink()
    return judged


def told(progress: Console, name: str, command: list[str]) -> dict[str, Any]:
    """Run a child, saying so."""
    begin = time.perf_counter()
    with progress.status(f"{name} ..."):
        answer = run_child(command, name)
    progress.print(f"{name}: {time.perf_counter() - begin:.0f} s in all", style="dim", markup=False)
    return answer


def two_cores() -> None:
    """Keep this process and its children on two cores, where the system lets one choose."""
    if sys.platform == "linux":
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])


if __name__ == "__main__":
    sys.exit(main())
