"""This module writes the users and items of grown data: a row per copy, with what the original knew."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb
import numpy as np

from butaca.data.bags import Bags, Column
from butaca.data.columns.names import plain
from butaca.data.dataset import Entities
from butaca.data.formats.opened import quoted
from butaca.types import Values

APART = "\x1f"  # stands between the members of a list on their way
TITLES = ("title", "titulo")


def write_entities(
    con: duckdb.DuckDBPyConnection, entities: Entities, *, times: int, path: Path, table: str
) -> None:
    """Writes `times` rows per user or item to Parquet; ids are code x times + copy + 1."""
    ids = entities.ids.values
    arrays: dict[str, Values] = {"code": np.arange(len(ids), dtype=np.int64), "c": ids}
    selected = [
        f"code * {times} + copy + 1 AS {_name(entities.key)}",
        f"c AS {_name('source_' + entities.key)}",
    ]
    for number, (name, column) in enumerate(entities.columns.items()):
        field = f"c{number}"
        arrays[field], sql = _plain_column(column, entities.labels.get(name), field)
        selected.append(f"{_numbered(sql) if _is_title(name, column) else sql} AS {_name(name)}")
    con.register(table, arrays)
    con.execute(
        f"COPY (FROM {table}, range({times}) AS copies(copy) SELECT {', '.join(selected)} ORDER BY 1) "
        f"TO {quoted(str(path))} (FORMAT parquet)"
    )
    con.unregister(table)


def _plain_column(column: Column, words: Sequence[str] | None, field: str) -> tuple[Values, str]:
    """Returns a column as DuckDB takes it, codes as words, and the SQL that reads it."""
    if not isinstance(column, Bags):
        return (column if words is None else _texts([words[int(v)] for v in column])), field
    kind = column.values.dtype.kind
    members = "VARCHAR" if words is not None else {"i": "BIGINT", "u": "BIGINT", "f": "DOUBLE"}.get(kind)
    rows = [
        APART.join(words[int(v)] if words is not None else str(v) for v in column[row])
        for row in range(len(column))
    ]
    split = f"string_split({field}, {quoted(APART)})::{members or 'VARCHAR'}[]"
    return _texts(rows), f"CASE WHEN {field} = '' THEN [] ELSE {split} END"


def _is_title(name: str, column: Column) -> bool:
    return (
        not isinstance(column, Bags)
        and column.dtype.kind in "OU"
        and any(word in plain(name) for word in TITLES)
    )


def _numbered(sql: str) -> str:
    """Returns SQL that numbers titles: the first copy keeps its own, the next is "Heat #2 (1995)"."""
    pattern = r"^(.*?)(\s*\(\d{4}.*\))?$"
    return (
        rf"CASE WHEN copy = 0 THEN {sql} "
        rf"ELSE regexp_replace({sql}, '{pattern}', '\1 #' || (copy + 1) || '\2', 's') END"
    )


def _texts(values: Sequence[str]) -> Values:
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
