"""This module makes, of settings and data, what training starts from."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from butaca.baselines.popularity import HALF_LIFE_SHARE
from butaca.data.dataset import Dataset, Entities
from butaca.data.histories import Histories
from butaca.model.encoded import Encoded, pad_rows
from butaca.model.features import Encoder, Feature, History, encode_with_unknown
from butaca.model.order.tables import OrderTable, start_order
from butaca.model.query import RatingBins, ages
from butaca.model.spectral import Spectrum, decompose, start_vectors
from butaca.model.spectral_settings import SpectralSettings
from butaca.model.towers import HistoryTable, as_tower, init_tower
from butaca.train.batch import BatchPlan, Candidates, UserRows
from butaca.train.batches import Batches
from butaca.train.layout import Features, Towers
from butaca.train.processes import first_says
from butaca.train.settings import Prior, TwoTowerSettings
from butaca.train.shares import SharedBatches
from butaca.train.windows import WindowBatches
from butaca.types import AnyArray, Codes, Floats


def spectrum_of(train: Dataset, settings: TwoTowerSettings) -> Spectrum | None:
    """Returns the decomposition that the start and the closed-form tower share, if either is wanted."""
    spectral = settings.spectral or SpectralSettings(dim=0)
    start = settings.dim if settings.start == "spectral" else 0
    dim = max(start, spectral.dim if spectral.form == "filter" else 0)
    if not dim and not spectral.dim:
        return None

    def found() -> list[AnyArray]:
        spectrum = decompose(
            train.user,
            train.item,
            time=train.timestamp,
            n_items=len(train.items),
            dim=dim,
            settings=spectral,
            seed=settings.seed,
            weight=train.weight,
        )
        return [part for part in spectrum if part is not None]

    return Spectrum(*first_says(found))


def build_towers(
    train: Dataset,
    settings: TwoTowerSettings,
    *,
    n_rows: int,
    spectrum: Spectrum | None,
    bins: RatingBins | None,
) -> tuple[Towers, Features]:
    """Builds towers and encoded features, item rows padded to n_rows (a multiple of the devices)."""
    users, items = train.users, train.items
    rng = np.random.default_rng([settings.seed, 2])
    plain = [f for f in settings.query if not isinstance(f, History)]
    query, candidate = fit_encoders(plain, users), fit_encoders(settings.candidate, items)
    q = init_tower(query, settings.dim, hidden=settings.hidden, rng=rng)
    c = init_tower(candidate, settings.dim, hidden=settings.hidden, rng=rng)
    start = None
    if spectrum is not None and settings.start == "spectral":
        start = start_vectors(spectrum, settings.dim)
        tiny = rng.uniform(-0.005, 0.005, start.shape).astype(np.float32)  # what the data leave at zero
        start = np.where(start == 0.0, tiny, start)
    key = c["tables"].get(items.key)
    if key is not None:
        if start is not None:
            key[: len(items)] = start
        c["tables"][items.key] = np.pad(key, ((0, n_rows - len(key)), (0, 0)))
    history: HistoryTable | OrderTable | None = None
    declared = settings.history
    if declared is not None:
        shared = declared.order is not None and declared.shared and key is not None
        if start is None and not shared:
            start = rng.uniform(-0.05, 0.05, (len(items), settings.dim)).astype(np.float32)
        table = None if start is None or shared else np.pad(start, ((0, n_rows - len(start)), (0, 0)))
        if declared.order is not None:
            history = start_order(declared, table, dim=settings.dim, rng=rng)
        else:
            history = HistoryTable(
                jnp.asarray(table),
                None if bins is None else jnp.zeros(len(bins)),
                jnp.zeros(()) if declared.by_recency and train.timestamp is not None else None,
            )
    bias = item_prior(train, settings.prior, power=settings.prior_power, half_life=settings.prior_half_life)
    towers = Towers(
        as_tower(q, history),
        as_tower(c),
        None if bias is None else jnp.asarray(np.pad(bias, (0, n_rows - len(bias)))),
    )
    return towers, Features(
        {n: _arrays(encode_with_unknown(e, users)) for n, e in query.items()},
        {n: _arrays(pad_rows(encode_with_unknown(e, items), n_rows)) for n, e in candidate.items()},
    )


def history_rows(seen: Histories, history: History, *, bins: RatingBins | None) -> UserRows:
    """Returns what the step reads of each user's history."""
    if history.order is not None:
        return UserRows(seen.items, seen.start, time=seen.time, weight=in_parts_of_the_mean(seen.weight))
    age = None
    if history.by_recency and seen.time is not None:
        age = ages(np.repeat(np.arange(len(seen)), seen.lengths), seen.time, n_rows=len(seen))
    of_rating = None if bins is None or seen.value is None else bins(seen.value)
    return UserRows(seen.items, seen.start, of_rating, age)


