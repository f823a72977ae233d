"""This module makes a step over a mesh whose axis `items` splits the catalogue (docs/architecture.md).

Each device holds its own rows of the candidate id table and of the encoded item features. It computes
the vectors of the candidates it owns, its part of the logits, and [Q]- and [P]-shaped partial sums
that `losses` adds over the axis: what crosses between devices never grows with the catalogue. On one
device every collective is a no-op.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import optax
from jax import Array, lax
from jax.sharding import Mesh, NamedSharding

from butaca.model.losses import Known, Mask, Positives, l2_penalty, softmax_loss
from butaca.model.order.tables import OrderTable
from butaca.model.owned import At, over_own
from butaca.model.rows import add_rows
from butaca.model.tiles import apart
from butaca.model.towers import HistoryTable, Inputs, Rows, unit
from butaca.train.batch import Batch, HistoryRows, Windows
from butaca.train.layout import (
    AXIS,
    WHOLE,
    Features,
    Towers,
    batch_specs,
    feature_specs,
    state_specs,
    tower_specs,
)
from butaca.train.slots import knowing, with_slots
from butaca.types import AnyArray

#: A matrix of queries by items with at least one entry in this many cells is multiplied whole.
FILLED = 50


@dataclass(frozen=True)
class LossSettings:
    """Says which softmax (losses.softmax_loss); `key` names the table that is split by catalogue row.

    `sampled`: candidates are draws, and a batch's slots are catalogue rows (see Batch). `unit` gives both
    towers' vectors length 1, `scale` multiplies their product (1 / temperature), `dropout` is the share of
    each history that a step leaves out.
    """

    mask: Mask = "none"
    sampled: bool = False
    l2: float = 0.0
    key: str | None = None
    unit: bool = False
    scale: float = 1.0
    dropout: float = 0.0


class StepLoss(NamedTuple):
    """Holds the softmax loss and the L2 term, each summed over the batch."""

    loss: AnyArray
    regularization: AnyArray


def batch_loss(
    settings: LossSettings,
    mesh: Mesh,
    *,
    towers: Towers,
    features: Features,
    batch: Batch,
    count: AnyArray = 0,
) -> StepLoss:
    """Returns one batch's loss, two scalars, differentiable in the towers; `count` numbers the step."""
    on_axis = AXIS if mesh.size > 1 else None

    def local(towers: Towers, features: Features, batch: Batch, count: AnyArray) -> StepLoss:
        rows = batch.query_rows
        items = features.candidate
        n_rows = _n_rows(items)  # of the catalogue, on this device
        first = 0 if on_axis is None else lax.axis_index(AXIS) * n_rows
        history = None
        reader = towers.query.history
        if isinstance(batch.history, Windows) and isinstance(reader, OrderTable):
            table = reader.table
            if table is None:
                table = towers.candidate.tables[cast(str, settings.key)]
            history = read_windows(
                reader,
                table,
                windows=batch.history,
                dropout=settings.dropout,
                count=count,
                first=first,
                axis=on_axis,
            )
        elif isinstance(batch.history, HistoryRows) and isinstance(reader, HistoryTable):
            history = summed_histories(
                reader,
                batch.history,
                n_queries=rows.shape[0],
                dropout=settings.dropout,
                count=count,
                first=first,
                axis=on_axis,
            )
        queries = towers.query(_take(features.query, rows), history)  # [Q, d]
        bias = towers.bias
        if settings.mask == "known" and batch.known_query is None:
            batch = knowing(batch)
        if settings.sampled:
            batch = with_slots(batch, first, n_rows=n_rows, axis=on_axis)
        if batch.candidate_rows is None:
            candidates = towers.candidate(_own_codes(items, settings.key))
        else:
            own_rows = batch.candidate_rows - first
            candidates = towers.candidate(_take(_own_codes(items, settings.key), own_rows))
            bias = None if bias is None else bias[own_rows]
        if settings.unit:
            # Kept apart: merged into the gather of the positives, every one of them would be divided anew.
            queries, candidates = unit(queries), apart(unit(candidates))
        if settings.scale != 1.0:
            queries = queries * settings.scale
        positives = Positives(batch.positive_query, batch.positive_slot, batch.positive_weight)
        known = None
        if batch.known_query is not None and batch.known_slot is not None:
            known = Known(jnp.asarray(batch.known_query), jnp.asarray(batch.known_slot))
        loss = softmax_loss(
            queries,
            candidates,
            log_weight=batch.log_weight,
            positives=positives,
            known=known,
            bias=bias,
            mask=settings.mask,
            add_positive=settings.sampled and settings.mask == "none",
            axis=on_axis,
        )
        penalty = jnp.zeros_like(loss)
        if settings.l2:
            penalty = settings.l2 * l2_penalty(queries, candidates, positives=positives, axis=on_axis)
        return StepLoss(loss, penalty)

    count = jnp.asarray(count, dtype=jnp.uint32)
    if on_axis is None:
        return local(towers, features, batch, count)
    specs = (
        tower_specs(towers, settings.key),
        feature_specs(features),
        batch_specs(batch),
        WHOLE,
    )
    return jax.shard_map(local, mesh=mesh, in_specs=specs, out_specs=StepLoss(WHOLE, WHOLE))(
        towers, features, batch, count
    )


