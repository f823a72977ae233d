"""This module counts what the rows of a table came to as they were put together, and says it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from butaca.data.again import of_again
from butaca.data.signal import Signal


class Came(NamedTuple):
    """A Came counts what rows came to: those that count nothing, and pairs.

    Attributes:
        left_out: rows that count nothing.
        negatives: pairs that say no; None where the signal knows no such.
        taken_back: pairs of which nothing is left.
        repeated: pairs of several rows.
        times, pairs: positives before those of a pair were put together, lines of one time as one; and
            different pairs among them.
    """

    left_out: int
    negatives: int | None
    taken_back: int
    repeated: int
    times: int = 0
    pairs: int = 0

    def notes(self, signal: Signal) -> tuple[str, ...]:
        """Says it, a line each."""
        notes = []
        if self.left_out:
            kinds = f": not {', '.join(signal.events)}" if signal.events else ": an amount of 0"
            notes.append(f"left out: {_several(self.left_out, 'row')} counting nothing{kinds}")
        if self.negatives is not None:
            by = f"below {signal.positive_from:g}" if signal.positive_from is not None else "saying no"
            said = _several(self.negatives, "pair")
            notes.append(f"negatives: {said} {by}, kept aside: never recommended")
        if self.taken_back:
            notes.append(f"returns: {_several(self.taken_back, 'pair')} of which nothing is left, taken back")
        if self.repeated:
            notes.append(f"{_several(self.repeated, 'repeated (user, item) pair')}: {_HOW[signal.together]}")
        return (*notes, *(() if signal.again else of_again(self.times, self.pairs)))


#: Of rows of which nothing is to be said.
NOTHING_CAME = Came(0, None, 0, 0)


def all_came(parts: Iterable[Came]) -> Came:
    """Returns what the rows of all parts came to, of which no pair is in two."""
    left_out, negatives, taken_back, repeated, times, pairs = zip(*parts, strict=True)
    no = [n for n in negatives if n is not None]
    counts = sum(taken_back), sum(repeated), sum(times), sum(pairs)
    return Came(sum(left_out), sum(no) if no else None, *counts)


def _several(n: int, noun: str) -> str:
    """Returns a number of things: "1 row", "2 rows"."""
    return f"{n:,} {noun}{'s' if n != 1 else ''}"


_HOW = {
    "last": "the latest row of each says what it counts",
    "sum": "the amounts of each are summed",
    "mean": "each counts the mean of its rows",
    "count": "each counts its rows",
    "allow": "every time counts, and what was had may come again",
}
