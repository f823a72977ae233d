"""This module runs contestants over seeds on one split, each fit as the referee makes it."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.child import child_environment
from benchmarks.environment import BenchmarkError
from benchmarks.machine import two_cores
from benchmarks.quality.contestants import DefaultRecipe, TunedPeer
from benchmarks.quality.peers import SEEDED
from benchmarks.quality.scores import OverSeeds
from butaca.referee.contestants import Contestant
from butaca.referee.run import Assignment, apart
from butaca.referee.standing import failure
from butaca.workflows.fitting import HeldOut


def settle() -> None:
    """Keeps this process and those that it starts on two cores, in the environment of all children."""
    two_cores()
    wanted = child_environment()
    for name in set(os.environ) - set(wanted):
        del os.environ[name]
    os.environ.update(wanted)


def tuned(chosen: Mapping[str, Any], python: Path) -> list[TunedPeer]:
    """Returns the peers with the settings that were found for them."""
    return [TunedPeer(name, settings=found["settings"], python=python) for name, found in chosen.items()]


def over_seeds(
    contestants: Sequence[Contestant], held: HeldOut, seeds: int, *, name: str, progress: Console
) -> dict[str, OverSeeds]:
    """Fits every contestant with seeds 0, 1, ... and judges each; those without randomness are fitted once.

    Args:
        contestants: who enters.
        held: both sides.
        seeds: how many.
        name: of the split, for who waits.
        progress: where that is shown.

    Raises:
        BenchmarkError: one failed.
    """
    begin = time.perf_counter()
    found = {}
    for contestant in contestants:
        wanted = range(seeds if contestant.name in {DefaultRecipe().name, *SEEDED} else 1)
        with progress.status(f"{name}: {contestant.name} ..."):
            outings = [apart(Assignment(contestant, held, seed, trials=1)) for seed in wanted]
        if reason := failure(outings, wanted):
            raise BenchmarkError(f"{name}: {contestant.name} failed. {reason}")
        found[contestant.name] = OverSeeds.of([one.evaluation for one in outings if one.evaluation])
    seconds = time.perf_counter() - begin
    progress.print(f"{name}: {', '.join(found)}: {seconds:.0f} s in all", style="dim", markup=False)
    return found
