"""This module joins what was read in each file to what is said of them all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from butaca.data.times.odd import range_of

#: Remarks on several files that are told, at most.
MOST = 12


@dataclass(frozen=True)
class Remarks:
    """A Remarks holds what reading a file decided, and found odd.

    Attributes:
        how: how the file was read, such as "no header line".
        columns: which were chosen, a line each, the time's last.
        odd: times that are, a part of a line each.
        more: what was dropped or ignored, and what seems to say no.
        words: ids that are words for nothing, and others that are odd.
        kinds: where a column holds kinds of event, the places of those that rows are of, and what it holds.
    """

    how: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    odd: tuple[str, ...] = ()
    more: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    kinds: tuple[frozenset[int], tuple[str, ...]] | None = None


def notes_of(
    files: Sequence[tuple[str, Remarks]], *, tables: Sequence[str], span: tuple[int, int] | None
) -> list[str]:
    """Returns the notes on all files: what is so of all once, what is of one with its name.

    >>> one = Remarks(columns=("user: column 'u'",), more=("ignored: a",))
    >>> notes_of([("1.csv", one), ("2.csv", one)], tables=["items: i.csv"], span=None)
    ["user: column 'u'", 'ignored: a', 'items: i.csv']

    Args:
        files: each with its path.
        tables: notes on the tables of users and items.
        span: the first and last time of all, in seconds; None without times.
    """
    first = files[0][1]
    columns = list(first.columns)
    at = next((n for n, line in enumerate(columns) if line.startswith("time: ")), None)
    if at is not None and span is not None:
        columns[at] += range_of(*span)
    if len(files) == 1:
        if at is not None and first.odd:
            columns[at] = "; ".join([columns[at], *first.odd])
        return [*first.how, *columns, *first.more, *tables, *first.words]
    common = {line for line in (*first.how, *first.more) if all(line in (*r.how, *r.more) for _, r in files)}
    notes = [line for line in first.how if line in common]
    notes += [*columns, *(line for line in first.more if line in common)]
    own = [
        f"{Path(path).name}: {line}"
        for path, r in files
        for line in (*r.how, *(f"time: {odd}" for odd in r.odd), *r.more, *r.words)
        if line not in common
    ]
    left = [f"and {len(own) - MOST:,} more such remarks"] if len(own) > MOST else []
    return [*notes, *own[:MOST], *left, *tables]
