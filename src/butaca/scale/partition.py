"""This module codes, sorts and counts the rows of one partition of the users.

Pure functions of a partition, the middle of preparing. Between them stand the few facts that need all of the
data: vocabularies, the moment of a temporal split, where each user's rows begin. None removes what it reads,
and none writes where another attempt of it does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from butaca.data.again import different_times
from butaca.data.came import NOTHING_CAME, Came
from butaca.data.formats.opened import quoted
from butaca.data.settled import Settled, Told, settle
from butaca.data.signal import PLAIN, Signal
from butaca.scale.reading import Budget, own_folder, spilling
from butaca.types import Bools, Codes, Ints, Times, Values

SplitName: TypeAlias = Literal["random", "temporal", "none"]
SIDES = ("train", "test")
BUCKETS = 1 << 16
DTYPES = {"item": np.int32, "value": np.float32, "time": np.int64, "weight": np.float32}


@dataclass(frozen=True)
class Rule:
    """A Rule says which interactions test, from the interaction alone.

    Attributes:
        split: "random", "temporal" or "none".
        test: the share.
        seed: of the random one.
        cut: the moment from which on interactions test, once it is known.
        again: whether a pair may stand at several times, each of which is drawn alone.
    """

    split: SplitName
    test: float
    seed: int
    cut: int | None = None
    again: bool = False

    def tests(self, user: Codes, item: Codes, *, time: Times | None) -> Bools:
        """Returns which rows test, [n]."""
        if self.split == "none":
            return np.zeros(len(user), dtype=bool)
        if self.split == "temporal":
            assert time is not None
            assert self.cut is not None
            later: Bools = time >= self.cut
            return later
        pair: Values = user.astype(np.uint64) << np.uint64(32) | item.astype(np.uint64)
        if self.again and time is not None:
            pair = np.bitwise_xor(_mixed(pair, 0), time.astype(np.int64).view(np.uint64))
        drawn: Bools = _mixed(pair, self.seed) < np.uint64(round(self.test * 2.0**53))
        return drawn


@dataclass(frozen=True)
class PartTask:
    """A PartTask is one partition to be sorted or counted.

    Attributes:
        number: which.
        work: the work folder.
        names: columns beside the item, of "value", "time" and "weight".
        rule: the split.
        span: the earliest and the latest time.
        budget: of DuckDB.
        files: the partition's rows, as read.
        folder: the sorted columns, once `sort` wrote them.
        bucket: times looked at closely, for `moments`.
        signal: what counts as what.
    """

    number: int
    work: Path
    names: tuple[str, ...]
    rule: Rule
    span: tuple[int, int]
    budget: Budget
    files: tuple[Path, ...] = ()
    folder: Path | None = None
    bucket: int = -1
    signal: Signal = PLAIN

    def column(self, name: str) -> Values:
        """Returns a sorted column, from the disk."""
        assert self.folder is not None
        return load(self.folder / f"{name}.npy")


@dataclass(frozen=True, eq=False)
class Sorted:
    """Holds what `sort` wrote, where, and found.

    Attributes:
        folder: of the columns.
        rows: that stay.
        others: that do not: repeats, and by a signal what says no or counts nothing.
        histogram: rows by bucket of time.
        came: what the rows came to; without a signal the repeated pairs alone.
        times: interactions, where lines of one pair and time are one.
        weights: the least and the greatest weight.
    """

    folder: Path
    rows: int
    others: int
    histogram: Ints
    came: Came = NOTHING_CAME
    times: int = 0
    weights: tuple[float, float] = (1.0, 1.0)


@dataclass(frozen=True, eq=False)
class Counted:
    """Holds users of the partition, ascending [n], and their interactions on both sides [2, n]."""

    users: Codes
    counts: Ints


def sort(task: PartTask) -> Sorted:
    """Codes a partition, keeps the latest row of each pair, sorts by user and item, writes the columns."""
    columns = _columns(task)
    folder = own_folder(task.work / "sorted", f"{task.number:05d}-")
    n, weights = len(columns["user"]), (1.0, 1.0)
    times, came = n, NOTHING_CAME
    if task.signal.says:
        found, no = settled(columns, task.signal)
        for name in ("user", "item", "time"):
            np.save(folder / f"negative_{name}.npy", columns[name][no] if name in columns else no)
        columns = {name: column[found.rows] for name, column in columns.items()} | {"weight": found.each}
        came = found.came
        if len(found.each):
            weights = float(found.each.min()), float(found.each.max())
    key = columns["user"].astype(np.int64) << 32 | columns["item"]
    time, fraction = columns.get("time"), columns.get("fraction")
    if task.signal.again:  # each time is one already
        order = np.lexsort((columns["ord"], *(() if time is None else (fraction, time)), key))
    else:
        order = latest(key, time, place=columns["ord"], fraction=fraction)
    if not task.signal.says and len(order) < n:
        came = NOTHING_CAME._replace(repeated=n_repeated(key))
        times = different_times(key, None if time is None else time * 1_000_000_000 + fraction)
    for name in ("user", "item", *task.names):
        np.save(folder / f"{name}.npy", columns[name][order])
    histogram = np.zeros(BUCKETS, dtype=np.int64)
    if "time" in task.names:
        histogram = np.bincount(bucket_of(columns["time"][order], task.span), minlength=BUCKETS)
    return Sorted(folder, len(order), n - len(order), histogram, came, times, weights)


def _columns(task: PartTask) -> dict[str, Values]:
    """Returns the columns of a partition's rows, coded."""
    signal = task.signal
    read = {name: name[0] for name in task.names if name != "weight"}
    read |= {"fraction": "f"} if "time" in task.names else {}
    read |= {"kind": "k"} if signal.event_column is not None else {}
    read |= {"amount": "a"} if signal.weight_column is not None else {}
    if not task.files:
        kinds = DTYPES | {"user": np.int32, "ord": np.int64, "fraction": np.int32, "kind": np.int32}
        kinds |= {"amount": np.float64}
        return {name: np.empty(0, kinds[name]) for name in ("user", "item", "ord", *read)}
    listed = ", ".join(quoted(str(f)) for f in task.files)
    users, items = (quoted(str(task.work / f"{side}.parquet")) for side in ("users", "items"))
    short = "".join(f", read.{column} AS {name}" for name, column in read.items())
    with spilling(task.budget) as con:
        con.execute("SET preserve_insertion_order = false")
        columns: dict[str, Values] = con.execute(
            f"FROM read_parquet([{listed}], hive_partitioning = false) AS read "
            f"JOIN {users} AS users ON u = users.v JOIN {items} AS items ON i = items.v "
            f"SELECT users.code AS user, items.code AS item{short}, ord"
        ).fetchnumpy()
    return columns


