"""This module sums how close items stand in everyone's histories: the kernel K of model/spectral.py.

Up to a few thousand items K is one matrix, a diagonal of |p - q| after another; beyond, overlapping windows
of histories stand in for it, a sparse row each.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from jax import Array, lax

from butaca.data.histories import in_order
from butaca.types import Codes, Floats, Ints, Times


@dataclass(frozen=True, eq=False)
class SortedInteractions:
    """A SortedInteractions holds interactions sorted by user and, within one, by time.

    Attributes:
        user, item: codes [n].
        count: interactions of each user, of items left out too.
        place: of each interaction among its user's (`moments`) [n]; None where they count up, or where
            histories are taken whole.
        own: the root of each one's weight, in parts of the mean [n]; None: all the same.
        in_place: whether they were left where they lie.
    """

    user: Codes
    item: Codes
    count: Ints
    place: Floats | None = None
    own: Floats | None = None
    in_place: bool = False

    @classmethod
    def of(
        cls,
        user: Codes,
        item: Codes,
        *,
        time: Times | None,
        weight: Floats | None = None,
        in_place: bool = False,
    ) -> SortedInteractions:
        """Sorts interactions; equal times are one moment, whose order among themselves is by item.

        Args:
            user: code of each interaction's user [n].
            item: and of its item [n].
            time: of each [n]; None takes whole histories, as they are unordered.
            weight: of each [n], or None.
            in_place: leave what is in order of users and items where it lies, on the disk perhaps.
        """
        count = np.bincount(user, minlength=1)
        worth = None if weight is None else weight / weight.mean(dtype=np.float64)
        own = None if worth is None else np.sqrt(worth).astype(np.float32)
        if in_place and in_order(user, item):
            return cls(user, item, count, None, own, in_place=True)
        order = np.lexsort((item, user) if time is None else (item, time, user))
        user, item = user[order], item[order]
        place = None if time is None else moments(user, time[order])
        return cls(user, item, count, place, None if own is None else own[order])

    def degree(self, n_items: int) -> Floats:
        """Returns the interactions of each item, or their weights, float32 [N]."""
        worth = None if self.own is None else np.square(self.own, dtype=np.float64)
        counted: Floats = np.bincount(self.item, worth, minlength=n_items).astype(np.float32)
        return counted

    def of_items(self, kept: Ints, n_items: int) -> SortedInteractions:
        """Returns the interactions of some items [M] of N, ascending, which become 0 to M - 1."""
        row = np.full(n_items, -1, dtype=np.int32)
        row[kept] = np.arange(len(kept), dtype=np.int32)
        here = row[self.item] >= 0
        return replace(
            self,
            user=self.user[here],
            item=row[self.item[here]],
            place=None if self.place is None else self.place[here],
            own=None if self.own is None else self.own[here],
        )


def moments(user: Codes, time: Times) -> Floats | None:
    """Returns the place of each interaction among its user's: the middle of all that have its time.

    None where nothing has the time of another, so that places count up.

    >>> moments(np.array([0, 0, 0, 1]), np.array([5, 5, 7, 5])).tolist()
    [0.5, 0.5, 2.0, 0.0]

    Args:
        user: of each interaction, ascending [n].
        time: of each, ascending within a user.
    """
    new_user = np.append(True, user[1:] != user[:-1])
    new = new_user | np.append(True, time[1:] != time[:-1])
    if new.all():
        return None
    start = np.flatnonzero(new)
    end = np.append(start[1:], len(user))
    middle = np.repeat((start + end - 1) / 2, end - start)
    begin = np.flatnonzero(new_user)
    begin_of = np.repeat(begin, np.diff(np.append(begin, len(user))))
    found: Floats = (middle - begin_of).astype(np.float32)
    return found


def whole_kernel(had: SortedInteractions, *, n_items: int, span: float, power: float) -> Array:
    """Returns K [N, N] of a catalogue that it fits in memory for.

    Args:
        had: the interactions.
        n_items: N.
        span: positions over which closeness falls by e; infinite where histories are taken whole.
        power: of the length of a history, as `SpectralSettings.user_power`.
    """
    user, item, place, own = had.user, had.item, had.place, had.own
    weight = (had.count[user] ** (-2.0 * power)).astype(np.float32)  # [n]
    longest = int(np.bincount(user).max(initial=1)) if len(user) else 1
    reach = min(longest - 1, int(min(8 * span, 2**30)))
    if place is not None:
        reach = _apart(user, place, 8 * span)
    if span > 1000 * longest:  # flat to a thousandth: K = X^T X
        by = np.sqrt(weight) if own is None else np.sqrt(weight) * own
        x = sp.csr_matrix((by, (user, item)), shape=(int(user.max(initial=0)) + 1, n_items))
        return jnp.asarray((x.T @ x).toarray(), dtype=jnp.float32)
    if reach > 2000:  # too many diagonals to add one by one
        count = np.bincount(user)
        x = windows(user, item, count=count, n_items=n_items, span=span, power=power, place=place, own=own)
        return jnp.asarray((x.T @ x).toarray(), dtype=jnp.float32)
    arrays = (jnp.asarray(user), jnp.asarray(item), jnp.asarray(weight))
    kernel: Array
    if place is None and own is None:
        kernel = _kernel(*arrays, span, reach, n_items)
        return kernel
    at = np.arange(len(user), dtype=np.float32) - _begin(user) if place is None else place
    by = np.ones(len(user), dtype=np.float32) if own is None else own
    kernel = _kernel_of_moments(*arrays, jnp.asarray(at), jnp.asarray(by), span, reach, n_items)
    return kernel


def windows(
    user: Codes,
    item: Codes,
    *,
    count: Ints,
    n_items: int,
    span: float,
    power: float,
    place: Floats | None = None,
    own: Floats | None = None,
) -> sp.csr_matrix:
    """Cuts windows of 3 spans, each a quarter of its length after the last: a sparse row each.

    The number of windows that two positions share falls as a triangle with their distance, which
    stands in for the exponential. A history no longer than a window is one row. A moment is never cut.
    """
    n = len(user)
    begin = np.concatenate([[0], np.cumsum(count)])[user]
    position = np.arange(n) - begin if place is None else place.astype(np.int64)
    stride = max(round(min(0.75 * span, 2**30)), 1)
    length = 4 * stride
    size = count[user]
    rows, columns, values = [], [], []
    cuts = position // stride  # the last window that starts at or before this position
    per_user = np.where(count > length, (np.maximum(count - 1, 0)) // stride + 4, 1)
    base = np.concatenate([[0], np.cumsum(per_user)])
    for back in range(4):
        short = size <= length
        use = ~short if back else np.ones(n, dtype=bool)
        row = base[user] + np.where(short, 0, cuts + 3 - back)
        rows.append(row[use])
        columns.append(item[use])
        value = size.astype(np.float64) ** -power * np.where(short, 1.0, 0.5)  # 4 windows of 1/4 each
        if own is not None:
            value *= own
        values.append(value[use])
    shape = (int(base[-1]), n_items)
    return sp.csr_matrix((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape)


def _begin(user: Codes) -> Ints:
    """Returns where each interaction's user begins, of users in ascending order, [n]."""
    begin: Ints = np.searchsorted(user, user)
    return begin


