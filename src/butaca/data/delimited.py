"""This module finds the delimiter and header of a text file, and where in it something is wrong.

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
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import IO, cast

from butaca.data.above import lines_above, lines_in
from butaca.data.columns import Held, Kind, held_by, is_known, plain
from butaca.data.reactions import are_reactions
from butaca.errors import TableError

SAMPLE = 1 << 16  # bytes that decide the layout
DELIMITERS = ("::", "\t", ";", ",", "|", "\x01", "~", "^")  # of two that fit as well, the first
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_DATE = re.compile(r"\d{4}[-/]\d{1,2}[-/]\d{1,2}([ T]\d{1,2}:.*)?")
_RECBOLE = re.compile(r"[^:]+:(token|float)(_seq)?")  # its names carry a type: "user_id:token"
_SEP = re.compile(r"sep=(\\t|.)", re.IGNORECASE)
COMMENTS = ("#", "%")  # what a line of a comment begins with
_NAMELESS = re.compile(r"column\d+")


@dataclass(frozen=True)
class Layout:
    """Says how a text file is to be read.

    Attributes:
        names: of the columns; column1, column2, ... where the file has no header.
        kinds: what the first lines of each column seem to hold.
        skip: lines before the first: blank ones, comments, "sep=;".
        label: what to call the file in messages.
        has_quotes: whether a cell between double quotes is what stands between them.
        held: without a header, what the first cells of each column say that it is.
        above: lines of titles among those that are skipped.
    """

    path: Path
    delimiter: str
    names: tuple[str, ...]
    kinds: tuple[Kind, ...]
    has_header: bool
    skip: int
    label: str = ""
    has_quotes: bool = True
    held: tuple[Held | None, ...] = ()
    above: int = 0

    @property
    def quote(self) -> str:
        """Returns the quote; none in "::" files, whose titles hold lone quotes (MovieLens 10M)."""
        return '"' if self.has_quotes and len(self.delimiter) == 1 else ""

    def unquoted(self) -> Layout | None:
        """Returns the layout whose quotes are text like any other, where all lines then fit; else None."""
        if not self.quote or _bad_bytes(self.path, self.label) is not None or self._bad_record() is None:
            return None
        plain_text = replace(self, has_quotes=False)
        return plain_text if plain_text._bad_record() is None else None

    @property
    def is_gzip(self) -> bool:
        """Returns whether the file is compressed."""
        return _is_gzip(self.path)

    def records(self, strict: bool = False) -> Iterator[tuple[int, list[str]]]:
        """Returns every record that is not blank, header included, with the number of its first line."""
        with _open(self.path) as raw:
            text = io.TextIOWrapper(raw, encoding="utf-8-sig", errors="replace", newline="")
            for _ in range(self.skip):
                text.readline()
            for line, cells in _records(text, self.delimiter, strict, has_quotes=bool(self.quote)):
                yield line + self.skip, cells

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
        return _bad_bytes(self.path, self.label) or self._bad_record() or self._mixed_ends()

    def _bad_record(self) -> TableError | None:
        last = 0
        try:
            for last, cells in self.records(strict=True):
                if len(cells) != len(self.names):
                    return TableError(
                        "Every line of a text table has the same number of cells",
                        f"{len(cells)} cells for {len(self.names)} columns in line {last} of {self.label}",
                        f"Correct that line; a cell that holds {self.delimiter!r} goes between double quotes",
                    )
        except csv.Error as error:
            if "field limit" in str(error):
                return TableError(
                    "The lines of a text table can be checked up to the first very long cell",
                    f"a cell of more than {csv.field_size_limit()} characters in the record after "
                    f"line {last} of {self.label}, which cannot be read there or further on",
                    "Shorten that cell, or export the table as Parquet",
                )
            return TableError(
                "A quoted cell ends with a quote, and a quote within it is doubled",
                f"a quote that does not, in the record after line {last} of {self.label}",
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
                        f"line {number} of {self.label}, which ends in {end} unlike those before",
                        "Save the file again with one kind of line end, for example with dos2unix",
                    )
        return None


def refuse_no_table(text: str, *, label: str) -> None:
    """Raises where a text file plainly is something else: a web page, a pointer to a file, a matrix."""
    head = text[:200].lstrip().lower()
    for begin, what, cure in (
        (("<!doctype", "<html", "<?xml"), "a page of the web or XML", "Download the table itself"),
        (("version https://git-lfs",), "a pointer of Git LFS", "Fetch the file itself: git lfs pull"),
        (
            ("%%matrixmarket",),
            "a matrix as MatrixMarket writes it",
            "Read it by scipy.io.mmread, and pass what that returns",
        ),
    ):
        if head.startswith(begin):
            raise TableError("A text table holds rows of cells", f"{label}, which is {what}", cure)
    second = lines_in(head)[1:2]
    if second and re.fullmatch(r"\|?[\s:-]*--[\s:|-]*", second[0].rstrip("\r\n")) and "|" in second[0]:
        raise TableError(
            "A text table holds rows of cells",
            f"{label}, which is a table as Markdown writes it",
            "Save it as CSV, without the line of dashes",
        )


def layout(
    path: Path,
    wanted: Sequence[str] = (),
    *,
    label: str | None = None,
    delimiter: str | None = None,
) -> Layout:
    """Decides how to read a text file from its first lines.

    Args:
        path: the file, plain or gzip.
        wanted: names of columns that the caller expects in the header.
        label: what to call the file in messages.
        delimiter: what separates the cells; None lets the first lines tell.

    Raises:
        TableError: the file is empty, is not text, or names a column twice.
    """
    label = label or str(path)
    text, is_whole = sample(path, label=label)
    before, said = preamble(text)
    above = lines_above(text[before:])
    before += chars_of(text[before:], above)
    body = text[before:]
    if not body.strip():
        raise TableError(
            "A table has a line of names and at least one row",
            f"{label}, which is empty",
            "Name another file",
        )
    delimiter = delimiter or said or best_delimiter(body, is_whole=is_whole)
    rows = _first_records(body, delimiter, is_whole)
    has_quotes = not (delimiter == "\t" and _quotes_are_text(body, delimiter, is_whole, rows))
    if not has_quotes:
        rows = _first_records(body, delimiter, is_whole, has_quotes=False)
    cells = [c.strip() for c in rows[0]]
    if cells[0].startswith("#") and any(is_known(c.lstrip("# ")) for c in cells):
        cells[0] = cells[0].lstrip("# ")
    if all(_RECBOLE.fullmatch(c) for c in cells):
        cells = [c.partition(":")[0] for c in cells]
    has_header = _has_header(cells, wanted, rows[1:])
    names = tuple((c if has_header else "") or f"column{i}" for i, c in enumerate(cells, start=1))
    repeated = next((n for n in names if names.count(n) > 1), None)
    if repeated is not None:
        raise TableError(
            "Every column has its own name",
            f"{names.count(repeated)} columns called {repeated!r} in {label}",
            "Rename them in the first line",
        )
    data = rows[1:] if has_header else rows
    columns = [[r[i].strip() for r in data if i < len(r)] for i in range(len(names))]
    kinds = [_kind(column) for column in columns]
    if not has_header and kinds[2:3] == ["whole"] and all(int(c) >= 10**8 for c in columns[2] if c):
        kinds[2] = "time"  # user, item and seconds since 1970: no rating is that large
    skip = len(re.findall(r"\r\n|\r|\n", text[:before]))
    held = () if has_header else tuple(_held(column) for column in columns)
    return Layout(path, delimiter, names, tuple(kinds), has_header, skip, label, has_quotes, held, above)


def _held(cells: Sequence[str]) -> Held | None:
    return held_by(cells) or ("kind" if are_reactions(list({c for c in cells if c})) else None)


def chars_of(text: str, lines: int) -> int:
    """Returns how long the first lines of a text are, with their ends."""
    return sum(map(len, lines_in(text)[:lines]))


def preamble(text: str) -> tuple[int, str | None]:
    r"""Returns where the table begins, after blank lines, comments and "sep=;", and what that says.

    A line that begins with # or % is a comment unless it has as many cells as the first that does not.

    >>> preamble("sep=;\nuser;item\n"), preamble("# who what\nuser,item\n")
    ((6, ';'), (11, None))
    """
    at, said = 0, None
    lines = lines_in(text)
    first = next((line for line in lines if line.strip() and line[0] not in COMMENTS), "")
    for line in lines:
        declared = _SEP.fullmatch(line.strip().strip('"'))
        if declared and said is None:
            said = declared[1].replace("\\t", "\t")
        elif line.strip() and not is_comment(line, first):
            break
        at += len(line)
    return at, said


def is_comment(line: str, like: str) -> bool:
    """Returns whether a line is a comment: it begins with # or % and is cut otherwise than one of the table.

    What begins with "# " or "% " and names no column is one however it is cut.
    """
    if not line.startswith(COMMENTS):
        return False
    in_words = re.match(r"[#%]([#%]|\s|$)", line) and not any(map(is_known, re.split(r"[\s#%,;|:]+", line)))
    return bool(in_words) or _shape(line) != _shape(like)


def _shape(line: str) -> tuple[int, ...]:
    marks = tuple(line.count(mark) for mark in DELIMITERS)
    return marks if any(marks) else (len(line.split()),)


def _quotes_are_text(text: str, delimiter: str, is_whole: bool, rows: list[list[str]]) -> bool:
    """Returns whether lone quotes swallow lines: without quotes there are more, and all of one length."""
    if '"' not in text:
        return False
    plain_rows = _first_records(text, delimiter, is_whole, has_quotes=False)
    return len(plain_rows) > len(rows) and all(len(r) == len(plain_rows[0]) for r in plain_rows)


def _has_header(cells: Sequence[str], wanted: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Returns whether a first line names columns.

    A number or a date in it says that it does not, and so do cells of the form of all below, such as u12 and
    i7, of which one comes again.
    """
    if any(is_known(c) or any(plain(c) and plain(c) == plain(w) for w in wanted) for c in cells):
        return True
    if any(_NAMELESS.fullmatch(w) for w in wanted):  # the caller counts columns, which no cell is called
        return False
    if any(_NUMBER.fullmatch(c) or _DATE.fullmatch(c) for c in cells):
        return False
    columns = [[row[at].strip() for row in below if at < len(row)] for at in range(len(cells))]
    alike = all(
        any(map(str.isdigit, cell)) and column and {_form(c) for c in column} == {_form(cell)}
        for cell, column in zip(cells, columns, strict=True)
    )
    return not (alike and any(cell in column for cell, column in zip(cells, columns, strict=True)))


