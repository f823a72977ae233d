"""This module finds a device's part of what all hold: entries whose items lie in its share.

All devices know all entries of a batch. Adding up a row of a table for each is most of what a step does
beside its softmax, so each device takes its own entries alone: they are brought together, in room for a few
even shares. Where its share is larger than that, all entries are taken, those of others with no weight.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, cast

import jax.numpy as jnp
from jax import Array, lax

At: TypeAlias = Array | slice


#: Room for a device's entries, in even shares: the smallest that holds them is taken, and else all.
SHARES = (2, 4)


def over_own(add: Callable[[At, Array], Array], own: Array, *, axis: str | None) -> Array:
    """Returns what `add` makes of this device's entries; which others it is given makes no difference.

    Args:
        add: of the places of entries, in ascending order, and which of them count.
        own: which entries are this device's, bool [P].
        axis: name of the mesh axis that they are split over; None for one device, which has them all.
    """
    n, n_devices = len(own), 1 if axis is None else lax.axis_size(axis)

    def within(shares: tuple[int, ...]) -> Array:
        if not shares or (room := -(-shares[0] * n // n_devices)) >= n:
            return add(slice(None), own)

        def of_some() -> Array:
            at = jnp.nonzero(own, size=room, fill_value=n)[0]
            return add(jnp.minimum(at, n - 1), at < n)

        return cast(Array, lax.cond(own.sum() <= room, of_some, lambda: within(shares[1:])))

    return within(SHARES)
