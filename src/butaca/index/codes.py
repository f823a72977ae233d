"""This module puts vectors in four bits a number, so that a scan reads an eighth of the bytes.

Vectors, with the bias as one more number, are turned by a random rotation: afterwards every number is a mix
of all, none carries more than others, and products with a turned query stay what they were. Each number is
then one of 16 levels of its own column, placed by Lloyd's iteration from evenly spaced ones, so that the
long vectors, which fill the lists, are coded as well as the common short ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from butaca.types import Floats

#: Levels of a number, in four bits.
LEVELS = 16

#: Vectors that the levels are placed for; Lloyd's iterations; vectors coded at once.
SAMPLE, STEPS, BLOCK = 30_000, 25, 1 << 16


@dataclass(frozen=True, eq=False)
class Codebook:
    """A Codebook says how vectors become codes.

    Attributes:
        rotation: float32 [d + 1 or d + 2, M], M even.
        levels: float32 [M, 16], each row ascending.
    """

    rotation: Floats
    levels: Floats

    @classmethod
    def fit(cls, vectors: Floats, bias: Floats | None, *, seed: int) -> Codebook:
        """Finds levels for these vectors [N, d] and their bias [N]; the same for the same seed."""
        rng = np.random.default_rng(seed)
        n, d = vectors.shape
        m = (d + 2) // 2 * 2  # even, and room for the bias
        rotation = np.linalg.qr(rng.standard_normal((m, m)))[0].astype(np.float32)[: d + 1]
        rows = np.sort(rng.choice(n, min(n, SAMPLE), replace=False))
        turned = _with(vectors[rows], None if bias is None else bias[rows]) @ rotation
        return cls(rotation, np.stack([placed(column) for column in turned.T]))

    def turned(self, queries: Floats) -> Floats:
        """Returns queries as the codes are read: [B, d] -> [B, M]."""
        out: Floats = _with(queries, np.ones(len(queries), dtype=np.float32)) @ self.rotation
        return np.ascontiguousarray(out)

    def codes(self, vectors: Floats, bias: Floats | None) -> NDArray[np.uint8]:
        """Returns the codes of vectors [N, d]: [N, M / 2], two numbers a byte, the first in the low bits."""
        middle = (self.levels[:, 1:] + self.levels[:, :-1]) / 2
        n, m = len(vectors), len(self.levels)
        out = np.empty((n, m // 2), dtype=np.uint8)
        for at in range(0, n, BLOCK):
            rows = slice(at, at + BLOCK)
            turned = (_with(vectors[rows], None if bias is None else bias[rows]) @ self.rotation).T
            for j in range(0, m, 2):
                low, high = (np.searchsorted(middle[i], turned[i]).astype(np.uint8) for i in (j, j + 1))
                out[rows, j // 2] = low | high << 4
        return out


def placed(values: Floats) -> Floats:
    """Returns sixteen levels with small squared error to the values, by Lloyd's iteration (1957).

    Returns:
        float32 [16], ascending.
    """
    values = np.sort(values)
    sums = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    levels = np.linspace(values[0], values[-1], 2 * LEVELS + 1)[1::2].astype(np.float64)
    for _ in range(STEPS):
        middle = (levels[1:] + levels[:-1]) / 2
        edge = np.concatenate([[0], np.searchsorted(values, middle), [len(values)]])
        count = np.diff(edge)
        levels = np.where(count > 0, np.diff(sums[edge]) / np.maximum(count, 1), levels)
    return levels.astype(np.float32)


def _with(vectors: Floats, bias: Floats | None) -> Floats:
    """Returns vectors with their bias as one more number: [N, d + 1]."""
    last = np.zeros(len(vectors), dtype=np.float32) if bias is None else bias
    return np.concatenate([vectors, last[:, None]], axis=1)
