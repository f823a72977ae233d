"""This module builds batches of histories in order, of which every place is a query of what came before.

A history longer than a window is read in several that overlap by half, so that each place but the first half
window's has at least half a window before it. Windows are packed into rows of equal length, once: steps and
shapes are the same in every epoch. Items of one moment come in an order drawn anew each epoch, so neither
their ids nor their rows decide.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from butaca.model.order.moments import DAY
from butaca.train.batch import Batch, Windows
from butaca.train.batches import Batches, sixteens, spans
from butaca.train.room import Room
from butaca.types import Codes, Ints


class Cuts(NamedTuple):
    """Holds windows, W of them, all int64 [W].

    user: whose; start: first place in the user's order; length: places; known: places that are context alone.
    """

    user: Ints
    start: Ints
    length: Ints
    known: Ints


def cuts_of(lengths: Ints, window: int) -> Cuts:
    """Returns the windows of histories of these lengths; one of fewer than two items teaches nothing.

    >>> cuts = cuts_of(np.array([3, 1, 11]), 8)
    >>> list(zip(*(column.tolist() for column in cuts)))
    [(0, 0, 3, 1), (2, 0, 8, 1), (2, 4, 7, 4)]
    """
    half = window // 2
    n = np.where(lengths < 2, 0, 1 + -(-np.maximum(lengths - window, 0) // half))
    user = np.repeat(np.arange(len(lengths)), n)
    which = spans(np.zeros(len(n), np.int64), n)
    start = which * half
    length = np.minimum(lengths[user] - start, window)
    return Cuts(user, start, length, np.where(which == 0, 1, window - half))


def packed(lengths: Ints, row: int) -> tuple[Ints, Ints]:
    """Packs windows into rows, the longest that fits first: the row, and the place in it, of each, int64 [W].

    >>> packed(np.array([3, 8, 5, 2]), 8)
    (array([1, 0, 1, 2]), array([5, 0, 0, 0]))
    """
    order = np.argsort(-lengths, kind="stable")
    up_to = np.cumsum(np.bincount(lengths, minlength=row + 1)[::-1])[::-1]  # windows at least so long
    taken_from = np.append(up_to[1:], 0)  # where those of a length begin in the order
    left = up_to - taken_from
    of, at = np.zeros(len(lengths), np.int64), np.zeros(len(lengths), np.int64)
    here, room, remaining = 0, row, len(lengths)
    next_of = taken_from.copy()
    while remaining:
        fits = np.flatnonzero(left[1 : room + 1])
        if not len(fits):
            here, room = here + 1, row
            continue
        size = int(fits[-1]) + 1
        one = order[next_of[size]]
        of[one], at[one] = here, row - room
        next_of[size], left[size] = next_of[size] + 1, left[size] - 1
        room, remaining = room - size, remaining - 1
    return of, at


class WindowBatches(Batches):
    """Makes batches of windows; `plan.size` counts places. Histories come with times (`UserRows.time`)."""

    def __len__(self) -> int:
        """Returns the number of batches per epoch."""
        return -(-self._n_rows // self._rows_per_batch)

    @property
    def repeats(self) -> bool:
        """Says whether every epoch has the same batches."""
        return self.plan.shuffle == "once" and self.plan.candidates != "sampled"

    def _rows(self, epoch: int) -> list[Ints]:
        """Returns the packed rows of each step."""
        order = np.random.default_rng([self.plan.seed, 0, self._stream(epoch)]).permutation(self._n_rows)
        return [order[at : at + self._rows_per_batch] for at in range(0, len(order), self._rows_per_batch)]

    def _capacities(self, counts: Ints) -> tuple[int, Room, int]:
        rows, plan = self.histories, self.plan
        if rows is None or rows.time is None:
            raise TypeError("batches of windows need histories with times")
        lengths = np.diff(rows.start)
        self._cuts = cuts_of(lengths, plan.window)
        self._row = int(min(max(self._cuts.length.max(initial=2), 2), plan.window))
        self._of, self._at = packed(self._cuts.length, self._row)
        self._n_rows = max(int(self._of.max(initial=-1)) + 1, 1)  # of nothing to learn, an empty row
        by_row = np.argsort(self._of, kind="stable")
        self._cut_order = by_row
        self._cut_start = np.searchsorted(self._of[by_row], np.arange(self._n_rows + 1))
        self._rows_per_batch = max(min(round(plan.size / self._row), self._n_rows), 1)
        size = self._rows_per_batch * self._row
        if plan.candidates == "sampled":
            return size, self._room_of_draws(), 0
        n_slots = self.rows_per_shard
        if plan.candidates == "in_batch":
            n_slots = sixteens(min(size, n_slots, int((counts > 0).sum())))
        return size, Room(n_slots, n_slots, 16), 0

    def _build(self, rows: Ints, epoch: int, step: int) -> Batch:
        histories = self.histories
        assert histories is not None
        assert histories.time is not None
        which = self._cut_order[spans(self._cut_start[rows], self._cut_start[rows + 1])]
        line = np.repeat(np.arange(len(rows)), self._cut_start[rows + 1] - self._cut_start[rows])
        users = self._cuts.user[which]
        start, end = histories.start[users], histories.start[users + 1]
        at = spans(start, end)
        cut = np.repeat(np.arange(len(which)), end - start)
        draws = drawn(at, seed=self.plan.seed, epoch=self._stream(epoch))
        order = np.lexsort((draws, histories.time[at], cut))
        place = np.arange(len(at)) - np.repeat(np.cumsum(end - start) - (end - start), end - start)
        place -= self._cuts.start[which][cut]
        inside = (place >= 0) & (place < self._cuts.length[which][cut])
        at, cut, place = at[order][inside], cut[inside], place[inside]
        where = line[cut] * self._row + self._at[which][cut] + place

        shape = (self._rows_per_batch, self._row)
        size = shape[0] * shape[1]
        beyond = self.n_shards * self.rows_per_shard
        item, user = np.full(size, beyond, np.int32), np.full(size, self.n_users, np.int32)
        begins, gap = np.ones(size, dtype=bool), np.zeros(size, dtype=np.float32)
        weight = np.zeros(size, dtype=np.float32)
        item[where], user[where] = histories.items[at], users[cut]
        starts = place == 0
        begins[where] = starts
        when = histories.time[at].astype(np.float64)
        later = np.diff(when, prepend=0.0) / DAY
        gap[where] = np.where(starts, 0.0, later)
        since = np.zeros(size, dtype=np.float32)
        since[where] = (when - when[starts][np.cumsum(starts) - 1]) / DAY
        weight[where] = place >= self._cuts.known[which][cut]
        if histories.weight is not None:
            weight[where] *= histories.weight[at]

        slot_of = np.arange(beyond + 1, dtype=np.int32)
        slot_of[-1] = 0
        candidate_rows: Codes | None
        if self.plan.candidates == "in_batch":
            slot_of[:] = 0
            codes, counts = np.unique(item[weight > 0], return_counts=True)
            candidate_rows, log_weight = self._placed(codes, np.log(counts), slot_of[: self.n_items])
        else:
            candidate_rows, log_weight = self._candidates(epoch, step)
        return Batch(
            user,
            candidate_rows,
            log_weight,
            np.arange(size, dtype=np.int32),
            slot_of[item],
            weight,
            None,
            None,
            Windows(item.reshape(shape), begins.reshape(shape), gap.reshape(shape), since.reshape(shape)),
        )


def drawn(at: Ints, *, seed: int, epoch: int) -> NDArray[np.uint64]:
    """Returns a draw for each row of the data, by seed and epoch (SplitMix64, Steele et al. 2014)."""
    with np.errstate(over="ignore"):
        x = at.astype(np.uint64) + np.uint64((seed * 1_000_003 + epoch) % 2**32) * np.uint64(
            0x9E3779B97F4A7C15
        )
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))
