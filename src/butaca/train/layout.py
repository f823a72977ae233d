"""This module says how what a step reads and changes lies on a mesh that splits the catalogue."""

from __future__ import annotations

from typing import Any, NamedTuple

import equinox as eqx
import jax
import numpy as np
import optax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from butaca.model.towers import Inputs, Tower
from butaca.train.batch import Batch
from butaca.train.processes import put
from butaca.types import AnyArray

#: The axis that the catalogue is split over.
AXIS = "items"

SPLIT: Any = PartitionSpec(AXIS)  # type: ignore[no-untyped-call]
WHOLE: Any = PartitionSpec()  # type: ignore[no-untyped-call]


class Towers(NamedTuple):
    """Holds what training changes: the query and candidate towers, and a term of each item alone [rows]."""

    query: Tower
    candidate: Tower
    bias: AnyArray | None = None


class Features(NamedTuple):
    """Holds what training reads and never changes: encoded rows of all users and all items."""

    query: Inputs
    candidate: Inputs


def item_mesh(n_devices: int | None = None) -> Mesh:
    """Returns a mesh with one axis `items` over all devices, other processes' too, or the first n."""
    devices = jax.devices()[:n_devices]
    return Mesh(np.array(devices), (AXIS,))


def tower_specs(towers: Towers, key: str | None) -> Towers:
    """Says how each parameter lies on the mesh: what has a row per item is split, the rest whole."""
    query = jax.tree.map(lambda _: WHOLE, towers.query)
    candidate = jax.tree.map(lambda _: WHOLE, towers.candidate)
    if key is not None:
        candidate = eqx.tree_at(lambda tower: tower.tables[key], candidate, SPLIT)
    if towers.query.history is not None and towers.query.history.table is not None:
        query = eqx.tree_at(lambda tower: tower.history.table, query, SPLIT)
    return Towers(query, candidate, None if towers.bias is None else SPLIT)


def place(tree: Any, specs: Any, *, mesh: Mesh) -> Any:
    """Puts arrays on the mesh's devices by their specs.

    On one device all lie whole, as what a step returns does: else the second step would be compiled anew.
    """
    if mesh.size == 1:
        return jax.tree.map(lambda x: put(x, NamedSharding(mesh, WHOLE)), tree)
    return jax.tree.map(lambda x, spec: put(x, NamedSharding(mesh, spec)), tree, specs)


def feature_specs(features: Features) -> Features:
    """Says how features lie: the users' whole on every device, the items' split by row."""
    query = jax.tree.map(lambda _: WHOLE, features.query)
    return Features(query, jax.tree.map(lambda _: SPLIT, features.candidate))


def batch_specs(batch: Batch) -> Batch:
    """Says how a batch lies: candidate slots split, everything else whole."""
    whole = jax.tree.map(lambda _: WHOLE, batch)
    rows = None if batch.candidate_rows is None else SPLIT
    replaced: Batch = whole._replace(candidate_rows=rows, log_weight=SPLIT)
    return replaced


def state_specs(optimizer: optax.GradientTransformation, state: Any, *, specs: Towers) -> Any:
    """Says how an optimizer's state lies: what belongs to a parameter as that does, the rest whole."""
    return optax.tree_map_params(
        optimizer, lambda _, spec: spec, state, specs, transform_non_params=lambda _: WHOLE
    )
