"""This module holds what a table is once opened in a DuckDB of our own, and says its errors plainly."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import duckdb

from butaca.data.columns import Field
from butaca.data.delimited import Layout
from butaca.errors import TableError


@dataclass
class Opened:
    """An Opened is a table that DuckDB can read.

    Attributes:
        label: what to call it in messages.
        name: short, for reports.
        fields: its columns.
        relation: the SQL that reads it, its columns renamed to those of `fields`.
        table: the name of the loaded copy.
        text: the layout, for text files.
    """

    con: duckdb.DuckDBPyConnection
    label: str
    name: str
    fields: list[Field]
    relation: str
    table: str
    text: Layout | None = None

    @property
    def has_names(self) -> bool:
        """Returns whether the columns have names of their own."""
        return self.text is None or self.text.has_header

    def load(self, fields: Sequence[Field]) -> int:
        """Reads columns into `table`, in the order of the source; returns the number of rows.

        Text and whatever is best read as text (UUIDs, categories, JSON of mixed kinds) becomes
        VARCHAR; blanks around the cells of a text file are cut.
        """
        parts = [f"{_as_text(f, self.text is not None)} AS {f.sql}" for f in fields]
        with self.errors():
            self.con.execute(f"CREATE TEMP TABLE {self.table} AS {self.relation} SELECT {', '.join(parts)}")
        n: int = self.one(f"FROM {self.table} SELECT count(*)")[0]
        if not n:
            raise TableError("A table has at least one row", f"{self.label}, which has none", "Add its rows")
        return n

    def one(self, sql: str) -> tuple[Any, ...]:
        """Returns the first row of a query."""
        with self.errors():
            row: tuple[Any, ...] = self.con.execute(sql).fetchall()[0]
        return row

    def where(self, row: int) -> str:
        """Says where a person finds row `row` (from 0): a text file's line, header = 1; else its number."""
        line = self.text.line(row) if self.text else None
        return f"line {line}" if line else f"row {row + 1} (counting from 1)"

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turns what DuckDB raises into a TableError, which for text files names the line."""
        try:
            yield
        except (duckdb.Error, UnicodeDecodeError) as error:
            mistake = self.text.mistake() if self.text else None
            raise (mistake or unreadable(self.label, error)) from error


@contextmanager
def session() -> Iterator[duckdb.DuckDBPyConnection]:
    """Gives a DuckDB of our own in memory: UTC, rows in order, no downloads, spilling to the temp folder."""
    con = duckdb.connect(":memory:", config={"autoinstall_known_extensions": False})
    con.execute("SET TimeZone = 'UTC'")
    con.execute("SET preserve_insertion_order = true")
    con.execute("SET enable_progress_bar = false")
    con.execute("SET pandas_analyze_sample = 1000000000")  # a sample would round a late 1.5 to 2
    con.execute(f"SET temp_directory = {quoted(tempfile.gettempdir())}")
    try:
        with plain_errors("the tables"):  # whatever no narrower place has named, such as a full disk
            yield con
    finally:
        con.close()


def quoted(text: str) -> str:
    """Returns a string as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def _as_text(field: Field, is_cell: bool) -> str:
    if is_cell:
        return f"trim({field.sql})"
    return f"{field.sql}::VARCHAR" if field.kind == "text" else field.sql


@contextmanager
def plain_errors(label: str) -> Iterator[None]:
    """Turns what DuckDB raises into a TableError that names the table by its label."""
    try:
        yield
    except duckdb.Error as error:
        raise unreadable(label, error) from error


def unreadable(label: str, error: Exception) -> TableError:
    """Returns the error of what the reader said, its first line, without the advice meant for SQL."""
    said = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    said = re.sub(r"^(\w+ )*Error: ", "", said)
    return TableError(
        "A table is readable from its first row to its last",
        f"{label}: {said}",
        "Check that the file is whole and of the kind its ending says, or export it again as CSV or Parquet",
    )
