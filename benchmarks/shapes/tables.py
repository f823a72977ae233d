"""This module names the data sets that a fit is judged on, and fits as `butaca fit` does."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from butaca.evaluate.judged import Judged
from butaca.workflows import fitting
from butaca.workflows.carrying import carry_out_fit
from butaca.workflows.fitting import Fitted
from butaca.workflows.loading import Split
from butaca.workflows.plans import FitPlan

#: How MovieTweetings is grown: users x 10, items x 2, histories as long, a million interactions.
GROWN = ("--user-copies", "10", "--item-copies", "2", "--length", "1")

SPLITS: tuple[Split, ...] = ("random", "temporal", "last")


@dataclass(frozen=True)
class SplitTable:
    """A SplitTable is a data set and how it is split.

    Attributes:
        name: such as "tweets-last"; a random split has the data's name alone.
        source: what `butaca fit` reads.
        split: its name.
    """

    name: str
    source: str
    split: Split


@dataclass(frozen=True, eq=False)
class TableRun:
    """A TableRun is one fit.

    Attributes:
        judged: its figures, beside the baselines'.
        seconds: reading, splitting, choosing and training.
        judging: the panel, its figures and the verdict.
        notes: what was said of the choice and the protocol.
    """

    judged: Judged
    seconds: float
    judging: float
    notes: tuple[str, ...]


def tables(folder: Path, grown: Path | None = None) -> list[SplitTable]:
    """Returns MovieLens 100K, the tables that the folder holds, and the grown one, each by its splits."""
    files = {
        "ml-100k": "ml-100k",
        "tweets": str(folder / "movietweetings-ratings.parquet"),
        "retail": str(folder / "online-retail-lines.parquet"),
    }
    there = {name: file for name, file in files.items() if name == "ml-100k" or Path(file).exists()}
    out = [
        SplitTable(name if split == "random" else f"{name}-{split}", file, split)
        for name, file in there.items()
        for split in SPLITS
    ]
    return [*out, SplitTable("grown", str(grown), "random")] if grown is not None else out


def grow(folder: Path, into: Path) -> Path | None:
    """Returns MovieTweetings grown to a million interactions; None where the folder does not hold it."""
    source = folder / "movietweetings-ratings.parquet"
    if not source.exists():
        return None
    command = [sys.executable, "-m", "butaca", "data", "grow", str(source), "--out", str(into), *GROWN]
    subprocess.run(command, check=True, capture_output=True)
    return into / "interactions"


def fit_table(table: SplitTable, seed: int, *, into: Path, effort: str | None = None) -> TableRun:
    """Fits and judges one table, split and trained with this seed, as `butaca fit` with nothing said.

    Args:
        table: what to fit.
        seed: of the split and of training.
        into: a new folder for the model.
        effort: how much is tried out, where `butaca fit` asks; None: what it does unasked.
    """
    asked: dict[str, Any] = {} if effort is None else {"effort": effort}
    plan = FitPlan(table.source, into, split=table.split, seed=seed, **asked)
    begin = time.perf_counter()
    with _timed_judging() as judging:
        fitted: Fitted = carry_out_fit(plan)
    seconds = time.perf_counter() - begin - sum(judging)
    assert fitted.judged is not None
    return TableRun(fitted.judged, seconds, sum(judging), tuple(fitted.notes))


def has_efforts() -> bool:
    """Says whether a plan can ask for more or less effort."""
    return any(field.name == "effort" for field in fields(FitPlan))


@contextmanager
def _timed_judging() -> Iterator[list[float]]:
    """Keeps the seconds that judging takes within a fit."""
    took: list[float] = []
    usual = vars(fitting)["judge"]

    def judge(*args: Any, **options: Any) -> Judged:
        begin = time.perf_counter()
        try:
            judged: Judged = usual(*args, **options)
            return judged
        finally:
            took.append(time.perf_counter() - begin)

    vars(fitting)["judge"] = judge
    try:
        yield took
    finally:
        vars(fitting)["judge"] = usual
