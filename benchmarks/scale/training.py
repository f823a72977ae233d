"""This benchmark trains from the disk at 25 million interactions: rate, memory, and quality against time.

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
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.child import child_environment
from benchmarks.command import run
from benchmarks.environment import PEERS, BenchmarkError
from benchmarks.pages import markdown, write_section
from benchmarks.scale.data import CommandCost, command
from benchmarks.scale.watch import Curve, Judge, K, Watch
from butaca.recipes import DEFAULT
from butaca.scale.prepared import Prepared

SCRIPT = Path(__file__).parents[1] / "peers" / "scale_peers.py"
PLOT = Path(__file__).parents[2] / "docs" / "scale-quality.png"
JUDGED = 10_000  # users, of whom judging is timed


def peak_rate() -> float:
    """Returns this machine's best rate of a large matrix product, operations a second: numpy's or JAX's."""
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
class TrainingResults:
    """A TrainingResults holds what was measured."""

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
    fit: CommandCost | None

    @property
    def rate(self) -> float:
        """Returns useful operations a second of a step: three products of queries, items and dimensions."""
        return 6.0 * self.queries * self.slots * self.dim / self.step


def peer(which: str, prepared: Path, *, judge: Judge, progress: Console) -> Curve:
    """Returns a peer's curve, judged here."""
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


def measure(prepared: Path, n_users: int, *, with_fit: bool, progress: Console) -> TrainingResults:
    """Measures everything, one after another on an otherwise idle machine."""
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
    als = peer("als", prepared, judge=judge, progress=progress)
    progress.print("irspack's iALS")
    ials = peer("ials", prepared, judge=judge, progress=progress)
    progress.print("the default recipe")
    peak = peak_rate()
    train = data.dataset("train")
    recipe = replace(DEFAULT.for_data(train), held_out=0)
    recipe = replace(recipe, model=replace(recipe.model, cold_features=()))
    model = recipe.build()
    watch = Watch(judge, model, progress=progress)
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
    return TrainingResults(
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
        many.seconds(vectors.users[:-1], vectors.items, bias=vectors.bias),
        fit,
    )


def plot(found: TrainingResults, path: Path) -> None:
    """Draws recall against seconds."""
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


def table(found: TrainingResults) -> tuple[Sequence[str], list[Sequence[str]]]:
    """Returns header and rows."""
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


def show(console: Console, found: TrainingResults) -> None:
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


def as_json(found: TrainingResults) -> dict[str, Any]:
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

    def measured(progress: Console) -> TrainingResults:
        found = measure(asked.prepared, asked.users, with_fit=not asked.no_fit, progress=progress)
        if asked.plot:
            plot(found, PLOT)
        if asked.markdown is not None:
            write_section(asked.markdown, "scale-training", text=markdown(*table(found)))
        return found

    return run(measured, show, as_json=as_json, out=asked.out)


if __name__ == "__main__":
    sys.exit(main())
