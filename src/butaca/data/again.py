"""This module counts interactions of a pair of user and item that was there before, and tells of many."""

from __future__ import annotations

import numpy as np

from butaca.types import Ints, Times

#: Share of the interactions from which what is had again is worth a word, of so many or more.
AGAIN, MANY = 0.1, 100


def different_times(pair: Ints, time: Times | None) -> int:
    """Returns how many interactions there are where lines of one pair and time are one.

    >>> different_times(np.array([7, 7, 7, 2]), np.array([1, 1, 5, 1]))
    3
    """
    if time is None or not len(pair):
        return len(pair)
    order = np.lexsort((time, pair))
    new = (np.diff(pair[order]) != 0) | (np.diff(time[order]) != 0)
    return int(np.count_nonzero(new)) + 1


def had_again(pair: Ints, time: Times | None) -> list[str]:
    """Returns a note where many interactions are of a pair that was there before, at another time.

    >>> had_again(np.arange(150) // 2, np.append(np.arange(140), np.zeros(10)))[0][:35]
    'of 145 interactions 70 (48%) are of'
    """
    return of_again(different_times(pair, time), len(np.unique(pair)))


def of_again(times: int, pairs: int) -> list[str]:
    """Returns a note where many of the interactions are of a pair that was there before.

    Args:
        times: interactions.
        pairs: different ones among them.
    """
    again = times - pairs
    if times < MANY or again < AGAIN * times:
        return []
    return [
        f"of {times:,} interactions {again:,} ({again / times:.0%}) are of what the user had before: "
        'to learn these too, and offer it again, pass Signal(repeats="allow") (--repeats allow)'
    ]
