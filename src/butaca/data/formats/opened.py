"""This module holds what a table is once opened in a DuckDB of our own, and says its errors plainly."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import duckdb
import numpy as np

from butaca.data.columns.names import Held, Role
from butaca.data.columns.roles import ColumnChoice, Field, choose
from butaca.data.formats.layout import Layout
from butaca.errors import TableError
from butaca.types import Ints

#: What messages call the answer to a query.
QUERY_OF = "the query of {}"


@dataclass
class Opened:
    """An Opened is a table that DuckDB can read.

    Attributes:
        label: what to call it in messages.
        name: short, for reports.
        fields: its columns.
        relation: the SQL that reads it, its columns renamed to those of `fields`.
        table: the name of the loaded copy.
        text: the layout, for text files; of several, the first's.
        parts: the files, where the table is several.
        notes: what opening and loading decided.
        is_long: whether a wide table has been made one of a row for each interaction.
        kept: where rows were left out, the place of each row that is left.
        origin: of a wide table, itself, and the table of the rows that were made of it, which holds in
            `row_` the row that each came from and in `c1` its column.
        told: of a wide table, its columns by role.
        read_as: by the SQL of a column of numbers that is written otherwise, the SQL of its numbers.
        scales: by the name of such a column, what its numbers are of (`written_cells.Written`).
    """

    con: duckdb.DuckDBPyConnection
    label: str
    name: str
    fields: list[Field]
    relation: str
    table: str
    text: Layout | None = None
    parts: tuple[Opened, ...] = ()
    notes: list[str] = field(default_factory=list)
    kept: Ints | None = None
    is_long: bool = False
    origin: tuple[Opened, str] | None = None
    told: dict[Role, str] = field(default_factory=dict)
    read_as: dict[str, str] = field(default_factory=dict)
    scales: dict[str, str] = field(default_factory=dict)

    @property
    def has_names(self) -> bool:
        """Returns whether the columns have names of their own."""
        return self.text is None or self.text.has_header

    @property
    def held(self) -> dict[str, Held]:
        """Returns what columns without names say that they are, by their cells."""
        held = () if self.text is None else self.text.held
        return {f.name: role for f, role in zip(self.fields, held, strict=False) if role is not None}

    def choose(
        self, asked: Mapping[Role, str | None], preferred: Mapping[Role, str] | None = None
    ) -> ColumnChoice:
        """Finds the columns of interactions, by all that the table says of itself.

        Args:
            asked: the caller's own choice by role; an empty name for value or time means: none.
            preferred: names to look for before the usual ones, such as the ids of a model.

        Raises:
            TableError: a column is missing, is used twice, or could be one of several.
        """
        return choose(
            self.fields,
            self.label,
            asked=asked,
            preferred=preferred,
            has_names=self.has_names,
            first=self.held,
            told=self.told,
            is_text=self.text is not None,
        )

    def load(self, fields: Sequence[Field]) -> int:
        """Reads columns into `table`, in the order of the source; returns the number of rows.

        Text and whatever is best read as text (UUIDs, categories, JSON of mixed kinds) becomes
        VARCHAR; blanks around the cells of a text file are cut. Where quotes don't pair, backslashes
        stand before those within cells, or they are text.
        """
        parts = [f"{_as_text(f, self.text is not None)} AS {f.sql}" for f in fields]
        create = f"CREATE OR REPLACE TEMP TABLE {self.table} AS"
        try:
            self.con.execute(f"{create} {self.relation} SELECT {', '.join(parts)}")
        except duckdb.Error:
            self._take_quotes_otherwise()
            with self.errors():
                self.con.execute(f"{create} {self.relation} SELECT {', '.join(parts)}")
        n: int = self.one(f"FROM {self.table} SELECT count(*)")[0]
        if not n:
            raise TableError("A table has at least one row", f"{self.label}, which has none", "Add its rows")
        return n

    def drop(self, bad: str) -> int:
        """Leaves out the loaded rows in which a condition holds; returns how many."""
        before: int = self.one(f"FROM {self.table} SELECT count(*)")[0]
        with self.errors():
            kept = self.con.execute(f"FROM {self.table} SELECT rowid AS r WHERE ({bad}) IS NOT TRUE")
            rows = kept.fetchnumpy()["r"]
            if len(rows) == before:
                return 0
            self.con.execute(
                f"CREATE OR REPLACE TEMP TABLE {self.table} AS FROM {self.table} WHERE ({bad}) IS NOT TRUE"
            )
        rows = np.asarray(rows, dtype=np.int64)
        self.kept = rows if self.kept is None else self.kept[rows]
        if not len(rows):
            raise TableError(
                "A table has at least one row with a user and an item",
                f"{self.label}, whose {before:,} rows lack one",
                "Check its columns",
            )
        return before - len(rows)

    def one(self, sql: str) -> tuple[Any, ...]:
        """Returns the first row of a query."""
        with self.errors():
            row: tuple[Any, ...] = self.con.execute(sql).fetchall()[0]
        return row

    def where(self, row: int) -> str:
        """Says where a person finds row `row` (from 0): a text file's line, header = 1; else its number."""
        if self.kept is not None:
            row = int(self.kept[row])
        if self.origin is not None:
            source, table = self.origin
            from_row, name = self.one(f"FROM {table} SELECT row_, c1 LIMIT 1 OFFSET {row}")
            return f"{source.where(from_row)} (the cell of {name!r})"
        for part in self.parts:
            n: int = self.one(f"{part.relation} SELECT count(*)")[0]
            if row < n:
                return f"{part.where(row)} of {part.label}"
            row -= n
        line = self.text.line(row) if self.text else None
        return f"line {line}" if line else f"row {row + 1} (counting from 1)"

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turns what DuckDB raises into a TableError, which for text files names the line."""
        try:
            yield
        except (duckdb.Error, UnicodeDecodeError) as error:
            texts = [part.text for part in self.parts or (self,) if part.text]
            mistake = next((m for m in (text.mistake() for text in texts) if m), None)
            raise (mistake or unreadable(self.label, error)) from error

    def _take_quotes_otherwise(self) -> None:
        """Reads files whose quotes don't pair by backslashes, or without quotes, where all lines then fit."""
        for part in self.parts or (self,):
            if part.text is None or part.text.mistake() is None:
                continue
            plain = part.text.escaped() or part.text.unquoted()
            if plain is None:
                continue
            names = [f.sql for f in part.fields]
            before, after = text_relation(part.text, names), text_relation(plain, names)
            part.text, part.relation = plain, part.relation.replace(before, after)
            self.relation = self.relation.replace(before, after)
            how = "lone quotes, so that quotes are read as text"
            if plain.has_escapes:
                how = "quotes within cells, each after a backslash"
            self.notes.append(f"{part.label}: {how}")


