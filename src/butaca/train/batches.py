"""This module builds batches of unique rows in numpy, ahead of the compiled step.

Every array's shape depends on the data and the settings alone, never on what training did before, so
a run compiles once and a resumed run computes the same bits.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from butaca.train.batch import Batch, BatchPlan, HistoryRows, UserRows
from butaca.train.room import Room
from butaca.types import Codes, Floats, Ints


class Batches:
    """Makes the batches of one training set, for a catalogue laid out over shards.

    Args:
        user, item: int32 [n] codes of the training pairs.
        n_users: users; code n_users stands for the unknown one.
        n_items: items N.
        plan: how to batch.
        n_shards: devices that the catalogue is split over.
        rows_per_shard: catalogue rows on each, n_shards * rows_per_shard > N.
        histories: what the queries read of each user, with rating bins and ages where they use them.
        weight: how much each pair counts in the loss, float32 [n]; None: each 1.
    """

    def __init__(
        self,
        user: Codes,
        item: Codes,
        *,
        n_users: int,
        n_items: int,
        plan: BatchPlan,
        n_shards: int = 1,
        rows_per_shard: int | None = None,
        histories: UserRows | None = None,
        weight: Floats | None = None,
    ) -> None:
        self.weight = weight
        self.user, self.item, self.plan, self.histories = user, item, plan, histories
        self.n_users, self.n_items, self.n_shards = n_users, n_items, n_shards
        self.rows_per_shard = rows_per_shard or n_items + 1
        # Pairs that come sorted by user, as prepared data do, stay where they are: on the disk, perhaps.
        self._by_user = None if (np.diff(user) >= 0).all() else np.argsort(user, kind="stable")
        self._known_items = item if self._by_user is None else item[self._by_user]
        self._known_start = np.append(0, np.cumsum(np.bincount(user, minlength=n_users)))
        self._active = np.flatnonzero(np.diff(self._known_start))
        per_user = max(round(plan.size * len(self._active) / max(len(user), 1)), 1)
        self._users_per_batch = min(per_user, max(len(self._active), 1))
        counts = np.bincount(item, minlength=n_items)
        proposal = counts.astype(np.float64) ** plan.sampling_power if plan.sampling_power else counts >= 0
        self._proposal = proposal / proposal.sum()
        up_to = np.cumsum(self._proposal)
        self._up_to = up_to / up_to[-1]  # ends at 1 exactly: no draw lies beyond
        self._cached: list[Batch] | None = None
        self._n_queries, self._slots, self._n_known = self._capacities(counts)

    def __len__(self) -> int:
        """Returns the number of batches per epoch."""
        if self.plan.by == "user":
            return -(-len(self._active) // self._users_per_batch)
        return -(-len(self.user) // self.plan.size)

    @property
    def repeats(self) -> bool:
        """Says whether every epoch has the same batches, so that they are built once."""
        whole = self.plan.by == "user" and len(self) == 1
        return (self.plan.shuffle == "once" or whole) and self.plan.candidates != "sampled"

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Returns the batches of one epoch from step `start` on; the same numbers give the same batches."""
        if self.repeats:
            if self._cached is None:
                self._cached = [self._build(rows, 0, step) for step, rows in enumerate(self._rows(0))]
            yield from self._cached[start:]
            return
        for step, rows in enumerate(self._rows(epoch)):
            if step >= start:
                yield self._build(rows, epoch, step)

    def _stream(self, epoch: int) -> int:
        """Returns the number that an epoch's draws go by: one for all where batches are drawn once."""
        return 0 if self.plan.shuffle == "once" else epoch

    def _rows(self, epoch: int) -> list[Ints]:
        stream = self._stream(epoch)
        if self.plan.by == "user":
            users = np.random.default_rng([self.plan.seed, 0, stream]).permutation(self._active)
            cuts = range(0, len(users), self._users_per_batch)
            return [self._rows_of(np.sort(users[at : at + self._users_per_batch])) for at in cuts]
        order = np.random.default_rng([self.plan.seed, 0, stream]).permutation(len(self.user))
        return [order[at : at + self.plan.size] for at in range(0, len(order), self.plan.size)]

    def _rows_of(self, users: Codes | Ints) -> Ints:
        """Returns the rows of all interactions of some users, user after user."""
        at = spans(self._known_start[users], self._known_start[users + 1])
        return at if self._by_user is None else self._by_user[at]

    def _capacities(self, counts: Ints) -> tuple[int, Room, int]:
        """Returns the room in any batch: for queries, for a shard's slots, for known pairs."""
        plan = self.plan
        degree = np.diff(self._known_start)
        if plan.by == "user":
            n_queries = self._users_per_batch
            self._positives = Room.of(degree[self._active], n_queries)
        else:
            size = min(plan.size, len(self.user))
            self._positives = Room(size, size, 1)
            n_queries = min(size, len(self._active))
        size = self._positives.most
        if self.histories is not None:
            self._histories = Room.of(np.diff(self.histories.start)[self._active], n_queries, multiple=1024)
        n_known = int(np.sort(degree)[::-1][:n_queries].sum()) if plan.tells_known else 0
        if plan.candidates == "sampled":
            return n_queries, self._room_of_draws(), n_known
        if plan.candidates == "full":
            n_slots = self.rows_per_shard
        elif plan.shuffle == "once":
            per_shard = [np.bincount(np.unique(self.item[r]) // self.rows_per_shard) for r in self._rows(0)]
            n_slots = sixteens(max(int(c.max()) for c in per_shard))
        else:
            n_slots = sixteens(min(size, self.rows_per_shard, int((counts > 0).sum())))
        return n_queries, Room(n_slots, n_slots, 16), n_known

    def _room_of_draws(self) -> Room:
        """Returns the room for a shard's different draws in a step: six deviations above what it expects."""
        m = self.plan.samples
        drawn = -np.expm1(m * np.log1p(-np.minimum(self._proposal, 1 - 1e-12)))  # chance of each item
        expected = float(np.add.reduceat(drawn, np.arange(0, self.n_items, self.rows_per_shard)).max())
        most = sixteens(min(m, self.rows_per_shard))
        usual = min(sixteens(int(expected + 6.0 * expected**0.5) + 1), most)
        return Room(usual, most, max(usual // 8 // 16 * 16, 16))

    def _build(self, rows: Ints, epoch: int, step: int) -> Batch:
        plan = self.plan
        user, item, weight = self.user[rows], self.item[rows], np.ones(len(rows), dtype=np.float32)
        if self.weight is not None:
            order = np.lexsort((item, user))
            weight = self.weight[rows[order]]
        user, item = by_user_and_item(user, item)
        queries, query = runs(user)

        slot_of = np.arange(self.n_items, dtype=np.int32)
        candidate_rows: Codes | None
        if plan.candidates == "in_batch":
            slot_of[:] = -1
            codes, counts = np.unique(item, return_counts=True)
            candidate_rows, log_weight = self._placed(codes, np.log(counts), slot_of)
        else:
            candidate_rows, log_weight = self._candidates(epoch, step)

        size = self._positives.for_(len(user))
        known_query = known_slot = None
        if plan.tells_known:
            beyond = max(self.n_shards * self.rows_per_shard, len(log_weight))
            known_query, known_slot = self._known(queries, slot_of, beyond)
        return Batch(
            _fill(queries, self._n_queries, self.n_users),
            candidate_rows,
            log_weight,
            _fill(query, size, 0),
            _fill(slot_of[item], size, 0),
            np.pad(weight, (0, size - len(user))),
            known_query,
            known_slot,
            self._history(queries),
        )

    def _candidates(self, epoch: int, step: int) -> tuple[Codes | None, Floats]:
        """Returns the rows by slot, and log-weights, of the catalogue or of a step's draws."""
        if self.plan.candidates == "full":
            log_weight = np.full(self.n_shards * self.rows_per_shard, -np.inf, dtype=np.float32)
            log_weight[: self.n_items] = 0.0
            return None, log_weight
        rng = np.random.default_rng([self.plan.seed, 1, epoch, step])
        draws = np.searchsorted(self._up_to, rng.random(self.plan.samples), "right")
        codes, times = np.unique(draws, return_counts=True)
        expected = self.plan.samples * self._proposal[codes] if self.plan.logq else 1.0
        return self._placed(codes.astype(np.int32), np.log(times / expected))

    def _placed(self, codes: Codes, weight: Floats, slot_of: Codes | None = None) -> tuple[Codes, Floats]:
        """Puts ascending codes in their shards' slots: rows, log-weights by slot; fills slot_of, by code."""
        shard = codes.astype(np.int64) // self.rows_per_shard
        n_slots = self._slots.for_(int(np.bincount(shard).max()))
        slots = shard * n_slots + np.arange(len(codes)) - np.searchsorted(shard, shard)
        # A padded slot reads its own shard's first row, at weight 0.
        rows = np.repeat(np.arange(self.n_shards, dtype=np.int32) * self.rows_per_shard, n_slots)
        log_weight = np.full(self.n_shards * n_slots, -np.inf, dtype=np.float32)
        rows[slots], log_weight[slots] = codes, weight
        if slot_of is not None:
            slot_of[codes] = slots
        return rows, log_weight

    def _known(self, queries: Codes, slot_of: Codes, beyond: int) -> tuple[Codes, Codes]:
        """Returns all known pairs of the batch's users, as (query, slot); slot `beyond` is padding."""
        start, end = self._known_start[queries], self._known_start[queries + 1]
        query = np.repeat(np.arange(len(queries), dtype=np.int32), end - start)
        slot = slot_of[self._known_items[spans(start, end)]]
        slot = np.where(slot < 0, beyond, slot)
        return _fill(query, self._n_known, 0), _fill(slot, self._n_known, beyond)

    def _history(self, queries: Codes) -> HistoryRows | None:
        """Returns the histories of the batch's users, padded with items out of range at weight 0."""
        rows = self.histories
        if rows is None:
            return None
        start, end = rows.start[queries], rows.start[queries + 1]
        at = spans(start, end)
        size = self._histories.for_(len(at))
        beyond = self.n_shards * self.rows_per_shard
        query = np.repeat(np.arange(len(queries), dtype=np.int32), end - start)
        weight = np.zeros(size, dtype=np.float32)
        weight[: len(at)] = 1.0
        age = None
        if rows.age is not None:
            age = np.zeros(size, dtype=np.float32)
            age[: len(at)] = rows.age[at]
        return HistoryRows(
            _fill(query, size, self._n_queries - 1),
            _fill(rows.items[at], size, beyond),
            weight,
            None if rows.bins is None else _fill(rows.bins[at], size, 0),
            age,
        )


def by_user_and_item(user: Codes, item: Codes) -> tuple[Codes, Codes]:
    """Sorts pairs in ascending order; those in order already, as prepared data are, only pass.

    >>> by_user_and_item(np.array([1, 0, 0]), np.array([5, 7, 2]))
    (array([0, 0, 1]), array([2, 7, 5]))
    """
    later, same = user[1:] > user[:-1], user[1:] == user[:-1]
    if (later | (same & (item[1:] >= item[:-1]))).all():
        return user, item
    order = np.lexsort((item, user))
    return user[order], item[order]


def runs(codes: Codes) -> tuple[Codes, Ints]:
    """Returns the unique ones of codes, ascending, and each code's place among them.

    >>> runs(np.array([3, 3, 7]))
    (array([3, 7]), array([0, 0, 1]))
    """
    first = np.append(True, codes[1:] != codes[:-1])
    return codes[first], np.cumsum(first) - 1


def spans(start: Ints, end: Ints) -> Ints:
    """Returns the positions of stretches, one after another: start[0], ..., end[0] - 1, start[1], ...

    >>> spans(np.array([5, 0]), np.array([7, 1])).tolist()
    [5, 6, 0]
    """
    lengths = end - start
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    positions: Ints = np.arange(total) + np.repeat(start - (ends - lengths), lengths)
    return positions


def sixteens(n: int) -> int:
    """Returns the next multiple of sixteen."""
    return -(-n // 16) * 16


def _fill(codes: Ints | Codes, size: int, fill: int) -> Codes:
    """Returns codes as int32, padded to `size` with `fill`."""
    out = np.full(size, fill, dtype=np.int32)
    out[: len(codes)] = codes
    return out
