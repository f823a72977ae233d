"""This module opens anything tabular in DuckDB: text, Parquet, JSON lines, DuckDB files, DataFrames, arrays.

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

from butaca.data.columns import Field, Kind
from butaca.data.delimited import layout
from butaca.data.opened import Opened, plain_errors, quoted, unreadable
from butaca.errors import TableError
from butaca.types import Values

Source: TypeAlias = Any  # a path, a pandas, polars or pyarrow table, a mapping of name to array
JSON_ENDINGS = (".json", ".jsonl", ".ndjson")
PARQUET_ENDINGS = (".parquet", ".pq")
DUCKDB_ENDINGS = (".duckdb", ".ddb", ".db")
_WHOLE = {f"{sign}{size}INT" for sign in ("", "U") for size in ("TINY", "SMALL", "BIG", "HUGE")}
_WHOLE |= {"INTEGER", "UINTEGER"}
_GUESSED = re.compile(
    r"^(JSON|UUID|DATE|TIME|TIMESTAMP[A-Z_ ]*)(?=(\[\])*$)"
)  # types DuckDB gives to JSON text


def open_table(
    con: duckdb.DuckDBPyConnection, source: Source, *, table: str, wanted: Sequence[str] = ()
) -> Opened:
    """Opens a source under the name `table`.

    Args:
        con: where to open it.
        source: a path (CSV, TSV, also gzipped; Parquet; JSON; "file.duckdb::table"), a pandas, polars
            or pyarrow table, or a mapping of names to arrays.
        table: the name of its copy in `con`; its rows come with `Opened.load`.
        wanted: column names that the caller expects, which help to recognise a header.
    """
    if isinstance(source, str | os.PathLike):
        return _open_path(con, os.fspath(source), table, wanted)
    view = f"{table}_source"
    if isinstance(source, Mapping):
        source = _arrays(source)
        names = [str(n) for n in source]
    else:
        found = getattr(source, "column_names", None)  # pyarrow; pandas and polars say columns
        found = getattr(source, "columns", None) if found is None else found
        if found is None:
            raise TableError(
                "A table is a path, a pandas, polars or pyarrow table, or a mapping of name to array",
                f"a {type(source).__name__}",
                "Pass one of those",
            )
        names = [str(n) for n in found]
    label = "the table passed"
    repeated = next((n for n in names if names.count(n) > 1), None)
    if repeated is not None or not names:
        received = f"{names.count(repeated)} columns called {repeated!r}" if repeated is not None else "none"
        raise TableError("A table has columns, each with its own name", received, "Rename the columns")
    try:
        con.register(view, source)
    except (duckdb.Error, TypeError, ValueError, NotImplementedError, ImportError) as error:
        raise unreadable(label, error) from error
    return _described(con, f"FROM {view}", label, "data", table, names)


def _open_path(con: duckdb.DuckDBPyConnection, source: str, table: str, wanted: Sequence[str]) -> Opened:
    if "://" in source:
        raise TableError("A table is a file on this machine", source, "Download it first and pass its path")
    file, _, inner = source.partition("::")
    path = Path(file).expanduser()
    _check_file(path)
    name = path.name.split(".")[0] or path.name
    ending = path.suffix.lower()
    if ending == ".gz":
        ending = Path(path.stem).suffix.lower()
    if ending in DUCKDB_ENDINGS or inner:
        return _open_duckdb(con, path, inner, table)
    escaped = quoted(re.sub(r"([*?\[])", r"[\1]", str(path)))  # a path is not a pattern
    if ending in PARQUET_ENDINGS:
        return _described(con, f"FROM read_parquet({escaped})", str(path), name, table)
    if ending in JSON_ENDINGS:
        return _described(con, _json_relation(con, escaped, str(path)), str(path), name, table)
    text = layout(path, wanted)
    fields = [Field(n, f"c{i}", k) for i, (n, k) in enumerate(zip(text.names, text.kinds, strict=True))]
    columns = ", ".join(f"'{f.sql}': 'VARCHAR'" for f in fields)
    relation = (
        f"FROM read_csv({escaped}, auto_detect = false, columns = {{{columns}}}, "
        f"delim = {quoted(text.delimiter)}, quote = {quoted(text.quote)}, escape = {quoted(text.quote)}, "
        f"header = {text.has_header}, skip = {text.skip}, strict_mode = true, "
        f"compression = '{'gzip' if text.is_gzip else 'none'}')"
    )
    return Opened(con, str(path), name, fields, relation, table, text)


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise TableError("A table is one file", f"the folder {path}", "Name a file in it")
    if not path.exists():
        raise TableError("A table is a file that exists", f"{path}, which does not", "Check the path")
    if not path.stat().st_size:
        raise TableError("A table has at least one row", f"{path}, which is empty", "Name another file")


def _open_duckdb(con: duckdb.DuckDBPyConnection, path: Path, inner: str, table: str) -> Opened:
    """Opens a table of a DuckDB file; without "::name" it must be the only one."""
    base = f"{table}_db"
    try:
        con.execute(f"ATTACH {quoted(str(path))} AS {base} (READ_ONLY)")
        rows = con.execute(
            "FROM information_schema.tables SELECT table_schema, table_name "
            f"WHERE table_catalog = '{base}' ORDER BY ALL"
        ).fetchall()
    except duckdb.Error as error:
        raise unreadable(str(path), error) from error
    found = {(name if schema == "main" else f"{schema}.{name}"): (schema, name) for schema, name in rows}
    chosen = inner or (next(iter(found)) if len(found) == 1 else "")
    if chosen not in found:
        raise TableError(
            "A DuckDB file is named with the table to read",
            f"{path}{f'::{inner}' if inner else ''}, whose tables are {', '.join(found) or 'none'}",
            f"Write {path}::{next(iter(found), 'table')}",
        )
    schema, name = ('"' + part.replace('"', '""') + '"' for part in found[chosen])
    label = f"{path}::{chosen}"
    return _described(con, f"FROM {base}.{schema}.{name}", label, found[chosen][1], table)


def _json_relation(con: duckdb.DuckDBPyConnection, escaped: str, label: str) -> str:
    """Keeps text as text: what DuckDB would take for dates, UUIDs or mixed kinds is read as VARCHAR."""
    with plain_errors(label):
        described = con.execute(f"DESCRIBE FROM read_json({escaped}, sample_size = -1)").fetchall()
    if [row[0] for row in described] == ["json"]:  # what DuckDB makes of anything but records
        raise TableError(
            "A JSON table is one record a line, or a list of records",
            f"{label}, which holds no records",
            "Write it so",
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


def _arrays(source: Mapping[Any, Any]) -> dict[str, Values]:
    """Returns arrays that DuckDB understands: flat, of the same length, text as objects."""
    out: dict[str, Values] = {}
    for name, raw in source.items():
        if isinstance(raw, np.ndarray) or hasattr(raw, "__array__"):
            array = np.ma.asarray(raw) if np.ma.isMaskedArray(raw) else np.asarray(raw)
        else:
            array = np.empty(len(raw), dtype=object)
            for i, value in enumerate(raw):  # one by one: lists of equal length stay cells
                array[i] = value
        if array.ndim != 1:
            raise TableError(
                "Every column of a table is flat",
                f"{name!r} with {array.ndim} dimensions",
                "Pass one column each",
            )
        if array.dtype.kind == "S":
            array = np.char.decode(array, "utf-8")
        if array.dtype.kind == "U":
            array = array.astype(object)
        if array.dtype.kind == "M":
            array = array if array.dtype == "datetime64[ns]" else array.astype("datetime64[us]")
        out[str(name)] = array
    lengths = {name: len(array) for name, array in out.items()}
    if len(set(lengths.values())) > 1:
        raise TableError(
            "Every column of a table has the same length",
            ", ".join(f"{name!r} with {n} rows" for name, n in lengths.items()),
            "Pass columns of the same rows",
        )
    return out
