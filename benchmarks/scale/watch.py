"""This module watches a training: snapshots of its quality beside the clock, judging left out."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, cast

import jax
import numpy as np
from rich.console import Console

from butaca.data.dataset import Dataset
from butaca.data.histories import Histories
from butaca.evaluate.protocol import evaluate_scorer
from butaca.scale.prepared import Prepared
from butaca.train.callbacks import Callback
from butaca.train.loop import TrainingRun
from butaca.train.vectors import Vectors, answering_vectors
from butaca.two_tower import TwoTower
from butaca.types import Codes, Floats

SNAPSHOTS = (0, 1, 2, 5, 10, 20, 40, 70, 100)  # steps of the first epoch; then once an epoch
K = 20


@dataclass(frozen=True)
class Curve:
    """A Curve holds a model's seconds and Recall@20, snapshot by snapshot."""

    seconds: list[float]
    recall: list[float]

    def reaches(self, goal: float) -> float | None:
        """Returns the seconds of the first snapshot at or above a goal."""
        return next((s for s, r in zip(self.seconds, self.recall, strict=True) if r >= goal), None)


@dataclass(frozen=True)
class Judge:
    """A Judge returns Recall@20 of some users, for any scores by user code."""

    users: Codes
    test: Dataset
    seen: Histories

    @classmethod
    def of(cls, data: Prepared, n_users: int) -> Judge:
        """Draws users who test."""
        side = data.test
        able = np.flatnonzero(np.diff(side.start))
        users = np.sort(np.random.default_rng(1).permutation(able)[:n_users]).astype(np.int32)
        rows = np.concatenate([np.arange(side.start[u], side.start[u + 1]) for u in users])
        test = data.dataset("test").take(rows)
        return cls(users, test, Histories.of(data.dataset("train")))

    def __call__(self, queries: Floats, items: Floats, *, bias: Floats | None = None) -> float:
        """Returns Recall@20 of the users' query vectors [len(users), d] with all candidates [N, d]."""
        scorer = _Products(self.users, queries, items, bias)
        return evaluate_scorer(scorer, self.test, seen=self.seen).metric("recall", K)

    def seconds(self, queries: Floats, items: Floats, *, bias: Floats | None) -> float:
        """Returns how long judging takes, lists of 100 included."""
        began = time.perf_counter()
        evaluate_scorer(_Products(self.users, queries, items, bias), self.test, seen=self.seen, lists=100)
        return time.perf_counter() - began

    def own(self) -> Histories:
        """Returns the users' histories, in their order."""
        rows, at = self.seen.rows(self.users)
        start = np.append(0, np.cumsum(np.bincount(rows, minlength=len(self.users))))
        time_ = None if self.seen.time is None else np.asarray(self.seen.time[at])
        value = None if self.seen.value is None else np.asarray(self.seen.value[at])
        return Histories(np.asarray(self.seen.items[at]), start, value, time_)


@dataclass(frozen=True)
class _Products:
    users: Codes
    queries: Floats
    items: Floats
    bias: Floats | None

    @property
    def n_items(self) -> int:
        return len(self.items)

    def score(self, users: Codes) -> Floats:
        """Returns the scores of users for all items: [B] -> [B, N]."""
        scores: Floats = self.queries[np.searchsorted(self.users, users)] @ self.items.T
        return scores if self.bias is None else scores + self.bias


class Watch(Callback):
    """A Watch takes snapshots beside the clock, and the time of each step."""

    def __init__(self, judge: Judge, model: TwoTower, *, progress: Console) -> None:
        self.judge, self.model, self.progress = judge, model, progress
        self.own = judge.own()
        self.curve = Curve([], [])
        self.steps: list[float] = []
        self._epoch = 0
        self.began = time.perf_counter()
        self._paused = 0.0

    @property
    def training(self) -> TrainingRun:
        """Returns the run that is watched."""
        return cast(TrainingRun, self.run)

    def on_train_begin(self, logs: Any = None) -> None:
        """Notes when the spectral start is there."""
        self.spectral = self._now()
        self._snapshot()
        self._last = self._now()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Notes which epoch it is."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Notes the seconds of a step, and takes a snapshot after some."""
        jax.block_until_ready(logs["loss"])  # type: ignore[no-untyped-call]
        self.steps.append(self._now() - self._last)
        if self._epoch == 0 and batch + 1 in SNAPSHOTS:
            self._snapshot()
        self._last = self._now()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Takes a snapshot."""
        self._snapshot()
        self._last = self._now()

    def _now(self) -> float:
        return time.perf_counter() - self.began - self._paused

    def vectors(self, histories: Histories) -> Vectors:
        """Returns the model as it is now, over these histories."""
        fitted = self.model._fitted
        assert fitted is not None
        return answering_vectors(
            self.model.settings, self.training.towers, features=self.training.features, seen=histories,
            n_items=len(fitted.items), bins=fitted.bins, spectrum=fitted.spectrum,
        )  # fmt: skip

    def _snapshot(self) -> None:
        jax.block_until_ready(self.training.towers)  # type: ignore[no-untyped-call]
        now, paused = self._now(), time.perf_counter()
        vectors = self.vectors(self.own)
        self.curve.seconds.append(round(now, 2))
        self.curve.recall.append(self.judge(vectors.users[:-1], vectors.items, bias=vectors.bias))
        self.progress.print(f"  {now:6.1f} s  Recall@{K} {self.curve.recall[-1]:.4f}")
        self._paused += time.perf_counter() - paused
