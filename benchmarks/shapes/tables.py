"""This module names the data sets that a fit is judged on, and fits as `butaca fit` does."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.quality.data import TEST
from butaca.evaluate.judged import Judged
from butaca.referee.own import as_fit_gives
from butaca.referee.protocols import ProtocolName, held_out
from butaca.workflows.choosing import Effort
from butaca.workflows.judging import judge
from butaca.workflows.loading import load

#: How MovieTweetings is grown: users x 10, items x 2, histories as long, a million interactions.
GROWN = ("--user-copies", "10", "--item-copies", "2", "--length", "1")

SPLITS: tuple[ProtocolName, ...] = ("random", "temporal", "last")


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
    split: ProtocolName


@dataclass(frozen=True, eq=False)
class TableRun:
    """A TableRun is one fit.

    Attributes:
        judged: its figures, beside the baselines'.
        seconds: reading, splitting, choosing and training.
        judging: the panel, its figures and the verdict.
    """

    judged: Judged
    seconds: float
    judging: float


def tables(folder: Path, grown: Path | None = None) -> list[SplitTable]:
    """Returns MovieLens 100K, the tables that the folder holds, and the grown one, each by its splits.

    Further tables, as CSV in the same folder, are split at random (benchmarks/shapes/unseen.py makes some).
    """
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
    out += [SplitTable(file.stem, str(file), "random") for file in sorted(folder.glob("*.csv"))]
    return [*out, SplitTable("grown", str(grown), "random")] if grown is not None else out


def grow(folder: Path, into: Path) -> Path | None:
    """Returns MovieTweetings grown to a million interactions; None where the folder does not hold it."""
    source = folder / "movietweetings-ratings.parquet"
    if not source.exists():
        return None
    command = [sys.executable, "-m", "butaca", "data", "grow", str(source), "--out", str(into), *GROWN]
    subprocess.run(command, check=True, capture_output=True)
    return into / "interactions"


def fit_table(table: SplitTable, seed: int, *, effort: Effort | None = None) -> TableRun:
    """Fits and judges one table, split and trained with this seed, as `butaca fit` with nothing said.

    Args:
        table: what to fit.
        seed: of the split and of training.
        effort: how much is tried out; None: what `butaca fit` does unasked.
    """
    begin = time.perf_counter()
    held = held_out(load(table.source), table.split, share=TEST, seed=seed)
    recommender = as_fit_gives(held, seed, effort=effort).recommender
    fitted = time.perf_counter()
    assert held.test is not None
    judged = judge(recommender, train=held.train, test=held.test, split=held.split, given=held.given)
    return TableRun(judged, fitted - begin, time.perf_counter() - fitted)
