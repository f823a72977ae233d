"""This module opens anything tabular in DuckDB: files of many kinds, databases, what Python holds.

`open_table` finds the columns without reading the rows; `Opened.load` then reads the ones that are
needed. Whatever DuckDB refuses comes out as a TableError.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import duckdb
import numpy as np

from butaca.data.above import lines_above, lines_in
from butaca.data.columns import Field, Kind, Role, is_known
from butaca.data.databases import address_columns, duckdb_relation, is_database, sqlite_columns
from butaca.data.delimited import (
    Layout,
    best_delimiter,
    chars_of,
    is_comment,
    layout,
    lines_of,
    preamble,
    refuse_no_table,
    sample,
)
from butaca.data.json_shapes import as_columns
from butaca.data.landed import (
    ARROW_ENDINGS,
    DUCKDB_ENDINGS,
    EXCEL_ENDINGS,
    JSON_ENDINGS,
    PARQUET_ENDINGS,
    SQLITE_ENDINGS,
    Landed,
    is_remote,
    land,
)
from butaca.data.objects import as_registered
from butaca.data.opened import Opened, plain_errors, quoted, text_relation, unreadable
from butaca.data.rewritten import by_tabs, from_netflix, is_blank_separated, is_netflix, without_comments
from butaca.data.wide import json_columns, unpivoted
from butaca.data.workbook import sheet_columns
from butaca.data.written import AS_IT_IS, Reading
from butaca.errors import TableError

Source: TypeAlias = Any  # a path or several, an address, a table or an array that Python holds
_WHOLE = {f"{sign}{size}INT" for sign in ("", "U") for size in ("TINY", "SMALL", "BIG", "HUGE")}
_WHOLE |= {"INTEGER", "UINTEGER"}
LARGEST_JSON = 1 << 28  # bytes of JSON that Python reads whole, where it is a table otherwise than by records
_GUESSED = re.compile(
    r"^(JSON|UUID|DATE|TIME|TIMESTAMP[A-Z_ ]*)(?=(\[\])*$)"
)  # types DuckDB gives to JSON text


def open_table(
    con: duckdb.DuckDBPyConnection,
    source: Source,
    *,
    table: str,
    wanted: Sequence[str] = (),
    reading: Reading = AS_IT_IS,
    asked: Mapping[Role, str | None] | None = None,
) -> Opened:
    """Opens a source under the name `table`.

    Args:
        con: where to open it.
        source: a path, a pattern, a folder, "-", an address, several of these, or what Python holds
            (`data/objects.py`); docs/tables.md lists the kinds.
        table: the name of its copy in `con`; its rows come with `Opened.load`.
        wanted: column names that the caller expects, which help to recognise a header.
        reading: what the caller says of how it is written.
        asked: names of columns that the caller gave, by role.
    """
    opened = _open(con, source, table, wanted, reading)
    return unpivoted(opened, asked or {}) if reading.wide and not opened.is_long else opened


def _open(
    con: duckdb.DuckDBPyConnection, source: Source, table: str, wanted: Sequence[str], reading: Reading
) -> Opened:
    if isinstance(source, str | os.PathLike):
        return _open_path(con, os.fspath(source), table, wanted, reading)
    if isinstance(source, list | tuple) and source and all(isinstance(s, str | os.PathLike) for s in source):
        parts = [
            _open_path(con, os.fspath(one), f"{table}_{i}", wanted, reading) for i, one in enumerate(source)
        ]
        flat = [p for part in parts for p in part.parts or (part,)]
        return joined(flat, table, label=f"{len(flat)} files, the first {flat[0].label}")
    return _registered(con, source, table, label="the table passed", name="data", wide=reading.wide)


def _registered(
    con: duckdb.DuckDBPyConnection, source: Any, table: str, *, label: str, name: str, wide: bool = False
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
    opened = _described(con, f"FROM {view}", label, name, table, names or None)
    opened.is_long = is_array
    return opened


def _open_path(
    con: duckdb.DuckDBPyConnection, source: str, table: str, wanted: Sequence[str], reading: Reading
) -> Opened:
    if is_database(source):
        if source.lower().startswith(("sqlite:///", "duckdb:///")):
            source = source.partition(":///")[2]
        else:
            columns, label, name = address_columns(source, query=reading.query)
            return _registered(con, columns, table, label=label, name=name)
    elif "://" in source and not is_remote(source):
        raise TableError(
            "A table is a file, or an address that butaca or DuckDB reads",
            source,
            "Download it first and pass its path",
        )
    file, _, inner = source.partition("::")
    if "::" in source and Path(source).expanduser().exists():
        file, inner = source, ""
    found = land(con, file, inner=inner)
    if reading.query is not None and (len(found) > 1 or not _is_database(found[0])):
        raise TableError(
            "A query is asked of a database",
            f"query= (--query) with {source}",
            "Leave it out, or name a DuckDB or SQLite file or a database's address",
        )
    parts = [
        _open_file(con, one, inner, table if len(found) == 1 else f"{table}_{i}", wanted, reading)
        for i, one in enumerate(found)
    ]
    if len(parts) == 1:
        return parts[0]
    whole = joined(parts, table, label=source)
    if Path(source).expanduser().is_dir():
        whole.name = Path(source).expanduser().resolve().name
    return whole


def _is_database(file: Landed) -> bool:
    return file.ending in {*DUCKDB_ENDINGS, *SQLITE_ENDINGS}


def _open_file(
    con: duckdb.DuckDBPyConnection,
    file: Landed,
    inner: str,
    table: str,
    wanted: Sequence[str],
    reading: Reading,
) -> Opened:
    path, label, ending = file.path, file.label, file.ending
    if ending in SQLITE_ENDINGS:
        columns, label, name = sqlite_columns(path, inner, label=label, query=reading.query)
        return _registered(con, columns, table, label=label, name=name)
    if ending in DUCKDB_ENDINGS or (inner and not _is_archive(label) and ending not in EXCEL_ENDINGS):
        relation, label, name = duckdb_relation(
            con, path, inner=inner, label=label, table=table, query=reading.query
        )
        return _described(con, relation, label, name, table)
    if ending in EXCEL_ENDINGS:
        columns, label, above = sheet_columns(path, inner, label=label)
        opened = _registered(con, columns, table, label=label, name=file.name)
        if above:
            said = f"{above} row{'s' if above != 1 else ''}"
            opened.notes.append(f"{label}: {said} above the names passed over")
        return opened
    if ending in ARROW_ENDINGS:
        return _registered(con, _arrow(path, label), table, label=label, name=file.name)
    escaped = quoted(re.sub(r"([*?\[])", r"[\1]", str(path)))  # a path is not a pattern
    if ending in PARQUET_ENDINGS:
        return _described(con, f"FROM read_parquet({escaped})", label, file.name, table)
    if ending in JSON_ENDINGS:
        if reading.wide:
            listed = json_columns(_whole_text(path), label=label)
            if listed is not None:
                opened = _registered(con, listed, table, label=label, name=file.name)
                opened.is_long = True
                return opened
        return _open_json(con, file, escaped, table)
    text = _text_layout(con, path, label, wanted, reading)
    fields = [Field(n, f"c{i}", k) for i, (n, k) in enumerate(zip(text.names, text.kinds, strict=True))]
    opened = Opened(con, label, file.name, fields, text_relation(text, [f.sql for f in fields]), table, text)
    if text.above:
        opened.notes.append(f"{label}: {counted_lines(text.above)} above the names passed over")
    if not text.has_quotes:
        opened.notes.append(f"{label}: lone quotes, so that quotes are read as text")
    return opened


def _open_json(con: duckdb.DuckDBPyConnection, file: Landed, escaped: str, table: str) -> Opened:
    """Opens records; where there are none, or lists under names that say nothing, what holds some."""
    refused, opened = None, None
    try:
        relation = _json_relation(con, escaped, file.label)
        opened = _described(con, relation, file.label, file.name, table)
    except TableError as error:
        refused = error
    kinds = set() if opened is None else {f.kind for f in opened.fields}
    is_odd = opened is None or kinds <= {"list", "other"}
    if opened is not None and "list" in kinds:
        is_odd |= not any(is_known(f.name) for f in opened.fields)
    if is_odd and file.path.stat().st_size <= LARGEST_JSON:
        columns = as_columns(_whole_text(file.path))
        if columns is not None:
            return _registered(con, columns, table, label=file.label, name=file.name)
    if opened is None:
        assert refused is not None
        raise refused
    return opened


def counted_lines(n: int) -> str:
    """Returns a number of lines in words.

    >>> counted_lines(1), counted_lines(2)
    ('1 line', '2 lines')
    """
    return f"{n} line{'s' if n != 1 else ''}"


def _is_archive(label: str) -> bool:
    return "::" in label


def _whole_text(path: Path) -> str:
    return "".join(lines_of(path))


def _text_layout(
    con: duckdb.DuckDBPyConnection, path: Path, label: str, wanted: Sequence[str], reading: Reading
) -> Layout:
    """Returns how a text file is read, written anew first where no reader of CSV takes it as it is."""
    text, is_whole = sample(path, label=label)
    refuse_no_table(text, label=label)
    before, said = preamble(text)
    before += chars_of(text[before:], lines_above(text[before:]))
    body = text[before:]
    lines = [line.rstrip("\r\n") for line in lines_in(body)]
    lines = lines if is_whole or len(lines) < 2 else lines[:-1]
    delimiter = reading.delimiter or said
    if delimiter is None and is_netflix(lines):
        path, delimiter = from_netflix(con, path, lines=lines_of(path)), ","
        return layout(path, wanted, label=label, delimiter=delimiter)
    filled = [line for line in lines if line.strip()]
    if filled and any(is_comment(line, filled[0]) for line in filled):
        path = without_comments(con, path, lines=lines_of(path))
        filled = [line for line in filled if not is_comment(line, filled[0])]
    if delimiter is None and filled:
        best = best_delimiter(body, is_whole=is_whole)
        other = len(filled[0].split(best))
        if (other == 1 or best == "\t") and is_blank_separated(filled, other=other):
            delimiter = " "
    if delimiter == " ":
        return layout(by_tabs(con, path, lines=lines_of(path)), wanted, label=label, delimiter="\t")
    return layout(path, wanted, label=label, delimiter=delimiter)


def joined(parts: Sequence[Opened], table: str, *, label: str) -> Opened:
    """Returns several files as one table, their rows in order, their columns by name.

    Raises:
        TableError: one has other columns, or is of another kind.
    """
    first = parts[0]
    names = [f.name for f in first.fields]
    for other in parts[1:]:
        if sorted(f.name for f in other.fields) != sorted(names) or (other.text is None) != (
            first.text is None
        ):
            its = ", ".join(f.name for f in other.fields[:10])
            raise TableError(
                "Several files make one table if they have the same columns",
                f"{other.label} with {its}, and {first.label} with {', '.join(names[:10])}",
                "Name the files of interactions only, such as 'folder/part-*.csv'",
            )
    selects = []
    for part in parts:
        own = {f.name: f.sql for f in part.fields}
        cells = ", ".join(f"{own[f.name]} AS {f.sql}" for f in first.fields)
        selects.append(f"({part.relation} SELECT {cells})")
    relation = f"FROM ({' UNION ALL '.join(selects)})"
    fields = list(first.fields)
    if first.text is None:
        with plain_errors(label):
            rows = first.con.execute(f"DESCRIBE {relation}").fetchall()
        fields = [
            Field(f.name, f.sql, kind_of(row[1]), _member(row[1]))
            for f, row in zip(fields, rows, strict=True)
        ]
    out = Opened(first.con, label, first.name, fields, relation, table, first.text, tuple(parts))
    out.notes.append(f"{len(parts):,} files read as one table, from {first.label} to {parts[-1].label}")
    return out


def _arrow(path: Path, label: str) -> Any:
    """Reads a Feather or Arrow file by pyarrow, memory-mapped."""
    try:
        from pyarrow import feather
    except ModuleNotFoundError as error:
        raise TableError(
            "Feather and Arrow files are read by pyarrow",
            f"{label}, and a Python without it",
            "Install it: pip install pyarrow; or save the table as Parquet",
        ) from error
    try:
        return feather.read_table(path, memory_map=True)
    except Exception as error:
        raise unreadable(label, error) from error


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


def _described(
    con: duckdb.DuckDBPyConnection,
    relation: str,
    label: str,
    name: str,
    table: str,
    names: Sequence[str] | None = None,
) -> Opened:
    with plain_errors(label):
        rows = con.execute(f"DESCRIBE {relation}").fetchall()
    fields = [
        Field(names[i] if names else row[0], f"c{i}", kind_of(row[1]), _member(row[1]))
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


def _member(sql_type: str) -> Kind:
    return kind_of(sql_type[: sql_type.rindex("[")]) if sql_type.endswith("]") else "other"
