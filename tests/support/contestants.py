"""Contestants of the referee's tests, which a process of its own can import."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np

from butaca.baselines.popularity import Popularity
from butaca.data.dataset import Dataset
from butaca.referee.contestants import Tunable
from butaca.referee.search import OneOf, Settings
from butaca.types import Codes, Floats, Scorer


class Parity:
    """Scores the items of the user's own parity (times `good`), as the checkerboard's users have it."""

    def __init__(self, train: Dataset, good: float) -> None:
        u, i = (np.arange(len(side)) for side in (train.users, train.items))
        self.scores = (good * (u[:, None] % 2 == i % 2)).astype(np.float32)
        self.scores += np.linspace(0, 0.1, len(i), dtype=np.float32)

    @property
    def n_items(self) -> int:
        return int(self.scores.shape[1])

    def score(self, users: Codes) -> Floats:
        scores: Floats = self.scores[users]
        return scores


def parity(train: Dataset, settings: Settings, *, seed: int) -> Scorer:
    if settings["good"] is None:
        raise OSError("no good")
    return Parity(train, settings["good"])


def failing(train: Dataset, settings: Settings, *, seed: int) -> Scorer:
    raise RuntimeError(f"out of luck with seed {seed}")


def killed(train: Dataset, settings: Settings, *, seed: int) -> Scorer:
    os._exit(9)


def sleeping(train: Dataset, settings: Settings, *, seed: int) -> Scorer:
    Path(os.environ["SLEEPER"]).write_text(str(os.getpid()))
    time.sleep(60)
    raise AssertionError("nobody ended it")


def popular(train: Dataset, settings: Settings, *, seed: int) -> Scorer:
    return Popularity().fit(train)


POPULAR = Tunable("popular", popular)
PARITY = Tunable("parity", parity, start={"good": -1.0}, space={"good": OneOf((-1.0, 1.0))})
FAILING = Tunable("failing", failing)
SLEEPING = Tunable("sleeping", sleeping)
KILLED = Tunable("killed", killed)
CHAIN = Tunable("chain", popular, only=("last", "temporal"), timed=True)
ABSENT = Tunable("absent ALS", popular, library="no_such_library")
