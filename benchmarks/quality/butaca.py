"""This is the butaca side of the quality benchmark: it fits the default recipe in a process of its own.

`python -m benchmarks.quality.butaca time 42` times fits on a split; `... scores 42 --out DIR` fits with
seeds 0, 1, ... and writes the scores of all users for all items, float32 [U, N], one .npy for each.
Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import numpy as np

from benchmarks.quality.data import parts
from butaca import Dataset, TwoTower, recipe


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=("time", "scores"))
    parser.add_argument("data", help='a seed of a random split, "slice-0" to "slice-3", or "recommenders"')
    parser.add_argument("--warm", type=int, default=5, help="timed fits after the first")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path, help="folder for butaca-SEED.npy")
    args = parser.parse_args()
    train, _ = parts(args.data)
    out: dict[str, Any] = {
        "devices": len(jax.devices()),  # wakes the backend, which is no part of a fit
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("butaca", "jax", "numpy")},
        },
    }
    if args.what == "time":
        _, out["fit_cold"] = fit(train, 0)
        out["fit_warm"] = [fit(train, 0)[1] for _ in range(args.warm)]
    else:
        out["files"] = []
        for seed in range(args.seeds):
            model, _ = fit(train, seed)
            out["files"].append(f"butaca-{seed}.npy")
            users = np.arange(len(train.users), dtype=np.int32)
            np.save(args.out / out["files"][-1], np.asarray(model.score(users), dtype=np.float32))
    print(json.dumps(out))


def fit(train: Dataset, seed: int) -> tuple[TwoTower, float]:
    """Returns a new model of the default recipe, fitted, and the seconds that took."""
    begin = time.perf_counter()
    chosen = recipe("default").for_data(train)
    chosen = replace(chosen, model=replace(chosen.model, seed=seed))
    model, _ = chosen.fit(train)
    return model, time.perf_counter() - begin


if __name__ == "__main__":
    main()