def text_relation(text: Layout, names: Sequence[str]) -> str:
    """Returns the SQL that reads a text file, its columns called as given."""
    columns = ", ".join(f"'{name}': 'VARCHAR'" for name in names)
    escaped = quoted(re.sub(r"([*?\[])", r"[\1]", str(text.path)))  # a path is not a pattern
    return (
        f"FROM read_csv({escaped}, auto_detect = false, columns = {{{columns}}}, "
        f"delim = {quoted(text.delimiter)}, quote = {quoted(text.quote)}, escape = {quoted(text.escape)}, "
        f"header = {text.has_header}, skip = {text.skip}, strict_mode = true, "
        f"compression = '{'gzip' if text.is_gzip else 'none'}')"
    )


@contextmanager
def session() -> Iterator[duckdb.DuckDBPyConnection]:
    """Gives a DuckDB of our own in memory: UTC, rows in order, no downloads, spilling to the temp folder."""
    con = duckdb.connect(":memory:", config={"autoinstall_known_extensions": False})
    con.execute("SET TimeZone = 'UTC'")
    con.execute("SET preserve_insertion_order = true")
    bar = con.execute("SELECT current_setting('enable_progress_bar')").fetchone()
    if bar and bar[0]:  # in a notebook without widgets there is none, and setting it is refused
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
    if label.startswith(QUERY_OF.format("")):
        return TableError("A query gives a table", f"{label}: {said}", "Correct the query (query=, --query)")
    return TableError(
        "A table is readable from its first row to its last",
        f"{label}: {said}",
        "Check that the file is whole and of the kind its ending says, or export it again as CSV or Parquet",
    )