def _form(cell: str) -> str:
    """Returns a cell with one 9 for its digits in a row, and one a for its letters."""
    return re.sub(r"[^\W\d_]+", "a", re.sub(r"\d+", "9", cell))


def _kind(cells: Sequence[str]) -> Kind:
    filled = [c for c in cells if c]
    if not filled:
        return "text"
    if all(_DATE.fullmatch(c) for c in filled):
        return "time"
    if all(_NUMBER.fullmatch(c) for c in filled):
        return "whole" if all(c.lstrip("+-").isdigit() for c in filled) else "real"
    return "text"


def best_delimiter(text: str, *, is_whole: bool) -> str:
    """Returns the delimiter that gives most lines as many cells as the first, of those that split it."""

    def fit(delimiter: str) -> float:
        rows = _first_records(text, delimiter, is_whole)
        width = len(rows[0])
        return sum(len(r) == width for r in rows) / len(rows) if width > 1 else 0.0

    best = max(DELIMITERS, key=fit)
    return best if fit(best) else ","


def _first_records(text: str, delimiter: str, is_whole: bool, *, has_quotes: bool = True) -> list[list[str]]:
    lines = io.StringIO(text, newline="")
    rows = [cells for _, cells in _records(lines, delimiter, strict=False, has_quotes=has_quotes)]
    return rows if is_whole or len(rows) == 1 else rows[:-1]  # the last may be cut


