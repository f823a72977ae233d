"""This module assembles the run that a fit carries out, with the state that the fit fills."""

from __future__ import annotations

from dataclasses import replace

import optax

from butaca.data.dataset import Dataset
from butaca.data.histories import Histories
from butaca.model.followers import followers
from butaca.model.neighbours import neighbours
from butaca.model.query import RatingBins
from butaca.train.build import batch_plan, build_batches, build_towers, history_rows, spectrum_of
from butaca.train.fitted import FittedState, Learned
from butaca.train.layout import feature_specs, item_mesh, place, tower_specs
from butaca.train.loop import TrainingRun
from butaca.train.optimizers import default_optimizer
from butaca.train.settings import TwoTowerSettings
from butaca.train.step import LossSettings


def assemble(
    train: Dataset,
    settings: TwoTowerSettings,
    *,
    batch_size: int,
    optimizer: optax.GradientTransformation | None = None,
    described: bool = False,
) -> FittedState:
    """Returns the state of a fit that has not begun: its run holds new parameters and the batches.

    Args:
        train: as `training_data` gives them.
        settings: of the model.
        batch_size: pairs per step.
        optimizer: any of optax; default Adagrad 0.5, the notebook's.
        described: whether the run says of which settings and data it is, as checkpoints ask.
    """
    users, items = train.users, train.items
    softmax = settings.softmax_for(len(items))
    loss = LossSettings(
        mask=settings.mask_for(softmax),
        sampled=softmax == "sampled",
        l2=settings.l2,
        key=items.key if items.key in {f.column for f in settings.candidate} else None,
        unit=settings.unit,
        scale=1.0 / settings.temperature,
        dropout=settings.history.dropout if settings.history else 0.0,
    )
    seen = Histories.of(train)
    spectrum = spectrum_of(train, settings)
    bins = None
    if settings.history and settings.history.by_rating and train.value is not None:
        bins = RatingBins.of(train.value)
    mesh = item_mesh(settings.devices)
    rows_per_shard = -(-(len(items) + 1) // mesh.size)
    towers, features = build_towers(
        train, settings, n_rows=rows_per_shard * mesh.size, spectrum=spectrum, bins=bins
    )
    towers = place(towers, tower_specs(towers, loss.key), mesh=mesh)
    features = place(features, feature_specs(features), mesh=mesh)
    batches = build_batches(
        train,
        batch_plan(settings, batch_size, softmax=softmax),
        mesh=mesh,
        rows_per_shard=rows_per_shard,
        histories=history_rows(seen, settings.history, bins=bins) if settings.history else None,
        dislikes=settings.dislikes,
    )
    run = TrainingRun(
        towers,
        features,
        batches=batches,
        settings=loss,
        mesh=mesh,
        optimizer=optimizer or default_optimizer(),
        description={
            "settings": repr(replace(settings, blend=None, followers=None, neighbours=None)),
            "batch_size": batch_size,
            "data": train.fingerprint(),
        }
        if described
        else None,
    )
    learned = Learned(run.towers, run.features, train.item)
    share = None if settings.blend is None else settings.blend.share_in(train)
    state = FittedState(users, items, seen, run, learned, softmax, spectrum, bins, share)
    if settings.followers is not None:
        state.counted = followers(seen, n_items=len(items), settings=settings.followers)
    if settings.neighbours is not None:
        state.counted = neighbours(seen, n_items=len(items), settings=settings.neighbours)
    state.again = train.again
    return state
