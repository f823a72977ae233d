"""What a Recommender is made of, taken from a fitted model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from butaca.data.dataset import Dataset, Entities
from butaca.data.histories import Histories
from butaca.model.features import Feature, History
from butaca.model.query import QueryTower
from butaca.types import Floats, Values


class FittedTowers(Protocol):
    """What `Recommender.build` needs of a model.

    Where it also has `item_bias`, a `query_tower` that reads histories, and the histories that it
    has `seen`, they are carried too.
    """

    @property
    def users(self) -> Entities:
        """The users it knows."""
        ...

    @property
    def items(self) -> Entities:
        """The candidates."""
        ...

    @property
    def user_vectors(self) -> Floats:
        """[U + 1, d], the last for unknown users."""
        ...

    @property
    def item_vectors(self) -> Floats:
        """[N, d]."""
        ...


def parts_of(model: FittedTowers, train: Dataset, test: Dataset | None) -> dict[str, Any]:
    """Fields of a Recommender, by name.

    Args:
        model: fitted.
        train: interactions that count as seen. A tower that reads histories answers from these, also
            where it was trained on fewer.
        test: held-out pairs that are kept beside it, or None.
    """
    train = train.recoded(model.users, model.items)
    seen = Histories.of(train)
    vectors, bias = model.user_vectors, getattr(model, "item_bias", None)
    tower: QueryTower | None = getattr(model, "query_tower", None)
    if tower is not None and not tower.reads_history:
        tower = None
    if tower is not None and not _same(seen, getattr(model, "seen", None)):
        vectors = tower(np.arange(len(model.users) + 1, dtype=np.int32), seen)
    pairs = None
    if test is not None:
        test = test.recoded(model.users, model.items)
        pairs = (test.user, test.item)
    return {
        "users": model.users,
        "items": model.items,
        "user_vectors": np.asarray(vectors, dtype=np.float32),
        "item_vectors": np.asarray(model.item_vectors, dtype=np.float32),
        "seen": seen,
        "popularity": np.bincount(train.item, minlength=len(model.items)).astype(np.float32),
        "item_bias": None if bias is None else np.asarray(bias, dtype=np.float32),
        "test": pairs,
        "query_tower": tower,
        "user_features": _user_features(model),
        "cold": getattr(model, "cold", None),
    }


def _user_features(model: FittedTowers) -> tuple[str, ...]:
    """Columns of the users' table that a model reads, the id left out."""
    query: Sequence[Feature] = getattr(getattr(model, "settings", None), "query", ())
    columns = (f.column for f in query if not isinstance(f, History))
    return tuple(column for column in columns if column != model.users.key)


def _same(a: Histories, b: Histories | None) -> bool:
    """Whether two histories hold the same."""
    columns = ("items", "start", "value", "time")
    return b is not None and all(_equal(getattr(a, c), getattr(b, c)) for c in columns)


def _equal(a: Values | None, b: Values | None) -> bool:
    if a is None or b is None:
        return a is b
    return a is b or np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
