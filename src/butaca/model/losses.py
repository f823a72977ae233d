"""This module computes the one softmax, over unique rows (docs/architecture.md). Its functions are pure.

TFRS scores a batch of B pairs as a B x B matrix whose repeated users and items give repeated rows and
columns. Those are computed once here: unique queries, unique candidates with a log-weight each, and
the positives as (query, candidate slot, weight) triples:

    loss = sum over positives  w * ( log sum_c exp(s_qc + a_c)  -  s_pos )

    in-batch   candidates are the batch's unique items, a_c = log(times c is in the batch): equal to
               the notebook's B x B loss in value and gradient
    full       candidates are the whole catalogue, a_c = 0
    sampled    candidates are m draws, a_c = -log(expected draws of c): logQ (Bengio and Senecal 2008;
               Yi et al. 2019), with the positive itself always counted once. The batch's other positives
               are no candidates: their scores are computed pair by pair, and the matrix stays small

What a mask removes from the denominator of a positive:

    none         nothing
    accidental   further copies of that positive's own item
    known        every item that its user is known to have had, in the batch or out of it

and with a mask the positive itself counts exactly once, as the diagonal does in the B x B matrix.

The catalogue may be split over the devices of a mesh axis: each holds its own candidate slots, and
only [Q]-shaped maxima and sums cross between them.
"""

from __future__ import annotations

import functools
from typing import Any, Literal, NamedTuple, TypeAlias, cast

import jax
import jax.numpy as jnp
from jax import Array, lax

from butaca.model.owned import At, over_own
from butaca.model.rows import add_rows
from butaca.model.tiles import apart, tiled_softmax

Mask: TypeAlias = Literal["none", "accidental", "known"]

#: Up to this many logits the matrix of queries by candidates is held; beyond, it is never whole (tiles.py).
HELD_LOGITS = 1 << 24


class Positives(NamedTuple):
    """Holds the observed pairs, [P] each: row into the queries, slot among all candidates, weight."""

    query: Array
    slot: Array
    weight: Array


class Known(NamedTuple):
    """Holds the pairs that a mask removes, [M] each: row into the queries, slot among all candidates.

    Holds the batch's own positives too. A slot out of range is padding.
    """

    query: Array
    slot: Array


def softmax_loss(
    queries: Array,
    candidates: Array,
    *,
    log_weight: Array,
    positives: Positives,
    known: Known | None = None,
    bias: Array | None = None,
    mask: Mask = "none",
    add_positive: bool = False,
    axis: str | None = None,
) -> Array:
    """Returns the summed softmax cross-entropy of the positives, a scalar.

    Differentiable in queries, candidates and bias, once (the backward pass is written out below: it
    takes the exponentials of the forward one instead of computing them again).

    Args:
        queries: unique query vectors [Q, d], the same on every device.
        candidates: this device's candidate vectors [C, d], one per slot.
        log_weight: a_c of the first L slots [L], over which the softmax runs; -inf where a slot is padding.
            The C - L others only hold positives, and those are found in any slot.
        positives: the observed pairs; slots count over all devices, device j owns j*C to (j+1)*C - 1.
        known: the pairs that mask "known" removes.
        bias: a term of the candidate alone, added to its scores [C].
        mask: what leaves the denominator; see above.
        add_positive: count the positive once more in an unmasked denominator, for sampled
            candidates, which may not hold it.
        axis: name of the mesh axis that the candidates are split over; None for one device.
    """
    if (mask == "known") != (known is not None):
        raise TypeError("mask 'known' and the known pairs go together")
    if axis is not None:  # each device sees its own share of the gradient; JAX adds them up
        queries = lax.pcast(queries, axis, to="varying")
    n_slots = candidates.shape[0]
    of_all = len(log_weight) == n_slots
    if of_all and mask == "none" and not add_positive and queries.shape[0] * n_slots > HELD_LOGITS:
        own, slot = _own_slots(positives.slot, n_slots, axis)
        added = log_weight if bias is None else bias + log_weight
        at = jnp.where(own, slot, n_slots)
        return tiled_softmax(axis, queries, candidates, added, positives.query, at, positives.weight)
    rule = _Rule(mask, add_positive, axis)
    return _softmax(rule, queries, candidates, bias, log_weight, positives, known)


