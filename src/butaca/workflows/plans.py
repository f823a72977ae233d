"""This module holds what a fit decides before it reads anything, a FitPlan, and does it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from butaca.data.dataset import Dataset
from butaca.errors import SettingError
from butaca.extras import needed, require
from butaca.recommend.folder.bundle import check_free
from butaca.workflows.fitting import Fitted, Target, fit
from butaca.workflows.loading import Columns, Sides, Split, at_least, check_split, load, prepared, with_events

if TYPE_CHECKING:  # these load JAX
    from butaca.recipes import Recipe
    from butaca.scale.ray_training import JobEvent
    from butaca.train.callbacks import Callback
    from butaca.workflows.fitting import Trainer

SoftmaxName: TypeAlias = Literal["full", "sampled", "in_batch"]


@dataclass(frozen=True)
class RecipeChoice:
    """A RecipeChoice says which recipe trains, and what replaces its own settings; None leaves them.

    Attributes:
        name: of the recipe.
        settings: a file that `butaca tune` wrote.
        epochs, batch_size, dim, softmax: instead of the recipe's.
    """

    name: str = "default"
    _: KW_ONLY
    settings: Path | None = None
    epochs: int | None = None
    batch_size: int | None = None
    dim: int | None = None
    softmax: SoftmaxName | None = None

    def __post_init__(self) -> None:
        """Checks that what replaces a setting is a whole number above 0."""
        for name in ("epochs", "batch_size", "dim"):
            at_least(name, getattr(self, name), least=1)

    def recipe(self, seed: int = 42) -> Recipe:
        """Returns the recipe with these settings, and this seed of training.

        Raises:
            SettingError: no recipe has the name, or the file of settings can't be read.
        """
        from butaca import recipes

        chosen = recipes.recipe(self.name)
        if self.settings is not None:
            from butaca.tune import load_settings

            chosen = load_settings(self.settings, chosen)
        model = chosen.model
        return replace(
            chosen,
            model=replace(model, seed=seed, dim=self.dim or model.dim, softmax=self.softmax or model.softmax),
            epochs=self.epochs or chosen.epochs,
            steps=0 if self.epochs else chosen.steps,
            batch_size=self.batch_size or chosen.batch_size,
        )


@dataclass(frozen=True)
class Keeping:
    """A Keeping says what training writes besides the model.

    Attributes:
        checkpoint: folder of a checkpoint, or None.
        every_steps: steps between two of them; 0: each epoch.
        resume: continue from it.
        tensorboard: folder of TensorBoard logs, or None.
    """

    checkpoint: Path | None = None
    _: KW_ONLY
    every_steps: int = 0
    resume: bool = False
    tensorboard: Path | None = None

    def __post_init__(self) -> None:
        """Checks that what is continued has a folder, and the steps between two checkpoints."""
        at_least("every_steps", self.every_steps, least=0)
        if self.resume and self.checkpoint is None:
            raise SettingError(
                "resume continues a checkpoint",
                "no checkpoint",
                "Name its folder with checkpoint= (on the command line: --checkpoint)",
            )


@dataclass(frozen=True)
class Cluster:
    """A Cluster says where training runs on Ray.

    Attributes:
        workers: processes that train together, a core each; 0: all cores of the cluster.
        address: HOST:PORT of the cluster; None starts one here.
    """

    workers: int = 0
    address: str | None = None

    def __post_init__(self) -> None:
        """Checks the number of workers."""
        at_least("workers", self.workers, least=0)


@dataclass(frozen=True)
class FitPlan:
    """A FitPlan holds every decision of a fit: `butaca fit` makes one of its options, and Python can too.

    Attributes:
        source: a MovieLens set by name, a table, or a folder of `butaca data prepare`; None with from_events.
        out: folder for the model.
        from_events: address of the service's events, which are added.
        columns: of the source, and tables of features.
        recipe: what to train.
        split, test_share: how to hold out what judges; of prepared data, which come split, neither is read.
        seed: of the split and of training.
        rank: train a second stage too, and for which target.
        keeping: checkpoints and logs.
        ray: train on a cluster; None trains in this process.

    Raises:
        SettingError: two decisions exclude each other.
    """

    source: str | None = None
    out: Path = Path("model")
    _: KW_ONLY
    from_events: str | None = None
    columns: Columns = field(default_factory=Columns)
    recipe: RecipeChoice = field(default_factory=RecipeChoice)
    split: Split = "random"
    test_share: float = 0.2
    seed: int = 42
    rank: Target | None = None
    keeping: Keeping = field(default_factory=Keeping)
    ray: Cluster | None = None

    def __post_init__(self) -> None:
        """Checks what can be known before the data are read."""
        object.__setattr__(self, "out", Path(self.out))
        check_split(self.split, test_share=self.test_share, seed=self.seed)
        if self.source is None and self.from_events is None:
            raise SettingError(
                "fit learns from a table",
                "none",
                "Name a source, or events with from_events= (on the command line: SOURCE, --from-events)",
            )
        if self.ray is not None and self.keeping.tensorboard is not None:
            raise ray_needs_prepared()

    def check_sides(self, sides: Sides | None) -> None:
        """Checks the plan against whether the source came prepared (its sides) or not (None).

        Raises:
            SettingError: it asks for what such a source does not allow.
        """
        if sides is not None and (self.rank is not None or self.from_events is not None):
            raise SettingError(
                "Prepared data train the towers alone, from the disk",
                "rank or from_events (--rank, --from-events) with a folder of prepared data",
                "Leave it out, or pass the table itself",
            )
        if sides is None and self.ray is not None:
            raise ray_needs_prepared()

    @property
    def cluster_checkpoint(self) -> Path:
        """Names the folder of checkpoints on a cluster: beside the model if the plan names none."""
        return self.keeping.checkpoint or self.out.absolute().parent / f".{self.out.name}.checkpoint"


@dataclass(frozen=True)
class Watching:
    """A Watching names who is told while a plan is carried out; None: nobody.

    Attributes:
        data: called once the data are read.
        cluster: called with what happens on a cluster.
        callbacks: of training, such as Progress.
    """

    data: Callable[[Dataset], None] | None = None
    cluster: Callable[[JobEvent], None] | None = None
    callbacks: Sequence[Callback] = ()


def carry_out(plan: FitPlan, watching: Watching | None = None) -> Fitted:
    """Does what the plan says: reads, splits, trains, judges, and saves the model at `plan.out`.

    >>> from butaca.workflows.plans import FitPlan, RecipeChoice, carry_out
    >>> carry_out(FitPlan("nowhere.csv"))
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
    recipe = plan.recipe.recipe(plan.seed)
    sides = None if plan.source is None else prepared(plan.source)
    plan.check_sides(sides)
    data = _read(plan, sides)
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
    )
    fitted.recommender.save(plan.out)
    if plan.ray is not None and plan.keeping.checkpoint is None:
        shutil.rmtree(plan.cluster_checkpoint)
    return fitted


def ray_needs_prepared() -> SettingError:
    """Returns the error of a cluster that is asked for what it doesn't do."""
    return SettingError(
        "Ray trains the towers on prepared data, and writes no TensorBoard logs",
        "ray= with a table or a folder of logs (--engine ray, --tensorboard)",
        "Prepare the table first (scale.prepare.prepare, `butaca data prepare SOURCE --out FOLDER`) and pass "
        "that folder, or leave ray out (--engine local)",
    )


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
    with needed("Training on a cluster (fit --engine ray)"):
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
