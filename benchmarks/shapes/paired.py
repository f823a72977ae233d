"""This module compares over several fits: paired by user, the users of all of them drawn together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from butaca import Evaluation
from butaca.evaluate.intervals import Doubles, percentile_interval, resampled_sums
from butaca.evaluate.judged import Judged
from butaca.evaluate.verdict import MEASURES, label_of, word_of

#: The four of the verdict, and NDCG@20.
WANTED: tuple[tuple[str, int], ...] = (*((metric, k) for metric, k, _ in MEASURES), ("ndcg", 20))


@dataclass(frozen=True)
class PairedDifference:
    """A PairedDifference is one measure of the model less that of a baseline, in the mean over fits.

    Attributes:
        baseline, label: which.
        value: the difference.
        low, high: its 95 % interval by itself, users drawn with all their pairs of all fits.
    """

    baseline: str
    label: str
    value: float
    low: float
    high: float

    @property
    def loses(self) -> bool:
        """Says whether the interval lies below zero."""
        return word_of(self.low, self.high) == "loses"


def differences(runs: Sequence[Judged]) -> list[PairedDifference]:
    """Returns the differences from every baseline at the verdict's four measures.

    Pairs of a user are not independent, nor are a user's pairs in several splits, so whole users are drawn:
    a difference is the sum over the users drawn over what it is a share of.
    """
    n = 1 + max(int(run.served.user.max(initial=0)) for run in runs)
    columns: list[Doubles] = []
    names: list[tuple[str, str]] = []
    for baseline in runs[0].baselines:
        for metric, k, label in MEASURES:
            over = np.zeros(n)
            gained = np.zeros(n)
            for run in runs:
                ours, whole = parts(run.served, metric, k)
                theirs, _ = parts(run.rows[baseline], metric, k)
                gained[run.served.users] += ours - theirs
                over[run.served.users] += whole
            columns += [gained, over]
            names.append((baseline, label))
    table = np.stack(columns, axis=1)
    table = table[table[:, 1::2].any(axis=1)]
    sums, draws = table.sum(axis=0), resampled_sums(table)
    out = []
    for c, (baseline, label) in enumerate(names):
        value = sums[2 * c] / sums[2 * c + 1]
        low, high = percentile_interval(draws[:, 2 * c] / draws[:, 2 * c + 1])
        out.append(PairedDifference(baseline, label, float(value), low, high))
    return out


def parts(row: Evaluation, metric: str, k: int) -> tuple[Doubles, Doubles]:
    """Returns of each user what is added, and what it is a share of: hits of pairs, or a figure of one."""
    if metric == "top_k_accuracy":
        return row.hits_per_user(k)
    values = row.per_user(metric, k)
    return values, np.ones(len(values))


def means(rows: Sequence[Evaluation]) -> dict[str, float]:
    """Returns every figure's mean over fits, by label."""
    return {
        label_of(metric, k): round(float(np.mean([row.metric(metric, k) for row in rows])), 5)
        for metric, k in WANTED
    }