def _apart(user: Codes, place: Floats, most: float) -> int:
    """Returns how many rows apart two interactions of a user may lie whose places are that near."""
    key = user.astype(np.float64) * (float(place.max(initial=0.0)) + 1.0) + place  # ascending
    until = np.searchsorted(key, key + min(most, float(2**30)), side="right")
    end = np.searchsorted(user, user, side="right")
    return int((np.minimum(until, end) - 1 - np.arange(len(user))).max(initial=0))


@functools.partial(jax.jit, static_argnames=("n_items",))
def _kernel(user: Array, item: Array, weight: Array, span: Array, reach: Array, n_items: int) -> Array:
    """Returns K for interactions sorted by user and time, [N, N]: one diagonal of |p - q| after another."""
    n = user.shape[0]
    position = jnp.arange(n)

    def add(distance: Array, total: Array) -> Array:
        other = jnp.minimum(position + distance, n - 1)
        same = (user[other] == user) & (position + distance < n)
        value = jnp.where(same, weight * jnp.exp(-distance / span), 0.0)
        added: Array = total.at[item, item[other]].add(value)
        return added

    above = lax.fori_loop(1, reach + 1, add, jnp.zeros((n_items, n_items)))
    kernel: Array = above + above.T + jnp.diag(jnp.zeros(n_items).at[item].add(weight))
    return kernel


@functools.partial(jax.jit, static_argnames=("n_items",))
def _kernel_of_moments(
    user: Array,
    item: Array,
    weight: Array,
    place: Array,
    own: Array,
    span: Array,
    reach: Array,
    n_items: int,
) -> Array:
    """Returns K as `_kernel` does, of interactions with places among their user's and weights."""
    n = user.shape[0]
    position = jnp.arange(n)

    def add(distance: Array, total: Array) -> Array:
        other = jnp.minimum(position + distance, n - 1)
        same = (user[other] == user) & (position + distance < n)
        near = jnp.exp((place - place[other]) / span)
        value = jnp.where(same, weight * own * own[other] * near, 0.0)
        added: Array = total.at[item, item[other]].add(value)
        return added

    above = lax.fori_loop(1, reach + 1, add, jnp.zeros((n_items, n_items)))
    kernel: Array = above + above.T + jnp.diag(jnp.zeros(n_items).at[item].add(weight * own * own))
    return kernel
