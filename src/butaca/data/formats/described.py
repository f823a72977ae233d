"""This module finds the columns of what DuckDB reads, and what each holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import duckdb
import numpy as np

from butaca.data.columns.names import Kind
from butaca.data.columns.roles import Field
from butaca.data.formats.objects import as_registered
from butaca.data.formats.opened import Opened, plain_errors, unreadable
from butaca.errors import TableError

_WHOLE = {f"{sign}{size}INT" for sign in ("", "U") for size in ("TINY", "SMALL", "BIG", "HUGE")}

_WHOLE |= {"INTEGER", "UINTEGER"}


def registered(
    con: duckdb.DuckDBPyConnection, source: Any, *, table: str, label: str, name: str, wide: bool = False
) -> Opened:
    """Opens what Python holds."""
    given = source
    source, names = as_registered(given, wide=wide)
    repeated = next((n for n in names if names.count(n) > 1), None)
    if repeated is not None or (not names and not hasattr(source, "__arrow_c_stream__")):
        received = f"{names.count(repeated)} columns called {repeated!r}" if repeated is not None else "none"
        raise TableError("A table has columns, each with its own name", received, "Rename the columns")
    view = f"{table}_source"
    is_array = isinstance(given, np.ndarray) or hasattr(given, "tocoo")
    try:
        con.register(view, source)
    except (duckdb.Error, TypeError, ValueError, NotImplementedError, ImportError) as error:
        raise unreadable(label, error) from error
    opened = described(con, f"FROM {view}", label=label, name=name, table=table, names=names or None)
    opened.is_long = is_array
    return opened


def described(
    con: duckdb.DuckDBPyConnection,
    relation: str,
    *,
    label: str,
    name: str,
    table: str,
    names: Sequence[str] | None = None,
) -> Opened:
    """Returns the table of what a relation of DuckDB gives, with its columns or with other names for them."""
    with plain_errors(label):
        rows = con.execute(f"DESCRIBE {relation}").fetchall()
    fields = [
        Field(names[i] if names else row[0], f"c{i}", kind_of(row[1]), member_of(row[1]))
        for i, row in enumerate(rows)
    ]
    renamed = f"{relation} AS source({', '.join(f.sql for f in fields)})"
    return Opened(con, label, name, fields, renamed, table)


def kind_of(sql_type: str) -> Kind:
    """Returns what a column of a DuckDB type holds.

    >>> [kind_of(t) for t in ("VARCHAR", "UBIGINT", "DECIMAL(4,1)", "VARCHAR[]", "TIMESTAMP_NS", "BLOB")]
    ['text', 'whole', 'real', 'list', 'time', 'other']
    """
    if sql_type.endswith("]"):
        return "list"
    if sql_type in {"VARCHAR", "UUID", "JSON", "NULL", '"NULL"'} or sql_type.startswith("ENUM"):
        return "text"
    if sql_type in _WHOLE:
        return "whole"
    if sql_type in {"FLOAT", "DOUBLE"} or sql_type.startswith("DECIMAL"):
        return "real"
    if sql_type == "DATE" or sql_type.startswith("TIMESTAMP"):
        return "time"
    return "bool" if sql_type == "BOOLEAN" else "other"


def member_of(sql_type: str) -> Kind:
    """Returns what the members of a list's type are."""
    return kind_of(sql_type[: sql_type.rindex("[")]) if sql_type.endswith("]") else "other"