class _Rule(NamedTuple):
    mask: Mask
    add_positive: bool
    axis: str | None


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _softmax(
    rule: _Rule,
    queries: Array,
    candidates: Array,
    bias: Array | None,
    log_weight: Array,
    positives: Positives,
    known: Known | None,
) -> Array:
    return _forward(rule, queries, candidates, bias, log_weight, positives, known)[0]


def _forward(
    rule: _Rule,
    queries: Array,
    candidates: Array,
    bias: Array | None,
    log_weight: Array,
    positives: Positives,
    known: Known | None,
) -> tuple[Array, tuple[Any, ...]]:
    n_slots, n_softmax = candidates.shape[0], len(log_weight)
    logits = apart(queries @ candidates[:n_softmax].T)  # [Q, L]
    if bias is not None:
        logits = logits + bias[:n_softmax]
    own, slot = _own_slots(positives.slot, n_slots, rule.axis)
    if n_softmax == n_slots:
        scores = logits[positives.query, slot]
    else:

        def of_pairs(some: At, mine: Array) -> Array:
            at = slot[some]
            pairs = jnp.sum(queries[positives.query[some]] * candidates[at], axis=1)
            pairs = pairs if bias is None else pairs + bias[at]
            return _zeros(own.shape, rule.axis).at[some].add(jnp.where(mine, pairs, 0.0))

        scores = over_own(of_pairs, own, axis=rule.axis)
    s_pos = _sum_over(jnp.where(own, scores, 0.0), rule.axis)  # [P]

    weighted = logits + log_weight
    if known is not None:
        its_own, its_slot = _own_slots(known.slot, n_slots, rule.axis)
        gone = jnp.where(its_own, its_slot, n_slots)  # out of range, as what only holds positives: dropped
        weighted = weighted.at[known.query, gone].set(-jnp.inf, mode="drop")
    top = weighted
    if rule.mask == "accidental":  # the positive counts at weight 1, which may exceed its a_c
        top = jnp.where(jnp.isneginf(log_weight), -jnp.inf, logits + jnp.maximum(log_weight, 0.0))
    largest = _max_over(top.max(axis=1), rule.axis)  # [Q]
    largest = jnp.where(jnp.isneginf(largest), 0.0, largest)
    exps = apart(jnp.exp(weighted - largest[:, None]))  # [Q, C], computed once
    total = _sum_over(exps.sum(axis=1), rule.axis)  # [Q]

    shift = largest[positives.query]  # [P]
    if rule.mask == "accidental":
        times = jnp.exp(log_weight)[jnp.minimum(slot, n_softmax - 1)]
        copies = _sum_over(jnp.where(own & (slot < n_softmax), times, 0.0), rule.axis)
        # One that is no candidate may lie far above all that are: it has no copies to take off then.
        itself = jnp.exp(jnp.minimum(s_pos - shift, 0.0))
        rest = jnp.maximum(total[positives.query] - copies * itself, 0.0)
        log_sum = jnp.logaddexp(shift + jnp.log(rest), s_pos)
        extra = 1.0 - copies  # what the positive counts beyond its own column
    elif rule.mask == "known" or rule.add_positive:
        rest = largest + jnp.log(total)  # -inf where every candidate is masked
        log_sum = jnp.logaddexp(rest[positives.query], s_pos)
        extra = jnp.ones_like(s_pos)
    else:
        log_sum = (largest + jnp.log(total))[positives.query]
        extra = jnp.zeros_like(s_pos)
    loss = jnp.sum(positives.weight * (log_sum - s_pos))

    # d loss / d score[q, c] = exps[q, c] * rate[q], and `at_positive` more at the positives.
    some = total[positives.query] > 0.0  # where every candidate is masked, no rate: 0 times what may be inf
    per_pair = positives.weight * jnp.exp(jnp.where(some, shift - log_sum, -jnp.inf))
    rate = jnp.zeros_like(total).at[positives.query].add(per_pair)  # [Q]
    at_positive = positives.weight * (extra * jnp.exp(s_pos - log_sum) - 1.0)  # [P]
    at_positive = jnp.where(own, at_positive, 0.0)
    return loss, (queries, candidates, bias, exps, rate, at_positive, positives.query, own, slot)


