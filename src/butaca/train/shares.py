"""This module makes batches of which each process reads its share of the users (the second axis, `data`).

Both axes lie over the same processes. Each holds its rows of the catalogue for the step, and reads its run
of the batch's users, cut to an equal number of interactions, for the input; the compiled step begins by
gathering the item codes, 8 bytes per interaction of the batch. Whose interactions they are follows from where
histories begin, which every process knows. So data are read once per step, not once per process, and a step
computes the very numbers that it computes on whole batches.
"""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding

from butaca.train.batch import Batch, BatchPlan, HistoryRows
from butaca.train.batches import Batches, runs
from butaca.train.layout import SPLIT, batch_specs, place
from butaca.types import Codes, Ints


class SharedBatches(Batches):
    """Makes batches whose item codes are this process's share, of whole users; all else is whole.

    Args:
        whole, named: those of `Batches`.
        process, n_processes: whose share this is.
    """

    def __init__(self, *whole: Any, process: int, n_processes: int, **named: Any) -> None:
        super().__init__(*whole, **named)
        self.process, self.n_processes = process, n_processes

    @staticmethod
    def can(plan: BatchPlan, item: Codes, *, histories: Codes) -> bool:
        """Says whether batches of this plan can be shared: their positives are the histories as they lie.

        Args:
            plan: how to batch.
            item: of the training pairs.
            histories: items of all histories; the same memory where data come sorted, as prepared data do.
        """
        as_they_lie = len(item) == len(histories) and np.may_share_memory(item, histories)
        whole = plan.by == "user" and plan.candidates != "in_batch" and plan.mask != "accidental"
        return as_they_lie and whole

    def share(self, rows: Ints, size: int, *, fill: int) -> Codes:
        """Returns items of this process's part of `size` rows, where those beyond len(rows) are `fill`."""
        each = size // self.n_processes
        own = rows[self.process * each : (self.process + 1) * each]
        out = np.full(each, fill, dtype=np.int32)
        out[: len(own)] = self.item[own]
        return out

    def _build(self, rows: Ints, epoch: int, step: int) -> Batch:
        histories = self.histories
        assert histories is not None
        queries, query = runs(self.user[rows])
        n, beyond = len(rows), self.n_shards * self.rows_per_shard
        candidate_rows, log_weight = self._candidates(epoch, step)
        size, room = self._even(self._positives.for_(n)), self._even(self._histories.for_(n))
        return Batch(
            _padded(queries, self._n_queries, self.n_users, np.int32),
            candidate_rows,
            log_weight,
            _padded(query, size, 0, np.int32),
            self.share(rows, size, fill=0),
            _padded(np.ones(n) if self.weight is None else self.weight[rows], size, 0, np.float32),
            None,
            None,
            HistoryRows(
                _padded(query, room, self._n_queries - 1, np.int32),
                self.share(rows, room, fill=beyond),
                _padded(np.ones(n), room, 0, np.float32),
                None if histories.bins is None else _padded(histories.bins[rows], room, 0, np.int32),
                None if histories.age is None else _padded(histories.age[rows], room, 0, np.float32),
            ),
        )

    def _even(self, size: int) -> int:
        return -(-size // self.n_processes) * self.n_processes


def place_batch(batch: Batch, batches: Batches, *, mesh: Mesh) -> Batch:
    """Puts a batch on a mesh of several processes: whole as `step.batch_specs` says, or by shares."""
    if not isinstance(batches, SharedBatches) or batch.history is None:
        placed: Batch = place(batch, batch_specs(batch), mesh=mesh)
        return placed
    split = NamedSharding(mesh, SPLIT)
    lay: Any = jax.make_array_from_process_local_data
    slot, item = lay(split, batch.positive_slot), lay(split, batch.history.item)
    rest = batch._replace(positive_slot=None, history=batch.history._replace(item=None))
    placed = place(rest, batch_specs(rest), mesh=mesh)
    assert placed.history is not None
    return placed._replace(positive_slot=slot, history=placed.history._replace(item=item))


def _padded(values: Any, size: int, fill: int, kind: Any) -> Any:
    out = np.full(size, fill, dtype=kind)
    out[: len(values)] = values
    return out
