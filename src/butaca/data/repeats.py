"""This module settles what becomes of a pair of user and item that a table holds more than once."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

import numpy as np

from butaca.data.cells.converted import counted
from butaca.data.dataset import Entities
from butaca.data.formats.opened import Opened
from butaca.data.signal import Signal
from butaca.errors import SettingError, TableError
from butaca.types import Bools, Ints, Times

Duplicates: TypeAlias = Literal["last", "first", "keep", "error"]


def once(pair: Ints, time: Times | None, *, first: bool) -> tuple[Bools, int]:
    """Returns which rows stay if every pair stays once, and how many pairs come more than once."""
    order = np.argsort(pair, kind="stable") if time is None else np.lexsort((time, pair))  # ties: by row
    in_order = pair[order]
    is_new = np.append(True, in_order[1:] != in_order[:-1])
    is_last = np.append(is_new[1:], True)
    is_kept = np.zeros(len(pair), dtype=bool)
    is_kept[order[is_new if first else is_last]] = True
    return is_kept, int((is_new & ~is_last).sum())


def repeated(opened: Opened, pair: Ints, *, rows: Ints, users: Entities, items: Entities) -> TableError:
    """Returns the error that names the first row whose pair came before."""
    distinct_pairs, firsts, inverse = np.unique(pair, return_index=True, return_inverse=True)
    again = int(np.flatnonzero(firsts[inverse] != np.arange(len(pair)))[0])
    before = int(firsts[inverse[again]])
    user, item = divmod(int(pair[again]), len(items))
    return TableError(
        "Every pair of user and item comes once",
        f"{users.key} {users.ids.values[user]!r} with {items.key} {items.ids.values[item]!r} in "
        f"{opened.where(int(rows[before]))} and in {opened.where(int(rows[again]))} of "
        f"{opened.label}, and {len(pair) - len(distinct_pairs)} repeated rows in all",
        'Remove one, or pass duplicates="last" or "keep"',
    )


def pairs_repeated(pairs: int, dropped: int, *, duplicates: Duplicates = "last", timed: bool) -> list[str]:
    """Says how many pairs came more than once, and what became of their rows.

    Args:
        pairs: that came more than once.
        dropped: rows.
        duplicates: which of them stay.
        timed: whether the rows have times.
    """
    first, last = ("earliest", "latest") if timed else ("first", "last")
    which = f"the {first if duplicates == 'first' else last} of each kept"
    fate = "every row kept" if duplicates == "keep" else f"{which}, {dropped} dropped"
    return [f"{counted(pairs, 'repeated (user, item) pair')}: {fate}"] if pairs else []


def check_duplicates(duplicates: str) -> None:
    """Refuses a word that says nothing of what becomes of repeats."""
    if duplicates not in get_args(Duplicates):
        raise SettingError(
            "duplicates is one of 'last', 'first', 'keep' and 'error'", repr(duplicates), "Leave it at 'last'"
        )


def check_put_together(duplicates: str, signal: Signal) -> None:
    """Refuses to say twice what becomes of repeats, where a signal says how rows are put together."""
    if signal.says and duplicates != "last":
        raise SettingError(
            "A signal says what the rows of a pair come to",
            f"duplicates={duplicates!r} and a signal",
            'Say it with Signal(repeats=...), of which "allow" keeps all',
        )
