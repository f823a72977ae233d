"""This module carries out plans: it reads, trains, judges and writes what they say."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from butaca.data.dataset import Dataset
from butaca.data.splits import COMES_NEXT, split_at
from butaca.errors import SettingError
from butaca.extras import needed, require
from butaca.recommend.folder.bundle import check_free
from butaca.workflows.choosing import ChoiceWatch
from butaca.workflows.fitting import Fitted, fit
from butaca.workflows.loading import Sides, load, load_test, prepared, split_by, with_events
from butaca.workflows.plans import FitPlan, TunePlan

if TYPE_CHECKING:  # these load JAX
    from butaca.scale.ray_training import JobEvent
    from butaca.train.callbacks import Callback
    from butaca.tune import Trial, Tuned
    from butaca.workflows.fitting import Trainer


@dataclass(frozen=True)
class Watching:
    """A Watching names who is told while a plan is carried out; None: nobody.

    Attributes:
        data: called once the data are read.
        cluster: called with what happens on a cluster.
        callbacks: of training, such as Progress.
        choice: told how a search gets on before it.
    """

    data: Callable[[Dataset], None] | None = None
    cluster: Callable[[JobEvent], None] | None = None
    callbacks: Sequence[Callback] = ()
    choice: ChoiceWatch | None = None


def carry_out_fit(plan: FitPlan, watching: Watching | None = None) -> Fitted:
    """Does what the plan says: reads, splits, trains, judges, and saves the model at `plan.out`.

    >>> from butaca.workflows.plans import FitPlan
    >>> carry_out_fit(FitPlan("nowhere.csv"))
    Traceback (most recent call last):
        ...
    butaca.errors.TableError: ...

    Args:
        plan: what to do.
        watching: who is told on the way.

    Raises:
        ButacaError: a source that can't be read, a setting out of range, a folder that holds something else.
    """
    watching = watching or Watching()
    check_free(plan.out)
    _check_places(plan)
    _check_extras(plan)
    plan.recipe.recipe(plan.seed)  # what it can't be made of is said before anything is read
    sides = None if plan.source is None else prepared(plan.source)
    plan.check_sides(sides)
    data = _read(plan, sides)
    signal = plan.columns.signal if sides is None else sides.signal
    own = _own_sides(plan, data) if sides is None else None
    if own is not None:
        sides, data = own, replace(data, notes=own.train.notes)
    choosing = plan.choosing(sides if own is None else None, watching.choice)
    recipe = plan.recipe.recipe(plan.seed, split=plan.split if sides is None else sides.split)
    if watching.data is not None:
        watching.data(data)
    fitted = fit(
        data,
        recipe,
        split=plan.split,
        test_share=plan.test_share,
        seed=plan.seed,
        callbacks=_callbacks(plan, watching),
        resume=plan.keeping.checkpoint if plan.keeping.resume else None,
        rank=plan.rank is not None,
        target=plan.rank or "watched",
        sides=sides,
        trainer=_trainer(plan, watching),
        signal=signal,
        choosing=choosing,
    )
    if plan.noun is not None:
        about = {**fitted.recommender.about, "noun": plan.noun}
        fitted.recommender = replace(fitted.recommender, about=about)
    fitted.recommender.save(plan.out)
    if plan.ray is not None and plan.keeping.checkpoint is None:
        shutil.rmtree(plan.cluster_checkpoint)
    return fitted


def carry_out_tune(
    plan: TunePlan,
    progress: Callable[[Trial, float], None] | None = None,
    *,
    watching: Callable[[Dataset], None] | None = None,
) -> Tuned:
    """Searches the default recipe's settings, and writes them to `plan.out`.

    Args:
        plan: what to search.
        progress: called after each trial with it and the best value so far.
        watching: called once the data are read.

    Raises:
        ButacaError: a source that can't be read, or Optuna is not installed.
    """
    from butaca import recipes
    from butaca.tune import save_settings, tune, validation_slices

    require("optuna", "A search of settings")
    if plan.out.is_dir() or not plan.out.parent.is_dir():
        received = (
            f"{plan.out}, which is a folder" if plan.out.is_dir() else f"{plan.out}, whose folder is none"
        )
        raise SettingError("Settings are written to a file", received, "Name a file, such as settings.json")
    data = load(plan.source, plan.columns)
    if watching is not None:
        watching(data)
    train, _ = split_by(data, plan.split, test_share=plan.test_share, seed=plan.seed)
    slices = validation_slices(train, plan.slices, split=plan.split)
    found = tune(
        recipes.DEFAULT,
        slices,
        trials=plan.trials,
        seconds=plan.seconds,
        seed=plan.seed,
        future=plan.split in COMES_NEXT,
        progress=progress,
    )
    held_out = {"split": plan.split, "test_share": plan.test_share, "seed": plan.seed}
    save_settings(found, plan.out, about={"source": plan.source, **held_out, "slices": len(slices)})
    return found


def _check_extras(plan: FitPlan) -> None:
    """Checks before anything is read that the libraries are there which the plan will need."""
    if plan.rank is not None:
        require("lightgbm", "A second stage")
    if plan.ray is not None:
        require("ray", "Training on a cluster")
    if plan.from_events is not None:
        with needed("fit --from-events"):
            import butaca.events.store  # noqa: F401


def _check_places(plan: FitPlan) -> None:
    """Checks that the folders of logs and checkpoints are none that are files."""
    for name in ("checkpoint", "tensorboard"):
        folder = getattr(plan.keeping, name)
        if folder is not None and folder.exists() and not folder.is_dir():
            raise SettingError(f"{name} is a folder", f"{folder}, which is a file", "Name another place")


def _read(plan: FitPlan, sides: Sides | None) -> Dataset:
    """Reads what the plan learns from: prepared data's training side, or a table, events or both."""
    if sides is not None:
        return sides.train
    data = None if plan.source is None else load(plan.source, plan.columns)
    if plan.from_events is None:
        assert data is not None
        return data
    with needed("Learning from events (fit --from-events)"):
        return with_events(data, plan.from_events, columns=plan.columns)


