"""This module adds new items to a trained model, through what is known of them: nothing is trained.

Their vectors come from the map that training left beside the model (model/cold.py): what items like them
have. Everything else stays as it is, to the bit; codes of the known items too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from butaca.catalogue.titles import folded
from butaca.data.bags import Bags, Column, join_columns
from butaca.data.columns.titles import title_of
from butaca.data.dataset import Entities
from butaca.data.vocabulary import Vocabulary
from butaca.errors import FeatureError, SettingError, TableError
from butaca.model.query import QueryTower
from butaca.recommend.recommender import Recommender
from butaca.types import Floats, Ints, Values

#: What splits a cell that holds several values.
SPLIT = "|"


@dataclass(frozen=True)
class Additions:
    """An Additions says what became of a table of new items.

    Attributes:
        new: ids that were added.
        known: ids that the model has already, and that stay as they are.
        missing: columns that the model reads of an item and the table does not have.
        ignored: columns of the table that the model does not have.
    """

    new: tuple[Any, ...]
    known: tuple[Any, ...]
    missing: tuple[str, ...]
    ignored: tuple[str, ...]


def with_items(recommender: Recommender, table: Entities) -> tuple[Recommender, Additions]:
    """Returns a model with further items, and what became of each.

    Args:
        recommender: the model.
        table: one row per item; columns by the names that the model has, or their short names ("genres" for
            "movie_genres"). Several values of a cell may stand in one text, split by "|".

    Raises:
        SettingError: the model learned nothing from the features of its items.
        TableError: the table has no column that the model reads.
    """
    items, cold = recommender.items, recommender.cold
    if cold is None:
        raise SettingError(
            "New items enter a model that learned what the features of items say",
            f"a model of {len(items):,} items without such features",
            'Fit recipe("default") (--recipe default) on data whose items have features (--items FILE)',
        )
    codes = items.ids.encode(table.ids.values)
    fresh = np.flatnonzero(codes == items.ids.unknown)
    known = tuple(table.ids.values[np.flatnonzero(codes != items.ids.unknown)].tolist())
    names = _names(recommender, table)
    read = [e.feature.column for e in cold.encoders if e.feature.column != items.key]
    missing = tuple(name for name in read if name not in names)
    if read and len(missing) == len(read):
        raise TableError(
            "A table of new items has a column that the model reads of an item",
            f"columns {', '.join([table.key, *table.columns])}",
            f"The model reads {', '.join(read)}",
        )
    ignored = tuple(name for name in table.columns if name not in names.values())
    added = Additions(tuple(table.ids.values[fresh].tolist()), known, missing, ignored)
    if not len(fresh):
        return recommender, added
    labels = {name: list(words) for name, words in items.labels.items()}
    columns: dict[str, Column] = {}
    for name, column in items.columns.items():
        given = None if name not in names else table[names[name]]
        columns[name] = _like(name, column, given, fresh, labels)
    new = Entities(
        items.key,
        Vocabulary(_ids(items, table, fresh)),
        columns,
        MappingProxyType({name: tuple(words) for name, words in labels.items()}),
    )
    rows = cold(new)
    n = len(fresh)
    bias = recommender.item_bias
    if bias is not None:
        bias = np.concatenate([bias, np.zeros(n, np.float32) if rows.bias is None else rows.bias])
    return (
        replace(
            recommender,
            items=_joined(items, new),
            item_vectors=np.concatenate([recommender.item_vectors, rows.items]),
            item_bias=bias,
            popularity=np.concatenate([recommender.popularity, np.zeros(n, np.float32)]),
            query_tower=_longer(recommender.query_tower, rows.history, rows.head, n),
            version="",
        ),
        added,
    )


def _names(recommender: Recommender, table: Entities) -> dict[str, str]:
    """Returns for each column of the model that of the table that holds the same."""
    there = {folded(name): name for name in table.columns}
    out = {}
    short = recommender.catalogue.filters.names()
    title, theirs = title_of(recommender.items), title_of(table)
    for name in recommender.items.columns:
        forms = [name, short.get(name, name), *((theirs,) if theirs and name == title else ())]
        found = next((there[folded(f)] for f in forms if folded(f) in there), None)
        if found is not None:
            out[name] = found
    return out


def _like(
    name: str, column: Column, given: Column | None, rows: Ints, labels: Mapping[str, list[str]]
) -> Column:
    """Returns the rows of a given column in the form of the model's; what is not given is missing.

    A label that the model does not know gets a code of its own, appended to `labels`.
    """
    words = labels.get(name)
    if isinstance(column, Bags):
        bags = [_members(given, int(row)) for row in rows]
        if words is not None:
            return Bags.of([[_code(words, m) for m in bag] for bag in bags], column.values.dtype)
        if column.values.dtype.kind in "iuf":
            numbers = [[_number(name, m) for m in bag] for bag in bags]
            return Bags.of(numbers, column.values.dtype)
        return Bags.of([[str(m) for m in bag] for bag in bags], object)
    cells = [None if given is None else _cell(given, int(row)) for row in rows]
    if column.dtype.kind in "OU":
        return _texts(["" if c is None else str(c) for c in cells])
    if words is not None:
        coded = [0 if c is None or c == "" else _code(words, c) for c in cells]
        return np.array(coded, dtype=column.dtype)
    values = np.array([np.nan if c is None or c == "" or c != c else _number(name, c) for c in cells])
    return values.astype(np.float32 if np.isnan(values).any() else column.dtype)


def _members(given: Column | None, row: int) -> Sequence[Any]:
    """Returns the values of a cell that may hold several."""
    if given is None:
        return ()
    if isinstance(given, Bags):
        return list(given[row].tolist())
    cell = _cell(given, row)
    return [part.strip() for part in str(cell).split(SPLIT) if part.strip()] if cell not in {None, ""} else ()


def _cell(given: Column, row: int) -> Any:
    """Returns one value of a column; several stand as one text."""
    if isinstance(given, Bags):
        return SPLIT.join(map(str, given[row].tolist()))
    value = given[row]
    return value.item() if hasattr(value, "item") else value


def _code(words: list[str], value: Any) -> int:
    """Returns the code of a label, by its word or its code; a new one is appended."""
    word = folded(str(value))
    for code, known in enumerate(words):
        if folded(known) == word:
            return code
    words.append(str(value))
    return len(words) - 1


def _number(name: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = np.nan
    if not np.isfinite(number):
        raise FeatureError(f"Column {name!r} holds finite numbers", repr(value)[:80], "Correct the cell")
    return number


def _ids(items: Entities, table: Entities, rows: Ints) -> Values:
    """Returns the new ids, of the kind that the model's have."""
    raw = table.ids.values[rows]
    if items.ids.is_text:
        return _texts([str(v) for v in raw.tolist()])
    if table.ids.is_text:
        raise TableError(
            f"Ids are whole numbers here, as the model's {items.key}",
            repr(raw[0]),
            "Correct the ids of the table",
        )
    return raw.astype(np.int64)


def _texts(values: Sequence[str]) -> Values:
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def _joined(items: Entities, new: Entities) -> Entities:
    columns = {name: join_columns(column, new.columns[name]) for name, column in items.columns.items()}
    ids = Vocabulary(np.concatenate([items.ids.values, new.ids.values]))
    return Entities(items.key, ids, MappingProxyType(columns), new.labels)


def _longer(
    tower: QueryTower | None, history: Floats | None, head: Floats | None, n: int
) -> QueryTower | None:
    """Returns the tower with rows for the new items, so that they count in a history."""
    if tower is None:
        return None
    weights = tower.history
    if weights is not None:
        rows = np.zeros((n, weights.table.shape[1]), np.float32) if history is None else history
        weights = weights.with_table(np.concatenate([weights.table, rows]))
    table = tower.head
    if table is not None:
        rows = np.zeros((n, table.shape[1]), np.float32) if head is None else head
        table = np.concatenate([table, rows])
    pairs = None if tower.pairs is None else tower.pairs.longer(n)
    return replace(tower, history=weights, head=table, pairs=pairs)
