"""This module reads databases: DuckDB files, SQLite by Python's own library, others by SQLAlchemy.

A table is named after "::" or is the only one; a query is any SQL that the database understands.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from butaca.data.formats.opened import QUERY_OF, quoted, unreadable
from butaca.errors import TableError
from butaca.extras import EXTRAS, needed
from butaca.types import Values

ROWS = 100_000  # rows fetched at a time


def is_database(source: str) -> bool:
    """Returns whether a source is the address of a database."""
    scheme, mark, _ = source.partition("://")
    head = scheme.partition("+")[0].lower()
    return bool(mark) and head in {
        *("sqlite", "postgresql", "postgres", "mysql", "mariadb", "mssql", "oracle", "duckdb"),
        *("snowflake", "bigquery", "redshift", "clickhouse", "trino"),
    }


def duckdb_relation(
    con: duckdb.DuckDBPyConnection, path: Path, *, inner: str, label: str, table: str, query: str | None
) -> tuple[str, str, str]:
    """Returns the SQL that reads a table or a query of a DuckDB file, its label and its name."""
    base = f"{table}_db"
    try:
        con.execute(f"ATTACH {quoted(str(path))} AS {base} (READ_ONLY)")
        if query is not None:
            con.execute(f"USE {base}")
            con.execute(f"CREATE TEMP TABLE {table}_rows AS FROM ({query.rstrip().rstrip(';')})")
            con.execute("USE memory")
            return f"FROM temp.{table}_rows", QUERY_OF.format(label), path.stem
        rows = con.execute(
            "FROM information_schema.tables SELECT table_schema, table_name "
            f"WHERE table_catalog = '{base}' ORDER BY ALL"
        ).fetchall()
    except duckdb.Error as error:
        raise unreadable(label if query is None else QUERY_OF.format(label), error) from error
    found = {(name if schema == "main" else f"{schema}.{name}"): (schema, name) for schema, name in rows}
    chosen = _chosen(list(found), inner, label=label, kind="DuckDB file")
    schema, name = (_name(part) for part in found[chosen])
    return f"FROM {base}.{schema}.{name}", f"{label}::{chosen}", found[chosen][1]


def sqlite_columns(
    path: Path, inner: str, *, label: str, query: str | None
) -> tuple[dict[str, Values], str, str]:
    """Returns the columns of a table or a query of a SQLite file, its label and its name."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as con:
            con.text_factory = _text
            if query is None:
                tables = con.execute(
                    "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') "
                    "AND name NOT LIKE 'sqlite~_%' ESCAPE '~' ORDER BY name"
                ).fetchall()
                inner = _chosen([row[0] for row in tables], inner, label=label, kind="SQLite file")
                name, label, query = inner, f"{label}::{inner}", f"SELECT * FROM {_name(inner)}"  # noqa: S608
            else:
                name, label = path.stem, QUERY_OF.format(label)
            cursor = con.execute(query)
            names = [d[0] for d in cursor.description or ()]
            return _columns(names, iter(lambda: cursor.fetchmany(ROWS), []), label=label), label, name
    except (sqlite3.Error, sqlite3.Warning) as error:
        raise unreadable(label, error) from error


def address_columns(address: str, *, query: str | None) -> tuple[dict[str, Values], str, str]:
    """Returns the columns of a table or a query of a database by its address, its label and its name.

    Raises:
        TableError: it can't be reached or read; the message has no password.
        SettingError: SQLAlchemy or the database's driver is not installed.
    """
    base, _, inner = address.partition("::")
    with needed("Reading a database by its address"):
        import sqlalchemy as sa

        try:
            url = sa.engine.make_url(base)
            if url.drivername in {"postgresql", "postgres"}:
                url = url.set(drivername="postgresql+psycopg")
        except sa.exc.ArgumentError:
            raise TableError(
                "A database has an address", "one that SQLAlchemy can't read", "Correct it"
            ) from None
        label = url.render_as_string(hide_password=True)
        try:
            engine = sa.create_engine(url)
            try:
                with engine.connect().execution_options(stream_results=True) as con:
                    name = url.database or "database"
                    if query is None:
                        looked = sa.inspect(con)
                        tables = [*looked.get_table_names(), *looked.get_view_names()]
                        if "." not in inner:
                            inner = _chosen(sorted(tables), inner, label=label, kind="database")
                        name, label = inner, f"{label}::{inner}"
                        quote = con.dialect.identifier_preparer.quote
                        query = "SELECT * FROM " + ".".join(quote(part) for part in inner.split("."))  # noqa: S608
                    else:
                        label = QUERY_OF.format(label)
                    result = con.execute(sa.text(query.replace(":", "\\:")))
                    names = list(result.keys())
                    rows: Iterator[Sequence[Any]] = result.partitions(ROWS)
                    return _columns(names, rows, label=label), label, name
            finally:
                engine.dispose()
        except (sa.exc.NoSuchModuleError, ImportError) as error:
            missing = (getattr(error, "name", None) or "").partition(".")[0]
            if any(missing in modules for modules in EXTRAS.values()):
                raise
            raise _no_driver(label, url.drivername, missing) from error
        except sa.exc.SQLAlchemyError as error:
            raise TableError(
                "A database can be reached and read",
                f"{label}: {_said(error)}",
                "Check the address and the query",
            ) from error


