"""This module says what a contestant is, and how one with settings enters: chosen, then fitted."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Protocol

from butaca.data.histories import Histories
from butaca.evaluate.scorers import answering
from butaca.extras import installed
from butaca.referee.search import Fits, Settings, Space, search
from butaca.types import Scorer
from butaca.workflows.fitting import HeldOut
from butaca.workflows.judging import joined


@dataclass(frozen=True, eq=False)
class Entered:
    """An Entered is a contestant that was chosen and fitted.

    Attributes:
        scorer: answers for the test users.
        settings: what it was fitted with, as JSON values.
        tried: configurations that validation judged.
        choose_s, fit_s: seconds of choosing and of the fit itself.
    """

    scorer: Scorer
    settings: Mapping[str, Any]
    tried: int
    choose_s: float
    fit_s: float


class Contestant(Protocol):
    """A Contestant is a model that the referee can fit.

    What it is must be known without its library; it can be pickled, and enters in a process of its own.
    """

    @property
    def name(self) -> str:
        """Returns what tables call it."""
        ...

    @property
    def library(self) -> str:
        """Returns the module that it needs; empty for butaca's own."""
        ...

    def enter(self, held: HeldOut, *, seed: int, trials: int) -> Entered:
        """Returns it chosen and fitted, on the training side alone.

        Args:
            held: both sides, and the histories that are given.
            seed: of the search and the fit.
            trials: configurations that validation may judge.
        """
        ...

    def unfit_for(self, split: str, *, timed: bool) -> str:
        """Says why it can't answer what a split asks of data with times or without; empty where it can."""
        ...


@dataclass(frozen=True)
class Tunable:
    """A Tunable is a contestant with settings of its own, or none, that one function fits.

    Attributes:
        name: what tables call it.
        fit: fits it with settings and a seed.
        start: its first trial, as its library or validation elsewhere found good.
        space: what further trials draw; empty: there is nothing to choose.
        library: the module that must be importable; empty for butaca's own.
        only: the splits that it is of; empty: all.
        timed: whether it needs times.
        newcomers: whether it answers people whom training never saw, from a history.
    """

    name: str
    fit: Fits
    _: KW_ONLY
    start: Settings = field(default_factory=dict)
    space: Space = field(default_factory=dict)
    library: str = ""
    only: tuple[str, ...] = ()
    timed: bool = False
    newcomers: bool = True

    def enter(self, held: HeldOut, *, seed: int, trials: int) -> Entered:
        """Chooses settings on validation, and fits with the best of them."""
        begin = time.perf_counter()
        found = search(
            self.fit,
            held.train,
            start=self.start,
            space=self.space,
            split=held.split,
            trials=trials,
            seed=seed,
        )
        chosen = time.perf_counter()
        scorer = self.fit(held.train, found.settings, seed=seed)
        done = time.perf_counter()
        if held.given is not None:
            scorer = answering(scorer, Histories.of(joined(held.train, held.given)))
        return Entered(
            scorer, dict(found.settings), found.tried, chosen - begin if found.tried else 0.0, done - chosen
        )

    def unfit_for(self, split: str, *, timed: bool) -> str:
        """Says why it can't answer what a split asks of data with times or without; empty where it can."""
        if self.only and split not in self.only:
            return f"it is asked what comes next ({', '.join(self.only)}) alone"
        if self.timed and not timed:
            return "the interactions have no times"
        if split == "user" and not self.newcomers:
            return "it answers nobody whom training never saw"
        return ""


def is_there(contestant: Contestant) -> bool:
    """Says whether the library that a contestant needs can be imported."""
    return not contestant.library or installed(contestant.library)
