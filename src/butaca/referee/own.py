"""This module lets butaca's own models enter: as `butaca fit` gives them, chosen or quick."""

from __future__ import annotations

import time
from dataclasses import dataclass

from butaca.data.dataset import Dataset
from butaca.referee.contestants import Entered
from butaca.workflows.about import describe
from butaca.workflows.choosing import ChoiceWatch, Effort
from butaca.workflows.fitting import HeldOut, Trained, train_held
from butaca.workflows.loading import Split
from butaca.workflows.plans import FitPlan


class _Stopwatch:
    """A _Stopwatch is told how a search gets on, and keeps when it ended."""

    def __init__(self) -> None:
        self.ended = time.perf_counter()

    def begin(self, text: str, total: int) -> None:
        """Has nothing to note before the search."""

    def advance(self) -> None:
        """Has nothing to note within it."""

    def end(self) -> None:
        """Notes the moment."""
        self.ended = time.perf_counter()


@dataclass(frozen=True)
class OwnModel:
    """An OwnModel is what `butaca fit` gives with nothing said but the split.

    Attributes:
        name: what tables call it.
        effort: "normal": chosen on validation, the portfolio and the closed forms; "quick": not.
    """

    name: str
    effort: Effort

    @property
    def library(self) -> str:
        """Returns that it needs none but butaca."""
        return ""

    def enter(self, held: HeldOut, *, seed: int, trials: int) -> Entered:
        """Returns what `butaca fit` gives, whatever the trials of others."""
        begin, watch = time.perf_counter(), _Stopwatch()
        done = as_fit_gives(held, seed, effort=self.effort, watch=watch)
        end = time.perf_counter()
        chosen = max(watch.ended, begin) if done.choice is not None else begin
        settings = {"said": done.said, **describe(done.recipe)} if done.said else describe(done.recipe)
        return Entered(done.recommender, settings, _judged(done, held.train), chosen - begin, end - chosen)

    def unfit_for(self, split: str, *, timed: bool) -> str:
        """Says that it answers what every split asks."""
        return ""


def as_fit_gives(
    held: HeldOut, seed: int, *, effort: Effort | None = None, watch: ChoiceWatch | None = None
) -> Trained:
    """Trains what `butaca fit` gives where nothing is said but the split.

    Args:
        held: both sides.
        seed: of the choice and of training.
        effort: how long validation searches; None: as long as `fit` does unasked.
        watch: told how the search gets on.
    """
    split: Split = "random" if held.split == "given" else held.split
    plan = FitPlan(held.train.name, split=split, seed=seed, effort=effort)
    return train_held(held, plan.recipe.recipe(seed, split=split), choosing=plan.choosing(None, watch))


def _judged(done: Trained, train: Dataset) -> int:
    """Returns how many configurations a choice judged: closed forms, and towers, each once."""
    if done.choice is None:
        return 0
    from butaca.choose.closed_forms import forms, n_tried

    closed = sum(n_tried(form, train.timestamp is not None) for form in forms(len(train.items)))
    return closed + len({tried.name for tried in done.choice.tried})
