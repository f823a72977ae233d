"""This module says where a sampled softmax's candidates lie: draws first, then what is only a positive.

A positive has to have a vector, and needs no column. Which items a batch's positives are, no process may
know (train/shares.py), so their slots are found in the compiled step, once the item codes are there: each
device marks those of its rows that occur, and counts them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from butaca.train.batch import Batch
from butaca.types import AnyArray


class Slots(NamedTuple):
    """Holds the slots of one device's candidates; -1 stands for what has no slot here.

    rows [L + R]: its catalogue rows by slot, 0 where padded; positive [P]: the slots of the positives'
    items; known [M]: those of the known pairs' items, draws alone; or None.
    """

    rows: Array
    positive: Array
    known: Array | None


def slots_of(drawn: Array, counts: Array, *, positive: Array, known: Array | None, n_rows: int) -> Slots:
    """Gives each draw its own slot, and each other positive one after them.

    Args:
        drawn: this device's rows of the draws [L].
        counts: which of them are not padding [L].
        positive: the positives' items as rows of this device; out of its rows where another has them [P].
        known: the same of the known pairs [M], or None.
        n_rows: rows of this device.
    """
    n_draws, room = len(drawn), min(len(positive), n_rows)
    slot_of = jnp.full(n_rows, -1).at[jnp.where(counts, drawn, n_rows)].set(jnp.arange(n_draws), mode="drop")
    is_drawn = slot_of >= 0
    inside = (positive >= 0) & (positive < n_rows)
    beside = jnp.zeros(n_rows, dtype=bool).at[jnp.where(inside, positive, n_rows)].set(True, mode="drop")
    beside &= ~is_drawn
    rows = jnp.concatenate([drawn, jnp.nonzero(beside, size=room, fill_value=0)[0]])
    at = jnp.where(is_drawn, slot_of, n_draws - 1 + jnp.cumsum(beside))
    of_positives = jnp.where(inside, at[jnp.where(inside, positive, 0)], -1)
    if known is None:
        return Slots(rows, of_positives, None)
    inside = (known >= 0) & (known < n_rows)
    return Slots(rows, of_positives, jnp.where(inside, slot_of[jnp.where(inside, known, 0)], -1))


def knowing(batch: Batch) -> Batch:
    """Returns a batch of whole users with its positives as known pairs; slot -1 is padding."""
    slot = jnp.where(batch.positive_weight > 0, batch.positive_slot, -1)
    return batch._replace(known_query=batch.positive_query, known_slot=slot)


def with_slots(batch: Batch, first: AnyArray, *, n_rows: int, axis: str | None) -> Batch:
    """Returns a sampled batch with slots where its positives and known pairs name catalogue rows."""
    known = None if batch.known_slot is None else batch.known_slot - first
    drawn = batch.candidate_rows - first
    found = slots_of(
        drawn, batch.log_weight > -jnp.inf, positive=batch.positive_slot - first, known=known, n_rows=n_rows
    )
    start = 0 if axis is None else lax.axis_index(axis) * len(found.rows)
    here: list[Any] = [None if s is None else jnp.where(s < 0, -1, s + start) for s in found[1:]]
    return batch._replace(candidate_rows=found.rows + first, positive_slot=here[0], known_slot=here[1])
