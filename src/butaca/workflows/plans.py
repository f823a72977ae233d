"""This module holds what a command decides before anything is read: a FitPlan, a TunePlan, a ServePlan.

`workflows/carrying.py` and `workflows/serving.py` do what they say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from butaca.catalogue.nouns import noun
from butaca.checks import check_type, path_of, whole_number
from butaca.data.splits import COMES_NEXT, check_share, moment_of
from butaca.errors import SettingError
from butaca.serve.settings import ServeSettings
from butaca.workflows.choosing import ChoiceWatch, Choosing, Effort
from butaca.workflows.fitting import Target
from butaca.workflows.loading import Columns, Sides, Split, ToldBy, no_split

if TYPE_CHECKING:  # loads JAX
    from butaca.model.features import Order
    from butaca.recipes import Recipe

SoftmaxName: TypeAlias = Literal["full", "sampled", "in_batch"]

#: How a history is read: in its order, or "none" as a bag.
OrderName: TypeAlias = Literal["timescales", "attention", "none"]


@dataclass(frozen=True)
class RecipeChoice:
    """A RecipeChoice says which recipe trains, and what replaces its own settings; None leaves them.

    Attributes:
        name: of the recipe.
        settings: a file that `butaca tune` wrote.
        order: how the recipe's history is read; None leaves it to the split: in its order where what is asked
            is what comes next ("last", "temporal", or from a moment on), unless settings are named.
        epochs, batch_size, dim, softmax: instead of the recipe's.
    """

    name: str = "default"
    _: KW_ONLY
    settings: Path | None = None
    order: OrderName | None = None
    epochs: int | None = None
    batch_size: int | None = None
    dim: int | None = None
    softmax: SoftmaxName | None = None

    def __post_init__(self) -> None:
        """Checks that what replaces a setting is a whole number above 0."""
        for name in ("epochs", "batch_size", "dim"):
            at_least(name, getattr(self, name), least=1)
        if self.order is not None:
            check_type("order", self.order, hint=OrderName)
        if self.settings is not None and self.order not in {None, "none"}:
            raise SettingError(
                "Settings that a search found are those of a history without an order",
                f"order={self.order!r} with {self.settings}",
                "Leave out one of the two",
            )

    @property
    def is_plain(self) -> bool:
        """Says whether it is the default recipe, of which nothing but the order is settled."""
        settled = (self.settings, self.epochs, self.batch_size, self.dim, self.softmax)
        return self.name == "default" and all(one is None for one in settled)

    def order_for(self, split: ToldBy) -> Order | None:
        """Returns the order in which the history is read where data are split so; None: as a bag."""
        if self.order == "none" or self.settings is not None:
            return None
        if self.order is not None:
            return self.order
        return "timescales" if self.name == "default" and split in COMES_NEXT else None

    def recipe(self, seed: int = 42, *, split: ToldBy = "random") -> Recipe:
        """Returns the recipe with these settings, and this seed of training.

        Args:
            seed: of training.
            split: how the data are split, which says what is asked of the model.

        Raises:
            SettingError: no recipe has the name, or the file of settings can't be read.
        """
        from butaca import recipes

        chosen = recipes.recipe(self.name)
        order = self.order_for(split)
        if order is not None:
            chosen = chosen.ordered(order)
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
        source: a MovieLens set by name, a table, several files of one, or a folder of `butaca data prepare`;
            None with from_events.
        out: folder for the model.
        from_events: address of the service's events, which are added.
        columns: of the source, and tables of features.
        recipe: what to train.
        split, test_share: how to hold out what judges; of prepared data, which come split, neither is read.
        split_at: a moment, such as "2011-10-01", from which on interactions judge, instead of a split.
        test: a table of interactions that judge, instead of a split.
        seed: of the split and of training.
        rank: train a second stage too, and for which target.
        keeping: checkpoints and logs.
        ray: train on a cluster; None trains in this process.
        noun: what the items are called, such as "book"; None: what the columns' names say.
        effort: how long validation searches for what suits the data; None: "normal" for a table and a recipe
            of which nothing is settled, else "quick".
        trials: of the effort "thorough".

    Raises:
        SettingError: two decisions exclude each other.
    """

    source: str | Sequence[str] | None = None
    out: Path = Path("model")
    _: KW_ONLY
    from_events: str | None = None
    columns: Columns = field(default_factory=Columns)
    recipe: RecipeChoice = field(default_factory=RecipeChoice)
    split: Split = "random"
    split_at: str | None = None
    test: str | None = None
    test_share: float = 0.2
    seed: int = 42
    rank: Target | None = None
    keeping: Keeping = field(default_factory=Keeping)
    ray: Cluster | None = None
    noun: str | None = None
    effort: Effort | None = None
    trials: int = 16

    def __post_init__(self) -> None:
        """Checks what can be known before the data are read."""
        object.__setattr__(self, "out", path_of("out", self.out))
        Choosing(self.effort or "normal", self.trials)
        if self.effort in {"normal", "thorough"} and not self.recipe.is_plain:
            raise SettingError(
                "Validation chooses the settings of the default recipe, or they are given",
                f"effort={self.effort!r} with a recipe, settings, epochs, batch_size, dim or softmax",
                "Leave out one of the two",
            )
        if self.noun is not None:
            noun(self.noun)
        check_split(self.split, test_share=self.test_share, seed=self.seed)
        if self.split_at is not None:
            moment_of(self.split_at)
        if self.split_at is not None and self.test is not None:
            raise SettingError(
                "What judges is told in one way",
                "split_at and test (--split-at, --test)",
                "Leave one of them out",
            )
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
        if sides is not None and (self.split_at is not None or self.test is not None):
            raise SettingError(
                "Prepared data come split",
                "split_at or test (--split-at, --test) with a folder of prepared data",
                "Leave it out, or pass the table itself",
            )
        if sides is not None and self.columns.signal.says:
            raise SettingError(
                "Prepared data say what counts as what",
                "a signal (--positive-from, --event, ...) with a folder of prepared data",
                "Leave it out, or prepare the table with it (`butaca data prepare --positive-from ...`)",
            )
        if sides is None and self.ray is not None:
            raise ray_needs_prepared()

    def choosing(self, sides: Sides | None, watch: ChoiceWatch | None = None) -> Choosing:
        """Returns how the fit chooses its configuration, of a source that came prepared (its sides) or not.

        Raises:
            SettingError: a search was asked for where none can be made.
        """
        can = sides is None and self.ray is None and self.recipe.is_plain
        if self.effort in {"normal", "thorough"} and not can:
            raise SettingError(
                "A search holds slices of a table in memory",
                f"effort={self.effort!r} with a folder of prepared data",
                "Leave it out, or pass the table itself",
            )
        effort = self.effort or ("normal" if can else "quick")
        if effort == "quick":
            return Choosing()
        bag = replace(self.recipe, order="none").recipe(self.seed)
        return Choosing(effort, self.trials, self.recipe.order, bag, watch)

    @property
    def cluster_checkpoint(self) -> Path:
        """Names the folder of checkpoints on a cluster: beside the model if the plan names none."""
        return self.keeping.checkpoint or self.out.absolute().parent / f".{self.out.name}.checkpoint"


