"""This module holds what benchmarks judge: saved scores, lists of some items, seeds as one evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from butaca import Dataset, Evaluation
from butaca.evaluate.metrics import PerUser
from butaca.types import Bools, Codes, Floats, Scorer


@dataclass(frozen=True, eq=False)
class SavedScores:
    """A SavedScores is a scorer that reads what a child wrote.

    Attributes:
        matrix: float32 [U, N].
        of: the data whose users and items it scores.

    Raises:
        ValueError: it has another shape.
    """

    matrix: Floats
    of: Dataset

    def __post_init__(self) -> None:
        """Checks the shape."""
        if self.matrix.shape != (len(self.of.users), len(self.of.items)):
            raise ValueError(f"scores are of users x items, and here {self.matrix.shape}")

    @property
    def n_items(self) -> int:
        """Returns the size of the catalogue."""
        return int(self.matrix.shape[1])

    def score(self, users: Codes) -> Floats:
        """Returns rows of the matrix."""
        rows: Floats = self.matrix[users]
        return rows


@dataclass(frozen=True, eq=False)
class Only:
    """An Only is a scorer whose lists hold some of the items alone."""

    scorer: Scorer
    items: Bools

    @property
    def n_items(self) -> int:
        """Returns the size of the catalogue."""
        return self.scorer.n_items

    def score(self, users: Codes) -> Floats:
        """Returns the scorer's scores, -inf elsewhere."""
        scores: Floats = np.where(self.items, self.scorer.score(users), np.float32(-np.inf))
        return scores


@dataclass(frozen=True, eq=False)
class OverSeeds(Evaluation):
    """An OverSeeds takes several seeds of one model as one evaluation: a user's figure is the mean.

    What `compare_many` resamples are then users with that mean, so its interval is of the model that one
    expects from a seed, not of one lucky fit.

    Attributes:
        seeds: the evaluations, of the same pairs.
    """

    seeds: tuple[Evaluation, ...] = ()

    @classmethod
    def of(cls, seeds: Sequence[Evaluation]) -> OverSeeds:
        """Makes an evaluation whose fields, but `seeds`, are the first one's."""
        e = seeds[0]
        return cls(e.ranks, e.n_items, e.seen_left_out, None, e.user, e.item, seeds=tuple(seeds))

    def top_k(self, k: int) -> float:
        """Returns the mean over seeds."""
        return float(np.mean([e.top_k(k) for e in self.seeds]))

    def per_user(self, name: str, k: int | None = 10) -> PerUser:
        """Returns the mean over seeds, [U']."""
        mean: PerUser = np.mean([e.per_user(name, k) for e in self.seeds], axis=0)
        return mean

    def hits_per_user(self, k: int) -> tuple[PerUser, PerUser]:
        """Returns the hits, their mean over seeds, and pairs, [U'] each."""
        hits: PerUser = np.mean([e.hits_per_user(k)[0] for e in self.seeds], axis=0)
        return hits, self.seeds[0].hits_per_user(k)[1]

    def only(self, pairs: Bools) -> OverSeeds:
        """Returns the evaluation of some of the pairs, of every seed."""
        return OverSeeds.of([e.only(pairs) for e in self.seeds])

    def each(self, name: str, k: int) -> list[float]:
        """Returns a metric of every seed."""
        return [e.metric(name, k) for e in self.seeds]
