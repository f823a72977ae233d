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

from butaca.model.entries import Entries
from butaca.model.order.moments import InOrder
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
    x: AnyArray,
    blocks: Any,
    *,
    seen: AnyArray,
    place: AnyArray,
    days: AnyArray,
    whole: bool = True,
    tail: int | None = None,
    xp: Any = np,
) -> AnyArray:
    """Returns each place's vector after all blocks, [B, L, d], or of the last `tail` places alone.

    Args:
        x: vectors of the items [B, L, d].
        blocks: applied in order.
        seen: which place (second axis) sees which (third) [B, L, L].
        place: place of each in its history, a fraction where moments are shared [B, L] or [L].
        days: time of each in days, from any start [B, L].
        whole: whether no place is a fraction.
        tail: places, the last, whose vectors are asked for; None asks for all.
        xp: numpy, or jax.numpy.
    """
    apart = xp.maximum(place[..., :, None] - place[..., None, :], 0.0)
    days_between = xp.maximum(days[:, :, None] - days[:, None, :], 0.0)
    between = [xp.log(days_between * np.float32(1 / unit) + np.float32(1.0)) for unit in TIME_UNITS]
    for number, block in enumerate(blocks):
        if tail is not None and number == len(blocks) - 1:
            seen, apart, between = seen[:, -tail:], apart[..., -tail:, :], [b[:, -tail:] for b in between]
        read = _block(x, block, seen=seen, apart=apart, between=between, whole=whole, xp=xp)
        x = x[:, -read.shape[1] :] + read
    return x


def _block(
    x: AnyArray,
    block: Block,
    *,
    seen: AnyArray,
    apart: AnyArray,
    between: list[AnyArray],
    whole: bool,
    xp: Any,
) -> AnyArray:
    """Returns what a block adds to the last places, as many as `seen` has [B, Q, L] -> [B, Q, d]."""
    n_heads, window = block.places.shape
    d, asked = x.shape[-1], seen.shape[1]
    of_head = d // n_heads
    x = normalised(x, xp)
    ahead = x[:, -asked:]
    weight_of, bias_of = block.inward, block.inward_bias
    gate = ahead @ weight_of[:, :d] + bias_of[:d]
    value = x @ weight_of[:, d : 2 * d] + bias_of[d : 2 * d]
    query = ahead @ weight_of[:, 2 * d : 3 * d] + bias_of[2 * d :]
    key = x @ weight_of[:, 3 * d :]  # a bias of keys would add the same to all that a place sees
    gate = gate * (xp.tanh(gate * 0.5) * 0.5 + 0.5)  # SiLU
    low = xp.minimum(apart, window - 1.0).astype(np.int32)
    heads = []
    for h in range(n_heads):
        some = slice(h * of_head, (h + 1) * of_head)
        bias = block.places[h][low]
        if not whole:
            part = xp.minimum(apart, window - 1.0) - low
            bias = bias * (1.0 - part) + block.places[h][xp.minimum(low + 1, window - 1)] * part
        logits = query[..., some] @ xp.swapaxes(key[..., some], -1, -2) * np.float32(of_head**-0.5) + bias
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
        window: items that are read, the latest: whole moments, and the latest one whatever its size.
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
        order = entries.order
        # The latest moments that fit into the window whole, and the latest whatever its size.
        read = np.flatnonzero((order.place + order.size <= self.window) | (order.place == 0))
        order = order.some(read)
        begin = np.flatnonzero(np.append(True, order.rows[1:] != order.rows[:-1]))
        ends = np.append(begin[1:], len(order.rows))
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
        at = ends[:, None] + np.arange(-longest, 0)
        inside = at >= begin[:, None]
        at = np.maximum(at, 0)
        x = self.table[order.items[at]]
        # Places count from the end here; a moment's items stand in its middle and see one another.
        behind, size = order.place[at], order.size[at]
        place = -(behind + (size - 1) / 2).astype(np.float32)
        seen = (behind[:, :, None] <= behind[:, None, :]) & inside[:, None, :]
        tail = min(int(size[:, -1].max()), longest)
        whole = not (size[inside] % 2 == 0).any()
        y = attended(x, self.blocks, seen=seen, place=place, days=-order.age[at], whole=whole, tail=tail)
        last = ((behind == 0) & inside)[:, -tail:]
        return np.asarray((y * last[:, :, None]).sum(axis=1) / last.sum(axis=1)[:, None], dtype=np.float32)
