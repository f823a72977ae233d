"""This module finds the delimiter and header of a text file, and where in it something is wrong.

DuckDB reads the rows; this module decides how (its own sniffer skips lines that it cannot place, and we
want those to be errors) and, when reading fails, goes through the file once more to name the line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from butaca.data.columns.names import Held, Kind, held_by, is_known, plain
from butaca.data.columns.reactions import are_reactions
from butaca.data.formats.above import lines_above, lines_in
from butaca.data.formats.layout import Layout
from butaca.data.formats.lines import first_records, sample
from butaca.errors import TableError

DELIMITERS = ("::", "\t", ";", ",", "|", "\x01", "~", "^")  # of two that fit as well, the first
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_DATE = re.compile(r"(\d{4}[-/]\d{1,2}[-/]\d{1,2}|\d{1,2}([/.])\d{1,2}\2\d{4})([ T]\d{1,2}:.*)?")
_RECBOLE = re.compile(r"[^:]+:(token|float)(_seq)?")  # its names carry a type: "user_id:token"
_SEP = re.compile(r"sep=(\\t|.)", re.IGNORECASE)
COMMENTS = ("#", "%")  # what a line of a comment begins with
_NAMELESS = re.compile(r"column\d+")


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
    rows = first_records(body, delimiter, is_whole=is_whole)
    has_quotes = not (delimiter == "\t" and _quotes_are_text(body, delimiter, is_whole, rows))
    if not has_quotes:
        rows = first_records(body, delimiter, is_whole=is_whole, has_quotes=False)
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
    if (
        not has_header
        and "time" not in kinds
        and kinds[2:3] == ["whole"]
        and all(int(c) >= 10**8 for c in columns[2] if c)
    ):
        kinds[2] = "time"  # user, item and seconds since 1970: no rating is that large
    skip = len(re.findall(r"\r\n|\r|\n", text[:before]))
    held = () if has_header else tuple(_held(column) for column in columns)
    return Layout(path, delimiter, names, tuple(kinds), has_header, skip, label, has_quotes, held, above)


def _held(cells: Sequence[str]) -> Held | None:
    if all(_NUMBER.fullmatch(c) for c in cells if c) and any(float(c) % 1 for c in cells if c):
        return "value"
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
    """Returns whether lone quotes swallow lines: without quotes there are more, and all are of one length.

    Where a file has ends of two kinds, or without quotes an empty cell in a column that is filled
    elsewhere, the quotes hold the end of a line.
    """
    if '"' not in text or len(set(re.findall(r"\r\n|\r(?!\Z)|\n", text))) > 1:
        return False
    plain_rows = first_records(text, delimiter, is_whole=is_whole, has_quotes=False)
    if len(plain_rows) == len(rows) or any(len(r) != len(plain_rows[0]) for r in plain_rows):
        return False
    quoting = [r for r in plain_rows if sum(c.count('"') for c in r) % 2]
    others = [r for r in plain_rows if not sum(c.count('"') for c in r) % 2]
    return not any(
        all(r[at].strip() for r in others) and any(not r[at].strip('" ') for r in quoting)
        for at in range(len(plain_rows[0]))
    )


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
        rows = first_records(text, delimiter, is_whole=is_whole)
        width = len(rows[0])
        return sum(len(r) == width for r in rows) / len(rows) if width > 1 else 0.0

    best = max(DELIMITERS, key=fit)
    return best if fit(best) else ","