def settled(columns: dict[str, Values], signal: Signal) -> tuple[Settled, Ints]:
    """Returns what a partition's rows come to, and those that say no, as rows of `columns`."""
    in_order = np.argsort(columns["ord"])  # of equal times the later row is the latest
    ordered = {name: column[in_order] for name, column in columns.items()}
    time = ordered.get("time")
    if time is not None:
        time = time * 1_000_000_000 + ordered["fraction"]
    told = Told(
        ordered["user"],
        ordered["item"],
        ordered.get("value"),
        time,
        ordered.get("kind"),
        ordered.get("amount"),
    )
    found = settle(told, signal, n_items=int(ordered["item"].max(initial=0)) + 1)
    no = np.zeros(0, np.int64) if found.negative is None else in_order[found.negative]
    return replace(found, rows=in_order[found.rows]), no


def latest(key: Ints, time: Times | None, *, place: Ints, fraction: Codes | None = None) -> Ints:
    """Returns the rows that stay, by ascending key: of equal keys the latest, of equal times the last.

    >>> latest(np.array([7, 3, 7, 7]), np.array([5, 0, 9, 9]), place=np.array([0, 1, 2, 3])).tolist()
    [1, 3]
    """
    order = np.argsort(key)
    sorted_key = key[order]
    is_new = np.append(True, sorted_key[1:] != sorted_key[:-1])
    if is_new[: len(key)].all():
        return order
    again = np.flatnonzero(~is_new | np.append(~is_new[1:], False))  # rows of keys that come twice
    rows = order[again]
    finer = [] if fraction is None else [fraction[rows]]
    by_time = [place[rows]] if time is None else [place[rows], *finer, time[rows]]
    order[again] = rows[np.lexsort((*by_time, key[rows]))]
    kept: Ints = order[np.append(is_new[1:], True)]
    return kept


def n_repeated(key: Ints) -> int:
    """Returns how many different keys come more than once.

    >>> n_repeated(np.array([7, 3, 7, 7, 3, 1]))
    2
    """
    return int((np.unique(key, return_counts=True)[1] > 1).sum())


def moments(task: PartTask) -> tuple[Times, Ints]:
    """Returns the different times within the task's bucket, and how many interactions each has."""
    time = task.column("time")
    found, counts = np.unique(time[bucket_of(time, task.span) == task.bucket], return_counts=True)
    return found, counts


def count(task: PartTask) -> Counted:
    """Returns how many interactions of each user train and test."""
    user, is_test = _sides(task)
    users, first = np.unique(user, return_index=True)
    ends = np.append(first[1:], len(user)).astype(np.int64)
    tests = np.append(0, np.cumsum(is_test))
    n_test = tests[ends] - tests[first]
    return Counted(users, np.stack([ends - first - n_test, n_test]))


def load(path: Path) -> Values:
    """Returns an array from the disk, memory-mapped; an empty one, which can't be mapped, as it is."""
    try:
        found: Values = np.load(path, mmap_mode="r")
    except ValueError:
        found = np.load(path)
    return found


def bucket_of(time: Times, span: tuple[int, int]) -> Ints:
    """Returns which of BUCKETS equal parts of the span a time is in."""
    width = (span[1] - span[0]) // BUCKETS + 1
    bucket: Ints = (time - span[0]) // width
    return bucket


def with_cut(task: PartTask, cut: int) -> PartTask:
    """Returns the task once the moment of the split is known."""
    return replace(task, rule=replace(task.rule, cut=cut))


def _sides(task: PartTask) -> tuple[Codes, Bools]:
    user, item = task.column("user"), task.column("item")
    return user, task.rule.tests(user, item, time=task.column("time") if "time" in task.names else None)


def _mixed(pair: Values, seed: int) -> Values:
    """Returns 53 bits that look random, of a pair and a seed: the finaliser of splitmix64, twice."""
    with np.errstate(over="ignore"):
        x = pair + np.uint64(0x9E3779B97F4A7C15) * np.uint64(seed % 2**64)
        for _ in range(2):
            x = x + np.uint64(0x9E3779B97F4A7C15)
            x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            x = x ^ (x >> np.uint64(31))
    return x >> np.uint64(11)
