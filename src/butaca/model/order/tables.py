"""This module holds what training learns of histories with an order: a query tower's part, in JAX.

Each reads windows of histories packed in rows, and returns for each place what came before it there, so that
one pass trains at every position. Serving's numpy counterparts are timescales.py and attention.py.
"""

from __future__ import annotations

from typing import TypeAlias

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from butaca.model.features import History
from butaca.model.order.attention import Block, attended
from butaca.types import Floats

#: Half-lives that scales over places start from: one item to a hundred.
SCALES = 8

#: Half-lives that scales over age start from, in days: an hour to a year.
AGE_DAYS = (1 / 24, 1.0, 7.0, 30.0, 365.0)


class TimescalesTable(eqx.Module):
    """Holds sums of a history at several scales (timescales.py).

    Attributes:
        table: a vector of every item as something that was had [rows, d]; None: the candidates' own.
        half_lives: logarithms of those over places [K], of those over age [A].
        mix: weight of each scale in each dimension [K + A, d].
    """

    table: Array | None
    half_lives: tuple[Array, Array]
    mix: Array

    def __call__(self, vectors: Array, begins: Array, *, gap: Array, since: Array) -> Array:
        """Returns what came before each place: [R, L, d] of vectors, starts and days of windows [R, L]."""
        of_places, of_age = self.half_lives
        kept_places = jnp.exp2(-jnp.exp(-of_places))  # [K]
        rates = jnp.exp(-of_age)  # [A]

        def step(sums: Array, here: tuple[Array, Array, Array]) -> tuple[Array, Array]:
            vector, begin, days = here
            sums = jnp.where(begin[:, None, None], 0.0, sums)  # [R, K + A, d]
            read = jnp.einsum("rkd,kd->rd", sums, self.mix)
            by_age = jnp.exp2(-days[:, None] * rates)  # [R, A]
            kept = jnp.concatenate(
                [jnp.broadcast_to(kept_places, (len(days), len(kept_places))), by_age], axis=1
            )
            return sums * kept[:, :, None] + vector[:, None, :], read

        start = jnp.zeros((vectors.shape[0], len(self.mix), vectors.shape[2]))
        by_place = (jnp.swapaxes(vectors, 0, 1), begins.T, gap.T)
        return jnp.swapaxes(lax.scan(step, start, by_place)[1], 0, 1)


class AttentionTable(eqx.Module):
    """Holds causal self-attention over a history (attention.py).

    Attributes:
        table: as above.
        blocks: applied in order.
    """

    table: Array | None
    blocks: list[Block]

    def __call__(self, vectors: Array, begins: Array, *, gap: Array, since: Array) -> Array:
        """Returns what came before each place: [R, L, d] of vectors, starts and days of windows [R, L]."""
        window = jnp.cumsum(begins, axis=1)
        places = jnp.arange(vectors.shape[1], dtype=jnp.float32)
        seen = (window[:, :, None] == window[:, None, :]) & (places[:, None] >= places[None, :])
        out = attended(vectors, self.blocks, seen=seen, place=places, days=since, xp=jnp)
        before = jnp.pad(out[:, :-1], ((0, 0), (1, 0), (0, 0)))
        return jnp.where(begins[:, :, None], 0.0, before)


OrderTable: TypeAlias = TimescalesTable | AttentionTable


def start_order(history: History, table: Floats | None, *, dim: int, rng: np.random.Generator) -> OrderTable:
    """Returns the start of what reads a history with an order; no table: the candidates' own."""
    if history.order == "timescales":
        return start_timescales(table, dim)
    return start_attention(
        table, dim, blocks=history.blocks, heads=history.heads, window=history.window, rng=rng
    )


def start_timescales(table: Floats | None, dim: int) -> TimescalesTable:
    """Returns the start of a TimescalesTable: every scale at the same weight."""
    places = np.log(np.geomspace(1.0, 100.0, SCALES)).astype(np.float32)
    age = np.log(np.array(AGE_DAYS, dtype=np.float32))
    mix = np.full((len(places) + len(age), dim), 1.0 / SCALES, dtype=np.float32)
    return TimescalesTable(
        None if table is None else jnp.asarray(table),
        (jnp.asarray(places), jnp.asarray(age)),
        jnp.asarray(mix),
    )


def start_attention(
    table: Floats | None, dim: int, *, blocks: int, heads: int, window: int, rng: np.random.Generator
) -> AttentionTable:
    """Returns the start of an AttentionTable: blocks that add little, the nearest places first."""
    falls = np.stack([-np.log1p(np.arange(window)) * (0.5 + h) for h in range(heads)])

    def block() -> Block:
        bound = (6.0 / (dim + dim)) ** 0.5
        inward = rng.uniform(-bound, bound, (dim, 4 * dim))
        outward = rng.uniform(-bound, bound, (dim, dim)) * 0.1
        times = np.zeros((heads, 2))
        numbers = (inward, np.zeros(3 * dim), falls, times, outward, np.zeros(dim))
        return Block(*(jnp.asarray(x.astype(np.float32)) for x in numbers))

    return AttentionTable(None if table is None else jnp.asarray(table), [block() for _ in range(blocks)])