def summed_histories(
    weights: HistoryTable,
    entries: HistoryRows,
    *,
    n_queries: int,
    dropout: float,
    count: Array,
    first: AnyArray,
    axis: str | None,
) -> Array:
    """Returns each query's sum_i w_i h_i / sqrt(sum_i w_i), [Q, d], with a share of entries left out.

    This device adds the items that it owns, catalogue rows `first` on, as one product of a [Q, rows] matrix
    with its table: on CPUs a gather and a segment sum take six times as long at MovieLens 100K's size. Where
    that matrix would be nearly empty (100,000 items, say, or a million) they take less time, and memory.
    """
    weight = weights.weights(entries.weight, entries.bins, age=entries.age)
    if dropout:
        key = jax.random.fold_in(jax.random.key(0), count)
        weight = weight * jax.random.bernoulli(key, 1.0 - dropout, weight.shape)
    total = jnp.zeros(n_queries).at[entries.query].add(weight)
    n_rows, dim = weights.table.shape
    own = entries.item - first
    inside = (own >= 0) & (own < n_rows)
    filled = len(entries.query) * FILLED >= n_queries * n_rows
    start = jnp.zeros((n_queries, n_rows if filled else dim))
    if axis is not None:
        weight = lax.pcast(weight, axis, to="varying")
        start = lax.pcast(start, axis, to="varying")
    if filled:
        dense = start.at[entries.query, jnp.where(inside, own, n_rows)].add(weight, mode="drop")
        summed = dense @ weights.table
    else:

        def add(at: At, mine: Array) -> Array:
            where = jnp.where(mine, own[at], 0)
            return add_rows(start, entries.query[at], where, jnp.where(mine, weight[at], 0.0), weights.table)

        summed = over_own(add, inside, axis=axis)
    if axis is not None:
        summed = lax.psum(summed, axis)  # type: ignore[no-untyped-call]
    mean: Array = summed * lax.rsqrt(jnp.maximum(total, 1e-12))[:, None]
    return mean


def read_windows(
    reader: OrderTable,
    table: Array,
    *,
    windows: Windows,
    dropout: float,
    count: Array,
    first: AnyArray,
    axis: str | None,
) -> Array:
    """Returns what came before each place, [R * L, d], with a share of the places left out.

    Devices add the vectors of the items that they own; what crosses between them is as large as the batch.
    """
    shape, (n_rows, dim) = windows.item.shape, table.shape
    own = windows.item.reshape(-1) - first
    weight = jnp.where((own >= 0) & (own < n_rows), 1.0, 0.0)
    if dropout:
        key = jax.random.fold_in(jax.random.key(0), count)
        weight = weight * jax.random.bernoulli(key, 1.0 - dropout, weight.shape)
    start = jnp.zeros((len(own), dim))
    if axis is not None:
        start = lax.pcast(start, axis, to="varying")
    at = jnp.clip(own, 0, n_rows - 1)
    vectors = add_rows(start, jnp.arange(len(own)), at, weight, table)
    if axis is not None:
        vectors = lax.psum(vectors, axis)  # type: ignore[no-untyped-call]
    return reader(vectors.reshape(*shape, dim), windows.begins, gap=windows.gap, since=windows.since).reshape(
        -1, dim
    )


