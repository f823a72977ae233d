"""This module measures growing and preparing: wall time and the memory of the whole tree of processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np

from benchmarks.child import child_environment
from benchmarks.environment import BenchmarkError
from butaca import Dataset
from butaca.types import Ints

EVERY = 0.05  # seconds between looks at the memory


@dataclass(frozen=True)
class CommandCost:
    """A CommandCost is a command's wall time in seconds and peak memory in GB (10^9 bytes)."""

    seconds: float
    gb: float


def command(*words: str) -> CommandCost:
    """Runs a `butaca` command to its end.

    Memory is the proportional set size of the command and its children, added up, at its highest: pages
    that processes share count once.
    """
    began = time.perf_counter()
    line = [str(Path(sys.executable).with_name("butaca")), *words]
    with subprocess.Popen(
        line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=child_environment(), text=True
    ) as process:
        peak = [0]
        watch = threading.Thread(target=_watch, args=(process.pid, peak), daemon=True)
        watch.start()
        _, said = process.communicate()
        seconds = time.perf_counter() - began
        watch.join()
    if process.returncode:
        raise BenchmarkError(f"butaca {' '.join(words[:2])} failed. It said:\n{said[-2000:]}")
    return CommandCost(seconds, peak[0] / 1e9)


def _watch(pid: int, peak: list[int]) -> None:
    while True:
        began = time.perf_counter()
        now = sum(_bytes(p) for p in _tree(pid))
        if not now and peak[0]:
            return
        peak[0] = max(peak[0], now)
        time.sleep(max(EVERY, 30 * (time.perf_counter() - began)))  # looking at a large process holds it up
        if not os.path.exists(f"/proc/{pid}"):
            return


def _tree(pid: int) -> Sequence[int]:
    try:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(p for child in found for p in _tree(int(child)))]


def _bytes(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except (OSError, IndexError):  # it has ended
        pass
    return 0


def facts(folder: Path) -> dict[str, int]:
    """Returns the counts of a grown folder."""
    manifest = json.loads((folder / "manifest.json").read_text())
    return {name: manifest[name] for name in ("users", "items", "interactions")}


def counts(folder: Path, key: str, *, n: int) -> Ints:
    """Returns the interactions of each user or item of a grown folder, [n]."""
    pattern = str(folder / "interactions" / "*.parquet")
    with duckdb.connect() as con:
        con.execute(f"FROM '{pattern}' SELECT {key} - 1 AS code, count(*) AS n GROUP BY ALL")
        found = con.fetchnumpy()
    out = np.zeros(n, dtype=np.int64)
    out[found["code"]] = found["n"]
    return out


def gini(of: Ints) -> float:
    """Returns 0 where all have as much, 1 where one has all."""
    x = np.sort(of)
    return float(1 + 1 / len(x) - 2 * (np.cumsum(x) / x.sum()).sum() / len(x))


def plot(curves: dict[str, tuple[Ints, Ints]], path: Path) -> None:
    """Draws each curve of the original beside the grown one's: rank as a share, count against the mean."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for axis, (title, (before, after)) in zip(axes, curves.items(), strict=True):
        for of, name, style in ((before, "MovieLens 100K", {"lw": 5, "alpha": 0.3}), (after, "grown", {})):
            rank = (np.arange(len(of)) + 0.5) / len(of)
            axis.plot(rank, np.sort(of)[::-1] / of.mean(), label=f"{name}: Gini {gini(of):.3f}", **style)
        axis.set(title=title, xscale="log", yscale="log", xlabel="rank / number", ylabel="count / mean")
        axis.set_ylim(1e-2, 30)
        axis.legend(frameon=False)
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def original(data: Dataset) -> tuple[Ints, Ints]:
    """Returns the interactions of each item and of each user."""
    return (
        np.bincount(data.item, minlength=len(data.items)).astype(np.int64),
        np.bincount(data.user, minlength=len(data.users)).astype(np.int64),
    )
