"""This module opens JSON: records, and tables otherwise written."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb

from butaca.data.columns.names import is_known
from butaca.data.columns.roles import MOST
from butaca.data.formats.described import described, registered
from butaca.data.formats.json_shapes import as_columns
from butaca.data.formats.landed import (
    Landed,
)
from butaca.data.formats.lines import lines_of
from butaca.data.formats.nested import flattened
from butaca.data.formats.opened import Opened, quoted, unreadable
from butaca.errors import TableError

LARGEST_JSON = 1 << 28  # bytes of JSON that Python reads whole, where it is a table otherwise than by records

_GUESSED = re.compile(
    r"^(JSON|UUID|DATE|TIME|TIMESTAMP[A-Z_ ]*)(?=(\[\])*$)"
)  # types DuckDB gives to JSON text


def open_json(con: duckdb.DuckDBPyConnection, file: Landed, *, escaped: str, table: str) -> Opened:
    """Opens records; where there are none, or lists under names that say nothing, what holds some."""
    refused, opened, relation = None, None, ""
    try:
        relation = _json_relation(con, escaped, file.label)
        opened = described(con, relation, label=file.label, name=file.name, table=table)
    except TableError as error:
        refused = error
    kinds = set() if opened is None else {f.kind for f in opened.fields}
    is_odd = opened is None or kinds <= {"list", "other"}
    if opened is not None and kinds & {"list", "other"}:
        is_odd |= not any(is_known(f.name) for f in opened.fields)
    if is_odd and file.path.stat().st_size <= LARGEST_JSON:
        columns = as_columns(whole_text(file.path))
        if columns is not None:
            return registered(con, columns, table=table, label=file.label, name=file.name)
    if opened is None:
        assert refused is not None
        raise refused
    flat = flattened(con, relation, label=file.label) if "other" in kinds else None
    if flat is None:
        return opened
    out = described(con, flat[0], label=file.label, name=file.name, table=table, names=flat[1])
    inner = [f.name for f in out.fields if all(f.name != g.name for g in opened.fields)]
    out.notes.append(f"{file.label}: records within records are columns: {', '.join(inner[:MOST])}")
    return out


def whole_text(path: Path) -> str:
    """Returns all of a text file."""
    return "".join(lines_of(path))


def _json_relation(con: duckdb.DuckDBPyConnection, escaped: str, label: str) -> str:
    """Keeps text as text: what DuckDB would take for dates, UUIDs or mixed kinds is read as VARCHAR."""
    try:
        described = con.execute(f"DESCRIBE FROM read_json({escaped}, sample_size = -1)").fetchall()
    except duckdb.Error as error:
        if "maximum_object_size" not in str(error):
            raise unreadable(label, error) from error
        described = [("json",)]  # one record of all
    if [row[0] for row in described] == ["json"]:  # what DuckDB makes of anything but records
        raise TableError(
            "A JSON table is one record a line, or a list of records",
            f"{label}, which holds no records",
            "Write it so; lists of items by user are read with wide=True (--wide)",
        )
    types = {row[0]: _GUESSED.sub("VARCHAR", row[1]) for row in described}
    columns = ", ".join(f"{quoted(name)}: {quoted(kind)}" for name, kind in types.items())
    return f"FROM read_json({escaped}, columns = {{{columns}}})"
