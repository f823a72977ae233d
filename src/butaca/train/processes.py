"""This module serves a mesh of several processes: what each holds of its arrays, what all agree on.

Every process runs the same program on the same data. What is computed outside the compiled step, such as
the spectral start or a validation metric, may differ between machines in its last digits; where a decision
or a starting point hangs on it, all take the first process's word (`first_says`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Sharding

from butaca.types import AnyArray


def is_first() -> bool:
    """Says whether this is the process that writes, or the only one."""
    return jax.process_index() == 0


def put(x: AnyArray, sharding: Sharding) -> jax.Array:
    """Returns an array that every process holds, on the mesh's devices; nothing is sent between them."""
    if sharding.is_fully_addressable:
        placed: jax.Array = jax.device_put(x, sharding)
        return placed
    host = np.asarray(x)
    return jax.make_array_from_callback(host.shape, sharding, lambda at: host[at])


def whole(x: Any) -> np.ndarray:
    """Returns an array with all its rows, other processes' too: every process calls this at once."""
    if not isinstance(x, jax.Array) or x.is_fully_addressable or x.is_fully_replicated:
        return np.asarray(x)
    from jax.experimental.multihost_utils import process_allgather

    return np.asarray(process_allgather(x, tiled=True))


def gathered(tree: Any) -> Any:
    """Returns the tree where this process has all of it, else a copy with whole arrays for this process."""
    leaves = jax.tree.leaves(tree)
    if all(x.is_fully_addressable for x in leaves if isinstance(x, jax.Array)):
        return tree
    return jax.tree.map(lambda x: jnp.asarray(whole(x)), tree)


def first_says(make: Callable[[], Sequence[AnyArray]]) -> list[np.ndarray]:
    """Gives every process the arrays as the first one makes them; the others do not call `make`.

    Arrays have at most 4 dimensions, and there are at most 8 of them.
    """
    if jax.process_count() == 1:
        return [np.asarray(x) for x in make()]
    from jax.experimental.multihost_utils import broadcast_one_to_all

    made = [np.asarray(x) for x in make()] if is_first() else []
    shapes = np.full((8, 4), -1, dtype=np.int32)
    kinds = np.zeros(8, dtype=np.int32)  # characters of numpy's type codes, 0 where there is no array
    for at, array in enumerate(made):
        shapes[at, : array.ndim], kinds[at] = array.shape, ord(array.dtype.char)
    shapes, kinds = broadcast_one_to_all((shapes, kinds))
    if not is_first():
        made = [
            np.zeros([size for size in shape if size >= 0], dtype=chr(kind))
            for shape, kind in zip(shapes.tolist(), kinds.tolist(), strict=True)
            if kind
        ]
    sent = [array.view(np.uint32) if array.dtype == np.float64 else array for array in made]
    got = [np.asarray(x) for x in broadcast_one_to_all(sent)]
    return [g.view(np.float64) if m.dtype == np.float64 else g for g, m in zip(got, made, strict=True)]
