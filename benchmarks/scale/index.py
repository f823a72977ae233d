"""This benchmark times lists over a million items: exact beside one read, approximate beside exact.

    python -m benchmarks.scale.index [--small] [--markdown docs/large-catalogues.md]    --small: 200,000 items

Two catalogues of 64 dimensions:

- trained: candidate vectors and biases of butaca's default recipe on MovieLens 100K, turned to their 64
  leading directions (right singular vectors), and repeated up to the size. Every copy gets normal noise as
  long, on average, as the way from its title to the title nearest to it, and a tenth of the biases' spread on
  its bias. Queries are vectors of users that the model was trained on.
- random: vectors and queries from a normal distribution, without bias. No structure to use: the hard case.

`read_once` is the quickest of four plain reads of the same bytes: numpy's `max`, and BLAS's dot product of
the vectors with themselves, each by one caller and on both halves in two threads. All cases run in turns, so
that a busy moment meets all: each turn .15 s untimed and .3 s timed, as of an index that answers one
query after another. Figures are medians, ratios are of medians of the same run.

The last line is JSON: `read_once_ratio` (exact top-100 over read once), `ann_recall_100`, `ann_time_ratio`
(approximate over exact), for the trained catalogue, and `index`, everything.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.child import UNSET, run_child
from benchmarks.command import run
from benchmarks.machine import cpu
from benchmarks.pages import markdown, write_section
from benchmarks.scale.vectors import DIMENSIONS, JUDGED, VectorSet, random, trained
from butaca.index.approximate import ApproximateIndex
from butaca.index.exact import ExactIndex
from butaca.index.interface import Index
from butaca.types import Floats

N, SMALL, K = 1_000_000, 200_000, 100
EXCLUDED, BATCH = 300, 64
ROUNDS, SMALL_ROUNDS = 8, 4

#: Seconds of each case in a turn, untimed and timed: after a product OpenBLAS's threads spin for tens of
#: milliseconds, in the next case's way.
UNTIMED, TIMED = 0.15, 0.3


@dataclass(frozen=True)
class IndexFigures:
    """An IndexFigures holds what was measured of one catalogue.

    Attributes:
        ms: median milliseconds of a list of 100, by case; least: the least.
        recall: of the exact lists' items, the share that the approximate lists hold, by filter.
        worst: the lowest recall of a single list, nothing filtered.
        approximate: the share of lists that say they are, by filter.
        build_s: seconds that codes and scan take to build.
    """

    ms: dict[str, float]
    least: dict[str, float]
    recall: dict[str, float]
    worst: float
    approximate: dict[str, float]
    build_s: float

    @property
    def read_once(self) -> float:
        """Returns milliseconds of the quickest plain read."""
        return min(value for name, value in self.ms.items() if name.startswith("read"))

    @property
    def read_once_ratio(self) -> float:
        """Returns exact over the quickest plain read."""
        return self.ms["exact"] / self.read_once

    @property
    def undisturbed_ratio(self) -> float:
        """Returns that ratio of the least times, which other work on the machine disturbs less."""
        return self.least["exact"] / min(v for name, v in self.least.items() if name.startswith("read"))

    @property
    def ann_time_ratio(self) -> float:
        """Returns approximate over exact."""
        return self.ms["approximate"] / self.ms["exact"]


@dataclass(frozen=True)
class IndexResults:
    """An IndexResults holds the figures by catalogue, and how busy the machine was (load averages)."""

    n: int
    rounds: int
    load: tuple[float, float]
    found: Mapping[str, IndexFigures]


def measure(progress: Console, n: int, *, rounds: int) -> IndexResults:
    before = os.getloadavg()[0]
    found = {}
    for name, make in (("trained", trained), ("random", random)):
        progress.print(f"{n:,} items, {name}")
        found[name] = measured(make(n), rounds)
    return IndexResults(n, rounds, (before, os.getloadavg()[0]), found)


def measured(data: VectorSet, rounds: int) -> IndexFigures:
    rng = np.random.default_rng(1)
    n, queries = len(data.vectors), data.queries
    exact = ExactIndex(data.vectors, data.bias)
    began = time.perf_counter()
    near = ApproximateIndex(data.vectors, data.bias)
    build_s = time.perf_counter() - began
    excluded = [rng.choice(n, EXCLUDED, replace=False) for _ in queries]
    filters = {"": None, ", half allowed": rng.random(n) < 0.5, ", 1 in 100 allowed": rng.random(n) < 0.01}
    recall, approximate, worst = {}, {}, 0.0
    for name, allowed in filters.items():
        out = None if allowed is None else excluded
        want, got = (
            exact.top_k(queries, K, exclude=out, allowed=allowed),
            near.top_k(queries, K, exclude=out, allowed=allowed),
        )
        pairs = zip(want.items, got.items, strict=True)
        shares = [len(np.intersect1d(a, b)) / K for a, b in pairs]
        recall[name], approximate[name] = float(np.mean(shares)), float(got.approximate)
        worst = worst or min(shares)
    with ThreadPoolExecutor(2) as pool:
        cases: dict[str, Callable[[int], object]] = dict(reads(data.vectors.reshape(-1), pool))
        indices: dict[str, Index] = {"exact": exact, "approximate": near}
        for index_name, index in indices.items():
            for name, allowed in filters.items():
                out = None if allowed is None else excluded
                cases[index_name + name] = partial(_one, index, queries, out, allowed)
        for index_name, index in indices.items():
            cases[f"{index_name}, {BATCH} at once"] = partial(_many, index, queries)
        times: dict[str, list[float]] = {name: [] for name in cases}
        for turn in range(rounds):
            for name, case in cases.items():
                begun, taken, call = time.perf_counter(), times[name], turn
                while (since := time.perf_counter() - begun) < UNTIMED + TIMED:
                    case(call % len(queries))
                    call += 1
                    if since >= UNTIMED:
                        taken.append(time.perf_counter() - begun - since)
    scale = {name: 1000 / (BATCH if name.endswith("at once") else 1) for name in cases}
    ms = {name: scale[name] * float(np.median(taken)) for name, taken in times.items()}
    least = {name: scale[name] * min(taken) for name, taken in times.items()}
    return IndexFigures(ms, least, recall, worst, approximate, build_s)


def _one(index: Index, queries: Floats, out: Any, allowed: Any, row: int) -> object:
    return index.top_k(
        queries[row : row + 1], K, exclude=None if out is None else out[row : row + 1], allowed=allowed
    )


def _many(index: Index, queries: Floats, _: int) -> object:
    return index.top_k(queries[:BATCH], K)


def reads(flat: Floats, pool: ThreadPoolExecutor) -> dict[str, Callable[[int], object]]:
    """Returns plain reads of all of these numbers."""
    half = len(flat) // 2
    halves = flat[:half], flat[half:]

    def dot(x: Floats) -> object:
        return np.dot(x, x)

    return {
        "read, max": lambda _: np.max(flat),
        "read, max in two threads": lambda _: list(pool.map(np.max, halves)),
        "read, dot": lambda _: dot(flat),
        "read, dot in two threads": lambda _: list(pool.map(dot, halves)),
    }


def rows(found: IndexResults) -> list[list[str]]:
    """Returns the rows of a table, by case; the first row of ratios is what is asked for."""
    both = list(found.found.values())
    lines = [[name, *(f"{m.ms[name]:.2f} ms" for m in both)] for name in both[0].ms]
    lines.append(["exact / quickest read", *(f"**{m.read_once_ratio:.2f}**" for m in both)])
    lines.append(["the same of the least times", *(f"{m.undisturbed_ratio:.2f}" for m in both)])
    lines.append(["approximate / exact", *(f"**{m.ann_time_ratio:.3f}**" for m in both)])
    lines += [
        [f"recall@{K} of approximate{name}", *(_recall(m, name) for m in both)] for name in both[0].recall
    ]
    lines.append([f"recall@{K} of the worst of {JUDGED} lists", *(f"{m.worst:.2f}" for m in both)])
    lines.append(["building codes and scan", *(f"{m.build_s:.1f} s" for m in both)])
    return lines


def _recall(m: IndexFigures, name: str) -> str:
    return f"{m.recall[name]:.4f}" + ("" if m.approximate[name] else ", and says that it is exact")


def show(console: Console, found: IndexResults) -> None:
    table = Table(title=f"{found.n:,} items, {DIMENSIONS} dimensions, top {K}, one query unless said")
    table.add_column("")
    for name in found.found:
        table.add_column(name, justify="right")
    for line in rows(found):
        table.add_row(*(cell.strip("*") for cell in line))
    console.print(table)
    console.print(f"Load average {found.load[0]:.1f} at the start, {found.load[1]:.1f} at the end")


def section(found: IndexResults) -> str:
    """Returns the page's section."""
    text = (
        f"{found.n:,} items, {DIMENSIONS} dimensions, top {K}; one query unless said, then each one's share. "
        f"Filters come with {EXCLUDED} exclusions. Medians of {found.rounds} turns on {os.cpu_count()} cores "
        f"of {cpu()}; load average {found.load[0]:.1f} at the start and {found.load[1]:.1f} at "
        f"the end{', other work included' if found.load[0] > 0.5 else ''}.\n\n"
    )
    return text + markdown(["", *found.found], rows(found))


