"""Batches of unique rows, built in numpy ahead of the compiled step.

Every array's shape depends on the data and the settings alone, never on what training did before, so
a run compiles once and a resumed run computes the same bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from butaca.errors import SettingError
from butaca.model.losses import ABSENT, Mask
from butaca.types import AnyArray, Codes, Floats, Ints

Candidates: TypeAlias = Literal["in_batch", "full", "sampled"]
Shuffle: TypeAlias = Literal["once", "epoch"]


class Batch(NamedTuple):
    """One step's input; Q queries, S slots over all shards, P positives, M known pairs.

    query_rows int32 [Q]: unique users, padded with the unknown user.
    candidate_rows int32 [S]: catalogue rows by slot, or None where slot = row (full catalogue).
    log_weight float32 [S]: a_c of losses.softmax_loss.
    positive_query, positive_slot int32 [P]; positive_weight float32 [P], 0 where padded.
    known_query, known_slot int32 [M], or None without the mask; slot S is padding.
    """

    query_rows: AnyArray
    candidate_rows: AnyArray | None
    log_weight: AnyArray
    positive_query: AnyArray
    positive_slot: AnyArray
    positive_weight: AnyArray
    known_query: AnyArray | None
    known_slot: AnyArray | None


@dataclass(frozen=True)
class BatchPlan:
    """How interactions become batches.

    Attributes:
        size: pairs per batch; the last one holds the rest.
        candidates: what the softmax runs over; see losses.
        mask: what leaves the denominator; see losses.
        samples: draws per step for "sampled".
        sampling_power: draws follow (times an item occurs) ** power; 0 is uniform.
        shuffle: "once" fixes the batches for all epochs (the notebook's cache), "epoch" draws anew.
        seed: of the order and of the draws.
    """

    size: int = 8192
    candidates: Candidates = "in_batch"
    mask: Mask = "none"
    samples: int = 8192
    sampling_power: float = 0.5
    shuffle: Shuffle = "epoch"
    seed: int = 42

    def __post_init__(self) -> None:
        if self.size < 1:
            raise SettingError("A batch holds at least one pair", f"batch_size={self.size}")
        if self.candidates == "sampled" and self.samples < 1:
            raise SettingError("A sampled softmax draws at least one item", f"samples={self.samples}")


class Batches:
    """The batches of one training set, for a catalogue laid out over shards.

    Args:
        user, item: int32 [n] codes of the training pairs.
        n_users: users; code n_users stands for the unknown one.
        n_items: items N.
        plan: how to batch.
        n_shards: devices that the catalogue is split over.
        rows_per_shard: catalogue rows on each, n_shards * rows_per_shard > N.
    """

    def __init__(
        self,
        user: Codes,
        item: Codes,
        n_users: int,
        n_items: int,
        plan: BatchPlan,
        n_shards: int = 1,
        rows_per_shard: int | None = None,
    ) -> None:
        self.user, self.item, self.plan = user, item, plan
        self.n_users, self.n_items, self.n_shards = n_users, n_items, n_shards
        self.rows_per_shard = rows_per_shard or n_items + 1
        by_user = np.argsort(user, kind="stable")
        self._known_items = item[by_user]
        self._known_start = np.searchsorted(user[by_user], np.arange(n_users + 1))
        counts = np.bincount(item, minlength=n_items)
        proposal = counts.astype(np.float64) ** plan.sampling_power if plan.sampling_power else counts >= 0
        self._proposal = proposal / proposal.sum()
        self._cached: list[Batch] | None = None
        self._n_queries, self._n_slots, self._n_known = self._capacities(counts)

    def __len__(self) -> int:
        """Batches per epoch."""
        return -(-len(self.user) // self.plan.size)

    @property
    def repeats(self) -> bool:
        """Whether every epoch has the same batches, so that they are built once."""
        return self.plan.shuffle == "once" and self.plan.candidates != "sampled"

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of one epoch from step `start` on; the same numbers give the same batches."""
        if self.repeats:
            if self._cached is None:
                self._cached = [self._build(rows, 0, step) for step, rows in enumerate(self._rows(0))]
            yield from self._cached[start:]
            return
        for step, rows in enumerate(self._rows(epoch)):
            if step >= start:
                yield self._build(rows, epoch, step)

    def _rows(self, epoch: int) -> list[Ints]:
        stream = 0 if self.plan.shuffle == "once" else epoch
        order = np.random.default_rng([self.plan.seed, 0, stream]).permutation(len(self.user))
        return [order[at : at + self.plan.size] for at in range(0, len(order), self.plan.size)]

    def _capacities(self, counts: Ints) -> tuple[int, int, int]:
        """Room for unique queries, for slots per shard and for known pairs in any batch."""
        size, plan = min(self.plan.size, len(self.user)), self.plan
        degree = np.diff(self._known_start)
        n_queries = min(size, int((degree > 0).sum()))
        fixed = plan.shuffle == "once" and plan.candidates == "in_batch"
        if plan.candidates == "full":
            n_slots = self.rows_per_shard
        elif fixed:
            per_shard = [np.bincount(np.unique(self.item[r]) // self.rows_per_shard) for r in self._rows(0)]
            n_slots = max(int(c.max()) for c in per_shard)
        else:
            drawn = plan.samples if plan.candidates == "sampled" else 0
            n_slots = min(size + drawn, self.rows_per_shard, int((counts > 0).sum()) + drawn)
        n_known = 0
        if plan.mask == "known":
            n_known = int(np.sort(degree)[::-1][:n_queries].sum())
        return n_queries, -(-n_slots // 16) * 16 if plan.candidates != "full" else n_slots, n_known

    def _build(self, rows: Ints, epoch: int, step: int) -> Batch:
        plan = self.plan
        user, item = self.user[rows], self.item[rows]
        order = np.lexsort((item, user))
        user, item = user[order], item[order]
        queries, query = np.unique(user, return_inverse=True)

        slot_of = np.full(self.n_items, -1, dtype=np.int32)
        if plan.candidates == "full":
            candidate_rows = None
            log_weight = np.full(self.n_shards * self.rows_per_shard, -np.inf, dtype=np.float32)
            log_weight[: self.n_items] = 0.0
            slot_of[:] = np.arange(self.n_items)
        else:
            candidates, weight = self._candidates(item, epoch, step)
            candidate_rows, log_weight = self._place(candidates, weight, slot_of)

        size = min(plan.size, len(self.user))
        known_query = known_slot = None
        if plan.mask == "known":
            known_query, known_slot = self._known(queries, slot_of, len(log_weight))
        return Batch(
            _fill(queries, self._n_queries, self.n_users),
            candidate_rows,
            log_weight,
            _fill(query, size, 0),
            _fill(slot_of[item], size, 0),
            np.pad(np.ones(len(user), dtype=np.float32), (0, size - len(user))),
            known_query,
            known_slot,
        )

    def _candidates(self, item: Codes, epoch: int, step: int) -> tuple[Codes, Floats]:
        """Unique candidate codes of a batch, ascending, and their log-weights."""
        batch_items, counts = np.unique(item, return_counts=True)
        if self.plan.candidates == "in_batch":
            return batch_items, np.log(counts).astype(np.float32)
        rng = np.random.default_rng([self.plan.seed, 1, epoch, step])
        draws = rng.choice(self.n_items, self.plan.samples, p=self._proposal)
        drawn, times = np.unique(draws, return_counts=True)
        candidates = np.union1d(batch_items, drawn).astype(np.int32)
        weight = np.full(len(candidates), ABSENT, dtype=np.float32)
        expected = self.plan.samples * self._proposal[drawn]
        weight[np.searchsorted(candidates, drawn)] = np.log(times / expected)
        return candidates, weight

    def _place(self, candidates: Codes, weight: Floats, slot_of: Codes) -> tuple[Codes, Floats]:
        """Lay candidates out by the shard that owns their row; fills `slot_of` by item code."""
        shard = candidates // self.rows_per_shard
        within = np.arange(len(candidates)) - np.searchsorted(shard, shard)
        slots = (shard * self._n_slots + within).astype(np.int32)
        # A padded slot reads its own shard's first row, at weight 0.
        rows = np.repeat(np.arange(self.n_shards, dtype=np.int32) * self.rows_per_shard, self._n_slots)
        rows[slots] = candidates
        log_weight = np.full(len(rows), -np.inf, dtype=np.float32)
        log_weight[slots] = weight
        slot_of[candidates] = slots
        return rows, log_weight

    def _known(self, queries: Codes, slot_of: Codes, n_slots: int) -> tuple[Codes, Codes]:
        """All known pairs of the batch's users, as (query, slot); slot n_slots is padding."""
        start, end = self._known_start[queries], self._known_start[queries + 1]
        lengths = end - start
        query = np.repeat(np.arange(len(queries), dtype=np.int32), lengths)
        ends = np.cumsum(lengths)
        at = np.arange(ends[-1] if len(ends) else 0) + np.repeat(start - (ends - lengths), lengths)
        slot = slot_of[self._known_items[at]]
        slot = np.where(slot < 0, n_slots, slot)
        return _fill(query, self._n_known, 0), _fill(slot, self._n_known, n_slots)


def _fill(codes: Ints | Codes, size: int, fill: int) -> Codes:
    """Codes as int32, padded to `size` with `fill`."""
    out = np.full(size, fill, dtype=np.int32)
    out[: len(codes)] = codes
    return out
