"""This module runs a plan: every model on every protocol and seed, each fit in a process of its own.

So a fit's memory is its own, no library disturbs another, and one that fails or is ended by the system ends
nothing else.
"""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from typing import Any

from butaca.data.dataset import Dataset
from butaca.data.histories import Histories
from butaca.errors import SplitError
from butaca.evaluate.protocol import Evaluation, evaluate_scorer
from butaca.referee.contestants import Contestant
from butaca.referee.machine import peak_mib
from butaca.referee.plan import RefereePlan
from butaca.referee.protocols import ProtocolName, held_out, needs_times
from butaca.workflows.fitting import HeldOut
from butaca.workflows.judging import joined

#: Called before each fit with what it is, how many are done, and how many there are.
Watch = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class Assignment:
    """An Assignment is one fit to make: a model, what it learns and is asked, and with which seed."""

    contestant: Contestant
    held: HeldOut
    seed: int
    trials: int


@dataclass(frozen=True, eq=False)
class Outing:
    """An Outing is what one fit gave.

    Attributes:
        evaluation: of the test pairs; None where it failed.
        failure: why, in words; empty where it did not.
        settings: that it was fitted with.
        tried: configurations that validation judged.
        choose_s, fit_s, judge_s: seconds of choosing, of the fit with what was chosen, and of ranking.
        memory_mib: the most that its process held until it was fitted, libraries and data included.
    """

    evaluation: Evaluation | None = None
    failure: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    tried: int = 0
    choose_s: float = 0.0
    fit_s: float = 0.0
    judge_s: float = 0.0
    memory_mib: float | None = None


@dataclass(frozen=True, eq=False)
class ProtocolRuns:
    """A ProtocolRuns holds what every model gave on one protocol.

    Attributes:
        protocol: its name.
        seeds: of the splits and fits.
        outings: by model, one for each seed.
        left_out: models that can't answer what is asked, and why.
    """

    protocol: ProtocolName
    seeds: Sequence[int]
    outings: Mapping[str, Sequence[Outing]]
    left_out: Mapping[str, str]


def runnable(plan: RefereePlan, data: Dataset) -> tuple[list[ProtocolName], dict[str, str]]:
    """Returns the protocols that the data allow, and why not the others.

    Raises:
        SplitError: one that was asked for by name needs times, and there are none; or nothing is left.
    """
    asked = plan.asked
    timeless = [p for p in asked if needs_times(p) and data.timestamp is None]
    if timeless and plan.protocols:
        raise SplitError(
            f"The {' and the '.join(timeless)} protocol asks what comes next, by the times of interactions",
            f"{data.name!r}, which has no time column",
            "Name one with --time-column, or leave the protocol out",
        )
    kept: list[ProtocolName] = []
    left_out = {str(p): "the interactions have no times" for p in timeless}
    for protocol in (p for p in asked if p not in timeless):
        try:
            held_out(data, protocol, share=plan.test_share, seed=plan.all_seeds[0])
        except SplitError as error:
            if plan.protocols:
                raise
            left_out[protocol] = f"{error.rule}; received {error.received}"
        else:
            kept.append(protocol)
    if not kept:
        raise SplitError(
            "At least one protocol can split the data", "; ".join(left_out.values()), "Give more data"
        )
    return kept, left_out


def run_all(
    plan: RefereePlan, data: Dataset, *, protocols: Sequence[ProtocolName], watch: Watch | None = None
) -> Iterator[ProtocolRuns]:
    """Yields what every model gave, protocol by protocol.

    Args:
        plan: who enters, and how often.
        data: to split.
        protocols: that the data allow.
        watch: told before each fit.
    """
    timed = data.timestamp is not None
    fits = {p: [c for c in plan.entering if not c.unfit_for(p, timed=timed)] for p in protocols}
    total = sum(map(len, fits.values())) * plan.seeds
    done = 0
    for protocol in protocols:
        outings: dict[str, list[Outing]] = {contestant.name: [] for contestant in fits[protocol]}
        for seed in plan.all_seeds:
            held = held_out(data, protocol, share=plan.test_share, seed=seed)
            for contestant in fits[protocol]:
                if watch is not None:
                    watch(f"{protocol}, seed {seed}: {contestant.name}", done, total)
                outings[contestant.name].append(apart(Assignment(contestant, held, seed, plan.trials)))
                done += 1
        reasons = {c.name: c.unfit_for(protocol, timed=timed) for c in plan.entering}
        left_out = {name: reason for name, reason in reasons.items() if reason}
        yield ProtocolRuns(protocol, plan.all_seeds, outings, left_out)
    if watch is not None:
        watch("done", total, total)


def apart(asked: Assignment) -> Outing:
    """Makes one fit in a new process, and returns what it gave, or that the system ended it."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn, initializer=_end_with_parent) as process:
        try:
            return process.submit(outing, asked).result()
        except BrokenProcessPool:
            return Outing(failure="its process ended before it was done, most likely for want of memory")
        except Exception as error:  # of what can't be sent to or from the process
            return Outing(failure=said(error))


def _end_with_parent() -> None:
    """Lets this process end when the one that started it does, however that ends."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def outing(asked: Assignment) -> Outing:
    """Chooses, fits and judges one model, here; what fails is said in what it returns."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):  # what libraries say meanwhile
        warnings.simplefilter("ignore")  # what matters is raised
        try:
            return _judged(asked)
        except Exception as error:  # of another library, which may raise anything
            return Outing(failure=said(error))


def _judged(asked: Assignment) -> Outing:
    held = asked.held
    assert held.test is not None
    entered = asked.contestant.enter(held, seed=asked.seed, trials=asked.trials)
    memory = peak_mib()
    begin = time.perf_counter()
    known = held.train if held.given is None else joined(held.train, held.given)
    seen = None if held.train.again else Histories.of(known)
    found = evaluate_scorer(entered.scorer, held.test, seen=seen)
    return Outing(
        found,
        settings=entered.settings,
        tried=entered.tried,
        choose_s=entered.choose_s,
        fit_s=entered.fit_s,
        judge_s=time.perf_counter() - begin,
        memory_mib=memory,
    )


def said(error: BaseException) -> str:
    """Returns an error on one line: its kind and what it says.

    >>> said(ValueError("no   room"))
    'ValueError: no room'
    """
    return " ".join(f"{type(error).__name__}: {error}".split())[:500]
