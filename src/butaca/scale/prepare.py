"""Tables of interactions -> prepared data: coded, split, sorted by user, memory-mapped.

    read    a task per file: check the cells, rows to partitions by a hash of the user     (reading.py)
    code    the sorted distinct ids of users and items, joined with what is known of them
    sort    a task per partition: codes, latest row of each pair, sort                   (partition.py)
    count   a task per partition: each user's interactions on both sides
    place   a task per stripe of the columns: its rows from all partitions                 (placing.py)

No task holds more than a file's or a partition's rows, and the number of partitions follows from the memory
allowed. What comes out is the same, byte for byte, whatever that number and whoever runs the tasks: codes
are ranks of ids, rows are ordered by their codes, and a row's side depends on the row alone.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar, get_args

import numpy as np

from butaca.data import fractal
from butaca.data.columns import Role
from butaca.data.folders import read_manifest, sha256, writing
from butaca.data.formats import JSON_ENDINGS, PARQUET_ENDINGS, quoted, session
from butaca.errors import SettingError, SplitError, TableError
from butaca.scale.coding import write_ids
from butaca.scale.partition import (
    BUCKETS,
    DTYPES,
    SIDES,
    PartTask,
    Rule,
    SplitName,
    count,
    moments,
    sort,
    with_cut,
)
from butaca.scale.placing import Stripe, place, stripes
from butaca.scale.pool import Runner, Told, local_runner
from butaca.scale.prepared import FORMAT, KIND, Prepared
from butaca.scale.reading import Budget, Read, ReadTask, read
from butaca.types import Ints

T = TypeVar("T")

FOR_DUCKDB, FOR_ROWS = 0.45, 0.35  # shares of a worker's memory
ROW_BYTES = 130  # what sorting takes, a row
MOST_PARTITIONS = 1024
TEXT_ENDINGS = (".csv", ".tsv", ".txt", ".dat")
UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30}


@dataclass(frozen=True)
class Preparing:
    """How to prepare.

    Attributes:
        split: "random" (each interaction by a hash of its user, item and the seed), "temporal" (all before
            a moment trains, all from it on tests) or "none".
        test_share: the share that is held out.
        seed: of the random split.
        workers: tasks at the same time.
        memory: that all workers together should keep to, such as "3GB"; less makes smaller partitions
            and spills to the disk.
        partitions: of the users; 0: as many as the memory asks for.
        user_column, item_column, value_column, time_column: found by name if not given; an empty name
            for value or time means: none.
        items, users: tables of features; grown data bring their own.
    """

    split: SplitName = "random"
    test_share: float = 0.2
    seed: int = 42
    workers: int = 2
    memory: str = "3GB"
    partitions: int = 0
    user_column: str | None = None
    item_column: str | None = None
    value_column: str | None = None
    time_column: str | None = None
    items: str | None = None
    users: str | None = None

    def __post_init__(self) -> None:
        if self.split not in get_args(SplitName):
            raise SettingError("--split is random, temporal or none", repr(self.split), "Pass one of them")
        if not 0 < self.test_share < 1:
            raise SplitError(
                "The test share lies between 0 and 1", f"test_share={self.test_share}", "Try test_share=0.2"
            )
        if not 0 <= self.partitions <= MOST_PARTITIONS or self.workers < 1 or self.seed < 0:
            raise SettingError(
                f"--workers is at least 1, --seed at least 0, --partitions 0 to {MOST_PARTITIONS:,}",
                f"{self.workers}, {self.seed} and {self.partitions}",
                "Correct them",
            )
        bytes_of(self.memory)


def bytes_of(memory: str) -> int:
    """A size in words.

    >>> bytes_of("3GB"), bytes_of("512 MiB")
    (3000000000, 536870912)
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", memory)
    size = int(float(found[1]) * UNITS.get(found[2].upper(), 0)) if found else 0
    if size < 200_000_000:
        raise SettingError("--memory is a size from 200MB on, such as 3GB", repr(memory), "Pass such a size")
    return size


def prepare(
    source: str | PathLike[str],
    out: str | PathLike[str],
    settings: Preparing | None = None,
    *,
    runner: Runner | None = None,
    told: Told | None = None,
) -> Prepared:
    """Prepares a table, a folder of tables or grown data, and opens the result.

    Args:
        source: a CSV, Parquet or JSON lines file; a folder of them; a folder of `butaca data grow`.
        out: a new folder, or one of prepared data.
        settings: the settings.
        runner: runs the tasks; processes of this machine if not given.
        told: called after each task.

    Raises:
        TableError: a file or cell that breaks the rules, or an `out` that holds something else.
        SplitError: a side of the split that would be empty, or a temporal one without times.
    """
    settings = settings or Preparing()
    files, settings = _files(Path(source), settings)
    with writing(Path(out), KIND) as draft:
        if runner is None:
            with local_runner(min(settings.workers, MOST_PARTITIONS)) as local:
                draft.facts.update(_write(files, draft.path, settings, local, told, draft.checksums))
        else:
            draft.facts.update(_write(files, draft.path, settings, runner, told, draft.checksums))
    return Prepared.open(out)


