"""This program fits implicit's ALS and irspack's iALS on prepared data, in the peers' environment.

    python scale_peers.py als PREPARED OUT      64 factors, 15 iterations, the library's own settings
    python scale_peers.py ials PREPARED OUT     64 components, 10 epochs, alpha0 and regularisation as given

After each iteration the factors go to OUT/NAME-user-I.npy and OUT/NAME-item-I.npy; the time that writing
takes is not counted, nor is reading the data. The last line is JSON: `seconds`, when each iteration ended.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

FACTORS, THREADS = 64, 2


def interactions(folder: Path) -> csr_matrix:
    """Returns the training side, [U, N], all ones."""
    start, item = (np.load(folder / "train" / f"{name}.npy") for name in ("start", "item"))
    n_items = json.loads((folder / "manifest.json").read_text())["n_items"]
    return csr_matrix((np.ones(len(item), np.float32), item, start), shape=(len(start) - 1, n_items))


class Snapshots:
    """A Snapshots writes factors beside the clock."""

    def __init__(self, name: str, out: Path) -> None:
        self.name, self.out = name, out
        self.seconds: list[float] = []
        self._spent, self._since = 0.0, time.perf_counter()

    def __call__(self, user: Any, item: Any) -> None:
        """Writes the factors with which one iteration has ended."""
        self._spent += time.perf_counter() - self._since
        number = len(self.seconds)
        self.seconds.append(round(self._spent, 3))
        for side, factors in (("user", user), ("item", item)):
            np.save(self.out / f"{self.name}-{side}-{number}.npy", np.asarray(factors, dtype=np.float32))
        self._since = time.perf_counter()


def als(x: csr_matrix, out: Path) -> list[float]:
    """Fits implicit's ALS."""
    from implicit.cpu.als import AlternatingLeastSquares  # type: ignore[import-not-found]

    model = AlternatingLeastSquares(factors=FACTORS, iterations=15, num_threads=THREADS, random_state=0)
    kept = Snapshots("als", out)
    model.fit(x, show_progress=False, callback=lambda *_: kept(model.user_factors, model.item_factors))
    return kept.seconds


def ials(x: csr_matrix, out: Path, *, alpha: float, reg: float) -> list[float]:
    """Fits irspack's iALS, an epoch at a time."""
    from irspack.recommenders import IALSRecommender  # type: ignore[import-not-found]

    kept = Snapshots("ials", out)
    model = IALSRecommender(
        x, n_components=FACTORS, alpha0=alpha, reg=reg, n_threads=THREADS, train_epochs=1, random_seed=0
    )
    model.start_learning()
    for _ in range(10):
        model.run_epoch()
        core = model.trainer_as_ials.core_trainer
        kept(core.user, core.item)
    return kept.seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("which", choices=["als", "ials"])
    parser.add_argument("prepared", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--alpha", type=float, default=0.1)
    parser.add_argument("--reg", type=float, default=0.003)
    asked = parser.parse_args()
    x = interactions(asked.prepared)
    seconds = (
        als(x, asked.out) if asked.which == "als" else ials(x, asked.out, alpha=asked.alpha, reg=asked.reg)
    )
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main()
