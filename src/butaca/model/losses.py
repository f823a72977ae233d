"""The one softmax, over unique rows (DESIGN.md's first idea). Pure functions of arrays.

TFRS scores a batch of B pairs as a B x B matrix whose repeated users and items give repeated rows and
columns. Those are computed once here: unique queries, unique candidates with a log-weight each, and
the positives as (query, candidate slot, weight) triples:

    loss = sum over positives  w * ( log sum_c exp(s_qc + a_c)  -  s_pos )

    in-batch   candidates are the batch's unique items, a_c = log(times c is in the batch): equal to
               the notebook's B x B loss in value and gradient
    full       candidates are the whole catalogue, a_c = 0
    sampled    candidates are m draws, a_c = -log(expected draws of c): logQ (Bengio and Senecal 2008;
               Yi et al. 2019), with the positive itself always counted once

What a mask removes from the denominator of a positive:

    none         nothing
    accidental   further copies of that positive's own item
    known        every item that its user is known to have had, in the batch or out of it

and with a mask the positive itself counts exactly once, as the diagonal does in the B x B matrix.

The catalogue may be split over the devices of a mesh axis: each holds its own candidate slots, and
only [Q]-shaped maxima and sums cross between them.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

import jax.numpy as jnp
from jax import Array, lax

Mask: TypeAlias = Literal["none", "accidental", "known"]

#: Log-weight of a candidate that is in the batch only as somebody's positive: exp gives 0.
ABSENT = -1e30


class Positives(NamedTuple):
    """The observed pairs, [P] each: row into the queries, slot among all candidates, weight."""

    query: Array
    slot: Array
    weight: Array


class Known(NamedTuple):
    """Pairs that a mask removes, [M] each: row into the queries, slot among all candidates.

    Holds the batch's own positives too. A slot out of range is padding.
    """

    query: Array
    slot: Array


def softmax_loss(
    queries: Array,
    candidates: Array,
    log_weight: Array,
    positives: Positives,
    known: Known | None = None,
    *,
    bias: Array | None = None,
    mask: Mask = "none",
    add_positive: bool = False,
    axis: str | None = None,
) -> Array:
    """The summed softmax cross-entropy of the positives, a scalar.

    Args:
        queries: unique query vectors [Q, d], the same on every device.
        candidates: this device's candidate vectors [C, d], one per slot.
        log_weight: a_c [C]; -inf where the slot is padding, `ABSENT` where it only holds a positive.
        positives: the observed pairs; slots count over all devices, device j owns j*C to (j+1)*C - 1.
        known: the pairs that mask "known" removes.
        bias: a term of the candidate alone, added to its scores [C].
        mask: what leaves the denominator; see above.
        add_positive: count the positive once more in an unmasked denominator, for sampled
            candidates, which may not hold it.
        axis: name of the mesh axis that the candidates are split over; None for one device.
    """
    n_slots = candidates.shape[0]
    logits = queries @ candidates.T  # [Q, C]
    if bias is not None:
        logits = logits + bias
    local = positives.slot - (0 if axis is None else lax.axis_index(axis) * n_slots)
    own = (local >= 0) & (local < n_slots)
    local = jnp.where(own, local, 0)
    s_here = jnp.where(own, logits[positives.query, local], 0.0)
    s_pos = _sum_over(s_here, axis)  # [P]

    if mask == "accidental":
        a_here = jnp.where(own, jnp.exp(log_weight)[local], 0.0)
        copies = _sum_over(a_here, axis)  # [P], weight that the positive's item has in the denominator
    weighted = logits + log_weight
    if mask == "known":
        if known is None:
            raise TypeError("mask 'known' needs the known pairs")
        slot = known.slot - (0 if axis is None else lax.axis_index(axis) * n_slots)
        slot = jnp.where(slot < 0, n_slots, slot)  # a negative index would wrap around
        weighted = weighted.at[known.query, slot].set(-jnp.inf, mode="drop")

    top = weighted
    if mask == "accidental":  # the positive counts at its own weight, which may exceed a_c's
        top = jnp.where(jnp.isneginf(log_weight), -jnp.inf, logits + jnp.maximum(log_weight, 0.0))
    largest = _max_over(lax.stop_gradient(top).max(axis=1), axis)  # [Q]
    largest = jnp.where(jnp.isneginf(largest), 0.0, largest)
    total = _sum_over(jnp.exp(weighted - largest[:, None]).sum(axis=1), axis)  # [Q]

    if mask == "none" and not add_positive:
        per_query = largest + jnp.log(total)
        log_sum = per_query[positives.query]
    elif mask == "accidental":
        scale = largest[positives.query]
        itself = jnp.exp(s_pos - scale)
        rest = jnp.maximum(total[positives.query] - copies * itself, 0.0)
        log_sum = scale + jnp.log(rest + itself)
    else:
        empty = total == 0.0  # every candidate masked: the positive stands alone
        rest = jnp.where(empty, -jnp.inf, largest + jnp.log(jnp.where(empty, 1.0, total)))
        log_sum = jnp.logaddexp(rest[positives.query], s_pos)
    return jnp.sum(positives.weight * (log_sum - s_pos))


def _sum_over(x: Array, axis: str | None) -> Array:
    return x if axis is None else lax.psum(x, axis)  # type: ignore[no-untyped-call,no-any-return]


def _max_over(x: Array, axis: str | None) -> Array:
    return x if axis is None else lax.pmax(x, axis)  # type: ignore[no-untyped-call,no-any-return]


def l2_penalty(queries: Array, candidates: Array, positives: Positives, axis: str | None = None) -> Array:
    """Sum over the positives of w * (|query|^2 + |candidate|^2) / 2, a scalar."""
    n_slots = candidates.shape[0]
    local = positives.slot - (0 if axis is None else lax.axis_index(axis) * n_slots)
    own = (local >= 0) & (local < n_slots)
    c_norm = jnp.where(own, jnp.square(candidates).sum(axis=1)[jnp.where(own, local, 0)], 0.0)
    q_norm = jnp.square(queries).sum(axis=1)[positives.query]
    return 0.5 * jnp.sum(positives.weight * (q_norm + _sum_over(c_norm, axis)))


def log_q(probability: Array, draws: int) -> Array:
    """The logQ correction of m draws with replacement: -log(m p), [C] -> [C]."""
    return -jnp.log(draws * jnp.asarray(probability))