def _write(
    files: Sequence[Path],
    out: Path,
    settings: Preparing,
    runner: Runner,
    told: Told | None,
    checksums: dict[str, str],
) -> dict[str, Any]:
    """All the stages; returns the facts of the manifest."""
    work = out / "work"
    for name in ("read", "sorted", "spill"):
        (work / name).mkdir(parents=True)
    each = bytes_of(settings.memory) // runner.workers
    partitions = settings.partitions or _partitions(files, int(each * FOR_ROWS), runner.workers)
    budget = Budget(int(each * FOR_DUCKDB), 1, work / "spill")
    wide = replace(budget, threads=max(runner.workers // len(files), 1) if runner.one_machine else 1)
    asked: dict[Role, str | None] = {
        "user": settings.user_column,
        "item": settings.item_column,
        "value": settings.value_column,
        "time": settings.time_column,
    }
    if not runner.one_machine:  # whose processes stand in other folders
        files = [path.absolute() for path in files]
    tasks = [ReadTask(str(path), n, asked, partitions, work, wide) for n, path in enumerate(files)]
    reads = list(_counted(runner.map(read, tasks), "reading", len(tasks), told))
    first = _alike(reads, settings)
    tables: dict[Role, str | None] = {"user": settings.users, "item": settings.items}
    for role, table in tables.items():
        met = [one.folder / f"{role}s.parquet" for one in reads]
        write_ids(role, first.names[role], first.is_text[role], met, work, out, table, budget)
    sizes = {side: _length(work / f"{side}.parquet") for side in ("users", "items")}
    names = tuple(name for name in ("value", "time") if name in first.names)
    with_times = [r for r in reads if r.times]
    span = (
        min((r.earliest for r in with_times), default=0),
        max((r.latest for r in with_times), default=0),
    )
    rule = Rule(settings.split, settings.test_share, settings.seed)
    rows_of = [tuple(f for one in reads for f in one.parts.get(n, ())) for n in range(partitions)]
    parts = [PartTask(n, work, names, rule, span, budget, rows_of[n]) for n in range(partitions)]
    found = []
    for part, one in zip(parts, _counted(runner.map(sort, parts), "sorting", partitions, told), strict=True):
        found.append(one)
        for path in part.files:
            path.unlink()
    parts = [replace(part, files=(), folder=f.folder) for part, f in zip(parts, found, strict=True)]
    rows = sum(f.rows for f in found)
    if rows + sum(f.repeats for f in found) != sum(one.rows for one in reads):
        raise TableError(
            "Every row that was read is in one partition",
            f"{sum(one.rows for one in reads):,} rows read and {rows:,} sorted",
            "Check that all workers see the same folder, and prepare again",
        )
    if settings.split == "temporal":
        cut = _cut(runner, parts, np.sum([f.histogram for f in found], axis=0), settings.test_share)
        parts = [with_cut(part, cut) for part in parts]
    counts: Ints = np.zeros((2, sizes["users"]), dtype=np.int64)
    for counted in _counted(runner.map(count, parts), "counting", partitions, told):
        counts[:, counted.users] = counted.counts
    n_train, n_test = counts.sum(axis=1).tolist()
    if not n_train or (not n_test and settings.split != "none"):
        raise SplitError(
            "Both sides of a split hold at least one interaction",
            f"{n_train} for training and {n_test} for testing out of {rows}",
            "Give more data, or another share",
        )
    for side, of_users, n in zip(SIDES, counts, (n_train, n_test), strict=True):
        (out / side).mkdir()
        np.save(out / side / "start.npy", np.append(0, np.cumsum(of_users)))
        for name in ("item", *names):
            np.lib.format.open_memmap(out / side / f"{name}.npy", "w+", DTYPES[name], (n,)) if n else np.save(
                out / side / f"{name}.npy", np.empty(0, DTYPES[name])
            )
    folders = tuple(f.folder.name for f in found)
    placed = [
        Stripe(side, first, last, folders, work, names, parts[0].rule, out)
        for side, n in zip(SIDES, (n_train, n_test), strict=True)
        for first, last in stripes(n, partitions)
    ]
    list(_counted(runner.map(place, placed), "placing", len(placed), told))
    shutil.rmtree(work)
    paths = sorted(p for p in out.rglob("*") if p.is_file())
    sums = _counted(runner.map(sha256, paths), "checksums", len(paths), told)
    checksums.update(zip((p.relative_to(out).as_posix() for p in paths), sums, strict=True))
    return {
        "format": FORMAT,
        "names": dict(first.names),
        "is_text": dict(first.is_text),
        "split": {
            "split": settings.split,
            "test_share": settings.test_share,
            "seed": settings.seed,
            "cut": parts[0].rule.cut,
        },
        **{f"n_{name}": size for name, size in sizes.items()},
        "n_train": n_train,
        "n_test": n_test,
        "repeats": sum(f.repeats for f in found),
        "times": first.times,
    }


def _files(source: Path, settings: Preparing) -> tuple[list[Path], Preparing]:
    """The files of interactions, and the settings with the tables that grown data bring."""
    source = source.expanduser()
    if not source.is_dir():
        return [source], settings
    if (source / "interactions").is_dir():
        read_manifest(
            source, fractal.KIND, "butaca data grow ml-100k --user-copies 160 --item-copies 32 --out big"
        )
        settings = replace(
            settings,
            items=settings.items or str(source / "items.parquet"),
            users=settings.users or str(source / "users.parquet"),
        )
        source = source / "interactions"
    known = (*PARQUET_ENDINGS, *JSON_ENDINGS, *TEXT_ENDINGS)
    found = sorted(
        p
        for p in source.iterdir()
        if p.is_file() and not p.name.startswith((".", "_")) and p.name.removesuffix(".gz").endswith(known)
    )
    if not found:
        raise TableError(
            "A folder of interactions holds tables", f"{source}, which has none of {', '.join(known)}", ""
        )
    return found, settings


def _partitions(files: Sequence[Path], room: int, workers: int) -> int:
    """As many as make a partition's rows fit `room` bytes, and enough for every worker."""
    rows = 0.0
    with session() as con:
        for path in files:
            if path.suffix.lower() in PARQUET_ENDINGS:
                sql = f"FROM parquet_file_metadata({quoted(str(path))}) SELECT num_rows"
                try:
                    rows += con.execute(sql).fetchall()[0][0]
                except Exception:  # noqa: S112  (reading it says what is wrong with it)
                    continue
            elif path.is_file():
                rows += path.stat().st_size / (4 if path.suffix == ".gz" else 16)
    return min(max(-(-int(rows) * ROW_BYTES // room), workers), MOST_PARTITIONS)


def _alike(reads: Sequence[Read], settings: Preparing) -> Read:
    """The first file, if all the others have its columns.

    Raises:
        TableError: one has others; or there is nothing to recommend.
        SplitError: a split by time without times.
    """
    first = reads[0]
    for other in reads[1:]:
        for what, mine, its in (
            ("columns", first.names, other.names),
            ("ids (True: text)", first.is_text, other.is_text),
            ("times", first.times, other.times),
        ):
            if mine != its:
                raise TableError(
                    "All files of a folder are written alike",
                    f"{other.path} with the {what} {its}, and {first.path} with {mine}",
                    "Name the columns with --user-column and so on, or write the files alike",
                )
    if settings.split == "temporal" and "time" not in first.names:
        raise SplitError(
            "A split by time needs a time for every interaction",
            f"{first.path}, which has no time column",
            "Name one with --time-column, or pass --split random",
        )
    return first


def _cut(runner: Runner, parts: Sequence[PartTask], histogram: Ints, test: float) -> int:
    """The moment that leaves as near to the share after it as whole moments allow: `temporal_split`'s.

    The buckets tell between which moments it lies, and only these are counted one by one.
    """
    before = np.append(0, np.cumsum(histogram))
    goal = (1 - test) * before[-1]
    inside = int(np.searchsorted(before[1:], goal, side="right"))
    later = np.flatnonzero(histogram[inside + 1 :]) + inside + 1
    best: tuple[float, int] | None = None
    for bucket in [min(inside, BUCKETS - 1), *later[:1].tolist()]:
        found = list(runner.map(moments, [replace(part, bucket=bucket) for part in parts]))
        times, which = np.unique(np.concatenate([t for t, _ in found]), return_inverse=True)
        counts = np.bincount(which, np.concatenate([n for _, n in found]), minlength=len(times))
        earlier = before[bucket] + np.append(0, np.cumsum(counts)[:-1])
        for time, n in zip(times.tolist(), earlier.tolist(), strict=True):
            if n and (best is None or abs(n - goal) < best[0]):
                best = (abs(n - goal), time)
    if best is None:
        raise SplitError(
            "A split by time needs at least two different times",
            "interactions that are all of one moment",
            "Pass --split random",
        )
    return best[1]


def _length(path: Path) -> int:
    with session() as con:
        n: int = con.execute(f"FROM {quoted(str(path))} SELECT count(*)").fetchall()[0][0]
    return n


def _counted(results: Iterator[T], stage: str, total: int, told: Told | None) -> Iterator[T]:
    tell = None if told is None else partial(told, stage)
    for done, result in enumerate(results, 1):
        if tell is not None:
            tell(done, total)
        yield result