def as_json(found: IndexResults) -> dict[str, Any]:
    main = found.found["trained"]
    return {
        "read_once_ratio": round(main.read_once_ratio, 3),
        "ann_recall_100": round(main.recall[""], 4),
        "ann_time_ratio": round(main.ann_time_ratio, 4),
        "index": asdict(found),
    }


def from_json(line: Mapping[str, Any]) -> IndexResults:
    """Returns the results that `as_json` wrote."""
    index = line["index"]
    found = {name: IndexFigures(**m) for name, m in index["found"].items()}
    return IndexResults(index["n"], index["rounds"], tuple(index["load"]), found)


def in_a_child(small: bool) -> IndexResults:
    """Measures in a process of its own, with the BLAS that numpy chooses.

    Raises:
        BenchmarkError: it failed.
    """
    command = [sys.executable, "-m", "benchmarks.scale.index", *(["--small"] if small else [])]
    return from_json(run_child(command, "scale_index"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--small", action="store_true", help=f"{SMALL:,} items")
    parser.add_argument("--out", type=Path, help="also write the line of JSON here")
    parser.add_argument("--markdown", type=Path, help="write the section into this page")
    asked = parser.parse_args()
    if any(name in os.environ for name in UNSET[:2]):  # numpy has read them already
        kept = {name: value for name, value in os.environ.items() if name not in UNSET[:2]}
        os.execve(sys.executable, sys.orig_argv, kept)
    n, rounds = (SMALL, SMALL_ROUNDS) if asked.small else (N, ROUNDS)

    def shown(console: Console, found: IndexResults) -> None:
        show(console, found)
        write_section(asked.markdown, "index", text=section(found))

    return run(lambda progress: measure(progress, n, rounds=rounds), shown, as_json=as_json, out=asked.out)


if __name__ == "__main__":
    sys.exit(main())
