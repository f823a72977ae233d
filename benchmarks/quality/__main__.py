"""This benchmark puts the default recipe beside ten peers on MovieLens 100K: `python -m benchmarks.quality`.

Five random 80/20 splits, seen titles left out, every model judged by the same code. Peers (irspack,
implicit; in an environment of their own, made on first use) run with the settings that
`benchmarks.quality.tune` chose on a validation slice of the first split's training data; no test pair
takes part in any choice. The last line of output is one line of JSON.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Any

from rich.console import Console

from benchmarks.child import run_shown
from benchmarks.command import run
from benchmarks.environment import PEERS, BenchmarkError
from benchmarks.machine import two_cores
from benchmarks.quality.children import butaca_scores, peer_scores
from benchmarks.quality.data import SLICES, SPLITS, TUNED_ON, parts, peer_settings
from benchmarks.quality.figures import MEASURES, QualityResults, Split, as_json
from benchmarks.quality.report import show
from benchmarks.quality.tune import NAMES, tune
from butaca import Histories, evaluate_scorer
from butaca.baselines.popularity import Popularity
from butaca.evaluate.verdict import Verdict, compare_many


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
    two_cores()
    PEERS.python(progress)
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
        names = [f"slice-{seed}" for seed in SLICES]
        judged = [butaca_scores(name, seeds, folder=Path(folder), progress=progress) for name in names]
        results.validation = fmean(one.metric("ndcg", 20) for one in judged)
        for number, seed in enumerate(splits):
            results.splits.append(
                one_split(
                    seed, seeds, chosen=chosen, folder=Path(folder), progress=progress, timing=number == 0
                )
            )
        fit_times(results, splits[0], chosen=chosen, folder=Path(folder), progress=progress)
    return results


def fit_times(
    results: QualityResults, seed: int, *, chosen: dict[str, Any], folder: Path, progress: Console
) -> None:
    """Times the model's fits and those of iALS in turn, three times, so that other work meets both alike."""
    train, test = parts(str(seed))
    ours = [sys.executable, "-m", "benchmarks.quality.butaca", "time", str(seed)]
    ials = {name: found for name, found in chosen.items() if name == "iALS"}
    for n in range(3):
        answer = run_shown(ours, f"fit times, {n + 1} of 3: butaca", progress=progress)
        results.fit_cold.append(answer["fit_cold"])
        results.fit_warm.append(median(answer["fit_warm"]))
        results.versions["butaca"] = answer["versions"]
        if ials:
            name = f"fit times, {n + 1} of 3"
            _, answer = peer_scores(
                train, test, chosen=ials, seeds=1, warm=5, folder=folder, progress=progress, name=name
            )
            results.ials_warm.append(answer["peers"]["iALS"]["fit_warm"])


def one_split(
    seed: int, seeds: int, *, chosen: dict[str, Any], folder: Path, progress: Console, timing: bool
) -> Split:
    """Judges the model, every peer and popularity on one split, with the verdict."""
    name = f"split {seed}"
    train, test = parts(str(seed))
    model = butaca_scores(str(seed), seeds, folder=folder, progress=progress)
    peers, answer = peer_scores(
        train,
        test,
        chosen=chosen,
        seeds=seeds,
        warm=3 if timing else 0,
        folder=folder,
        progress=progress,
        name=name,
    )
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


if __name__ == "__main__":
    sys.exit(main())