def _records(
    lines: IO[str], delimiter: str, strict: bool, *, has_quotes: bool = True
) -> Iterator[tuple[int, list[str]]]:
    if len(delimiter) > 1:
        for number, line in enumerate(lines, start=1):
            if line.strip("\r\n"):
                yield number, line.rstrip("\r\n").split(delimiter)
        return
    if has_quotes:
        reader = csv.reader(lines, delimiter=delimiter, strict=strict)
    else:
        reader = csv.reader(lines, delimiter=delimiter, strict=strict, quoting=csv.QUOTE_NONE)
    start = 1
    for cells in reader:
        if cells:
            yield start, cells
        start = reader.line_num + 1


def lines_of(path: Path, n: int | None = None) -> Iterator[str]:
    """Returns the first lines of a text file, or all."""
    with (
        _open(path) as raw,
        io.TextIOWrapper(raw, encoding="utf-8-sig", errors="replace", newline="") as text,
    ):
        yield from islice(text, n)


def sample(path: Path, *, label: str) -> tuple[str, bool]:
    """Returns the first lines as text, and whether they are the whole file."""
    try:
        with _open(path) as raw:
            head = raw.read(SAMPLE + 1)
    except (EOFError, OSError, zlib.error) as error:
        raise TableError(
            "A table is a file that can be read",
            f"{label}: {error}",
            "Fetch it again if it is damaged, or check its permissions",
        ) from error
    kind = _binary_kind(head)
    if kind:
        raise TableError(
            "A text table is plain text or gzip, in UTF-8", f"{label}, which is {kind[0]}", kind[1]
        )
    is_whole = len(head) <= SAMPLE
    try:
        return codecs.getincrementaldecoder("utf-8-sig")().decode(head, final=is_whole), is_whole
    except UnicodeDecodeError:
        mistake = _bad_bytes(path, label)
        assert mistake is not None
        raise mistake from None


def _binary_kind(head: bytes) -> tuple[str, str] | None:
    if b"\0" in head:
        return "binary", "Export it as CSV, or give it its own ending (.parquet, .duckdb)"
    return None


def _bad_bytes(path: Path, label: str) -> TableError | None:
    number = 0
    with _open(path) as raw:
        try:
            for line in raw:
                number += 1
                line.decode("utf-8")
        except UnicodeDecodeError as error:
            return TableError(
                "A text table is written in UTF-8",
                f"the bytes {error.object[error.start : error.end]!r} in line {number} of {label}",
                "Convert it, for example with iconv -f latin1 -t utf-8",
            )
        except (EOFError, OSError, zlib.error) as error:
            return TableError("A table is a file that can be read", f"{label}: {error}", "Fetch it again")
    return None


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as raw:
        return raw.read(2) == b"\x1f\x8b"


def _open(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path, "rb") if _is_gzip(path) else path.open("rb"))