def _own_sides(plan: FitPlan, data: Dataset) -> Sides | None:
    """Returns what trains and what judges where the plan says it by a moment or a table; None for a split."""
    if plan.split_at is not None:
        train, test = split_at(data, plan.split_at)
        share = len(test) / len(data)
        return Sides(train, test, "temporal", share, plan.seed)
    if plan.test is not None:
        from butaca.data.times.odd import ODD_TIMES

        test = load_test(plan.test, users=data.users, items=data.items, columns=plan.columns)
        said = [
            f"test: {note}"
            for note in (f"{len(test):,} pairs of {plan.test}", *test.notes)
            if "column" not in note or ODD_TIMES in note
        ]
        data = replace(data, notes=(*data.notes, *said))
        return Sides(data, test, "given", len(test) / (len(data) + len(test)), plan.seed)
    return None


def _callbacks(plan: FitPlan, watching: Watching) -> list[Callback]:
    """Lists the callbacks of training in this process."""
    from butaca.train.callbacks import Checkpoint, TensorBoard

    callbacks = list(watching.callbacks)
    if plan.keeping.tensorboard is not None:
        callbacks.append(TensorBoard(plan.keeping.tensorboard))
    if plan.keeping.checkpoint is not None:
        callbacks.append(Checkpoint(plan.keeping.checkpoint, plan.keeping.every_steps))
    return callbacks


def _trainer(plan: FitPlan, watching: Watching) -> Trainer | None:
    """Returns what trains on a cluster, or None for this process."""
    if plan.ray is None:
        return None
    from butaca.scale.ray_training import fit_on_ray

    return partial(
        fit_on_ray,
        str(plan.source),
        workers=plan.ray.workers,
        checkpoint=plan.cluster_checkpoint,
        address=plan.ray.address,
        every_steps=plan.keeping.every_steps,
        resume=plan.keeping.resume,
        progress=watching.cluster,
    )