#: What to install for databases that have their drivers elsewhere, and how an address names it.
_DRIVERS = {
    "mysql": ("pymysql", "mysql+pymysql"),
    "mariadb": ("pymysql", "mariadb+pymysql"),
    "mssql": ("pyodbc", "mssql+pyodbc"),
    "oracle": ("oracledb", "oracle+oracledb"),
    "postgresql": ("psycopg", "postgresql"),
    "snowflake": ("snowflake-sqlalchemy", "snowflake"),
    "bigquery": ("sqlalchemy-bigquery", "bigquery"),
    "redshift": ("sqlalchemy-redshift", "redshift"),
    "clickhouse": ("clickhouse-sqlalchemy", "clickhouse"),
    "trino": ("trino", "trino"),
}


def _no_driver(label: str, name: str, missing: str) -> TableError:
    """Returns the error of a database whose driver is not installed.

    Args:
        label: the address, without its password.
        name: of dialect and driver, such as "mysql+pymysql".
        missing: the library that was looked for; "" where there is no such dialect.
    """
    package, scheme = _DRIVERS.get(name.partition("+")[0], ("its dialect for SQLAlchemy", name))
    without = f", and a Python without {missing}" if missing else ""
    return TableError(
        "A database is one whose driver for SQLAlchemy is installed",
        f"{label}{without}",
        f"Install {package}, and write the address as {scheme}://...; or export the table as CSV or Parquet",
    )


def _said(error: Exception) -> str:
    cause = getattr(error, "orig", None) or error
    return next((line.strip() for line in str(cause).splitlines() if line.strip()), type(cause).__name__)


def _columns(names: Sequence[str], chunks: Iterator[Any], *, label: str) -> dict[str, Values]:
    """Returns rows as columns, each chunk in the narrowest type that holds it."""
    repeated = next((n for n in names if names.count(n) > 1), None)
    if repeated is not None:
        raise TableError("Every column has its own name", f"{repeated!r} twice in {label}", "Name it with AS")
    parts: list[list[Values]] = [[] for _ in names]
    for rows in chunks:
        for part, cells in zip(parts, zip(*rows, strict=True), strict=True):
            part.append(_narrow(cells))
    return {name: _joined(part) for name, part in zip(names, parts, strict=True)}


def _narrow(cells: Sequence[Any]) -> Values:
    kinds = set(map(type, cells))
    if kinds in ({int}, {float}, {bool}):
        array = np.asarray(cells)
        if array.dtype.kind in "ifb":
            return array
    out = np.empty(len(cells), dtype=object)
    out[:] = cells
    return out


def _joined(parts: list[Values]) -> Values:
    if not parts:
        return np.empty(0, dtype=object)
    same = len({part.dtype for part in parts}) == 1
    return np.concatenate(parts if same else [part.astype(object) for part in parts])


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _chosen(found: Sequence[str], inner: str, *, label: str, kind: str) -> str:
    """Returns the table asked for, or the only one."""
    chosen = inner or (found[0] if len(found) == 1 else "")
    if chosen not in found:
        some = ", ".join(found[:10]) + (", ..." if len(found) > 10 else "") or "none"
        raise TableError(
            f"A {kind} is named with the table to read",
            f"{label}{f'::{inner}' if inner else ''}, whose tables are {some}",
            f"Write {label}::{next(iter(found), 'table')}, or pass query= (on the command line: --query)",
        )
    return chosen
