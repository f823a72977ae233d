"""This module takes a softmax over a catalogue too large for a matrix, a tile of it at a time.

The loss is that of losses.py without a mask, in value and gradient:

    sum over positives  w * ( log sum_c exp(s_qc + a_c)  -  s_pos )

The first pass over the tiles adds up the exponentials, each query's largest logit carried along (Milakov
and Gimelshein 2018); the second computes a tile's logits again, now as probabilities, and from them its part
of both gradients. A tile is a few megabytes and stays in the cache: no matrix of queries by candidates is
ever in memory. That is four matrix products where three would do with the matrix held.

Both passes are written twice: here, tile by tile of XLA's products, and in native/ as machine code, whose
tiles lie in registers. The latter runs where it can (kernels.py decides), and the sums are the same up
to rounding.
"""

from __future__ import annotations

import functools
from typing import Any, cast

import jax
import jax.numpy as jnp
from jax import Array, lax

from butaca.model.kernels import softmax_kernels
from butaca.model.owned import At, over_own
from butaca.model.rows import add_rows

#: Logits of a tile: 8 MB; docs/decisions/016-training-at-scale.md has what other sizes take.
TILE_LOGITS = 1 << 21


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def tiled_softmax(
    axis: str | None,
    queries: Array,
    candidates: Array,
    added: Array,
    query: Array,
    slot: Array,
    weight: Array,
) -> Array:
    """Returns the summed softmax cross-entropy of the positives, a scalar.

    Args:
        axis: name of the mesh axis that the candidates are split over; None for one device.
        queries: unique query vectors [Q, d].
        candidates: this device's candidate vectors [C, d].
        added: a term of each candidate alone, its bias and a_c [C]; -inf where the slot is padding. The
            gradient is with respect to it too.
        query: row into the queries of each positive [P].
        slot: and its position among this device's candidates; out of range where another device has it.
        weight: of each positive [P].
    """
    return _forward(axis, queries, candidates, added, query, slot, weight)[0]


