"""This module times warm fits, several in one process: the default recipe and iALS in turn, and every peer.

`python -m benchmarks.quality.times 42` fits the recipe on a split in a new process, and prints one line of
JSON.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console

from benchmarks.child import run_shown
from benchmarks.quality.data import parts
from benchmarks.quality.figures import QualityResults
from benchmarks.quality.peers import fit_peers


def fit_times(
    results: QualityResults, split: str, *, chosen: Mapping[str, Any], python: Path, progress: Console
) -> None:
    """Times every peer, then the model's fits and those of iALS in turn, so that other work meets both alike.

    Args:
        results: takes the seconds and the versions.
        split: by name, as `parts` takes it.
        chosen: the peers' settings.
        python: the interpreter of their environment.
        progress: where it is shown that this runs.
    """
    train, _ = parts(split)
    jobs = {name: found["settings"] for name, found in chosen.items()}
    with tempfile.TemporaryDirectory(prefix="butaca-bench-") as name:
        folder = Path(name)
        with progress.status(f"fit times: {', '.join(jobs)} ..."):
            said = fit_peers(train, jobs, python=python, folder=folder, warm=3)
        results.peer_warm = {peer: found["fit_warm"] for peer, found in said["peers"].items()}
        results.versions["peers"] = said["versions"]
        for n in range(3):
            command = [sys.executable, "-m", "benchmarks.quality.times", split]
            answer = run_shown(command, f"fit times, {n + 1} of 3: butaca", progress=progress)
            results.fit_cold.append(answer["fit_cold"])
            results.fit_warm.append(median(answer["fit_warm"]))
            results.versions["butaca"] = answer["versions"]
            if "iALS" in jobs:
                with progress.status(f"fit times, {n + 1} of 3: iALS ..."):
                    said = fit_peers(train, {"iALS": jobs["iALS"]}, python=python, folder=folder, warm=5)
                results.ials_warm.append(said["peers"]["iALS"]["fit_warm"])


def main() -> None:
    import jax

    from benchmarks.shapes.fits import fit_seed
    from butaca import recipe

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", help='a seed of a random split, "slice-0" to "slice-3", or "recommenders"')
    parser.add_argument("--warm", type=int, default=5, help="timed fits after the first")
    args = parser.parse_args()
    train, _ = parts(args.data)
    jax.devices()  # wakes the backend, which is no part of a fit

    def seconds() -> float:
        begin = time.perf_counter()
        fit_seed(recipe("default").for_data(train), train, 0)
        return time.perf_counter() - begin

    out = {
        "fit_cold": seconds(),
        "fit_warm": [seconds() for _ in range(args.warm)],
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("butaca", "jax", "numpy")},
        },
    }
    print(json.dumps(out))


if __name__ == "__main__":
    main()
