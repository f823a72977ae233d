"""This module writes odd text files anew, line for line, so that they can be read as any other.

| the file | becomes |
|---|---|
| cells between runs of blanks and tabs | cells between tabs |
| lines of comments (#, %) among the rows | blank lines |
| the layout of the Netflix prize ("7:" and then "user,rating,date") | user,item,rating,date |

A line stays in its place, so that errors name the lines of the file that the caller has.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import duckdb

from butaca.data.formats.unpacked import temporary

MOST_LINES = 0.7  # share of lines that fit; the others are errors, which name them
_NETFLIX = re.compile(r"(\d+):\s*")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def is_netflix(lines: Sequence[str]) -> bool:
    """Returns whether the first line is an item's number and a colon, and the others cells or such lines."""
    filled = [line for line in lines if line.strip()]
    return len(filled) > 1 and bool(_NETFLIX.fullmatch(filled[0])) and "," in filled[1]


def is_blank_separated(lines: Sequence[str], *, other: int) -> bool:
    """Returns whether runs of blanks cut every line into as many cells; where nothing else does, most lines.

    Args:
        lines: the first of the file.
        other: the cells that a delimiter cuts the first line into; 1 where none does. Where one does,
            blanks count only if they cut further, and into numbers alone.
    """
    rows = [line.split() for line in lines if line.strip()]
    if len(rows) < 2 or len(rows[0]) < 2:
        return False
    alike = sum(len(row) == len(rows[0]) for row in rows)
    if other == 1:
        return alike >= MOST_LINES * len(rows)
    return (
        alike == len(rows)
        and len(rows[0]) > other
        and all(_NUMBER.fullmatch(c) for row in rows[1:] for c in row)
    )


def by_tabs(con: duckdb.DuckDBPyConnection, path: Path, *, lines: Iterator[str]) -> Path:
    """Writes the cells between blanks to a file of cells between tabs."""
    return _write(con, path, lines, lambda line: "\t".join(line.split()))


def without_comments(con: duckdb.DuckDBPyConnection, path: Path, *, lines: Iterator[str]) -> Path:
    """Writes a file in which lines that begin with # or % are blank."""
    return _write(con, path, lines, lambda line: "" if line.startswith(("#", "%")) else line)


def from_netflix(con: duckdb.DuckDBPyConnection, path: Path, *, lines: Iterator[str]) -> Path:
    """Writes user,item,rating,date for what stands below the line of each item."""
    item = ""

    def one(line: str) -> str:
        nonlocal item
        found = _NETFLIX.fullmatch(line)
        if found:
            item = found[1]
            return ""
        user, mark, rest = line.partition(",")
        return f"{user},{item}{mark}{rest}" if line.strip() else ""

    return _write(con, path, lines, one)


def _write(
    con: duckdb.DuckDBPyConnection, path: Path, lines: Iterator[str], change: Callable[[str], str]
) -> Path:
    target = temporary(con, path.name.removesuffix(".gz"))
    with target.open("w", encoding="utf-8", newline="") as file:
        file.writelines(change(line.rstrip("\r\n")) + "\n" for line in lines)
    return target
