"""This module places each item on a map of the catalogue: those that the same people have had are near.

At once by the first two principal components of the item vectors; then by t-SNE of the most popular, every
other item at its nearest ones. The latter takes seconds, so a process of its own works it out once for a
model and keeps it in butaca's cache folder: `python -m butaca.recommend.map MODEL OUT.npy`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Literal

import numpy as np

from butaca.files import replacing
from butaca.model.query import unit
from butaca.recommend.recommender import Recommender
from butaca.types import Floats

#: Items that t-SNE places; the others stand at the mean of their nearest among these.
DRAWN = 2000

#: Of those, how many.
NEAREST = 5

#: Rows of cosines held at once.
BLOCK = 1024


def cache_folder() -> Path:
    """Returns where maps are kept: BUTACA_CACHE, or the user's cache folder."""
    root = os.environ.get("BUTACA_CACHE")
    if root:
        return Path(root) / "maps"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "butaca" / "maps"


def sketched(vectors: Floats) -> Floats:
    """Returns two principal components of the items' directions, each from 0 to 1 [N, 2]."""
    rows = unit(vectors)
    if len(rows) < 2:
        return np.full((len(rows), 2), 0.5, dtype=np.float32)
    centred = rows - rows.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    found: Floats = centred @ axes[:, :-3:-1]
    return spread(found)


def drawn(vectors: Floats, popularity: Floats) -> Floats:
    """Places items by t-SNE of the most popular ones, each coordinate from 0 to 1 [N, 2]."""
    from butaca.recommend.projection import project

    rows = unit(vectors)
    order = np.argsort(-popularity, kind="stable")
    chosen, others = order[:DRAWN], order[DRAWN:]
    places = np.zeros((len(rows), 2), dtype=np.float32)
    if not len(chosen):
        return places
    places[chosen] = spread(np.asarray(project(rows[chosen])[0], dtype=np.float32))
    rng = np.random.default_rng(0)
    for at in range(0, len(others), BLOCK):
        block = others[at : at + BLOCK]
        cosine = rows[block] @ rows[chosen].T
        near = np.argpartition(-cosine, min(NEAREST, len(chosen)) - 1, axis=1)[:, :NEAREST]
        places[block] = places[chosen[near]].mean(axis=1)
        places[block] += rng.normal(scale=0.004, size=(len(block), 2)).astype(np.float32)
    return places.clip(0, 1)


class CatalogueMap:
    """A CatalogueMap holds the places of a saved model's items: sketched until they are drawn.

    Args:
        recommender: a loaded model; its version names the file.
        folder: the model's.
        cache: where maps are kept.
    """

    def __init__(self, recommender: Recommender, folder: Path, *, cache: Path | None = None) -> None:
        self._recommender, self._folder = recommender, folder
        self._file = (cache or cache_folder()) / f"{recommender.version}.npy"
        self._sketch: Floats | None = None
        self._drawn: Floats | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def places(self) -> tuple[Floats, Literal["t-SNE", "PCA"]]:
        """Returns the places of all items, each coordinate from 0 to 1 [N, 2], and how they were found."""
        if self._drawn is None and self._file.is_file():
            try:
                found = np.load(self._file, allow_pickle=False)
            except (OSError, ValueError):
                found = np.zeros((0, 2))
            if found.shape == (len(self._recommender.items), 2) and np.isfinite(found).all():
                self._drawn = found.astype(np.float32)
        if self._drawn is not None:
            return self._drawn, "t-SNE"
        if self._sketch is None:
            self._sketch = sketched(self._recommender.item_vectors)
        return self._sketch, "PCA"

    def start(self) -> None:
        """Starts a process that draws the map, at low priority, unless that was done."""
        if self._process is not None or self.places()[1] == "t-SNE":
            return
        command = [sys.executable, "-m", "butaca.recommend.map", str(self._folder), str(self._file)]
        single = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(  # noqa: S603 (this Python, on paths of ours)
            command, env={**os.environ, **single}, stdin=quiet, stdout=quiet, stderr=quiet
        )

    def stop(self) -> None:
        """Ends the drawing process if it still works."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(10)


def spread(places: Floats) -> Floats:
    """Returns places moved and scaled so that each coordinate runs from 0 to 1."""
    low, high = places.min(axis=0), places.max(axis=0)
    return np.asarray((places - low) / np.where(high > low, high - low, 1), dtype=np.float32)


def main(folder: str, out: str) -> None:
    """Draws the map of a model folder and writes it, whole or not at all."""
    if hasattr(os, "nice"):
        os.nice(10)
    recommender = Recommender.load(folder)
    places = drawn(recommender.item_vectors, recommender.popularity)
    path = Path(out)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        np.save(file, places, allow_pickle=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