def fit_encoders(features: Sequence[Feature], entities: Entities) -> dict[str, Encoder]:
    """Returns an encoder for each column, fitted on the table."""
    return {feature.column: feature.fit(entities) for feature in features}


def item_prior(
    train: Dataset, prior: Prior, *, power: float, half_life: float = HALF_LIFE_SHARE
) -> Floats | None:
    """Returns the log of each item's share of the interactions, over an even share, times `power`, [N].

    Interactions count by their weights, where they have some.

    "recent" halves an interaction's weight for each `half_life` before the data's end, in parts of the
    time that they span.
    """
    if prior == "none":
        return None
    weight = None
    if prior == "recent" and train.timestamp is not None:
        when = train.timestamp.astype(np.float64)  # as integers, times far apart would overflow
        age = when.max() - when
        weight = np.exp2(-age / (half_life * max(float(age.max()), 1.0)))
    if train.weight is not None:
        own = train.weight / train.weight.mean(dtype=np.float64)
        weight = own if weight is None else weight * own
    counts = np.bincount(train.item, weights=weight, minlength=len(train.items)) + 0.5
    bias: Floats = (power * np.log(counts / counts.mean())).astype(np.float32)
    return bias


def _arrays(encoded: Encoded) -> tuple[jax.Array, jax.Array | None]:
    weights = None if encoded.weights is None else jnp.asarray(encoded.weights)
    return jnp.asarray(encoded.codes), weights


def batch_plan(settings: TwoTowerSettings, batch_size: int, *, softmax: Candidates) -> BatchPlan:
    """Returns how these settings batch: whole users where the query reads histories, else pairs."""
    return BatchPlan(
        batch_size,
        softmax,
        settings.mask_for(softmax),
        settings.samples,
        settings.sampling_power,
        settings.logq,
        settings.shuffle,
        settings.seed,
        "pair" if settings.history is None else "user" if settings.order is None else "place",
        200 if settings.history is None else settings.history.window,
    )


def in_parts_of_the_mean(weight: Floats | None) -> Floats | None:
    """Returns weights over their mean, so that a loss keeps its size; None where there are none."""
    return None if weight is None else (weight / weight.mean(dtype=np.float64)).astype(np.float32)


def taught(train: Dataset, dislikes: float) -> tuple[Codes, Codes, Floats | None]:
    """Returns the pairs that a loss is of, [n] each: users, items, and weights where they are not all 1.

    Args:
        train: positives, and the pairs that users said no to.
        dislikes: how much each of those counts, against; 0 leaves them out.
    """
    aside, weight = train.negatives, in_parts_of_the_mean(train.weight)
    if not dislikes or aside is None or not len(aside):
        return train.user, train.item, weight
    likes = np.ones(len(train), dtype=np.float32) if weight is None else weight
    return (
        np.concatenate([train.user, aside.user]),
        np.concatenate([train.item, aside.item]),
        np.concatenate([likes, np.full(len(aside), -dislikes, dtype=np.float32)]),
    )


def build_batches(
    train: Dataset,
    plan: BatchPlan,
    *,
    mesh: Mesh,
    rows_per_shard: int,
    histories: UserRows | None,
    dislikes: float = 0.0,
) -> Batches:
    """Makes the batches of a training set, in shares where several processes can each build their own.

    Args:
        train: the interactions.
        plan: how to batch.
        mesh: of the devices that the catalogue is split over.
        rows_per_shard: catalogue rows on each.
        histories: what the queries read, or None.
        dislikes: how much a pair that a user said no to counts, against.
    """
    user, item, weight = taught(train, dislikes)
    make: Callable[..., Batches] = WindowBatches if plan.by == "place" else Batches
    several = mesh.is_multi_process
    if several and histories and SharedBatches.can(plan, item, histories=histories.items):
        processes = {"process": jax.process_index(), "n_processes": jax.process_count()}
        make = functools.partial(SharedBatches, **processes)
    return make(
        user,
        item,
        n_users=len(train.users),
        n_items=len(train.items),
        plan=plan,
        n_shards=mesh.size,
        rows_per_shard=rows_per_shard,
        histories=histories,
        weight=weight,
    )
