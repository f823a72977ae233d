"""Training from the disk at 25 million interactions: its rate, its memory, and quality against time.

    python -m benchmarks.scale.training PREPARED [--markdown docs/scale.md]

PREPARED is a folder of `butaca data prepare --split random`. The default recipe trains on it with the clock
running from the call of `fit` to each snapshot: spectral start and compiling included, judging left out.
implicit's ALS and irspack's iALS train on the same interactions in their own environment, the clock running
over their iterations alone. All are judged by Recall@20 of the same users drawn from those who test, what
they have seen left out.

The last line is JSON: `als_time_ratio` (our seconds to ALS's final recall over ALS's seconds), `gemm_share`
(the step's rate in useful matrix products, six operations for each query, item and dimension, over the
machine's own best rate in the same run), `train_gb` and more.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.child import child_environment
from benchmarks.command import run
from benchmarks.environment import PEERS, BenchmarkError
from benchmarks.scale.data import Measured, command
from benchmarks.shapes.fits import markdown, write_section
from butaca.data.dataset import Dataset
from butaca.data.histories import Histories
from butaca.evaluate.protocol import evaluate_scorer
from butaca.recipes import DEFAULT
from butaca.scale.prepared import Prepared
from butaca.train.callbacks import Callback
from butaca.train.loop import TrainingRun
from butaca.train.vectors import Vectors, answering_vectors
from butaca.two_tower import TwoTower
from butaca.types import Codes, Floats

SCRIPT = Path(__file__).parents[1] / "peers" / "scale_peers.py"
PLOT = Path(__file__).parents[2] / "docs" / "scale-quality.png"
JUDGED = 10_000  # users, of whom judging is timed
SNAPSHOTS = (0, 1, 2, 5, 10, 20, 40, 70, 100)  # steps of the first epoch; then once an epoch
K = 20


@dataclass(frozen=True)
class Curve:
    """A model's seconds and Recall@20, snapshot by snapshot."""

    seconds: list[float]
    recall: list[float]

    def reaches(self, goal: float) -> float | None:
        """Seconds of the first snapshot at or above it."""
        return next((s for s, r in zip(self.seconds, self.recall, strict=True) if r >= goal), None)


@dataclass(frozen=True)
class Judge:
    """Recall@20 of some users, for any scores by user code."""

    users: Codes
    test: Dataset
    seen: Histories

    @classmethod
    def of(cls, data: Prepared, n_users: int) -> Judge:
        """A draw of users who test."""
        side = data.test
        able = np.flatnonzero(np.diff(side.start))
        users = np.sort(np.random.default_rng(1).permutation(able)[:n_users]).astype(np.int32)
        rows = np.concatenate([np.arange(side.start[u], side.start[u + 1]) for u in users])
        test = data.dataset("test").take(rows)
        return cls(users, test, Histories.of(data.dataset("train")))

    def __call__(self, queries: Floats, items: Floats, bias: Floats | None = None) -> float:
        """Of the users' query vectors [len(users), d] and all candidates [N, d]."""
        scorer = _Products(self.users, queries, items, bias)
        return evaluate_scorer(scorer, self.test, seen=self.seen).metric("recall", K)

    def seconds(self, queries: Floats, items: Floats, bias: Floats | None) -> float:
        """How long it takes, lists of 100 included."""
        began = time.perf_counter()
        evaluate_scorer(_Products(self.users, queries, items, bias), self.test, seen=self.seen, lists=100)
        return time.perf_counter() - began

    def own(self) -> Histories:
        """The users' histories, in their order."""
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
        """[B] -> [B, N]."""
        scores: Floats = self.queries[np.searchsorted(self.users, users)] @ self.items.T
        return scores if self.bias is None else scores + self.bias


