"""This module judges scores from files: every model of the quality benchmark by the same code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from butaca import Dataset, Evaluation, Histories, evaluate_scorer
from butaca.evaluate.metrics import PerUser
from butaca.types import Bools, Codes, Floats


@dataclass(frozen=True, eq=False)
class SavedScores:
    """A SavedScores is a scorer that reads what a child wrote.

    Attributes:
        matrix: float32 [U, N].
    """

    matrix: Floats

    @property
    def n_items(self) -> int:
        """Returns the size of the catalogue."""
        return int(self.matrix.shape[1])

    def score(self, users: Codes) -> Floats:
        """Returns rows of the matrix."""
        rows: Floats = self.matrix[users]
        return rows


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


def judge(files: Sequence[Path], train: Dataset, *, test: Dataset, only: Bools | None = None) -> OverSeeds:
    """Evaluates score files, an .npy for each seed, on the test pairs; seen items are left out.

    Args:
        files: float32 [U, N] each.
        train: what was seen.
        test: pairs to find.
        only: items that may be in a list, [N]; None is all.
    """
    seen = Histories.of(train)
    seeds = []
    for file in files:
        matrix = np.load(file)
        if matrix.shape != (len(train.users), len(train.items)):
            raise ValueError(f"{file.name} holds {matrix.shape}, not users x items")
        if only is not None:
            matrix[:, ~only] = -np.inf
        seeds.append(evaluate_scorer(SavedScores(matrix), test, seen=seen))
    return OverSeeds.of(seeds)
