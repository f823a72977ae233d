"""This module lets the default recipe and the tuned peers enter as the referee's models do.

The benchmark is built on `butaca referee`: each fit is a process of its own (`butaca.referee.run`), judged by
the same code. What stays apart:

- Peers lie in an environment of their own (`benchmarks.environment`), so that what irspack asks for binds
  nobody else. The referee takes a library where it can be imported.
- Their settings are the best of 60 trials of Optuna over four validation slices, as the default recipe's
  are (`benchmarks.quality.tune`). The referee gives every model seeded draws on any table.
- Several seeds are fitted on one split. A referee's seed is that of a split and its fits.
- Times are of warm fits, several in one process (`benchmarks.quality.times`). The referee's have a process's
  compiling in them.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.quality.peers import fit_peers
from benchmarks.quality.scores import Only, SavedScores
from butaca.referee.contestants import Contestant, Entered
from butaca.types import Bools
from butaca.workflows.fitting import HeldOut


@dataclass(frozen=True)
class Ready:
    """A Ready is a contestant that comes with its settings, for whatever is asked.

    Attributes:
        name: what tables call it.
        library: of this interpreter; none, here and for peers that have an environment of their own.
    """

    name: str
    library: str = ""

    def unfit_for(self, split: str, *, timed: bool) -> str:
        """Says that nothing keeps it from the benchmark's splits."""
        return ""


@dataclass(frozen=True)
class DefaultRecipe(Ready):
    """A DefaultRecipe is the recipe that `butaca fit` starts from, with nothing chosen on the data."""

    name: str = "butaca"

    def enter(self, held: HeldOut, *, seed: int, trials: int) -> Entered:
        """Fits the recipe with a seed."""
        from benchmarks.shapes.fits import fit_seed  # JAX, which no peer's process needs
        from butaca import recipe

        begin = time.perf_counter()
        model = fit_seed(recipe("default").for_data(held.train), held.train, seed)
        return Entered(model, {"recipe": "default"}, 0, 0.0, time.perf_counter() - begin)


@dataclass(frozen=True, kw_only=True)
class TunedPeer(Ready):
    """A TunedPeer is a model of another library with settings that were found for it.

    Attributes:
        settings: as the library takes them.
        python: the interpreter of the peers' environment.
    """

    settings: Mapping[str, Any]
    python: Path

    def enter(self, held: HeldOut, *, seed: int, trials: int) -> Entered:
        """Fits it in its environment with a seed, and reads the scores that it wrote."""
        with tempfile.TemporaryDirectory(prefix="butaca-bench-") as name:
            folder = Path(name)
            jobs = {self.name: self.settings}
            said = fit_peers(held.train, jobs, python=self.python, folder=folder, seeds=[seed])
            found = said["peers"][self.name]
            (file,), (seconds,) = found["files"], found["seconds"]
            scores = SavedScores(np.load(folder / file), of=held.train)
        return Entered(scores, dict(self.settings), 0, 0.0, float(seconds))


@dataclass(frozen=True)
class Within:
    """A Within is a contestant whose lists hold some of the items alone.

    Attributes:
        contestant: who answers.
        items: those that may be in a list, [N].
    """

    contestant: Contestant
    items: Bools

    @property
    def name(self) -> str:
        """Returns what tables call it."""
        return self.contestant.name

    @property
    def library(self) -> str:
        """Returns the module that it needs."""
        return self.contestant.library

    def enter(self, held: HeldOut, *, seed: int, trials: int) -> Entered:
        """Returns it fitted, every other item ranked last."""
        entered = self.contestant.enter(held, seed=seed, trials=trials)
        return replace(entered, scorer=Only(entered.scorer, self.items))

    def unfit_for(self, split: str, *, timed: bool) -> str:
        """Says why it can't answer what is asked."""
        return self.contestant.unfit_for(split, timed=timed)