class Watch(Callback):
    """Takes snapshots beside the clock, and the time of each step."""

    def __init__(self, judge: Judge, model: TwoTower, progress: Console) -> None:
        self.judge, self.model, self.progress = judge, model, progress
        self.own = judge.own()
        self.curve = Curve([], [])
        self.steps: list[float] = []
        self.epochs: list[int] = []
        self._epoch = 0
        self.began = time.perf_counter()
        self._paused = 0.0

    @property
    def training(self) -> TrainingRun:
        """The run that is watched."""
        return cast(TrainingRun, self.run)

    def on_train_begin(self, logs: Any = None) -> None:
        """The spectral start is there."""
        self.spectral = self._now()
        self._snapshot()
        self._last = self._now()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Which epoch it is."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """A step, and a snapshot after some."""
        jax.block_until_ready(logs["loss"])  # type: ignore[no-untyped-call]
        self.steps.append(self._now() - self._last)
        if self._epoch == 0 and batch + 1 in SNAPSHOTS:
            self._snapshot()
        self._last = self._now()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """A snapshot."""
        self._snapshot()
        self._last = self._now()

    def _now(self) -> float:
        return time.perf_counter() - self.began - self._paused

    def vectors(self, histories: Histories) -> Vectors:
        """The model as it is now, over these histories."""
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
        self.curve.recall.append(self.judge(vectors.users[:-1], vectors.items, vectors.bias))
        self.progress.print(f"  {now:6.1f} s  Recall@{K} {self.curve.recall[-1]:.4f}")
        self._paused += time.perf_counter() - paused


def peak_rate() -> float:
    """This machine's best rate of a large matrix product, in operations a second: numpy's or JAX's."""
    n = 3072
    x = np.random.default_rng(0).random((n, n), dtype=np.float32)
    y, product = jnp.asarray(x), jax.jit(lambda a: a @ a)
    best = 0.0
    for _ in range(4):
        for multiply in (lambda: x @ x, lambda: product(y).block_until_ready()):
            began = time.perf_counter()
            multiply()
            best = max(best, 2 * n**3 / (time.perf_counter() - began))
    return best


@dataclass(frozen=True)
class Results:
    """What was measured."""

    sizes: dict[str, int]
    ours: Curve
    als: Curve
    ials: Curve
    popularity: float
    spectral: float
    step: float
    queries: int
    slots: int
    dim: int
    peak: float
    judging: float
    fit: Measured | None

    @property
    def rate(self) -> float:
        """Useful operations a second of a training step: three products of queries, items and dimensions."""
        return 6.0 * self.queries * self.slots * self.dim / self.step


def peer(which: str, prepared: Path, judge: Judge, progress: Console) -> Curve:
    """A peer's curve, judged here."""
    with tempfile.TemporaryDirectory(prefix="butaca-scale-") as folder:
        line = [str(PEERS.python(progress)), "-I", str(SCRIPT), which, str(prepared), folder]
        env = child_environment() | {"OPENBLAS_NUM_THREADS": "1"}
        done = subprocess.run(line, capture_output=True, text=True, env=env)
        if done.returncode:
            raise BenchmarkError(f"{which} failed. It said:\n{done.stderr[-2000:]}")
        seconds: list[float] = json.loads(done.stdout.splitlines()[-1])["seconds"]
        recall = []
        for number, at in enumerate(seconds):
            user, item = (np.load(f"{folder}/{which}-{side}-{number}.npy") for side in ("user", "item"))
            recall.append(judge(user[judge.users], item))
            progress.print(f"  {at:6.1f} s  Recall@{K} {recall[-1]:.4f}")
    return Curve(seconds, recall)


def measure(prepared: Path, n_users: int, with_fit: bool, progress: Console) -> Results:
    """Everything, one after another on an otherwise idle machine."""
    os.environ.pop("OPENBLAS_CORETYPE", None)
    os.environ.pop("OPENBLAS_L2_SIZE", None)
    fit = None
    if with_fit:
        progress.print("butaca fit, whole, for its memory")
        with tempfile.TemporaryDirectory(prefix="butaca-scale-") as folder:
            fit = command("fit", str(prepared), "--out", str(Path(folder) / "model"))
    data = Prepared.open(prepared)
    judge = Judge.of(data, n_users)
    progress.print("implicit's ALS")
    als = peer("als", prepared, judge, progress)
    progress.print("irspack's iALS")
    ials = peer("ials", prepared, judge, progress)
    progress.print("the default recipe")
    peak = peak_rate()
    train = data.dataset("train")
    recipe = replace(DEFAULT.for_data(train), held_out=0)
    recipe = replace(recipe, model=replace(recipe.model, cold_features=()))
    model = recipe.build()
    watch = Watch(judge, model, progress)
    watch.began = time.perf_counter()
    model.fit(
        train,
        recipe.epochs,
        batch_size=recipe.batch_size,
        optimizer=recipe.make_optimizer(),
        callbacks=[watch],
    )
    peak = max(peak, peak_rate())
    many = Judge.of(data, JUDGED)
    vectors = watch.vectors(many.own())
    counts = np.bincount(train.item, minlength=data.n_items).astype(np.float32)
    return Results(
        {"interactions": len(data.train) + len(data.test), "users": data.n_users, "items": data.n_items},
        watch.curve,
        als,
        ials,
        judge(np.ones((len(judge.users), 1), np.float32), counts[:, None]),
        watch.spectral,
        median(watch.steps[3:]),
        watch.training.batches._n_queries,
        data.n_items,
        recipe.model.dim,
        peak,
        many.seconds(vectors.users[:-1], vectors.items, vectors.bias),
        fit,
    )


