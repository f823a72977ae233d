"""This module holds Dataset: interactions as codes, with the tables of users and items they point into.

Immutable. A split, a sample or a change of item key is a new Dataset that shares what did not change.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from butaca.checks import array_of, of_kind, shown, whole_number
from butaca.data.bags import Bags, Column, take_column
from butaca.data.negatives import Aside, Negatives
from butaca.data.vocabulary import Vocabulary
from butaca.errors import FeatureError, TableError
from butaca.types import Codes, Floats, Ints, Times, Values


@dataclass(frozen=True, eq=False)
class Entities:
    """Holds what is known of the users, or of the items: one row per code of `ids`.

    Attributes:
        key: name of the id column, such as "user_id" or "movie_title".
        ids: the vocabulary of that column; code = row of every column below.
        columns: further columns by name, each of len(ids) rows.
        labels: for integer-coded columns, the name of each code ("movie_genres": ("Action", ...)).
    """

    key: str
    ids: Vocabulary
    columns: Mapping[str, Column] = field(default_factory=lambda: MappingProxyType({}))
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        for name in ("columns", "labels"):  # nobody's dictionary, and nobody can change them
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))
        for name, column in self.columns.items():
            if len(column) != len(self.ids):
                raise TableError(
                    f"Every column of the {self.key} table has one row per {self.key}",
                    f"column {name!r} with {len(column)} rows for {len(self.ids)} ids",
                    "Rebuild the table with one row per id",
                )
            for array in (column.values, column.offsets) if isinstance(column, Bags) else (column,):
                array.flags.writeable = False

    def __getstate__(self) -> dict[str, Any]:
        """Returns the fields for a copy or another process, as what can be sent there."""
        return self.__dict__ | {"columns": dict(self.columns), "labels": dict(self.labels)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Takes fields back, and keeps them from being changed as a new table does."""
        self.__dict__.update(state)
        self.__post_init__()

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, column: object) -> bool:
        return column == self.key or column in self.columns

    def __getitem__(self, column: str) -> Column:
        """Returns the values of a column by name; the key's own values under its name."""
        if of_kind("column", column, kind=str) == self.key:
            return self.ids.values
        if column not in self.columns:
            raise FeatureError(
                f"A feature names a column of the {self.key} table",
                f"{column!r}, while the table has {', '.join([self.key, *self.columns])}",
                "Correct the name, or add the column to the table",
            )
        return self.columns[column]

    def record(self, code: int) -> dict[str, Any]:
        """Returns one row as a dictionary: {"movie_id": "1681", "movie_title": ..., "movie_genres": ...}."""
        row = {self.key: self.ids.values[code]}
        return row | {name: column[code] for name, column in self.columns.items()}

    def records(self) -> Iterator[dict[str, Any]]:
        """Returns every row as a dictionary, in code order."""
        return (self.record(code) for code in range(len(self)))

    def names(self, column: str, code: int) -> list[str]:
        """Returns one row of a coded column in words, such as ["Animation", "Comedy"] of "movie_genres"."""
        cell = np.atleast_1d(self[column][code])
        words = self.labels.get(column)
        return [words[int(v)] if words else str(v) for v in cell]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Holds interactions of users with items, and the tables that describe both.

    Attributes:
        users, items: the entities; interactions hold their codes.
        user, item: int32 [n], one interaction a row, in the order of the source.
        value: float32 [n], a rating or a weight, or None for plain events.
        timestamp: [n], seconds since 1970 UTC: int64, or float64 where any has a fraction; or None.
        value_name, time_name: the source's names of those columns.
        name: what to call the data in reports.
        notes: what reading decided (columns chosen, rows merged), a line each.
        weight: float32 [n], how much each interaction counts, above 0; None: all the same (`data/signal.py`).
        negatives: pairs that the users said no to, kept aside; None: nothing is known of such.
        again: whether what someone has had may be what they have next: each time counts, and lists keep it.
        earlier: rows of pairs that came again later, of which the latest alone is an interaction, where these
            are many: they say what lists would gain that keep what was had. None: nothing is known of such.
    """

    users: Entities
    items: Entities
    user: Codes
    item: Codes
    value: Floats | None = None
    timestamp: Times | None = None
    value_name: str = "value"
    time_name: str = "timestamp"
    name: str = "data"
    notes: tuple[str, ...] = ()
    weight: Floats | None = None
    negatives: Negatives | None = None
    again: bool = False
    earlier: Aside | None = None

    def __post_init__(self) -> None:
        n = len(self.user)
        columns = {"item": self.item, self.value_name: self.value, self.time_name: self.timestamp}
        columns |= {"weight": self.weight}
        for name, column in columns.items():
            if column is not None and len(column) != n:
                raise TableError(
                    "Every column of the interactions has the same length",
                    f"{n} users and {len(column)} rows of {name!r}",
                    "Rebuild the columns from the same rows",
                )
        for name, codes, size in (
            (self.users.key, self.user, len(self.users)),
            (self.items.key, self.item, len(self.items)),
        ):
            if n and (codes.min() < 0 or codes.max() >= size):
                raise TableError(
                    f"Every {name} code lies within its vocabulary",
                    f"codes {int(codes.min())} to {int(codes.max())} for {size} values",
                    "Encode the interactions with the vocabulary of the entities",
                )
        if self.weight is not None and not (np.isfinite(self.weight) & (self.weight > 0)).all():
            raise TableError(
                "Every interaction counts with a weight above 0, a finite number",
                f"{shown(self.weight)}",
                "Leave out what counts nothing, and keep aside what was disliked (negatives)",
            )
        for array in (self.user, self.item, self.value, self.timestamp, self.weight):
            if array is not None:
                array.flags.writeable = False

    @property
    def weights(self) -> Floats:
        """Returns how much each interaction counts, float32 [n]: 1 where they have no weights."""
        return np.ones(len(self), dtype=np.float32) if self.weight is None else self.weight

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Takes fields back, in a copy or another process, and keeps them from being changed."""
        self.__dict__.update(state)
        self.__post_init__()

    def __len__(self) -> int:
        return len(self.user)

    def __repr__(self) -> str:
        return (
            f"Dataset({self.name!r}: {len(self):,} interactions, "
            f"{len(self.users):,} users by {self.users.key}, {len(self.items):,} items by {self.items.key})"
        )

    def take(self, rows: Ints) -> Dataset:
        """Returns the interactions at the given rows, in that order; what else there is stays whole."""
        given, rows = rows, array_of(rows)
        if rows.ndim != 1 or (rows.dtype.kind not in "iub" and len(rows)):
            raise TableError("Rows are a list of whole numbers", shown(given), "Pass an array of row numbers")
        rows = rows if rows.dtype.kind == "b" else rows.astype(np.int64, copy=False)
        return replace(
            self,
            user=self.user[rows],
            item=self.item[rows],
            value=None if self.value is None else self.value[rows],
            timestamp=None if self.timestamp is None else self.timestamp[rows],
            weight=None if self.weight is None else self.weight[rows],
        )

    def record(self, row: int) -> dict[str, Any]:
        """Returns one interaction with all that is known of its user and item, as the notebook's cell 75."""
        row = whole_number("row", row, least=None)
        if not -len(self) <= row < len(self):
            raise TableError("A row is one of the interactions", f"row {row} of {len(self):,}", "Correct it")
        out = self.items.record(int(self.item[row])) | self.users.record(int(self.user[row]))
        if self.value is not None:
            out[self.value_name] = self.value[row]
        if self.timestamp is not None:
            out[self.time_name] = self.timestamp[row]
        return out

    def records(self) -> Iterator[dict[str, Any]]:
        """Returns every interaction as a dictionary, in order."""
        return (self.record(row) for row in range(len(self)))

    def find(self, user: Any, item: Any) -> Ints:
        """Returns the rows in which a user (raw id) met an item (raw id)."""
        hits = (self.user == self.users.ids.code(user)) & (self.item == self.items.ids.code(item))
        return np.flatnonzero(hits)

    def keyed_by(self, column: str) -> Dataset:
        """Returns the same interactions with items identified by another column of the item table.

        Items that share a value become one (MovieLens 100K: 1,682 movie ids, 1,664 titles). The
        merged row keeps the features of the first of them.

        Args:
            column: the item table's column that holds the new ids; text or whole numbers.
        """
        if of_kind("column", column, kind=str) == self.items.key:
            return self
        raw = self.items[column]
        if isinstance(raw, Bags) or raw.dtype.kind == "f":
            raise FeatureError(
                "Items are identified by a column of text or whole numbers",
                f"{column!r}, which holds {'bags' if isinstance(raw, Bags) else 'real numbers'}",
                f"Name an id column, such as {self.items.key!r}",
            )
        nameless = np.flatnonzero([value == "" for value in raw.tolist()])
        if len(nameless):
            example = self.items.ids.values[nameless[0]]
            raise FeatureError(
                f"Items are identified by {column!r} if every one of them has it",
                f"{len(nameless)} items without, such as {self.items.key} {example!r}",
                f"Fill it in, or stay with {self.items.key!r}",
            )
        ids = Vocabulary.of(raw)
        new_code = ids.encode(raw)
        first = np.full(len(ids), -1, dtype=np.int64)
        first[new_code[::-1]] = np.arange(len(raw))[::-1]
        old = {self.items.key: self.items.ids.values} | dict(self.items.columns)
        columns = {name: take_column(c, first) for name, c in old.items() if name != column}
        items = Entities(column, ids, MappingProxyType(columns), self.items.labels)
        item, negatives = new_code[self.item], self.negatives
        if negatives is not None:
            negatives = replace(negatives, item=new_code[negatives.item]).without(self.user, item)
        earlier = None if self.earlier is None else replace(self.earlier, item=new_code[self.earlier.item])
        return replace(self, items=items, item=item, negatives=negatives, earlier=earlier)

    def recoded(self, users: Entities, items: Entities) -> Dataset:
        """Returns the same interactions in the codes of other entities (a model's own), by raw id.

        Raises:
            TableError: an interaction's user or item is not among them; names the first such row.
        """
        if users is self.users and items is self.items:
            return self
        source = self.keyed_by(items.key)
        user_codes = users.ids.encode(source.users.ids.values)
        item_codes = items.ids.encode(source.items.ids.values)
        user, item = user_codes[source.user], item_codes[source.item]
        for codes, entities, own, raw in (
            (user, users, source.user, source.users),
            (item, items, source.item, source.items),
        ):
            unknown = np.flatnonzero(codes == entities.ids.unknown)
            if len(unknown):
                row = int(unknown[0])
                raise TableError(
                    f"Every {entities.key} here is one that the model knows",
                    f"{raw.ids.values[own[row]]!r} in row {row} and {len(unknown) - 1} more rows",
                    "Leave those rows out, or fit again on data that includes them",
                )
        known_users, known_items = (
            np.where(codes == entities.ids.unknown, -1, codes)
            for codes, entities in ((user_codes, users), (item_codes, items))
        )
        negatives, earlier = source.negatives, source.earlier
        negatives = None if negatives is None else negatives.recoded(known_users, known_items)
        earlier = None if earlier is None else earlier.recoded(known_users, known_items)
        moved = replace(source, users=users, items=items, user=user, item=item)
        return replace(moved, negatives=negatives, earlier=earlier)

    def fingerprint(self) -> str:
        """Returns the SHA-256 of ids, features and interactions: equal for equal data, on any machine.

        Names and notes are no part of it, nor is the order of the feature columns; that of the rows is.
        """
        digest = hashlib.sha256()
        for entities in (self.users, self.items):
            digest.update(repr((entities.key, sorted(entities.labels.items()))).encode())
            _digest(digest, entities.ids.values)
            for name in sorted(entities.columns):
                column = entities.columns[name]
                digest.update(repr(name).encode())
                for part in (column.values, column.offsets) if isinstance(column, Bags) else (column,):
                    _digest(digest, part)
        for array in (self.user, self.item, self.value, self.timestamp):
            _digest(digest, array)
        if self.weight is not None or self.negatives is not None:
            digest.update(b"signal")
            aside = self.negatives
            for part in (self.weight, *(() if aside is None else (aside.user, aside.item, aside.timestamp))):
                _digest(digest, part)
        if self.again:
            digest.update(b"again")
        return digest.hexdigest()


def _digest(digest: hashlib._Hash, array: Values | None) -> None:
    """Adds an array with its kind and length, so that no two sequences of arrays run together."""
    if array is None:
        digest.update(b"none")
    elif array.dtype.kind in "OU":
        content = repr(array.tolist()).encode("utf-8", "surrogatepass")
        digest.update(b"text %d " % len(content) + content)
    else:
        content = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).tobytes()
        digest.update(f"{array.dtype.kind}{array.dtype.itemsize} {array.shape} ".encode() + content)
