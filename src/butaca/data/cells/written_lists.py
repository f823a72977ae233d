r"""This module splits lists that are written as text into their members.

| a cell | is |
|---|---|
| Action\|Drama | Action and Drama, where a tenth of the cells hold the bar |
| ['Action', 'Drama'], ["Action"] | the list that Python or JSON would read |
| ['Action' 'Drama'] | the array that numpy prints |
| [{"id": 1, "name": "Action"}] | the name of each |
| Action, Drama; and with ";" | Action and Drama, where the parts recur as words of a list do |

A comma also stands in titles, names and places ("Matrix, The", "King, Stephen", "Paris, France"). Words of a
list are told from these by recurring: fewer parts than different cells, each twice or more on average.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Sequence
from typing import Any

BRACKETED = 0.9  # share of filled cells in brackets from which a column counts as lists
SEPARATED = 0.1  # and of cells that hold a separator
LONGEST = 40  # letters of a word of a list, on average at most
_BLANK_BETWEEN = re.compile(r"(?<=['\"])\s+(?=['\"])")  # ['Action' 'Drama'], as numpy prints an array
_NAMES = ("name", "title", "label", "value", "id")


def split_lists(cells: Sequence[str], *, piped: bool) -> tuple[list[list[str]], str] | None:
    """Returns the members of each cell, and how they were told apart; None where the column holds no lists.

    >>> split_lists(["Drama, War", "War", "Drama, War", ""], piped=False)
    ([['Drama', 'War'], ['War'], ['Drama', 'War'], []], "lists, split on ','")
    """
    filled = [c for c in cells if c]
    bracketed = sum(c[0] in "[{(" and c[-1] in "]})" for c in map(str.strip, filled) if c)
    if bracketed and bracketed >= BRACKETED * len(filled):
        members = [_members(c) for c in cells]
        if all(m is not None for m in members):
            return [m or [] for m in members], "lists, as they are written"
    if piped:
        return parts(cells, "|"), "lists, split on '|'"
    for mark in (",", ";"):
        if sum(mark in c for c in filled) >= max(SEPARATED * len(filled), 1) and _recur(filled, mark):
            return parts(cells, mark), f"lists, split on {mark!r}"
    return None


def parts(cells: Sequence[str], mark: str) -> list[list[str]]:
    """Returns what stands between the marks of each cell."""
    return [[word.strip() for word in cell.split(mark) if word.strip()] for cell in cells]


def _recur(filled: Sequence[str], mark: str) -> bool:
    """Returns whether the parts of cells recur as words of a list do."""
    rows = parts(filled, mark)
    words = {word for row in rows for word in row}
    total = sum(map(len, rows))
    if not words or sum(map(len, words)) > LONGEST * len(words):
        return False
    return len(words) <= len({tuple(row) for row in rows}) and total >= 2 * len(words)


def _members(cell: str) -> list[str] | None:
    """Returns the members of a list written in JSON or Python; None where it is none."""
    text = _BLANK_BETWEEN.sub(", ", cell.strip())
    if not text:
        return []
    found: Any = None
    for reader in (json.loads, ast.literal_eval):
        try:
            found = reader(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        break
    if isinstance(found, dict):
        found = [found]
    if isinstance(found, set | tuple):
        found = list(found)
    if not isinstance(found, list):
        return None
    out = []
    for one in found:
        if isinstance(one, dict):
            one = next((one[k] for k in _NAMES if k in one), None)
        if one is not None and not isinstance(one, list | dict):
            out.append(str(one))
    return out
