"""This module compares over several splits: paired by user, the users of all of them drawn together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from butaca.evaluate.intervals import Doubles, percentile_interval, resampled_sums
from butaca.evaluate.protocol import Evaluation
from butaca.evaluate.verdict import (
    FEWEST_USERS,
    MEASURES,
    Word,
    check_same_pairs,
    label_of,
    word_of,
)

#: What tables of means hold: the verdict's measures, and NDCG@20.
WANTED: tuple[tuple[str, int], ...] = (*((metric, k) for metric, k, _ in MEASURES), ("ndcg", 20))

#: Evaluations by the name of their model, on the same pairs.
ByModel = Mapping[str, Evaluation]


@dataclass(frozen=True)
class PairedDifference:
    """A PairedDifference is one measure of one model less that of another, in the mean over splits.

    Attributes:
        other: what it is compared with.
        label: of the measure.
        value: the difference.
        low, high: its 95 % interval by itself, users drawn with all their pairs of all splits; nan where
            there are too few users.
    """

    other: str
    label: str
    value: float
    low: float
    high: float

    @property
    def word(self) -> Word:
        """Returns what the interval says: "beats", "ties", "loses", or "open" where there is none."""
        return word_of(self.low, self.high)

    @property
    def loses(self) -> bool:
        """Says whether the interval lies below zero."""
        return self.word == "loses"

    def turned(self, name: str) -> PairedDifference:
        """Returns the same difference from the other side: the other model less this one, of that name.

        >>> PairedDifference("EASE", "top-10", 0.2, 0.1, 0.4).turned("butaca")
        PairedDifference(other='butaca', label='top-10', value=-0.2, low=-0.4, high=-0.1)
        """
        return replace(self, other=name, value=0.0 - self.value, low=0.0 - self.high, high=0.0 - self.low)


def differences(runs: Sequence[ByModel], first: str) -> list[PairedDifference]:
    """Returns the differences of one model from every other, at the verdict's four measures.

    Pairs of a user are not independent, nor are a user's pairs in several splits, so whole users are drawn:
    a difference is the sum over the users drawn over what it is a share of.

    Args:
        runs: of each split or seed, every model's evaluation.
        first: the model whose figures the others' are taken from.

    Raises:
        SettingError: two were not judged on the same pairs.
    """
    n = 1 + max(int(run[first].user.max(initial=0)) for run in runs)
    columns: list[Doubles] = []
    names: list[tuple[str, str]] = []
    for other in runs[0]:
        if other == first:
            continue
        for run in runs:
            check_same_pairs(run[first], run[other], name=other)
        for metric, k, label in MEASURES:
            over = np.zeros(n)
            gained = np.zeros(n)
            for run in runs:
                ours, whole = parts(run[first], metric, k=k)
                theirs, _ = parts(run[other], metric, k=k)
                gained[run[first].users] += ours - theirs
                over[run[first].users] += whole
            columns += [gained, over]
            names.append((other, label))
    if not names:
        return []
    table = np.stack(columns, axis=1)
    table = table[table[:, 1::2].any(axis=1)]
    enough = len(table) >= FEWEST_USERS
    sums = table.sum(axis=0)
    draws = resampled_sums(table) if enough else None
    out = []
    for c, (other, label) in enumerate(names):
        value = float(sums[2 * c] / sums[2 * c + 1])
        low, high = np.nan, np.nan
        if draws is not None:
            low, high = percentile_interval(draws[:, 2 * c] / draws[:, 2 * c + 1])
        out.append(PairedDifference(other, label, value, low, high))
    return out


def parts(row: Evaluation, metric: str, *, k: int) -> tuple[Doubles, Doubles]:
    """Returns of each user what is added, and what it is a share of: hits of pairs, or a figure of one."""
    if metric == "top_k_accuracy":
        return row.hits_per_user(k)
    values = row.per_user(metric, k)
    return values, np.ones(len(values))


def means(rows: Sequence[Evaluation]) -> dict[str, float]:
    """Returns every figure's mean over splits, by label."""
    return {
        label_of(metric, k): round(float(np.mean([row.metric(metric, k) for row in rows])), 5)
        for metric, k in WANTED
    }
