"""This module takes from a fitted model the parts that a Recommender answers from.

A model has vectors; what else it has is told by the protocols that it meets, each of one part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from butaca.baselines.popularity import counts_of
from butaca.checks import of_kind, shown
from butaca.data.dataset import Dataset, Entities
from butaca.data.histories import Histories
from butaca.errors import SettingError
from butaca.evaluate.scorers import HasHistories
from butaca.model.cold import ColdItems
from butaca.model.features import Feature, History
from butaca.model.query import QueryTower
from butaca.recommend.parts import ModelParts
from butaca.types import Floats, Values


class FittedTowers(Protocol):
    """A FittedTowers is what `Recommender.build` needs of a model.

    Where it also has `item_bias`, a `query_tower` that reads histories, the histories that it has `seen`,
    a map for `cold` items, or `settings` with its features, they are carried too.
    """

    @property
    def users(self) -> Entities:
        """Returns the users it knows."""
        ...

    @property
    def items(self) -> Entities:
        """Returns the candidates."""
        ...

    @property
    def user_vectors(self) -> Floats:
        """Returns the vectors of the users [U + 1, d], the last for unknown users."""
        ...

    @property
    def item_vectors(self) -> Floats:
        """Returns the vectors of the items [N, d]."""
        ...


@runtime_checkable
class HasItemBias(Protocol):
    """A HasItemBias is a model that may add a term of each item alone to its scores."""

    @property
    def item_bias(self) -> Floats | None:
        """Returns the term of each item [N], or None."""
        ...


@runtime_checkable
class HasQueryTower(Protocol):
    """A HasQueryTower is a model that may make vectors of new histories."""

    @property
    def query_tower(self) -> QueryTower | None:
        """Returns the tower, or None."""
        ...


@runtime_checkable
class HasCold(Protocol):
    """A HasCold is a model that may make vectors of items by their features alone."""

    @property
    def cold(self) -> ColdItems | None:
        """Returns the map from features, or None."""
        ...


@runtime_checkable
class HasQuery(Protocol):
    """A HasQuery is a model's settings that declare the features of its query tower."""

    @property
    def query(self) -> Sequence[Feature]:
        """Returns the features."""
        ...


@runtime_checkable
class HasNewcomers(Protocol):
    """A HasNewcomers is a model's settings that say what stands in for a history where there is none."""

    @property
    def newcomer_features(self) -> Sequence[Feature]:
        """Returns the features."""
        ...


@runtime_checkable
class HasSettings(Protocol):
    """A HasSettings is a model that keeps the settings it was made with."""

    @property
    def settings(self) -> object:
        """Returns the settings, of any kind."""
        ...


def parts_of(
    model: FittedTowers,
    train: Dataset,
    *,
    test: Dataset | None = None,
    about: Mapping[str, Any] | None = None,
) -> ModelParts:
    """Returns the parts of a fitted model.

    Args:
        model: fitted.
        train: interactions that count as seen. A tower that reads histories answers from these, also
            where it was trained on fewer.
        test: held-out pairs that are kept beside it, or None.
        about: what the folder's manifest says of the model; None says nothing.

    Raises:
        DivergenceError: its vectors are no numbers.
    """
    of_kind("train", train, kind=Dataset, cure="Pass what the model was fitted on")
    if test is not None:
        of_kind("test", test, kind=Dataset, cure="Pass the pairs that a split held out")
    if not all(_has(model, name) for name in ("users", "items", "user_vectors", "item_vectors")):
        raise SettingError(
            "A Recommender is built from a fitted model", shown(model), "Fit a TwoTower, and pass it"
        )
    train = train.recoded(model.users, model.items)
    seen = Histories.of(train)
    vectors = model.user_vectors
    bias = model.item_bias if isinstance(model, HasItemBias) else None
    tower = model.query_tower if isinstance(model, HasQueryTower) else None
    if tower is not None and not tower.reads_history:
        tower = None
    if tower is not None and not (isinstance(model, HasHistories) and _same(seen, model.seen)):
        vectors = tower(np.arange(len(model.users) + 1, dtype=np.int32), seen)
        if isinstance(model, HasHistories):  # whoever has nothing, then and now, is known as before
            nothing = np.append((seen.lengths == 0) & (model.seen.lengths == 0), True)
            vectors = np.where(nothing[:, None], model.user_vectors, vectors)
    pairs, test_weight = None, None
    if test is not None:
        test = test.recoded(model.users, model.items)
        pairs, test_weight = (test.user, test.item), test.weight
    parts = ModelParts(
        users=model.users,
        items=model.items,
        user_vectors=np.asarray(vectors, dtype=np.float32),
        item_vectors=np.asarray(model.item_vectors, dtype=np.float32),
        seen=seen,
        popularity=counts_of(train),
        item_bias=None if bias is None else np.asarray(bias, dtype=np.float32),
        about=dict(about or {}),
        test=pairs,
        test_weight=test_weight,
        again=train.again,
        query_tower=tower,
        user_features=_user_features(model),
        cold=model.cold if isinstance(model, HasCold) else None,
    )
    parts.check_numbers()
    return parts


def _has(model: object, name: str) -> bool:
    """Says whether a model has a part; asking for it would tell a new one that it is not fitted."""
    return hasattr(type(model), name) or name in getattr(model, "__dict__", {})


def _user_features(model: FittedTowers) -> tuple[str, ...]:
    """Returns the columns of the users' table that a model reads, of newcomers too, the id left out."""
    if not (isinstance(model, HasSettings) and isinstance(model.settings, HasQuery)):
        return ()
    columns = [f.column for f in model.settings.query if not isinstance(f, History)]
    if isinstance(model.settings, HasNewcomers):
        columns += [f.column for f in model.settings.newcomer_features]
    return tuple(column for column in columns if column != model.users.key)


def _same(a: Histories, b: Histories) -> bool:
    """Returns whether two histories hold the same."""
    pairs = ((a.items, b.items), (a.start, b.start), (a.value, b.value), (a.time, b.time))
    return all(_equal(x, y) for x, y in pairs)


def _equal(a: Values | None, b: Values | None) -> bool:
    """Returns whether two columns hold the same, nan being equal to nan."""
    if a is None or b is None:
        return a is b
    return a is b or np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
