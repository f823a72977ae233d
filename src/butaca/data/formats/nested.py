"""This module makes columns of records within records, as in {"user": {"id": 7}, "item": 3}."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import duckdb

from butaca.data.columns.names import is_known, plain
from butaca.data.formats.opened import plain_errors, quoted

DEEPEST = 4  # records within records


def flattened(con: duckdb.DuckDBPyConnection, relation: str, *, label: str) -> tuple[str, list[str]] | None:
    """Returns the SQL that gives a column for each cell of records, and their names; None if all are flat.

    A cell is called by its own name where no other has it, and where what holds it is no user or item:
    "user.id". What databases write for types ({"$oid": "..."}) is called as what holds it.

    Args:
        con: where the relation is read.
        relation: its SQL.
        label: what to call it in messages.
    """
    with plain_errors(label):
        found = con.sql(relation)
        columns = list(zip(found.columns, found.types, strict=True))
    if all(kind.id != "struct" for _, kind in columns):
        return None
    leaves = [leaf for name, kind in columns for leaf in _leaves((name,), kind)]
    spoken = [(path[0], *(part for part in path[1:] if not part.startswith("$"))) for path in leaves]
    names = [".".join(path) for path in spoken]
    last = Counter(plain(path[-1]) for path in spoken)
    short = [
        path[-1] if len(path) > 1 and not is_known(path[-2]) and last[plain(path[-1])] == 1 else name
        for path, name in zip(spoken, names, strict=True)
    ]
    names = short if len(set(short)) == len(short) else names
    tops = {name: f"c{at}" for at, (name, _) in enumerate(columns)}
    cells = ", ".join(f"{_cell(tops[path[0]], path[1:])} AS n{at}" for at, path in enumerate(leaves))
    return f"FROM ({relation} AS whole({', '.join(tops.values())}) SELECT {cells})", names


def _leaves(path: tuple[str, ...], kind: Any) -> Iterator[tuple[str, ...]]:
    """Yields the paths of the cells that a column holds."""
    if kind.id != "struct" or len(path) > DEEPEST:
        yield path
        return
    for name, inner in kind.children:
        yield from _leaves((*path, name), inner)


def _cell(column: str, path: Sequence[str]) -> str:
    for part in path:
        column = f"struct_extract({column}, {quoted(part)})"
    return column
