"""This module holds the slice that configurations are judged on, and the measure that tells the better."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from butaca.data.dataset import Dataset
from butaca.data.histories import Histories, leaving_lists
from butaca.data.splits import validation_split
from butaca.evaluate.protocol import evaluate_scorer
from butaca.train.blend import MEASURES
from butaca.types import Codes, Floats, Ints, Scorer

#: Of the interactions, the share that a slice judges on, and users that judge, at most: a draw. Of those with
#: one pair each, as where the last is asked for, more: a thousand pairs tell shares of a score badly.
SHARE, USERS, USERS_OF_ONE = 0.1, 1_000, 4_000

#: The share where a later time is asked for: how far ahead it lies says how much recent popularity counts.
LATER_SHARE = 0.2

#: The scores of one slice that are held at once: so many fewer users where the catalogue is large.
SCORES = 40_000_000


@dataclass(frozen=True, eq=False)
class ValidationSlice:
    """A ValidationSlice holds what configurations are fitted on, and what they are to find.

    Attributes:
        train: to fit on.
        validation: pairs to find, of some users, in the same codes.
        seen: what users had in `train`.
        users: those of `validation`, ascending [R].
    """

    train: Dataset
    validation: Dataset
    seen: Histories
    users: Codes

    @classmethod
    def of(cls, data: Dataset, split: str, *, seed: int = 0) -> ValidationSlice:
        """Cuts a slice in the way the test side was split off.

        Args:
            data: the training side.
            split: how the test side was held out.
            seed: of the draws.

        Raises:
            SplitError: too little is left for one.
        """
        train, validation = validation_split(
            data, split, share=LATER_SHARE if split == "temporal" else SHARE, seed=seed
        )
        users = np.unique(validation.user)
        judging = USERS_OF_ONE if len(users) == len(validation) else USERS
        most = max(min(judging, SCORES // max(len(data.items), 1)), 50)
        if len(users) > most:
            users = np.sort(np.random.default_rng([seed, 6]).choice(users, most, replace=False))
            validation = validation.take(np.flatnonzero(np.isin(validation.user, users)))
        return cls(train, validation, Histories.of(train), users.astype(np.int32))

    @property
    def lengths(self) -> Ints:
        """Returns how many items each of `users` had, [R]."""
        lengths: Ints = self.seen.lengths[self.users]
        return lengths

    def value(self, scorer: Scorer) -> float:
        """Returns the geometric mean of the verdict's four measures; 0 where one of them is.

        What users had is left out, unless it may come again (`Dataset.again`). One figure must speak for the
        four: with this mean a gain of a hundredth part counts the same in each.
        """
        found = evaluate_scorer(
            scorer, self.validation, seen=leaving_lists(self.seen, again=self.train.again)
        )
        values = [found.metric(name, k) for name, k in MEASURES]
        return math.exp(sum(map(math.log, values)) / len(values)) if min(values) > 0 else 0.0

    def rows(self, scores: Floats) -> Rows:
        """Returns scores of `users` [R, N] as a Scorer."""
        place = np.full(len(self.train.users), -1, dtype=np.int32)
        place[self.users] = np.arange(len(self.users), dtype=np.int32)
        return Rows(scores, place)


@dataclass(frozen=True, eq=False)
class Rows:
    """A Rows is a matrix of scores as a Scorer, for the users that have a row.

    Attributes:
        scores: [R, N].
        place: row of each user code; -1 for none.
    """

    scores: Floats
    place: Codes

    @property
    def n_items(self) -> int:
        """Returns the size N of the catalogue."""
        return int(self.scores.shape[1])

    def score(self, users: Codes) -> Floats:
        """Returns scores [B, N] of user codes [B], each with a row."""
        rows: Floats = self.scores[self.place[users]]
        return rows