@dataclass(frozen=True)
class TunePlan:
    """A TunePlan holds every decision of a search: `butaca tune` makes one of its options.

    Attributes:
        source: a MovieLens set by name, or a table.
        out: file for the settings that are found.
        columns: of the source.
        split, test_share, seed: what `fit` would hold out, which is never read; the seed is the search's too.
        trials: settings to try at most.
        seconds: budget of time; None is no limit.
        slices: validation slices that a trial is judged on, made of the training side as the test side is.
    """

    source: str
    out: Path = Path("settings.json")
    _: KW_ONLY
    columns: Columns = field(default_factory=Columns)
    split: Split = "random"
    test_share: float = 0.2
    seed: int = 42
    trials: int = 60
    seconds: float | None = None
    slices: int = 4

    def __post_init__(self) -> None:
        """Checks what can be known before the data are read."""
        object.__setattr__(self, "out", path_of("out", self.out))
        check_split(self.split, test_share=self.test_share, seed=self.seed)
        at_least("trials", self.trials, least=1)
        at_least("slices", self.slices, least=1)


@dataclass(frozen=True)
class ServePlan:
    """A ServePlan holds every decision of a service: `butaca serve` makes one of its options, as Python can.

    Attributes:
        models: folders by name; the first answers those that name none.
        settings: how it runs.
        version: to answer, of one of the models; None: the one that was chosen, else what lies in the folder.

    Raises:
        SettingError: there is no model, or the settings exclude each other.
    """

    models: Mapping[str, Path]
    settings: ServeSettings = field(default_factory=ServeSettings)
    _: KW_ONLY
    version: str | None = None

    def __post_init__(self) -> None:
        """Checks what can be known before anything is loaded."""
        object.__setattr__(self, "models", {name: Path(folder) for name, folder in self.models.items()})
        if not self.models:
            raise SettingError("A service has a model", "none", "Name at least one folder")

    @property
    def beyond(self) -> str:
        """Names what makes others reach the service, so that it needs keys; empty where nothing does."""
        settings = self.settings
        if not settings.is_local:
            return f"--host {settings.host}"
        if settings.trusted_proxies:
            return "--trusted-proxy"
        if settings.host_names:
            return "--host-name"
        return "--root-path" if settings.root_path else ""

    def check_keys(self, has_keys: bool, store: str) -> None:
        """Checks the plan against whether the store, which is called so, has keys that are in use.

        Raises:
            SettingError: others may reach a service that asks nobody for a key.
        """
        if self.beyond and not has_keys:
            raise SettingError(
                "Beyond this machine, by a name of its own or behind a proxy, the service needs API keys",
                f"{self.beyond} and no keys in {store}",
                "Make one with `butaca keys add NAME --scope read --events "
                f"{shown_address(self.settings.events)}`, or leave it out",
            )


def shown_address(events: str) -> str:
    """Returns the address of a store as it may be shown: a server's without its password.

    >>> shown_address("events.db"), shown_address("postgresql://me:word@host/films")
    ('events.db', 'ADDRESS')
    """
    return events if "://" not in events else "ADDRESS"


def ray_needs_prepared() -> SettingError:
    """Returns the error of a cluster that is asked for what it doesn't do."""
    return SettingError(
        "Ray trains the towers on prepared data, and writes no TensorBoard logs",
        "ray= with a table or a folder of logs (--engine ray, --tensorboard)",
        "Prepare the table first (scale.prepare.prepare, `butaca data prepare SOURCE --out FOLDER`) and pass "
        "that folder, or leave ray out (--engine local)",
    )


def at_least(name: str, value: int | None, *, least: int) -> None:
    """Checks a whole number, or None.

    Raises:
        SettingError: it is below `least`.
    """
    if value is not None and whole_number(name, value, least=None) < least:
        raise SettingError(f"{name} is {least} or more", f"{name}={value}", "Correct it")


def check_split(split: Split, *, test_share: float, seed: int) -> None:
    """Checks the name of a split, the share where it holds one out, and the seed.

    Raises:
        SplitError: no split has the name, or the share does not lie between 0 and 1.
        SettingError: the seed is below 0.
    """
    if not isinstance(split, str) or split not in get_args(Split):
        raise no_split(split)
    if split in {"random", "temporal", "user"}:
        check_share(test_share)
    at_least("seed", seed, least=0)
