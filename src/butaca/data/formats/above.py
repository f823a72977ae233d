"""This module finds the rows of titles that stand above a table's names: "Sales of 2020" and such."""

from __future__ import annotations

import io
from collections.abc import Sequence

from butaca.data.columns.names import is_known

#: Rows among which the names are looked for.
FIRST = 20

DELIMITERS = ("\t", ";", ",", "|", "::")


def rows_above(rows: Sequence[Sequence[str]]) -> int:
    """Returns how many rows stand above the names, of which two or more are usual ones; 0 where none is.

    What stands above has fewer filled cells: rows of as many are of the table, whatever their words.

    >>> rows_above([["Sales"], [], ["user", "item"], ["ana", "7"]])
    2
    >>> rows_above([["user", "x"], ["user", "item"]])
    0
    """
    most = 0
    for place, row in enumerate(rows[:FIRST]):
        filled = [cell for cell in row if cell.strip()]
        known = sum(map(is_known, filled))
        if known > 1:
            return place if len(filled) > most else 0
        most = max(most, len(filled))
        if not place and known and len(filled) > 1:
            return 0
    return 0


def lines_above(text: str) -> int:
    r"""Returns how many lines of a text stand above the names.

    >>> lines_above("Sales,,\n\nuser,item,rating\nana,7,5\n")
    2
    """
    lines = [line.rstrip("\r\n") for line in lines_in(text)[:FIRST]]
    if not lines or sum(map(is_known, _cells(lines[0]))) > 1:
        return 0
    return max(rows_above([_split(line, mark) for line in lines]) for mark in DELIMITERS)


def _split(line: str, mark: str) -> list[str]:
    return [cell.strip().strip('"') for cell in line.split(mark)]


def _cells(line: str) -> list[str]:
    return [cell for mark in DELIMITERS for cell in _split(line, mark) if mark in line]


def lines_in(text: str) -> list[str]:
    r"""Returns the lines of a text with their ends: \n, \r or both, and no other that Unicode calls one.

    >>> lines_in("a\r\nb\x1ec\u2028d\re")
    ['a\r\n', 'b\x1ec\u2028d\r', 'e']
    """
    return list(io.StringIO(text, newline=""))