def plot(found: Results, path: Path) -> None:
    """Recall against seconds."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axis = plt.subplots(figsize=(8, 4.5), layout="constrained")
    for name, curve in (("butaca", found.ours), ("implicit ALS", found.als), ("irspack iALS", found.ials)):
        axis.plot(curve.seconds, curve.recall, marker="o", ms=3.5, label=name)
    axis.axhline(found.als.recall[-1], color="grey", lw=0.8, ls=":")
    axis.set(xlabel="seconds", ylabel=f"Recall@{K}, seen left out", xscale="log", ylim=(0, None))
    axis.legend(frameon=False, loc="lower right")
    axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def table(found: Results) -> tuple[Sequence[str], list[Sequence[str]]]:
    """Header and rows."""
    goal = found.als.recall[-1]
    rows: list[Sequence[str]] = []
    for name, curve in (("butaca", found.ours), ("implicit ALS", found.als), ("irspack iALS", found.ials)):
        reached = curve.reaches(goal)
        best = int(np.argmax(curve.recall))
        rows.append(
            (
                name,
                "never" if reached is None else f"{reached:.1f}",
                f"{curve.recall[-1]:.4f}",
                f"{curve.seconds[-1]:.1f}",
                f"{curve.recall[best]:.4f} at {curve.seconds[best]:.1f} s",
            )
        )
    return ("", f"seconds to {goal:.4f}", f"Recall@{K} at the end", "seconds in all", "best"), rows


def show(console: Console, found: Results) -> None:
    header, rows = table(found)
    out = Table(title="{interactions:,} interactions, {users:,} users, {items:,} items".format(**found.sizes))
    for name in header:
        out.add_column(name, justify="left" if not name else "right")
    for row in rows:
        out.add_row(*row)
    console.print(out)
    console.print(
        f"Popularity {found.popularity:.4f}. Spectral start {found.spectral:.1f} s. A step of "
        f"{found.queries:,} users: {found.step:.3f} s, {found.rate / 1e9:.0f} of {found.peak / 1e9:.0f} "
        f"GFLOP/s. Judging {JUDGED:,} users: {found.judging:.1f} s."
    )


def as_json(found: Results) -> dict[str, Any]:
    reached = found.ours.reaches(found.als.recall[-1])
    return {
        "als_time_ratio": None if reached is None else round(reached / found.als.seconds[-1], 3),
        "gemm_share": round(found.rate / found.peak, 3),
        "train_gb": None if found.fit is None else round(found.fit.gb, 2),
        "train_s": None if found.fit is None else round(found.fit.seconds, 1),
        "spectral_s": round(found.spectral, 2),
        "judge_10000_s": round(found.judging, 2),
        "step_s": round(found.step, 4),
        "peak_gflops": round(found.peak / 1e9, 1),
        "popularity_recall": round(found.popularity, 4),
        **{
            name: {"seconds": c.seconds, "recall": [round(r, 4) for r in c.recall]}
            for name, c in (("butaca", found.ours), ("als", found.als), ("ials", found.ials))
        },
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("prepared", type=Path)
    parser.add_argument("--users", type=int, default=3000, help="that are judged (default 3000)")
    parser.add_argument(
        "--no-fit", action="store_true", help="leave out the whole fit that memory is read of"
    )
    parser.add_argument("--plot", action="store_true", help=f"draw {PLOT.name}")
    parser.add_argument("--markdown", type=Path, help="write the table into this page")
    parser.add_argument("--out", type=Path, help="also write the line of JSON here")
    asked = parser.parse_args()

    def measured(progress: Console) -> Results:
        found = measure(asked.prepared, asked.users, not asked.no_fit, progress)
        if asked.plot:
            plot(found, PLOT)
        if asked.markdown is not None:
            write_section(asked.markdown, "scale-training", markdown(*table(found)))
        return found

    return run(measured, show, as_json, asked.out)


if __name__ == "__main__":
    sys.exit(main())
