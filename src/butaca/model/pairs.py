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
from numpy.typing import NDArray

from butaca.model.order.moments import ordered, shared_places, up_to
from butaca.types import Codes, Floats, Ints, Times

#: Half-lives after which an item of a history counts no more.
HEARD = 16

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

    def heard(self, rows: Ints, items: Codes, *, time: Times | None) -> Floats:
        """Returns how much each entry of histories counts, float32 [m]; those of one moment in equal parts.

        Args:
            rows: of each entry, ascending [m].
            items: code of each [m].
            time: when [m]; None: all of a history is one moment.
        """
        out = np.ones(len(items), dtype=np.float32)
        if self.reads_order:
            order = ordered(rows, items, time=time)
            out[order.at] = shared_places(self._up_to, order.place, size=order.size)[:, 0]
        return out

    @cached_property
    def _up_to(self) -> NDArray[np.float64]:
        """Returns the sums of what the latest places count [places + 1, 1]."""
        places = np.arange(math.ceil(HEARD * self.half_life), dtype=np.float64)
        return up_to(np.exp2(-places / self.half_life)[:, None])

    def terms(self, rows: Ints, items: Codes, *, factor: Floats, time: Times | None = None) -> PairTerms:
        """Returns what histories add to scores.

        Args:
            rows: of each history entry, ascending [m].
            items: code of each [m].
            factor: of each row [B].
            time: of each entry [m], where the order counts; None: all of a history is one moment.
        """
        rows = np.asarray(rows, dtype=np.int64)
        if not self.reads_order:
            entry, at = self._of(items)
            row = rows[entry]
            return PairTerms(row, self.item[at], self.weight[at] * factor[row])
        heard = self.heard(rows, items, time=time)
        loud = np.flatnonzero(heard)
        entry, at = self._of(items[loud])
        entry = loud[entry]
        row = rows[entry]
        return PairTerms(row, self.item[at], self.weight[at] * (heard[entry] * factor[row]))

    def between(self, items: Codes, candidates: Ints) -> Floats:
        """Returns the weights of items had [m] for candidates, each named once [k], float32 [m, k]."""
        out = np.zeros((len(items), len(candidates)), dtype=np.float32)
        entry, at = self._of(items)
        column, there = places_in(candidates, self.item[at])
        out[entry[there], column] = self.weight[at[there]]
        return out

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