@functools.lru_cache(maxsize=32)
def make_step(
    settings: LossSettings, mesh: Mesh, *, optimizer: optax.GradientTransformation
) -> Callable[[Towers, Any, Features, Batch, Any], tuple[Towers, Any, StepLoss]]:
    """Returns the compiled step: (towers, optimizer state, features, batch, its number) -> both and the loss.

    Kept by its arguments, so that a second fit with the same optimizer object compiles nothing.
    """

    def objective(towers: Towers, features: Features, batch: Batch, count: Array) -> tuple[Array, StepLoss]:
        parts = batch_loss(settings, mesh, towers=towers, features=features, batch=batch, count=count)
        return parts.loss + parts.regularization, parts

    def step(
        towers: Towers, state: Any, features: Features, batch: Batch, count: Array
    ) -> tuple[Towers, Any, StepLoss]:
        batch = _gathered(mesh, batch)
        grads, parts = jax.grad(objective, has_aux=True)(towers, features, batch, count)
        updates, state = optimizer.update(grads, state, towers)
        towers, state = _lying(optimizer, mesh, settings.key, optax.apply_updates(towers, updates), state)
        return towers, state, parts

    return jax.jit(step, donate_argnums=(0, 1))


@functools.lru_cache(maxsize=32)
def make_init(
    optimizer: optax.GradientTransformation, mesh: Mesh, *, key: str | None
) -> Callable[[Towers], Any]:
    """Returns the compiled start of an optimizer's state, kept by optimizer; `key` as in LossSettings."""

    def init(towers: Towers) -> Any:
        return _lying(optimizer, mesh, key, towers, optimizer.init(towers))[1]

    return jax.jit(init, out_shardings=NamedSharding(mesh, WHOLE) if mesh.size == 1 else None)


def _gathered(mesh: Mesh, batch: Batch) -> Batch:
    """Returns the batch with item codes whole on every device, where they came as shares (shares.py)."""
    if mesh.size == 1:
        return batch
    keep: Any = functools.partial(lax.with_sharding_constraint, shardings=NamedSharding(mesh, WHOLE))
    history = batch.history
    history = None if history is None else history._replace(item=keep(history.item))
    gathered: Batch = batch._replace(positive_slot=keep(batch.positive_slot), history=history)
    return gathered


def _lying(
    optimizer: optax.GradientTransformation, mesh: Mesh, key: str | None, towers: Towers, state: Any
) -> tuple[Towers, Any]:
    """Keeps towers and optimizer state where their specs say, not where XLA would rather have them."""
    if mesh.size == 1:
        return towers, state
    specs = tower_specs(towers, key)
    kept = (towers, state), (specs, state_specs(optimizer, state, specs=specs))
    constrain: Any = lax.with_sharding_constraint
    lying: tuple[Towers, Any] = jax.tree.map(lambda x, spec: constrain(x, NamedSharding(mesh, spec)), *kept)
    return lying


def _n_rows(inputs: Inputs) -> int:
    return int(next(iter(inputs.values()))[0].shape[0])


def _take(inputs: Rows, rows: Array) -> Inputs:
    return {
        n: (rows[:, None] if codes is None else codes[rows], None if w is None else w[rows])
        for n, (codes, w) in inputs.items()
    }


def _own_codes(inputs: Inputs, key: str | None) -> Rows:
    """Returns item features with the split table's rows in their order: a row per item of this device."""
    return inputs if key is None else dict(inputs) | {key: (None, inputs[key][1])}
