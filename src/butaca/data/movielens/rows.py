"""This module reads the rows of the text files of MovieLens, every cell checked.

DuckDB reads the ratings, which may be 32 million. It would round "1.5" to a whole number or take "1_0" for
ten, so what is not plainly digits is refused, and the file read once more, line by line, to say where.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import duckdb
import numpy as np

from butaca.data.movielens.copies import Copy
from butaca.errors import TableError
from butaca.types import Codes, Floats, Times

LARGEST_ID = 2**26  # ids index an array; MovieLens's own end near 330,000
WHOLE = re.compile(r"[0-9]{1,15}")
REAL = re.compile(r"[0-9]{1,15}(\.[0-9]*)?|\.[0-9]+")


@dataclass(frozen=True)
class Table:
    """Says how a text file is laid out.

    Attributes:
        name: of the file.
        separator: between its cells; only "," has quoted cells.
        columns: their names, in order.
        has_header: whether the first line is these names.
    """

    name: str
    separator: str
    columns: tuple[str, ...]
    has_header: bool = False

    @property
    def header(self) -> str:
        """Returns the first line, if there is a header."""
        return self.separator.join(self.columns)

    def fault(self, copy: Copy, line: int, *, column: str, found: str, rule: str) -> TableError:
        """Returns the error for a wrong cell, named by file, line (from 1) and column."""
        return TableError(
            rule,
            f"{found} in line {line} of {copy.place(self.name)}, column {column!r}",
            "Correct that line, or get the archive again",
        )


class RatingColumns(NamedTuple):
    """Holds users and items by their numbers, ratings and times: [n] each."""

    user: Codes
    item: Codes
    value: Floats
    time: Times


def rows(copy: Copy, table: Table) -> Iterator[tuple[int, dict[str, str]]]:
    """Returns the rows of a small table, each with its line; UTF-8, or else Latin-1 as the older archives.

    Raises:
        TableError: another header, or a row with more or fewer cells.
    """
    content = copy.read(table.name)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    for line, cells in _split(copy, table, text):
        if table.has_header and line == 1:
            if tuple(cells) != table.columns:
                raise _wrong_header(copy, table, table.separator.join(cells))
            continue
        if len(cells) != len(table.columns):
            raise _wrong_count(copy, table, line, cells)
        yield line, dict(zip(table.columns, cells, strict=True))


def _split(copy: Copy, table: Table, text: str) -> Iterator[tuple[int, list[str]]]:
    if table.separator == ",":
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        line = 1
        try:
            for cells in reader:
                if cells:
                    yield line, cells
                line = reader.line_num + 1
        except csv.Error as error:
            raise table.fault(
                copy, line, column=table.columns[0], found=str(error), rule="Every line is a row of cells"
            ) from error
        return
    for line, row in enumerate(text.split("\n"), start=1):
        if row.strip():
            cells = row.removesuffix("\r").split(table.separator)
            if len(cells) > len(table.columns) == 3:  # a title with the separator in it
                cells = [cells[0], table.separator.join(cells[1:-1]), cells[-1]]
            yield line, cells


def read_ratings(copy: Copy, table: Table) -> RatingColumns:
    """Reads the columns user, item, rating and time, in the order of the file.

    Raises:
        TableError: a cell that is not what its column holds; or no rows.
    """
    with copy.on_disk(table.name) as path:
        said = "the file has other characters than digits"
        if _is_plain(path, table):
            try:
                columns = _read(path, table)
            except duckdb.Error as error:
                said = str(error).partition("\n")[0]
            else:
                if not any(np.ma.is_masked(column) for column in columns) and len(columns.user):
                    return RatingColumns(*map(np.asarray, columns))
        raise _mistake(copy, path, table) or TableError(
            "Every line of a file of ratings is a user, an item, a rating and a time",
            f"{copy.place(table.name)}: {said}",
            "Get the archive again",
        )


def line_of(copy: Copy, table: Table, *, row: int) -> int:
    """Returns the line of a row of ratings, counting both from where they do: 1 and 0."""
    with copy.on_disk(table.name) as path:
        return next(islice(_lines(path, table), row, None))[0]


def _is_plain(path: Path, table: Table) -> bool:
    plain = b"0123456789.\r\n" + table.separator.encode()
    with open(path, "rb") as file:
        if table.has_header and file.readline().decode("utf-8-sig", "replace").rstrip() != table.header:
            return False
        while block := file.read(1 << 24):
            if block.translate(None, plain):
                return False
    return True


def _read(path: Path, table: Table) -> RatingColumns:
    escaped = re.sub(r"([*?\[])", r"[\1]", str(path)).replace("'", "''")  # a path is not a pattern
    columns = ", ".join(f"'{name}': 'DOUBLE'" for name in ("user_", "item", "rating", "time_"))
    query = f"""
        SELECT CASE WHEN user_ = floor(user_) AND user_ <= {LARGEST_ID} THEN user_::INTEGER END AS u,
               CASE WHEN item = floor(item) AND item <= {LARGEST_ID} THEN item::INTEGER END AS i,
               CASE WHEN rating BETWEEN 0.5 AND 5 THEN rating::FLOAT END AS r,
               CASE WHEN time_ = floor(time_) AND time_ < 1e15 THEN time_::BIGINT END AS t
        FROM read_csv('{escaped}', auto_detect = false, strict_mode = true, compression = 'none',
                      delim = '{table.separator}', quote = '', escape = '',
                      header = false, skip = {int(table.has_header)},
                      columns = {{{columns}}})
    """  # noqa: S608 - only the path comes from outside, and is escaped
    with duckdb.connect() as connection:
        got = connection.execute(query).fetchnumpy()
    return RatingColumns(got["u"], got["i"], got["r"], got["t"])


def _lines(path: Path, table: Table) -> Iterator[tuple[int, list[str]]]:
    with open(path, encoding="latin-1", newline="\n") as file:
        for line, text in enumerate(file, start=1):
            if text.strip() and (line > 1 or not table.has_header):
                yield line, text.rstrip("\r\n").split(table.separator)


def _mistake(copy: Copy, path: Path, table: Table) -> TableError | None:
    """Returns the first thing that is wrong with a file of ratings."""
    if table.has_header:
        with open(path, encoding="utf-8-sig", errors="replace") as file:
            header = file.readline().rstrip()
        if header != table.header:
            return _wrong_header(copy, table, header)
    user, item, rating, time = table.columns
    line = 0
    for line, cells in _lines(path, table):
        if len(cells) != 4:
            return _wrong_count(copy, table, line, cells)
        for column, cell in zip((user, item), cells, strict=False):
            if not (WHOLE.fullmatch(cell) and int(cell) <= LARGEST_ID):
                rule = f"An id is a whole number of at most {LARGEST_ID:,}"
                return table.fault(copy, line, column=column, found=repr(cell), rule=rule)
        if not (REAL.fullmatch(cells[2]) and 0.5 <= float(cells[2]) <= 5):
            return table.fault(
                copy, line, column=rating, found=repr(cells[2]), rule="A rating is a number from 0.5 to 5"
            )
        if not WHOLE.fullmatch(cells[3]):
            rule = "A time is a whole number of seconds since 1970"
            return table.fault(copy, line, column=time, found=repr(cells[3]), rule=rule)
    if not line:
        return TableError("A file of ratings has rows", copy.place(table.name), "Get the archive again")
    return None


def _wrong_header(copy: Copy, table: Table, header: str) -> TableError:
    rule = f"The first line of {table.name} is {table.header!r}"
    return table.fault(copy, 1, column=table.columns[0], found=repr(header[:80]), rule=rule)


def _wrong_count(copy: Copy, table: Table, line: int, cells: list[str]) -> TableError:
    missing = min(len(cells), len(table.columns) - 1)
    rule = f"Every line of {table.name} has {len(table.columns)} cells separated by {table.separator!r}"
    return table.fault(copy, line, column=table.columns[missing], found=f"{len(cells)} cells", rule=rule)
