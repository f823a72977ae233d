"""This module holds what a search of settings decides before it reads anything, and does it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from butaca.errors import SettingError
from butaca.extras import require
from butaca.workflows.loading import Columns, Split, at_least, check_split, load, split_by

if TYPE_CHECKING:  # these load JAX
    from butaca.tune import Trial, Tuned


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
        slices: validation slices that a trial is judged on.
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
        object.__setattr__(self, "out", Path(self.out))
        check_split(self.split, test_share=self.test_share, seed=self.seed)
        at_least("trials", self.trials, least=1)
        at_least("slices", self.slices, least=1)


def carry_out(plan: TunePlan, progress: Callable[[Trial, float], None] | None = None) -> Tuned:
    """Searches the default recipe's settings, and writes them to `plan.out`.

    Args:
        plan: what to search.
        progress: called after each trial with it and the best value so far.

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
    train, _ = split_by(data, plan.split, test_share=plan.test_share, seed=plan.seed)
    slices = validation_slices(train, plan.slices)
    found = tune(
        recipes.DEFAULT, slices, trials=plan.trials, seconds=plan.seconds, seed=plan.seed, progress=progress
    )
    held_out = {"split": plan.split, "test_share": plan.test_share, "seed": plan.seed}
    save_settings(found, plan.out, about={"source": plan.source, **held_out})
    return found
