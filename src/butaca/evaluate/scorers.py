"""This module names what some scorers have beside their scores, each one thing, by protocols."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np

from butaca.data.histories import Histories
from butaca.types import Floats, Scorer


@runtime_checkable
class HasItemVectors(Protocol):
    """A HasItemVectors is a scorer that has a vector of each item."""

    @property
    def item_vectors(self) -> Floats | None:
        """Returns the vectors [N, d], or None."""
        ...


@runtime_checkable
class HasHistories(Protocol):
    """A HasHistories is a scorer or a model that keeps the histories that it answers from."""

    @property
    def seen(self) -> Histories:
        """Returns what each user had in training."""
        ...


@runtime_checkable
class Answers(Protocol):
    """An Answers is a scorer that answers for other people, or longer histories, without training."""

    def answering(self, seen: Histories) -> Scorer:
        """Returns a scorer for the histories `seen`."""
        ...


def vectors_of(scorer: Scorer) -> Floats | None:
    """Returns a scorer's item vectors, where it has some."""
    vectors = scorer.item_vectors if isinstance(scorer, HasItemVectors) else None
    return None if vectors is None else np.asarray(vectors, dtype=np.float32)


def answering(scorer: Scorer, seen: Histories) -> Scorer:
    """Returns the scorer over these histories; itself if it reads none, or was built on them."""
    return scorer.answering(seen) if isinstance(scorer, Answers) else scorer
