"""This module reads a history in order by sums with decays, in numpy: each scale forgets at its own pace.

    h = sum_i  (sum_k mix_k * w_k(i)) * E_i,    w_k(i) = 2 ** (-place_i / half_life_k), or of its age in days

with `*` by dimension, place 0 the latest item, and E the history table. The scales' half-lives and mixes are
learned (tables.py). It is a linear recurrence seen as a sum, as state-space layers are (Gu and Dao 2023; LRU:
Orvieto et al. 2023), so every item's part of a query is its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from butaca.model.entries import Entries
from butaca.model.order.moments import InOrder, alone, shared_places, up_to
from butaca.types import Floats

#: Entries whose parts are held at once when many histories are summed.
HELD_ENTRIES = 1 << 17


@dataclass(frozen=True, eq=False)
class Timescales:
    """A Timescales holds the trained half of a query tower that sums a history at several scales.

    Attributes:
        table: float32 [N, d].
        half_lives: of the scales over places, in items [K].
        age_half_lives: of the scales over age, in days [A].
        mix: weight of each scale in each dimension [K + A, d].
        window: places that are read, the latest.
    """

    table: Floats
    half_lives: Floats
    age_half_lives: Floats
    mix: Floats
    window: int = 200

    reads_time = True

    def with_table(self, table: Floats) -> Timescales:
        """Returns the same over another table."""
        return replace(self, table=table)

    @cached_property
    def _up_to(self) -> NDArray[np.float64]:
        """Returns the sums over the first places of each scale's weight of a place [window + 1, K]."""
        places = np.arange(self.window, dtype=np.float64)[:, None]
        return up_to(np.exp2(-places / self.half_lives.astype(np.float64)))

    @cached_property
    def _of_one(self) -> Floats:
        """Returns each scale's weight of an item with its own place, 0 beyond the window [window + 1, K]."""
        places = np.arange(self.window + 1)
        return shared_places(self._up_to, places, size=np.ones_like(places))

    def weights(self, order: InOrder) -> Floats:
        """Returns the weight of each entry at each scale, float32 [m, K + A]."""
        if alone(order):
            of_age = np.exp2(-order.age[:, None] / self.age_half_lives)
            if len(order.place) > self.window:
                of_age *= (order.place < self.window)[:, None]
            of_place = self._of_one[np.minimum(order.place, self.window)]
            return np.concatenate([of_place, of_age], axis=1, dtype=np.float32)
        of_place = shared_places(self._up_to, order.place, size=order.size)
        inside = np.clip((self.window - order.place) / order.size, 0.0, 1.0)  # the part within the window
        of_age = np.exp2(-order.age[:, None] / self.age_half_lives) * inside[:, None]
        return np.concatenate([of_place, of_age], axis=1).astype(np.float32)

    def kernel(self, order: InOrder) -> Floats:
        """Returns the weight of each entry in each dimension, float32 [m, d]."""
        out: Floats = self.weights(order) @ self.mix
        return out

    def parts(self, entries: Entries) -> Floats:
        """Returns each entry's part of its row's vector, float32 [m, d]."""
        order = entries.order
        parts = np.empty((len(entries.items), self.table.shape[1]), dtype=np.float32)
        parts[order.at] = self.kernel(order) * self.table[order.items]
        return parts

    def pooled(self, entries: Entries, n_rows: int) -> Floats:
        """Returns the sums of n_rows histories, float32 [n_rows, d]."""
        out = np.zeros((n_rows, self.table.shape[1]), dtype=np.float32)
        if not len(entries.items):
            return out
        order = entries.order
        if n_rows == 1:
            out[0] = (self.kernel(order) * self.table[order.items]).sum(axis=0)
            return out
        begin = np.flatnonzero(np.append(True, order.rows[1:] != order.rows[:-1]))
        ends = np.append(begin[1:], len(order.rows))
        at = 0
        while at < len(begin):
            until = max(int(np.searchsorted(ends, begin[at] + HELD_ENTRIES, "right")), at + 1)
            cut = order.some(slice(begin[at], ends[until - 1]))
            parts = self.kernel(cut) * self.table[cut.items]
            out[cut.rows[begin[at:until] - begin[at]]] = np.add.reduceat(
                parts, begin[at:until] - begin[at], axis=0
            )
            at = until
        return out
