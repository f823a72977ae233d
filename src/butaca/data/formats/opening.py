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

from butaca.data.columns.names import Role
from butaca.data.columns.roles import Field
from butaca.data.formats.above import lines_above, lines_in
from butaca.data.formats.databases import address_columns, duckdb_relation, is_database, sqlite_columns
from butaca.data.formats.delimited import best_delimiter, chars_of, is_comment, layout, preamble
from butaca.data.formats.described import described, registered
from butaca.data.formats.endings import (
    ARROW_ENDINGS,
    DUCKDB_ENDINGS,
    EXCEL_ENDINGS,
    JSON_ENDINGS,
    PARQUET_ENDINGS,
    SQLITE_ENDINGS,
)
from butaca.data.formats.joined import joined
from butaca.data.formats.json_files import open_json, whole_text
from butaca.data.formats.landed import Landed, is_remote, land
from butaca.data.formats.layout import Layout
from butaca.data.formats.lines import lines_of, sample
from butaca.data.formats.opened import Opened, quoted, text_relation, unreadable
from butaca.data.formats.other_kinds import refuse_no_table
from butaca.data.formats.rewritten import (
    by_tabs,
    from_netflix,
    is_blank_separated,
    is_netflix,
    without_comments,
)
from butaca.data.formats.wide import json_columns, unpivoted
from butaca.data.formats.workbook import sheet_columns
from butaca.data.formats.written import AS_IT_IS, Reading
from butaca.errors import TableError

Source: TypeAlias = Any  # a path or several, an address, a table or an array that Python holds


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
            (`data/formats/objects.py`); docs/tables.md lists the kinds.
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
    return registered(con, source, table=table, label="the table passed", name="data", wide=reading.wide)


def _open_path(
    con: duckdb.DuckDBPyConnection, source: str, table: str, wanted: Sequence[str], reading: Reading
) -> Opened:
    if is_database(source):
        if source.lower().startswith(("sqlite:///", "duckdb:///")):
            source = source.partition(":///")[2]
        else:
            columns, label, name = address_columns(source, query=reading.query)
            return registered(con, columns, table=table, label=label, name=name)
    elif "://" in source and not is_remote(source):
        raise TableError(
            "A table is a file, or an address that butaca or DuckDB reads",
            source,
            "Download it first and pass its path",
        )
    file, _, inner = source.partition("::")
    if "::" in source and Path(source).expanduser().exists():
        file, inner = source, ""
    found = land(con, file, inner=inner, encoding=reading.encoding)
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
    said = [note for one in found for note in one.notes]
    if len(parts) == 1:
        parts[0].notes = [*said, *parts[0].notes]
        return parts[0]
    whole = joined(parts, table, label=source)
    whole.notes += said
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
        return registered(con, columns, table=table, label=label, name=name)
    if ending in DUCKDB_ENDINGS or (inner and not _is_archive(label) and ending not in EXCEL_ENDINGS):
        relation, label, name = duckdb_relation(
            con, path, inner=inner, label=label, table=table, query=reading.query
        )
        return described(con, relation, label=label, name=name, table=table)
    if ending in EXCEL_ENDINGS:
        columns, label, said = sheet_columns(path, inner, label=label)
        opened = registered(con, columns, table=table, label=label, name=file.name)
        opened.notes += said
        return opened
    if ending in ARROW_ENDINGS:
        return registered(con, _arrow(path, label), table=table, label=label, name=file.name)
    escaped = quoted(re.sub(r"([*?\[])", r"[\1]", str(path)))  # a path is not a pattern
    if ending in PARQUET_ENDINGS:
        return described(con, f"FROM read_parquet({escaped})", label=label, name=file.name, table=table)
    if ending in JSON_ENDINGS:
        if reading.wide:
            listed = json_columns(whole_text(path), label=label)
            if listed is not None:
                opened = registered(con, listed, table=table, label=label, name=file.name)
                opened.is_long = True
                return opened
        return open_json(con, file, escaped=escaped, table=table)
    text = _text_layout(con, path, label, wanted, reading)
    fields = [Field(n, f"c{i}", k) for i, (n, k) in enumerate(zip(text.names, text.kinds, strict=True))]
    opened = Opened(con, label, file.name, fields, text_relation(text, [f.sql for f in fields]), table, text)
    if text.above:
        opened.notes.append(f"{label}: {counted_lines(text.above)} above the names passed over")
    if not text.has_quotes:
        opened.notes.append(f"{label}: lone quotes, so that quotes are read as text")
    return opened


def counted_lines(n: int) -> str:
    """Returns a number of lines in words.

    >>> counted_lines(1), counted_lines(2)
    ('1 line', '2 lines')
    """
    return f"{n} line{'s' if n != 1 else ''}"


def _is_archive(label: str) -> bool:
    return "::" in label


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
