"""This module holds what `fit` and `tune` decide before anything is read: a FitPlan, a TunePlan.

`workflows/carrying.py` does what they say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from pathlib import Path
from typing import get_args

from butaca.catalogue.nouns import noun
from butaca.checks import at_least, path_of
from butaca.data.splits import check_share, moment_of
from butaca.errors import SettingError
from butaca.workflows.choosing import ChoiceWatch, Choosing, Effort
from butaca.workflows.fitting import Target
from butaca.workflows.loading import Columns, Sides, Split, no_split
from butaca.workflows.recipe_choice import RecipeChoice


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
        signal = None if self.from_events is not None else self.columns.signal
        return Choosing(effort, self.trials, self.recipe.order, bag, watch, signal)

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


def ray_needs_prepared() -> SettingError:
    """Returns the error of a cluster that is asked for what it doesn't do."""
    return SettingError(
        "Ray trains the towers on prepared data, and writes no TensorBoard logs",
        "ray= with a table or a folder of logs (--engine ray, --tensorboard)",
        "Prepare the table first (scale.prepare.prepare, `butaca data prepare SOURCE --out FOLDER`) and pass "
        "that folder, or leave ray out (--engine local)",
    )


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