def tile_size(n_queries: int, n_slots: int) -> int:
    """Counts a tile's candidates: as many as make TILE_LOGITS logits, 64 at least.

    >>> tile_size(1024, 50_000), tile_size(10**9, 50_000), tile_size(1, 100)
    (2048, 64, 128)
    """
    most = 1 << max((TILE_LOGITS // max(n_queries, 1)).bit_length() - 1, 6)
    return int(min(most, max(1 << (n_slots - 1).bit_length(), 64)))


def _forward(
    axis: str | None,
    queries: Array,
    candidates: Array,
    added: Array,
    query: Array,
    slot: Array,
    weight: Array,
) -> tuple[Array, tuple[Any, ...]]:
    kernels = softmax_kernels(queries, candidates, added)
    if kernels is not None:
        largest, total = kernels.sums(queries, candidates, added)
    else:
        largest, total = _sums(axis, queries, candidates, added)
    if axis is not None:
        everywhere = lax.pmax(largest, axis)  # type: ignore[no-untyped-call]
        total = lax.psum(total * jnp.exp(largest - everywhere), axis)  # type: ignore[no-untyped-call]
        largest = everywhere
    log_sum = largest + jnp.log(total)  # [Q]

    own = (slot >= 0) & (slot < candidates.shape[0])
    at = jnp.where(own, slot, 0)
    held = jnp.where(own, weight, 0.0)  # of the positives that lie on this device

    # Their scores, added up: sum over q of q . (its positives' weighted sum).
    def add_candidates(some: At, mine: Array) -> Array:
        by = jnp.where(mine, held[some], 0.0)
        return add_rows(jnp.zeros_like(queries), query[some], at[some], by, candidates)

    wanted = over_own(add_candidates, own, axis=axis)  # [Q, d]
    score = jnp.sum(queries * wanted) + jnp.sum(held * jnp.where(own, added[at], 0.0))
    if axis is not None:
        score = lax.psum(score, axis)  # type: ignore[no-untyped-call]
    rate = jnp.zeros(queries.shape[0], queries.dtype).at[query].add(weight)  # [Q]
    loss = jnp.sum(rate * log_sum) - score
    return loss, (queries, candidates, added, query, own, at, held, log_sum, rate, wanted)


def _backward(axis: str | None, residuals: tuple[Any, ...], g: Array) -> tuple[Any, ...]:
    queries, candidates, added, query, own, at, held, log_sum, rate, wanted = residuals
    if axis is not None:
        g = lax.pcast(g, axis, to="varying")
    # d loss / d logit = rate * exp(logit - log_sum): the rate goes into the exponent.
    shift = jnp.where(rate > 0.0, jnp.log(jnp.maximum(rate, 1e-30)), -jnp.inf) - log_sum  # [Q]
    kernels = softmax_kernels(queries, candidates, added)
    if kernels is not None:
        if axis is not None:
            shift = lax.pcast(shift, axis, to="varying")
        d_queries, d_candidates, d_added = kernels.grads(queries, candidates, added, shift)
    else:
        d_queries, d_candidates, d_added = _grads(queries, candidates, added, shift)

    def add_queries(some: At, mine: Array) -> Array:
        return add_rows(d_candidates, at[some], query[some], jnp.where(mine, -held[some], 0.0), queries)

    of_pairs = over_own(add_queries, own, axis=axis)
    d_added = d_added.at[at].add(-held)
    return g * (d_queries - wanted), g * of_pairs, g * d_added, None, None, None


tiled_softmax.defvjp(_forward, _backward)


def _sums(axis: str | None, queries: Array, candidates: Array, added: Array) -> tuple[Array, Array]:
    """Returns each query's largest logit and its sum of exponentials relative to it, [Q] each."""
    n_queries = queries.shape[0]

    def add(carry: tuple[Array, Array], tile: tuple[Array, Array]) -> tuple[tuple[Array, Array], None]:
        largest, total = carry
        logits = apart(queries @ tile[0].T) + tile[1]  # [Q, T]
        top = jnp.maximum(largest, logits.max(axis=1))
        here = jnp.exp(logits - top[:, None]).sum(axis=1)
        return (top, total * jnp.exp(largest - top) + here), None

    # The start is finite, so that a tile of padding alone gives exp(-inf - finite) = 0.
    start = (jnp.full(n_queries, -1e30, queries.dtype), jnp.zeros(n_queries, queries.dtype))
    if axis is not None:
        start = cast(tuple[Array, Array], lax.pcast(start, axis, to="varying"))
    return lax.scan(add, start, _tiles(queries, candidates, added))[0]


def _grads(queries: Array, candidates: Array, added: Array, shift: Array) -> tuple[Array, Array, Array]:
    """Returns p times candidates [Q, d], p^T times queries [C, d], p's sums [C]; p = exp(logit + shift)."""
    across = apart(queries.T)

    def add(d_queries: Array, tile: tuple[Array, Array]) -> tuple[Array, tuple[Array, Array]]:
        vectors, term = tile
        grad = apart(jnp.exp(apart(queries @ vectors.T) + term + shift[:, None]))  # [Q, T]
        # As (queries^T grad)^T: XLA on CPUs takes longer for grad^T queries.
        return d_queries + grad @ vectors, (apart(across @ grad), grad.sum(axis=0))

    d_queries, (columns, d_added) = lax.scan(add, jnp.zeros_like(queries), _tiles(queries, candidates, added))
    n_slots, dim = candidates.shape
    return d_queries, columns.transpose(0, 2, 1).reshape(-1, dim)[:n_slots], d_added.reshape(-1)[:n_slots]


def _tiles(queries: Array, candidates: Array, added: Array) -> tuple[Array, Array]:
    """Returns the candidates by tile [tiles, T, d] and their terms [tiles, T], padded with -inf."""
    n_slots, dim = candidates.shape
    size = tile_size(queries.shape[0], n_slots)
    n_tiles = -(-n_slots // size)
    beyond = n_tiles * size - n_slots
    vectors = jnp.pad(candidates, ((0, beyond), (0, 0))).reshape(n_tiles, size, dim)
    return vectors, jnp.pad(added, (0, beyond), constant_values=-jnp.inf).reshape(n_tiles, size)


def apart(x: Array) -> Array:
    """Keeps XLA from merging what comes before with what comes after."""
    return cast(Array, lax.optimization_barrier(x))  # type: ignore[no-untyped-call]
