"""This module counts what followed upon what, as pairs of items that speak for what comes next.

What people had right after an item says more of what comes next than all that they ever had beside it, and
it is a fact of a pair, which few dimensions can't hold (model/pairs.py). With the items of one time as one
moment, and C_ij the part of j in the moments that came after those of i,

    R[i, j] = C_ij / (sum over j of C_ij + SMOOTHING) / n_j ** POWER

of which the largest of each item i are kept. This is a Markov chain of the kind that FPMC factorises (Rendle
et al. 2010), over the next few moments instead of one. Moments of m and m' items count 1 / (m m') for each
pair, and a pair within one moment TOGETHER / m either way round, as in the mean over random orders, times
what weight the interaction has that followed: neither ids nor rows decide anything.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from butaca.data.histories import Histories
from butaca.model.beside import check_pair_settings
from butaca.model.order.moments import ordered
from butaca.model.pairs import FoundPairs, ItemPairs
from butaca.model.remainder import largest_of_rows
from butaca.types import Bools, Codes, Ints

#: Moments that count as following, and what each counts in parts of the one before it.
WINDOW, DECAY = 5, 0.7

#: What is in the same moment, in parts of what is in the next.
TOGETHER = 2.0

#: Followers that an item needs to be half believed, and power of the candidate's interactions.
SMOOTHING, POWER = 30.0, 0.2

#: Interactions that are looked at, of a part of the users beyond, products of pairs in all, and at once.
MOST_ENTRIES, MOST_PRODUCTS, BLOCK = 20_000_000, 1e9, 2e6


@dataclass(frozen=True)
class FollowerSettings:
    """Says how much what followed upon what counts in a score.

    Attributes:
        weight: spread of what it adds to a user's scores, in parts of the trained tower's.
        half_life: later items of a history with which one counts half.
        most: candidates that are kept of each item.
    """

    weight: float = 0.05
    half_life: float = 3.0
    most: int = 16

    def __post_init__(self) -> None:
        check_pair_settings(self, subject="What followed counts")


def followers(seen: Histories, *, n_items: int, settings: FollowerSettings) -> ItemPairs:
    """Returns the candidates that most followed upon each item; none without times.

    Where moments are so large that their pairs are more than are looked at, the largest take no part.

    Args:
        seen: what users had, with times.
        n_items: N.
        settings: how many are kept, and how much those count that were had before the last.
    """
    found: list[FoundPairs] = []
    entries = _in_order(seen)
    moments = _counted(entries, n_items)
    while moments.products.sum() > MOST_PRODUCTS:
        moments = _counted(entries, n_items, most=moments.largest // 2)
    power = np.maximum(np.bincount(seen.items, minlength=n_items), 1) ** -POWER
    upon = np.append(0, np.cumsum(moments.parts_of @ moments.products))  # up to each item's row [N + 1]
    at = 0
    while at < n_items:
        until = max(int(np.searchsorted(upon, upon[at] + BLOCK, "right")) - 1, at + 1)
        counts = sparse.csr_array(moments.parts_of[at:until] @ moments.after)
        row = np.repeat(np.arange(at, until), np.diff(counts.indptr))
        counts.data[counts.indices == row] = 0.0
        believed = counts.sum(axis=1)[row - at] + SMOOTHING
        counts.data *= power[counts.indices] / believed
        had, of, weight = largest_of_rows(counts, settings.most)
        found.append((had + at, of, weight))
        at = until
    return ItemPairs.of(found, n_items=n_items, half_life=settings.half_life)


class _InOrder(NamedTuple):
    """Holds interactions by user and within a user by time, m of them in M moments.

    Attributes:
        item: of each [m].
        worth: how much each counts, 1 in the mean, float64 [m].
        size: entries of each moment [M].
        goes_on: whether the next moment is of the same user [M].
    """

    item: Codes
    worth: NDArray[np.float64]
    size: Ints
    goes_on: Bools


@dataclass(frozen=True, eq=False)
class _Moments:
    """A _Moments holds what is in moments, and what comes in and after them.

    Attributes:
        parts_of: part of each item in each moment, sparse [N, M].
        after: what follows upon a moment, and what is in it, sparse [M, N].
        products: of pairs that each moment takes, all of its items with all of `after` [M].
        largest: entries of the largest moment that takes part.
    """

    parts_of: sparse.csr_array
    after: sparse.csr_array
    products: Ints
    largest: int


def _in_order(seen: Histories) -> _InOrder:
    """Returns the interactions in order; those of evenly spaced users where there are many."""
    users = np.arange(0, len(seen), max(-(-len(seen.items) // MOST_ENTRIES), 1), dtype=np.int32)
    rows, at = seen.rows(users)
    if seen.time is None:
        at = at[:0]
        rows = rows[:0]
    order = ordered(rows, seen.items[at], time=None if seen.time is None else seen.time[at])
    worth = np.ones(len(at)) if seen.weight is None else seen.weight[at][order.at].astype(np.float64)
    first = np.ones(len(at), dtype=bool)
    first[1:] = (order.rows[1:] != order.rows[:-1]) | (order.place[1:] != order.place[:-1])
    whose = order.rows[first]
    goes_on = np.zeros(len(whose), dtype=bool)
    goes_on[:-1] = whose[1:] == whose[:-1]
    mean = worth.mean() if len(worth) else 1.0
    return _InOrder(order.items, worth / mean, order.size[first], goes_on)


def _counted(entries: _InOrder, n_items: int, most: float = math.inf) -> _Moments:
    """Returns the moments of up to `most` items; of larger ones nothing follows, and they follow nothing."""
    size, shape = entries.size, (len(entries.size), n_items)
    inside = np.repeat(size <= most, size)
    several = inside & np.repeat(size > 1, size)
    part = 1.0 / np.repeat(size, size)

    def of(value: NDArray[np.float64], which: Bools) -> sparse.csr_array:
        moment = np.repeat(np.arange(len(size)), size)[which]
        start = np.searchsorted(moment, np.arange(len(size) + 1))
        return sparse.csr_array((value[which], entries.item[which], start), shape=shape)

    follows = of(part * entries.worth, inside)
    at = np.flatnonzero(entries.goes_on)
    onward = sparse.csr_array((np.ones(len(at)), (at, at + 1)), shape=(len(size), len(size)))
    after = sparse.csr_array(shape, dtype=np.float64)
    for _ in range(WINDOW):
        after = onward @ (follows + DECAY * after)
    after = sparse.csr_array(after + of(TOGETHER * entries.worth, several))
    taking = np.where(size <= most, size, 0)
    return _Moments(
        sparse.csr_array(of(part, inside).T.tocsr()),
        after,
        taking * np.diff(after.indptr),
        int(taking.max(initial=0)),
    )
