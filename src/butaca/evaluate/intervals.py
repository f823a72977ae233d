"""This module makes intervals: of a paired difference, by resampling users; of a mean over seeds, by t."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from butaca.checks import whole_number
from butaca.errors import SettingError

Doubles = NDArray[np.float64]

#: Draws held at once: 4 M of 4 bytes.
CHUNK = 1 << 22


def resampled_sums(columns: Doubles, n_resamples: int = 2000, *, seed: int = 0) -> Doubles:
    """Returns column sums over users drawn with replacement: [U, C] -> [n_resamples, C].

    The bootstrap of Efron (1979), clustered: a user is drawn with all that is known of it, so pairs
    of one user stay together. As weights: how often each user was drawn, times the columns; equal
    seeds and numbers of users draw the same users, whatever the columns.

    >>> sums = resampled_sums(np.array([[1.0, 0.0], [1.0, 5.0]]), n_resamples=3)
    >>> sums[:, 0].tolist()  # two users are drawn each time, each with a 1
    [2.0, 2.0, 2.0]
    >>> set(sums[:, 1].tolist()) <= {0.0, 5.0, 10.0}
    True
    """
    if whole_number("n_resamples", n_resamples, least=None) < 1:
        raise SettingError("A bootstrap resamples at least once", f"n_resamples={n_resamples}", "Try 2000")
    rng = np.random.default_rng(seed)
    n = len(columns)
    out = np.empty((n_resamples, columns.shape[1]))
    step = max(CHUNK // max(n, 1), 1)
    for at in range(0, n_resamples, step):
        rows = min(step, n_resamples - at)
        drawn = rng.integers(0, n, size=(rows, n), dtype=np.int32)
        drawn += (np.arange(rows, dtype=np.int32) * n)[:, None]
        weights = np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n)
        out[at : at + rows] = weights.astype(np.float64) @ columns
    return out


def percentile_interval(draws: Doubles, level: float = 0.95) -> tuple[float, float]:
    """Returns the middle share `level` of the draws [R]: its two ends.

    >>> percentile_interval(np.arange(101.0), 0.5)
    (25.0, 75.0)
    """
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def joint_intervals(draws: Doubles, found: Doubles, *, n: int, level: float = 0.95) -> Doubles:
    """Returns intervals that hold all together in a share `level` of the draws: [R, C], [C] -> [C, 2].

        found_c ± q s_c,   s_c: standard deviation of draws_c
        q: quantile `level` of the largest |draws_c - their mean| / s_c over c

    The largest deviation of a draw, in standard errors, is what all intervals have to hold (Romano and Wolf
    2005, a single step). Figures that move together cost little: C copies of one take that one's interval. A
    single figure gets 1.96 standard errors. Of few users q grows as Student's quantile does, and a
    standard deviation of n is taken for one of n - 1.

    Args:
        draws: of each figure, by resample.
        found: the figures.
        n: users that were drawn from.
        level: share of the draws.
    """
    from scipy.special import ndtri, stdtrit  # here: every command imports this module, and few judge

    spread = draws.std(axis=0)
    moved = spread > 0
    if not moved.any():
        return np.stack([found, found], axis=1)
    off = np.abs(draws[:, moved] - draws[:, moved].mean(axis=0)) / spread[moved]
    tail = (1 + level) / 2
    q = max(float(np.quantile(off.max(axis=1), level)), float(ndtri(tail)))
    q *= float(stdtrit(n - 1, tail) / ndtri(tail)) * (n / (n - 1)) ** 0.5
    return np.stack([found - q * spread, found + q * spread], axis=1)


@dataclass(frozen=True)
class Mean:
    """Holds a mean with its interval.

    Attributes:
        mean: of the values.
        low, high: ends of the interval; infinite for a single value.
        n: how many values.
    """

    mean: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.mean:.4f} ± {self.high - self.mean:.4f}"


def mean_over_seeds(values: Sequence[float], level: float = 0.95) -> Mean:
    """Returns the mean of a figure over independent seeds, with its t interval.

        mean ± t * s / sqrt(n),   s with n - 1, t Student's quantile of n - 1 degrees of freedom

    It says how much the seed matters, nothing of which users are in the test set.

    >>> print(mean_over_seeds([1.0, 2.0, 3.0]))  # s = 1, t(2) = 4.3027, over the root of 3
    2.0000 ± 2.4841
    """
    from scipy.special import stdtrit

    array = np.asarray(values, dtype=np.float64)
    n, mean = len(array), float(np.mean(array)) if len(array) else float("nan")
    if n < 2:
        return Mean(mean, -float("inf"), float("inf"), n)
    half = float(stdtrit(n - 1, (1 + level) / 2)) * float(array.std(ddof=1)) / n**0.5
    return Mean(mean, mean - half, mean + half, n)