def _backward(rule: _Rule, residuals: tuple[Any, ...], g: Array) -> tuple[Any, ...]:
    queries, candidates, bias, exps, rate, at_positive, query, own, slot = residuals
    if rule.axis is not None:
        g = lax.pcast(g, rule.axis, to="varying")
    n_slots, n_softmax = candidates.shape[0], exps.shape[1]
    grad = exps * rate[:, None]  # [Q, L]
    if n_softmax == n_slots:
        grad = grad.at[query, slot].add(at_positive)
    d_queries = grad @ candidates[:n_softmax]
    # As (queries^T grad)^T, kept apart by barriers: XLA on CPUs takes twice as long for grad^T queries.
    d_candidates = apart(apart(queries.T) @ grad).T  # [L, d]
    d_bias = grad.sum(axis=0)
    if n_softmax < n_slots:
        d_candidates = jnp.pad(d_candidates, ((0, n_slots - n_softmax), (0, 0)))

        def add_candidates(some: At, mine: Array) -> Array:
            by = jnp.where(mine, at_positive[some], 0.0)
            return add_rows(d_queries, query[some], slot[some], by, candidates)

        def add_queries(some: At, mine: Array) -> Array:
            by = jnp.where(mine, at_positive[some], 0.0)
            return add_rows(d_candidates, slot[some], query[some], by, queries)

        of_queries, of_candidates = (
            over_own(add, own, axis=rule.axis) for add in (add_candidates, add_queries)
        )
        d_bias = jnp.pad(d_bias, (0, n_slots - n_softmax)).at[slot].add(at_positive)
        d_queries, d_candidates = of_queries, of_candidates
    of_bias = None if bias is None else g * d_bias
    return g * d_queries, g * d_candidates, of_bias, None, None, None


_softmax.defvjp(_forward, _backward)


def _own_slots(slot: Array, n_slots: int, axis: str | None) -> tuple[Array, Array]:
    """Says which slots lie on this device, and their position there (0 for the others)."""
    local = slot if axis is None else slot - lax.axis_index(axis) * n_slots
    own = (local >= 0) & (local < n_slots)
    return own, jnp.where(own, local, 0)


def _zeros(shape: tuple[int, ...], axis: str | None) -> Array:
    zeros = jnp.zeros(shape)
    return zeros if axis is None else cast(Array, lax.pcast(zeros, axis, to="varying"))


def _sum_over(x: Array, axis: str | None) -> Array:
    return x if axis is None else lax.psum(x, axis)  # type: ignore[no-untyped-call]


def _max_over(x: Array, axis: str | None) -> Array:
    return x if axis is None else lax.pmax(x, axis)  # type: ignore[no-untyped-call]


def l2_penalty(queries: Array, candidates: Array, *, positives: Positives, axis: str | None = None) -> Array:
    """Returns the sum over the positives of w * (|query|^2 + |candidate|^2) / 2, a scalar."""
    own, slot = _own_slots(positives.slot, candidates.shape[0], axis)
    c_norm = jnp.where(own, jnp.square(candidates).sum(axis=1)[slot], 0.0)
    q_norm = jnp.square(queries).sum(axis=1)[positives.query]
    return 0.5 * jnp.sum(positives.weight * (q_norm + _sum_over(c_norm, axis)))
