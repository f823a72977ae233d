"""This benchmark says how cost grows with users, items and interactions: `python -m benchmarks.scale.growth`.

Along each axis four sizes, each twice the last, the other two axes held or growing as they must: more users
bring their interactions, more items share the same ones, more interactions of the same users and items are a
growing share of one set. Each is prepared and measured in a process of its own: training (the quicker of two
fits of one epoch after a first, so that nothing compiles), judging a thousand users, one query, and the
process's peak memory. A query is told three ways: right after others, when what fits into the processor's
caches lies there; after a gigabyte of other memory was read, when nothing does at any size; and right after
others in plain reads of the item vectors. The exponent is the slope of the logarithms: 1 is linear.

The last line is JSON: the figures, and `exponents` by axis and cost.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import duckdb
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.child import child_environment
from benchmarks.command import run
from benchmarks.environment import BenchmarkError
from benchmarks.pages import markdown, write_section
from butaca import Recommender
from butaca.data.fractal import Growth, grow
from butaca.data.histories import Histories
from butaca.data.movielens.load import load_movielens
from butaca.evaluate.protocol import evaluate_scorer
from butaca.recipes import DEFAULT
from butaca.scale.prepare import prepare
from butaca.scale.prepare_settings import Preparing
from butaca.scale.prepared import Prepared

PLOT = Path(__file__).parents[2] / "docs" / "scale-growth.png"
COSTS = {
    "train_s": "training, s",
    "judge_s": "judging 1,000 users, s",
    "cold_us": "a query, nothing in the caches, us",
    "query_us": "after other queries, us",
    "query_reads": "the same, in reads of its vectors",
    "gb": "memory, GB",
}
#: (users, items) times the original's; of the last the interactions axis takes shares.
USERS, ITEMS, WHOLE = ((4, 8), (8, 8), (16, 8), (32, 8)), ((8, 4), (8, 8), (8, 16), (8, 32)), (16, 8)
SHARES = (1, 2, 4, 8)  # eighths
SCALE = (0.5, 1, 2, 4, 8)  # of the plot
OTHER, COLD = 10**9, 60  # bytes read before a cold query, and how many of these


@dataclass(frozen=True)
class Point:
    """A Point is one size and what it costs."""

    axis: str
    size: int
    costs: dict[str, float]


def one(folder: Path) -> dict[str, float]:
    """Returns what the data in a folder cost."""
    data = Prepared.open(folder)
    train = data.dataset("train")
    recipe = replace(DEFAULT.for_data(train), epochs=1, held_out=0)
    times = []
    for _ in range(3):
        model = recipe.build()
        began = time.perf_counter()
        model.fit(train, 1, batch_size=recipe.batch_size, optimizer=recipe.make_optimizer())
        times.append(time.perf_counter() - began)
    able = np.flatnonzero(np.diff(data.test.start))
    users = np.random.default_rng(0).permutation(able)[:1000]
    side = data.dataset("test")
    test = side.take(np.flatnonzero(np.isin(side.user, users)))
    seen = Histories.of(train)
    model.score(users[:1].astype(np.int32))  # what it prepares at its first answer
    began = time.perf_counter()
    evaluate_scorer(model, test, seen=seen, lists=100)
    judged = time.perf_counter() - began
    recommender = Recommender.build(model, train)
    ids = [str(data.users.ids.values[u]) for u in users[:200]]

    def ask(user: str) -> float:
        return seconds(lambda: recommender.recommend(user=user, k=10))

    queries = [ask(user) for user in ids]
    flat = np.ravel(recommender.item_vectors)
    reads = [seconds(lambda: np.dot(flat, flat)) for _ in range(50)]
    peak = peak_bytes()
    other = np.ones(OTHER // 8)
    cold = []
    for user in ids[:COLD]:
        other.max()
        cold.append(ask(user))
    return {
        "train_s": min(times[1:]),
        "judge_s": judged,
        "cold_us": median(cold) * 1e6,
        "query_us": median(queries) * 1e6,
        "query_reads": median(queries) / median(reads),
        "gb": peak / 1e9,
        "users": data.n_users,
        "items": data.n_items,
        "interactions": len(data.train) + len(data.test),
    }


def seconds(call: Callable[[], object]) -> float:
    """Returns how long a call takes."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def peak_bytes() -> int:
    """Returns this process's own peak memory: `ru_maxrss` may be that of the process that started it."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return 1024 * int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")))


def child(folder: Path) -> dict[str, float]:
    """Runs `one` in a process of its own."""
    line = [sys.executable, "-m", "benchmarks.scale.growth", "--one", str(folder)]
    done = subprocess.run(line, capture_output=True, text=True, env=child_environment())
    if done.returncode:
        raise BenchmarkError(f"A size failed. It said:\n{done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(progress: Console, small: bool) -> list[Point]:
    """Returns all points, axis by axis."""
    ml = load_movielens("100k")
    settings = Preparing(test_share=0.1)
    points: list[Point] = []
    with tempfile.TemporaryDirectory(prefix="butaca-growth-") as name:
        place = Path(name)

        def add(axis: str, folder: Path) -> None:
            found = child(folder)
            points.append(Point(axis, int(found[axis]), {c: found[c] for c in COSTS}))
            progress.print(f"{axis} {points[-1].size:,}: {points[-1].costs}")

        def times(pair: tuple[int, int]) -> tuple[int, int]:
            return (max(pair[0] // 4, 1), pair[1]) if small else pair

        for axis, sizes in (("users", USERS), ("items", ITEMS)):
            for pair in sizes:
                users, items = times(pair)
                grow(ml, place / "big", growth=Growth(users, items))
                prepare(place / "big", place / "p", settings=settings)
                add(axis, place / "p")
        users, items = times(WHOLE)
        grow(ml, place / "big", growth=Growth(users, items))
        tables = {side: str(place / "big" / f"{side}.parquet") for side in ("users", "items")}
        for share in SHARES:
            part = place / "part.parquet"
            files = str(place / "big" / "interactions" / "*.parquet")
            duckdb.sql(f"COPY (FROM '{files}' WHERE hash(user_id, movie_id) % 8 < {share}) TO '{part}'")
            prepare(
                part, place / "p", settings=replace(settings, items=tables["items"], users=tables["users"])
            )
            add("interactions", place / "p")
    return points


def exponents(points: Sequence[Point]) -> dict[str, dict[str, float]]:
    """Returns slopes of log cost over log size, by axis and cost."""
    out: dict[str, dict[str, float]] = {}
    for axis in dict.fromkeys(p.axis for p in points):
        mine = [p for p in points if p.axis == axis]
        size = np.log([p.size for p in mine])
        out[axis] = {
            cost: round(float(np.polyfit(size, np.log([p.costs[cost] for p in mine]), 1)[0]), 2)
            for cost in COSTS
        }
    return out


def table(points: Sequence[Point]) -> tuple[Sequence[str], list[Sequence[str]]]:
    """Returns header and rows, the exponents after each axis."""
    rows: list[Sequence[str]] = []
    for axis, slopes in exponents(points).items():
        for p in points:
            if p.axis == axis:
                costs = (f"{p.costs[c]:.0f}" if c.endswith("_us") else f"{p.costs[c]:.2f}" for c in COSTS)
                rows.append((axis, f"{p.size:,}", *costs))
        rows.append((axis, "exponent", *(f"{slopes[cost]:.2f}" for cost in COSTS)))
    return ("axis", "size", *COSTS.values()), rows


def show(console: Console, points: list[Point]) -> None:
    header, rows = table(points)
    out = Table(title="How cost grows")
    for name in header:
        out.add_column(name, justify="left" if name == "axis" else "right")
    for row in rows:
        out.add_row(*row)
    console.print(out)


def plot(points: Sequence[Point], path: Path) -> None:
    """Draws a panel for each axis: costs in parts of the smallest size's, linear growth dotted."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    slopes = exponents(points)
    figure, axes = plt.subplots(1, len(slopes), figsize=(12, 4), layout="constrained", sharey=True)
    for axis, (name, of) in zip(axes, slopes.items(), strict=True):
        mine = [p for p in points if p.axis == name]
        size = np.array([p.size for p in mine])
        for cost, label in COSTS.items():
            parts = np.array([p.costs[cost] for p in mine]) / mine[0].costs[cost]
            axis.plot(size, parts, marker="o", ms=3.5, label=f"{label}: {of[cost]:.2f}")
        axis.plot(size, size / size[0], color="grey", lw=0.8, ls=":")
        axis.set(title=name, xscale="log", yscale="log")
        axis.set_xticks(size, [f"{n:,}" for n in size])
        axis.set_yticks(SCALE, [str(n) for n in SCALE])
        axis.minorticks_off()
        axis.legend(frameon=False, fontsize=8)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("parts of the smallest size's cost")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def as_json(points: list[Point]) -> dict[str, Any]:
    return {
        "exponents": exponents(points),
        "points": [
            {"axis": p.axis, "size": p.size} | {c: round(v, 4) for c, v in p.costs.items()} for p in points
        ],
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--small", action="store_true", help="a quarter of the users, and no plot")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--markdown", type=Path, help="write the table into this page")
    parser.add_argument("--out", type=Path, help="also write the line of JSON here")
    asked = parser.parse_args()
    if asked.one is not None:
        print(json.dumps(one(asked.one)))
        return 0

    def measured(progress: Console) -> list[Point]:
        points = measure(progress, asked.small)
        if not asked.small:
            plot(points, PLOT)
        if asked.markdown is not None:
            write_section(asked.markdown, "scale-growth", text=markdown(*table(points)))
        return points

    return run(measured, show, as_json=as_json, out=asked.out)


if __name__ == "__main__":
    sys.exit(main())
