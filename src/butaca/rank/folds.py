"""This module makes out-of-fold examples: a ranker learns what a first stage found that never saw it.

Random folds, for random splits: every fold hides a share of the interactions, the first stage and all facts
learn from the others. Folds in time, for what comes later: known is everything before a moment, to be
found what comes next. Either way `LeakError` refuses examples that see their own answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from butaca.data.dataset import Dataset
from butaca.data.histories import Histories
from butaca.errors import SettingError
from butaca.rank.fact_check import check_facts
from butaca.rank.facts import TrainFacts
from butaca.rank.features import RankFeature
from butaca.rank.leaks import check_first_stage, check_histories, check_pairs, check_when
from butaca.rank.learn import FactSettings
from butaca.rank.matrix import candidates_of, matrix
from butaca.rank.people import People
from butaca.types import Codes, Floats, Ints, Scorer

How: TypeAlias = Literal["random", "time"]


@dataclass(frozen=True, eq=False)
class Fold:
    """A Fold is what is known, and what is to be found.

    Attributes:
        known: what first stage and facts learn from, and histories are made of.
        label: the positives.
        when: the time of asking, seconds since 1970 UTC; None: each person's latest known time.
    """

    known: Dataset
    label: Dataset
    when: float | None = None


@dataclass(frozen=True, eq=False)
class Examples:
    """An Examples holds candidates that are learned from, one person's after another's, best first.

    Attributes:
        features: float32 [R, F].
        watched: bool [R].
        value: ratings of the watched, float32 [R]; nan elsewhere.
        user, item: codes, int32 [R].
        group: examples of each person of a fold, int64 [G].
    """

    features: Floats
    watched: np.ndarray
    value: Floats
    user: Codes
    item: Codes
    group: Ints

    def __len__(self) -> int:
        return len(self.watched)


def folds_of(
    train: Dataset,
    how: How = "random",
    *,
    n: int = 5,
    seed: int = 0,
    label: float = 0.1,
    used: int | None = None,
) -> list[Fold]:
    """Returns folds of training data.

    Args:
        train: what all may be learned from; the test takes no part.
        how: "random" hides each interaction in one of the folds; "time" makes cuts, each followed by what is
            to be found.
        n: folds.
        seed: of the random ones.
        label: in time, the share of the interactions that each cut is followed by.
        used: of the random ones, how many are made; None: all.

    Raises:
        SettingError: fewer interactions than folds, or no times.
    """
    train = _once(train)
    if n < 2 or len(train) < 2 * n:
        raise SettingError(
            "Folds are at least two, of two interactions or more",
            f"{n} folds of {len(train)} interactions",
            "Give more data, or leave the second stage out",
        )
    if how == "random":
        part = np.random.default_rng([seed, 5]).permutation(len(train)) % n
        return [
            Fold(train.take(np.flatnonzero(part != f)), train.take(np.flatnonzero(part == f)))
            for f in range(n if used is None else min(used, n))
        ]
    time = train.timestamp
    if time is None:
        raise SettingError(
            "Folds in time need a time for every interaction",
            f"{train.name!r}, which has none",
            'Use how="random"',
        )
    ordered = np.sort(time)
    out = []
    for f in range(n):
        begin = 1.0 - label * (n - f)
        cut = ordered[int(len(ordered) * max(begin, 0.05))]
        end = ordered[min(int(len(ordered) * (begin + label)), len(ordered) - 1)]
        last = f == n - 1
        known, found = time < cut, (time >= cut) & ((time < end) | last)
        if known.any() and found.any():
            out.append(Fold(train.take(np.flatnonzero(known)), train.take(np.flatnonzero(found)), float(cut)))
    if not out:
        raise SettingError("Folds in time need different times", f"{train.name!r}", 'Use how="random"')
    return out


def _once(train: Dataset) -> Dataset:
    """Returns the last row of every pair, in the data's order: a repeat in another fold would be a leak."""
    pair = train.user.astype(np.int64) * len(train.items) + train.item
    _, last = np.unique(pair[::-1], return_index=True)
    if len(last) == len(pair):
        return train
    return train.take(np.sort(len(pair) - 1 - last))


def examples_of(
    fold: Fold,
    first: Scorer,
    *,
    facts: TrainFacts,
    features: Sequence[RankFeature],
    n: int,
    histories: Histories | None = None,
    settings: FactSettings | None = None,
    best: int | None = None,
    whole: Codes | None = None,
) -> Examples:
    """Returns the candidates of all who have something to be found, with outcomes; what was had is left out.

    Args:
        fold: known and to be found.
        first: fitted on `fold.known`.
        facts: learned from `fold.known`.
        features: declared.
        n: candidates of a person.
        histories: of `fold.known`; None makes them.
        settings: that `facts` were learned with.
        best: examples are the first so many candidates and all that were watched; None: all candidates.
        whole: users of whom all candidates are examples, whatever `best` says.

    Raises:
        LeakError: one of these holds what is to be found.
    """
    histories = Histories.of(fold.known) if histories is None else histories
    check_pairs(fold.known, fold.label)
    check_histories(histories, fold.label)
    check_first_stage(first, fold.known, label=fold.label)
    check_when(fold.known, fold.label, when=fold.when)
    check_facts(facts, fold.known, label=fold.label, settings=settings)
    best, whole = n if best is None else best, np.zeros(0, np.int32) if whole is None else whole
    parts = [
        _some(fold, first, facts, features, n, histories, users, best, whole)
        for users in _blocks(np.unique(fold.label.user), 256)
    ]
    return joined(parts)


def joined(parts: Sequence[Examples]) -> Examples:
    """Returns examples after one another."""
    names = ("features", "watched", "value", "user", "item", "group")
    return Examples(*(np.concatenate([getattr(p, name) for p in parts]) for name in names))


def _some(
    fold: Fold,
    first: Scorer,
    facts: TrainFacts,
    features: Sequence[RankFeature],
    n: int,
    histories: Histories,
    users: Codes,
    best: int,
    whole: Codes,
) -> Examples:
    people = People.of(users, histories, when=fold.when)
    candidates, scores = candidates_of(first.score(users), [histories[int(u)] for u in users], n=n)
    place = np.full((len(users), len(fold.label.items)), -1, dtype=np.int64)
    mine = np.flatnonzero(np.isin(fold.label.user, users))
    place[np.searchsorted(users, fold.label.user[mine]), fold.label.item[mine]] = mine
    outcome = np.take_along_axis(place, np.maximum(candidates, 0), axis=1)
    asked = (np.arange(candidates.shape[1]) < best) | (outcome >= 0) | np.isin(users, whole)[:, None]
    asked &= candidates >= 0
    rows = matrix(features, facts, people=people, candidates=candidates, scores=scores, asked=asked)
    row = np.repeat(np.arange(len(users)), asked.sum(axis=1))
    item, found = candidates[asked], outcome[asked]
    watched = found >= 0
    value = np.full(len(found), np.nan, dtype=np.float32)
    if fold.label.value is not None:
        value[watched] = fold.label.value[found[watched]]
    return Examples(rows, watched, value, users[row], item, asked.sum(axis=1))


def _blocks(codes: Codes, size: int) -> Iterator[Codes]:
    return (codes[at : at + size] for at in range(0, len(codes), size))
