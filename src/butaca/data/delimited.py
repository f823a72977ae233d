"""This module finds the delimiter and header of a CSV or TSV file, and where in it something is wrong.

DuckDB reads the rows; this module decides how (its own sniffer skips lines that it cannot place, and we
want those to be errors) and, when reading fails, goes through the file once more to name the line.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from butaca.data.columns import Kind, is_known, plain
from butaca.errors import TableError

SAMPLE = 1 << 16  # bytes that decide the layout
DELIMITERS = ("::", "\t", ";", ",", "|")  # of two that fit as well, the first
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_DATE = re.compile(r"\d{4}[-/]\d{1,2}[-/]\d{1,2}([ T]\d{1,2}:.*)?")
_RECBOLE = re.compile(r"[^:]+:(token|float)(_seq)?")  # its names carry a type: "user_id:token"
_NAMELESS = re.compile(r"column\d+")


@dataclass(frozen=True)
class Layout:
    """Says how a text file is to be read.

    Attributes:
        names: of the columns; column1, column2, ... where the file has no header.
        kinds: what the first lines of each column seem to hold.
        skip: blank lines before the first.
    """

    path: Path
    delimiter: str
    names: tuple[str, ...]
    kinds: tuple[Kind, ...]
    has_header: bool
    skip: int

    @property
    def quote(self) -> str:
        """Returns the quote; none in "::" files, whose titles hold lone quotes (MovieLens 10M)."""
        return "" if len(self.delimiter) > 1 else '"'

    @property
    def is_gzip(self) -> bool:
        """Returns whether the file is compressed."""
        return _is_gzip(self.path)

    def records(self, strict: bool = False) -> Iterator[tuple[int, list[str]]]:
        """Returns every record that is not blank, header included, with the number of its first line."""
        with _open(self.path) as raw:
            text = io.TextIOWrapper(raw, encoding="utf-8-sig", errors="replace", newline="")
            yield from _records(text, self.delimiter, strict)

    def line(self, row: int) -> int | None:
        """Returns the line of the file, header = 1, where data row `row` (from 0) begins."""
        try:
            for n, (line, _) in enumerate(self.records()):
                if n == row + self.has_header:
                    return line
        except csv.Error:  # a cell beyond its limit: the row's own number must do
            pass
        return None

    def mistake(self) -> TableError | None:
        """Returns the first line that breaks the rules of a text table, found by reading all of it."""
        return _bad_bytes(self.path) or self._bad_record() or self._mixed_ends()

    def _bad_record(self) -> TableError | None:
        last = 0
        try:
            for last, cells in self.records(strict=True):
                if len(cells) != len(self.names):
                    return TableError(
                        "Every line of a text table has the same number of cells",
                        f"{len(cells)} cells for {len(self.names)} columns in line {last} of {self.path}",
                        f"Correct that line; a cell that holds {self.delimiter!r} goes between double quotes",
                    )
        except csv.Error as error:
            if "field limit" in str(error):
                return TableError(
                    "The lines of a text table can be checked up to the first very long cell",
                    f"a cell of more than {csv.field_size_limit()} characters in the record after "
                    f"line {last} of {self.path}, which cannot be read there or further on",
                    "Shorten that cell, or export the table as Parquet",
                )
            return TableError(
                "A quoted cell ends with a quote, and a quote within it is doubled",
                f"a quote that does not, in the record after line {last} of {self.path}",
                'Close the quote, or write "" for a quote within the cell',
            )
        return None

    def _mixed_ends(self) -> TableError | None:
        ends: set[bytes] = set()
        with _open(self.path) as raw:
            for number, line in enumerate(raw, start=1):
                ends.add(line[-2:] if line.endswith(b"\r\n") else line[-1:])
                if len(ends & {b"\r\n", b"\n"}) == 2:
                    end = "CR LF" if line.endswith(b"\r\n") else "LF"
                    return TableError(
                        "Every line of a text table ends in the same way",
                        f"line {number} of {self.path}, which ends in {end} unlike those before",
                        "Save the file again with one kind of line end, for example with dos2unix",
                    )
        return None


def layout(path: Path, wanted: Sequence[str] = ()) -> Layout:
    """Decides how to read a text file from its first lines.

    Args:
        path: the file, plain or gzip.
        wanted: names of columns that the caller expects in the header.

    Raises:
        TableError: the file is empty, is not text, or names a column twice.
    """
    text, is_whole = _sample(path)
    body = text.lstrip("\r\n")
    if not body.strip():
        raise TableError(
            "A table has a line of names and at least one row", f"{path}, which is empty", "Name another file"
        )
    delimiter = _delimiter(body, is_whole)
    rows = _first_records(body, delimiter, is_whole)
    cells = [c.strip() for c in rows[0]]
    if all(_RECBOLE.fullmatch(c) for c in cells):
        cells = [c.partition(":")[0] for c in cells]
    has_header = _has_header(cells, wanted)
    names = tuple((c if has_header else "") or f"column{i}" for i, c in enumerate(cells, start=1))
    repeated = next((n for n in names if names.count(n) > 1), None)
    if repeated is not None:
        raise TableError(
            "Every column has its own name",
            f"{names.count(repeated)} columns called {repeated!r} in {path}",
            "Rename them in the first line",
        )
    data = rows[1:] if has_header else rows
    columns = [[r[i].strip() for r in data if i < len(r)] for i in range(len(names))]
    kinds = [_kind(column) for column in columns]
    if not has_header and kinds[2:3] == ["whole"] and all(int(c) >= 10**8 for c in columns[2] if c):
        kinds[2] = "time"  # user, item and seconds since 1970: no rating is that large
    skip = len(re.findall(r"\r\n|\r|\n", text[: len(text) - len(body)]))
    return Layout(path, delimiter, names, tuple(kinds), has_header, skip)


def _has_header(cells: Sequence[str], wanted: Sequence[str]) -> bool:
    """Returns whether a first line names columns: a number or a date in it says that it does not."""
    if any(is_known(c) or any(plain(c) and plain(c) == plain(w) for w in wanted) for c in cells):
        return True
    if any(_NAMELESS.fullmatch(w) for w in wanted):  # the caller counts columns, which no cell is called
        return False
    return not any(_NUMBER.fullmatch(c) or _DATE.fullmatch(c) for c in cells)


def _kind(cells: Sequence[str]) -> Kind:
    filled = [c for c in cells if c]
    if not filled:
        return "text"
    if all(_DATE.fullmatch(c) for c in filled):
        return "time"
    if all(_NUMBER.fullmatch(c) for c in filled):
        return "whole" if all(c.lstrip("+-").isdigit() for c in filled) else "real"
    return "text"


def _delimiter(text: str, is_whole: bool) -> str:
    """Returns the delimiter that gives most lines as many cells as the first, of those that split it."""

    def fit(delimiter: str) -> float:
        rows = _first_records(text, delimiter, is_whole)
        width = len(rows[0])
        return sum(len(r) == width for r in rows) / len(rows) if width > 1 else 0.0

    best = max(DELIMITERS, key=fit)
    return best if fit(best) else ","


def _first_records(text: str, delimiter: str, is_whole: bool) -> list[list[str]]:
    rows = [cells for _, cells in _records(io.StringIO(text, newline=""), delimiter, strict=False)]
    return rows if is_whole or len(rows) == 1 else rows[:-1]  # the last may be cut


def _records(lines: IO[str], delimiter: str, strict: bool) -> Iterator[tuple[int, list[str]]]:
    if len(delimiter) > 1:
        for number, line in enumerate(lines, start=1):
            if line.strip("\r\n"):
                yield number, line.rstrip("\r\n").split(delimiter)
        return
    reader = csv.reader(lines, delimiter=delimiter, strict=strict)
    start = 1
    for cells in reader:
        if cells:
            yield start, cells
        start = reader.line_num + 1


def _sample(path: Path) -> tuple[str, bool]:
    """Returns the first lines as text, and whether they are the whole file."""
    try:
        with _open(path) as raw:
            head = raw.read(SAMPLE + 1)
    except (EOFError, OSError, zlib.error) as error:
        raise TableError(
            "A table is a file that can be read",
            f"{path}: {error}",
            "Fetch it again if it is damaged, or check its permissions",
        ) from error
    kind = _binary_kind(head)
    if kind:
        raise TableError(
            "A text table is plain text or gzip, in UTF-8", f"{path}, which is {kind[0]}", kind[1]
        )
    is_whole = len(head) <= SAMPLE
    try:
        return codecs.getincrementaldecoder("utf-8-sig")().decode(head, final=is_whole), is_whole
    except UnicodeDecodeError:
        mistake = _bad_bytes(path)
        assert mistake is not None
        raise mistake from None


def _binary_kind(head: bytes) -> tuple[str, str] | None:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "UTF-16 text", "Save it as UTF-8, for example with iconv -f utf-16 -t utf-8"
    if head.startswith(b"PK\x03\x04"):
        return "a ZIP archive or an Excel workbook", "Unpack it, or export the sheet as CSV"
    if b"\0" in head:
        return "binary", "Export it as CSV, or give it its own ending (.parquet, .duckdb)"
    return None


def _bad_bytes(path: Path) -> TableError | None:
    number = 0
    with _open(path) as raw:
        try:
            for line in raw:
                number += 1
                line.decode("utf-8")
        except UnicodeDecodeError as error:
            return TableError(
                "A text table is written in UTF-8",
                f"the bytes {error.object[error.start : error.end]!r} in line {number} of {path}",
                "Convert it, for example with iconv -f latin1 -t utf-8",
            )
        except (EOFError, OSError, zlib.error) as error:
            return TableError("A table is a file that can be read", f"{path}: {error}", "Fetch it again")
    return None


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as raw:
        return raw.read(2) == b"\x1f\x8b"


def _open(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path, "rb") if _is_gzip(path) else path.open("rb"))
