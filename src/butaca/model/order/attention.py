"""This module reads a history in order by causal self-attention, the same code for numpy and for JAX.

A block is that of HSTU (Zhai et al. 2024): gates, values, queries and keys come from the normalised input,
biases by relative place and relative time take the place of embeddings of positions, and a gated, normalised
output is added to the input. Weights are a softmax, as in SASRec (Kang and McAuley 2018). In training several
histories may share a row; `seen` keeps them apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from butaca.model.order.moments import InOrder, ordered
from butaca.model.query import Entries
from butaca.types import AnyArray, Floats, Ints

#: Units in which the time between two places is told, in days: a minute and a day.
TIME_UNITS = (1 / 1440, 1.0)

#: Places of histories that numpy attends over at once.
HELD_PLACES = 1 << 14


class Block(NamedTuple):
    """Holds one block of attention with h heads.

    Attributes:
        inward, inward_bias: to gates, values, queries and keys [d, 4 d]; all but the keys have a bias [3 d].
        places: bias of each distance in places [h, window].
        times: falls with the logarithm of the time between, in each of TIME_UNITS [h, 2].
        outward, outward_bias: back from the gated values [d, d], [d].
    """

    inward: AnyArray
    inward_bias: AnyArray
    places: AnyArray
    times: AnyArray
    outward: AnyArray
    outward_bias: AnyArray


def normalised(x: AnyArray, xp: Any) -> AnyArray:
    """Returns vectors with mean 0 and variance 1 over their last axis."""
    x = x - x.mean(axis=-1, keepdims=True)
    return x / xp.sqrt((x * x).mean(axis=-1, keepdims=True) + 1e-6)


def attended(
    x: AnyArray, blocks: Any, *, seen: AnyArray, place: AnyArray, days: AnyArray, xp: Any = np
) -> AnyArray:
    """Returns each place's vector after all blocks, [B, L, d].

    Args:
        x: vectors of the items [B, L, d].
        blocks: applied in order.
        seen: which place (second axis) sees which (third) [B, L, L].
        place: place of each in its history, a fraction where moments are shared [B, L] or [L].
        days: time of each in days, from any start [B, L].
        xp: numpy, or jax.numpy.
    """
    apart = xp.maximum(place[..., :, None] - place[..., None, :], 0.0)
    days_between = xp.maximum(days[:, :, None] - days[:, None, :], 0.0)
    between = [xp.log1p(days_between * np.float32(1 / unit)) for unit in TIME_UNITS]
    for block in blocks:
        x = x + _block(x, block, seen=seen, apart=apart, between=between, xp=xp)
    return x


def _block(
    x: AnyArray, block: Block, *, seen: AnyArray, apart: AnyArray, between: list[AnyArray], xp: Any
) -> AnyArray:
    n_heads, window = block.places.shape
    d = x.shape[-1]
    of_head = d // n_heads
    inward = normalised(x, xp) @ block.inward
    biased = inward[..., : 3 * d] + block.inward_bias
    gate, value, query = (biased[..., i * d : (i + 1) * d] for i in range(3))
    key = inward[..., 3 * d :]  # a bias of keys would add the same to all that a place sees
    gate = gate / (1.0 + xp.exp(-gate))
    low = xp.minimum(xp.floor(apart), window - 1).astype(np.int32)
    part = xp.minimum(apart, window - 1.0) - low
    high = xp.minimum(low + 1, window - 1)
    heads = []
    for h in range(n_heads):
        some = slice(h * of_head, (h + 1) * of_head)
        bias = block.places[h][low] * (1.0 - part) + block.places[h][high] * part
        logits = query[..., some] @ xp.swapaxes(key[..., some], -1, -2) * np.float32(of_head**-0.5)
        logits = logits + bias
        for i, since in enumerate(between):
            logits = logits - block.times[h, i] * since
        logits = xp.where(seen, logits, np.float32(-1e9))
        weight = xp.exp(logits - logits.max(axis=-1, keepdims=True))
        weight = weight / weight.sum(axis=-1, keepdims=True)
        heads.append(weight @ value[..., some])
    read = normalised(xp.concatenate(heads, axis=-1), xp) * gate
    return read @ block.outward + block.outward_bias


@dataclass(frozen=True, eq=False)
class Attention:
    """An Attention holds the trained half of a query tower that attends to a history in its order.

    Attributes:
        table: float32 [N, d].
        blocks: applied in order.
        window: items that are read, the latest.
    """

    table: Floats
    blocks: tuple[Block, ...]
    window: int = 200

    reads_time = True

    def with_table(self, table: Floats) -> Attention:
        """Returns the same over another table."""
        return Attention(table, self.blocks, self.window)

    def parts(self, entries: Entries) -> None:
        """Returns None: attention is no sum over the history."""
        return

    def pooled(self, entries: Entries, n_rows: int) -> Floats:
        """Returns the vectors of n_rows histories, float32 [n_rows, d]."""
        out = np.zeros((n_rows, self.table.shape[1]), dtype=np.float32)
        if not len(entries.items):
            return out
        order = ordered(entries.rows, entries.items, time=entries.time)
        begin = np.flatnonzero(np.append(True, order.rows[1:] != order.rows[:-1]))
        ends = np.append(begin[1:], len(order.rows))
        begin = np.maximum(begin, ends - self.window)
        by_length = np.argsort(ends - begin, kind="stable")
        lengths = (ends - begin)[by_length]
        at = 0
        while at < len(lengths):
            until = at + 1
            while until < len(lengths) and (until + 1 - at) * lengths[until] <= HELD_PLACES:
                until += 1
            some = by_length[at:until]
            rows = order.rows[begin[some]]
            out[rows] = self._latest(order, begin[some], ends[some])
            at = until
        return out

    def _latest(self, order: InOrder, begin: Ints, ends: Ints) -> Floats:
        """Returns the vectors at the latest moment of some histories, the mean over its items [B, d]."""
        longest = int((ends - begin).max())
        at = begin[:, None] + np.arange(longest)
        inside = at < ends[:, None]
        at = np.minimum(at, len(order.items) - 1)
        x = self.table[order.items[at]]
        # Places count from the end here; a moment's items stand in its middle and see one another.
        place = -(order.place[at] + (order.size[at] - 1) / 2).astype(np.float32)
        days = -order.age[at]
        seen = (order.place[at][:, :, None] <= order.place[at][:, None, :]) & inside[:, None, :]
        y = attended(x, self.blocks, seen=seen, place=place, days=days)
        last = (order.place[at] == 0) & inside
        return np.asarray((y * last[:, :, None]).sum(axis=1) / last.sum(axis=1)[:, None], dtype=np.float32)
