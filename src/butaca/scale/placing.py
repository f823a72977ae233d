"""This module places sorted partitions in the columns of each side: a stripe a task, nobody else in it.

The last pure function of preparing. Stripes begin and end where blocks of a file do, because machines that
share files over a network write whole pages of them: two that wrote to one page would undo each other's work.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from butaca.scale.partition import Rule, load
from butaca.types import Ints, Values

UNIT = 1 << 18  # rows of a block: a megabyte of four bytes each


@dataclass(frozen=True)
class Stripe:
    """Holds rows first to last (exclusive) of a side's columns, but for what a block's header takes.

    Attributes:
        side: "train" or "test".
        first, last: multiples of UNIT, or the end.
        sorted: the folders that `sort` wrote, by name.
        work: the work folder.
        names: columns beside the item.
        rule: the split.
        out: where the columns are.
    """

    side: str
    first: int
    last: int
    sorted: tuple[str, ...]
    work: Path
    names: tuple[str, ...]
    rule: Rule
    out: Path


def stripes(n: int, most: int) -> list[tuple[int, int]]:
    """Cuts rows into at most so many stripes of whole units.

    >>> [(a // UNIT, b // UNIT) for a, b in stripes(5 * UNIT, 3)], stripes(7, 3), stripes(0, 3)
    ([(0, 2), (2, 4), (4, 5)], [(0, 7)], [])
    """
    units = -(-n // UNIT)
    each = max(-(-units // most), 1) * UNIT
    return [(first, min(first + each, n)) for first in range(0, n, each)]


def place(task: Stripe) -> None:
    """Writes a stripe: the rows of the users that it covers, from all partitions, by user and then item."""
    folder = task.out / task.side
    start = load(folder / "start.npy")
    spans = {name: span(task, folder / f"{name}.npy", n=int(start[-1])) for name in ("item", *task.names)}
    begin, end = min(a for a, _ in spans.values()), max(b for _, b in spans.values())
    users = int(np.searchsorted(start, begin, "right")) - 1, int(np.searchsorted(start, end, "left"))
    pieces = [piece for name in task.sorted if (piece := _piece(task, name, users)) is not None]
    order: Ints = np.argsort(np.concatenate([piece["user"] for piece in pieces]), kind="stable")
    offset = int(start[users[0]])
    for name, (a, b) in spans.items():
        rows = np.concatenate([piece[name] for piece in pieces])[order[a - offset : b - offset]]
        assert len(rows) == b - a
        with (folder / f"{name}.npy").open("r+b") as file:
            file.seek(_header(folder / f"{name}.npy") + a * rows.itemsize)
            file.write(rows.data)


def _piece(task: Stripe, name: str, users: tuple[int, int]) -> dict[str, Values] | None:
    """Returns what a partition has of the task's side and users, by column."""
    of = task.work / "sorted" / name
    user = load(of / "user.npy")
    lo, hi = np.searchsorted(user, np.array(users, dtype=user.dtype)).tolist()
    if lo == hi:
        return None
    columns = {c: np.array(load(of / f"{c}.npy")[lo:hi]) for c in ("user", "item", *task.names)}
    is_test = task.rule.tests(columns["user"], columns["item"], time=columns.get("time"))
    kept = np.flatnonzero(is_test if task.side == "test" else ~is_test)
    return {c: values[kept] for c, values in columns.items()}


def span(task: Stripe, path: Path, *, n: int) -> tuple[int, int]:
    """Returns the rows of a column that begin and end with blocks of its file."""
    lead = _header(path) // load(path).itemsize
    return task.first and task.first - lead, n if task.last == n else task.last - lead


def _header(path: Path) -> int:
    """Returns the bytes before the first row."""
    found = load(path)
    assert isinstance(found, np.memmap)
    return int(found.offset)
