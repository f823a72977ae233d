"""This module holds the columns of a table of users or items: one value a row, or any number of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from butaca.checks import several
from butaca.types import Ints, Values


@dataclass(frozen=True, eq=False)
class Bags:
    """Bags are a column in which each row holds any number of values, such as a film's genres.

    Row i holds `values[offsets[i]:offsets[i + 1]]`; values [total], offsets int64 [n + 1].
    """

    values: Values
    offsets: Ints

    @classmethod
    def of(cls, rows: Sequence[Sequence[Any]], dtype: Any = None) -> Bags:
        """Returns Bags made from a list of lists.

        >>> Bags.of([[7], [], [1, 4]]).offsets.tolist()
        [0, 1, 1, 3]
        """
        rows = [several("A row of bags", row) for row in several("Bags", rows)]
        flat = [v for row in rows for v in row]
        if dtype is None:
            dtype = np.int64 if all(isinstance(v, int | np.integer) for v in flat) else object
        values = np.empty(len(flat), dtype=dtype)
        values[:] = flat
        return cls(values, np.cumsum([0, *map(len, rows)], dtype=np.int64))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> Values:
        row = range(len(self))[row]
        out: Values = self.values[self.offsets[row] : self.offsets[row + 1]]
        return out

    def take(self, rows: Ints) -> Bags:
        """Returns the bags of the given rows, in that order."""
        parts = [self[int(r)] for r in rows]
        values = np.concatenate(parts) if parts else self.values[:0]
        return Bags(values, np.cumsum([0, *map(len, parts)], dtype=np.int64))


Column: TypeAlias = Values | Bags


def join_columns(one: Column, other: Column) -> Column:
    """Returns two columns of the same kind, one after the other; numbers of different kinds become real."""
    if isinstance(one, Bags):
        assert isinstance(other, Bags)
        offsets = np.concatenate([one.offsets, one.offsets[-1] + other.offsets[1:]])
        return Bags(np.concatenate([one.values, other.values]), offsets)
    assert not isinstance(other, Bags)
    if one.dtype != other.dtype and one.dtype.kind in "iufb":
        one, other = one.astype(np.float32), other.astype(np.float32)
    return np.concatenate([one, other])


def take_column(column: Column, rows: Ints) -> Column:
    """Returns the given rows of a plain or a bag column."""
    if isinstance(column, Bags):
        return column.take(rows)
    taken: Values = column[rows]
    return taken
