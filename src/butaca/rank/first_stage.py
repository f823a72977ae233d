"""This module says what a first stage is: what retrieves, and what more it may offer a second stage.

The protocols after `FirstStage` name what some first stages have beside their scores, each one thing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import numpy as np

from butaca.data.dataset import Dataset
from butaca.data.histories import Histories
from butaca.types import Codes, Floats, Scorer


class FirstStage(Protocol):
    """A FirstStage retrieves: it is a Scorer. Where it has `item_vectors` [N, d] they serve as features."""

    @property
    def n_items(self) -> int:
        """Returns the size N of the catalogue."""
        ...

    def score(self, users: Codes) -> Floats:
        """Scores the catalogue for user codes [B] -> [B, N]."""
        ...


#: Fits a first stage on what is known.
FitFirst = Callable[[Dataset], FirstStage]


@runtime_checkable
class HasItemVectors(Protocol):
    """A HasItemVectors is a scorer that has a vector of each item."""

    @property
    def item_vectors(self) -> Floats | None:
        """Returns the vectors [N, d], or None."""
        ...


@runtime_checkable
class HasSeen(Protocol):
    """A HasSeen is a scorer that keeps what it has seen."""

    @property
    def seen(self) -> object:
        """Returns the histories that it learned from, where it is of this package."""
        ...


@runtime_checkable
class Answers(Protocol):
    """An Answers is a scorer that answers for other people, or longer histories, without training."""

    def answering(self, seen: Histories) -> Scorer:
        """Returns a scorer for the histories `seen`."""
        ...


def vectors_of(first: FirstStage) -> Floats | None:
    """Returns a first stage's item vectors, where it has some."""
    vectors = first.item_vectors if isinstance(first, HasItemVectors) else None
    return None if vectors is None else np.asarray(vectors, dtype=np.float32)


def answering(first: FirstStage, seen: Histories) -> Scorer:
    """Returns the scorer over these histories; itself if it reads none, or was built on them."""
    return first.answering(seen) if isinstance(first, Answers) else first
