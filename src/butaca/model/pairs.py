"""This module holds single pairs of items, which say what few dimensions can't: who had this had that.

Vectors of a hundred dimensions keep what many items share. That two articles of a shop go together, or two
parts of one series, is a fact of that pair alone, and is cut away with the dimensions that it would need. Of
a ridge regression B over all items (model/ridge.py), cut to two towers T V', the largest weights of
B - T V' in each row are kept,

    score(c) += scale * trust(n) * sum over items i of the history  R[i, c],   R = the top of B - T V',

a sum over the history like the rest of a score, so that an item's share stays exact. (Sparse weights between
items are SLIM's, Ning and Karypis 2011; LorSLIM, Cheng, Yin and Yu 2014, asks one matrix to be sparse and of
low rank. Here each is a part of its own, and neither is trained.)

Where what comes next is asked for, R may be what followed upon what instead (model/followers.py). Then what
was had last says most: an item of the history counts half with every `half_life` items that came after it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, TypeAlias

import numpy as np

from butaca.data.histories import Histories
from butaca.model.entries import Entries, entries
from butaca.model.order.moments import alone
from butaca.types import Codes, Floats, Ints

#: Half-lives after which an item of a history counts no more, and a fall from a place to the next, in natural
#: logarithms, beyond which there is nothing to tell apart.
HEARD, STEEPEST = 16, 700.0

#: Places of which a table is made.
TABLE = 1 << 12

#: As many as a float tells one from the next.
MOST_PLACES = 1 << 53

#: Codes of what was had, of the candidates that it speaks for, and how much [p].
FoundPairs: TypeAlias = tuple[Ints, Ints, Floats]


class PairTerms(NamedTuple):
    """Holds what is added to single scores, t of them; a score may be named more than once.

    Attributes:
        row: of the query, ascending [t].
        item: code of the candidate [t].
        value: what is added [t].
    """

    row: Ints
    item: Codes
    value: Floats

    def add_to(self, scores: Floats) -> None:
        """Adds the terms to the scores of the whole catalogue [B, N], in place."""
        if len(scores) == 1:  # one person's, in a third of the time
            np.add.at(scores[0], self.item, self.value)
        else:
            np.add.at(scores, (self.row, self.item), self.value)

    def less(self, others: PairTerms | None, weight: float) -> PairTerms:
        """Returns these terms of one query less others, so weighed."""
        if others is None:
            return self
        return PairTerms(
            np.concatenate([self.row, others.row]),
            np.concatenate([self.item, others.item]),
            np.concatenate([self.value, others.value * np.float32(-weight)]),
        )

    def by_item(self) -> PairTerms:
        """Returns the terms by candidate; those of one score stay in their order."""
        order = np.argsort(self.item, kind="stable")
        return PairTerms(self.row[order], self.item[order], self.value[order])

    def rows(self, at: int, to: int) -> PairTerms:
        """Returns the terms of the queries from `at` to `to`, as those of rows from 0."""
        if at == 0 and (not len(self.row) or self.row[-1] < to):
            return self
        a, b = np.searchsorted(self.row, (at, to))
        return PairTerms(self.row[a:b] - at, self.item[a:b], self.value[a:b])


@dataclass(frozen=True, eq=False)
class ItemPairs:
    """An ItemPairs holds, for each item that was had, the few candidates that it speaks for, and how much.

    Attributes:
        start: where each item's candidates begin, int32 [N + 1].
        item: codes of the candidates, ascending within an item's, int32 [m].
        weight: above 0, float32 [m].
        half_life: later items of a history with which one counts half; inf: each counts in full.
    """

    start: Codes
    item: Codes
    weight: Floats
    half_life: float = math.inf

    def __len__(self) -> int:
        """Returns the number N of items that may have been had."""
        return len(self.start) - 1

    @classmethod
    def of(cls, found: Sequence[FoundPairs], *, n_items: int, half_life: float = math.inf) -> ItemPairs:
        """Returns pairs that were found in any order, each once, of a catalogue of n_items."""
        had, item, weight = (np.concatenate(part) for part in zip(*found, strict=True))
        order = np.lexsort((item, had))
        start = np.append(0, np.cumsum(np.bincount(had, minlength=n_items))).astype(np.int32)
        return cls(start, item[order].astype(np.int32), weight[order].astype(np.float32), half_life)

    @property
    def reads_order(self) -> bool:
        """Says whether the place of an item in its history counts."""
        return math.isfinite(self.half_life)

    def heard(self, had: Entries) -> Floats:
        """Returns how much each entry of histories counts, float32 [m]; those of one moment in equal parts.

        Without times all of a history is one moment.
        """
        out = np.ones(len(had.items), dtype=np.float32)
        if self.reads_order:
            order = had.order
            out[order.at] = self._at(order.place, order.size)
        return out

    def terms(self, had: Entries, *, factor: Floats) -> PairTerms:
        """Returns what histories add to scores, each times its own factor [B]."""
        if self.reads_order:
            order = had.order
            near = np.flatnonzero(order.place < self.places)
            rows, items = order.rows[near], order.items[near]
            if alone(order) and self.places <= TABLE:
                loud = factor[rows] * self._of_one[order.place[near]]
            else:
                loud = factor[rows] * self._at(order.place[near], order.size[near])
        else:
            rows, items, loud = had.rows, had.items, factor[had.rows]
        entry, at = self._of(items)
        return PairTerms(rows[entry], self.item[at], self.weight[at] * loud[entry])

    def scores(self, users: Codes, histories: Histories) -> Floats:
        """Returns what they add to the scores of the whole catalogue, for rows of histories [B] -> [B, N]."""
        out = np.zeros((len(users), len(self)), dtype=np.float32)
        had = entries(users, histories, with_time=self.reads_order)
        self.terms(had, factor=np.ones(len(users), np.float32)).add_to(out)
        return out

    @property
    def places(self) -> int:
        """Returns how many places of a history count, the latest, where the order does."""
        return math.ceil(min(HEARD * self.half_life, MOST_PLACES))

    @cached_property
    def _of_one(self) -> Floats:
        """Returns how much an item with a place of its own counts, by its place [places]."""
        place = np.arange(self.places)
        return self._at(place, np.ones_like(place))

    def _at(self, place: Ints, size: Ints) -> Floats:
        """Returns how much items at these places of these moments count.

        It is the mean of 2 ** (-place / half_life) over the places of a moment, those beyond `places` for
        nothing: the sum of a geometric series, so that a half-life may be as long as any.
        """
        fall = min(math.log(2.0) / self.half_life, STEEPEST)
        first, last = np.minimum(place, self.places), np.minimum(place + size, self.places)
        total = np.exp(-fall * first) * np.expm1(fall * (first - last)) / math.expm1(-fall)
        out: Floats = (total / size).astype(np.float32)
        return out

    def between(self, items: Codes, candidates: Ints) -> Floats:
        """Returns the weights of items had [m] for candidates [k], float32 [m, k]."""
        distinct, which = np.unique(candidates, return_inverse=True)
        out = np.zeros((len(items), len(distinct)), dtype=np.float32)
        entry, at = self._of(items)
        column, there = places_in(distinct, self.item[at])
        out[entry[there], column] = self.weight[at[there]]
        return out[:, which]

    def _of(self, items: Codes) -> tuple[Ints, Ints]:
        """Returns the place among the items and the place in `item` of each of their candidates."""
        first = self.start[items].astype(np.int64)
        many = self.start[items + 1] - first
        before = np.cumsum(many) - many
        entry = np.repeat(np.arange(len(items)), many)
        return entry, np.arange(len(entry)) - np.repeat(before - first, many)

    def longer(self, n: int) -> ItemPairs:
        """Returns the same with n further items, which speak for none."""
        more = np.full(n, self.start[-1], dtype=np.int32)
        return replace(self, start=np.concatenate([self.start, more]))


def places_in(codes: Ints | Codes, wanted: Ints | Codes) -> tuple[Ints, Ints]:
    """Returns where wanted codes are among others, each of which stands there once.

    >>> [part.tolist() for part in places_in(np.array([5, 2, 9]), np.array([2, 7, 9, 2]))]
    [[1, 2, 1], [0, 2, 3]]

    Args:
        codes: to look in [k].
        wanted: [t].

    Returns:
        The places in `codes` of those that are there, and which of `wanted` these are.
    """
    order = np.argsort(codes, kind="stable")
    ascending = np.asarray(codes)[order]
    at = np.searchsorted(ascending, wanted)
    there = np.flatnonzero(at < len(ascending))
    there = there[ascending[at[there]] == wanted[there]]
    return order[at[there]], there
