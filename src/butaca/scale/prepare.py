"""This module turns tables of interactions into prepared data: coded, split, sorted by user, memory-mapped.

    read    a task per file: check the cells, rows to partitions by a hash of the user     (reading.py)
    code    the sorted distinct ids of users and items, joined with what is known of them
    sort    a task per partition: codes, latest row of each pair, sort                   (partition.py)
    count   a task per partition: each user's interactions on both sides              (column_files.py)
    place   a task per stripe of the columns: its rows from all partitions                 (placing.py)

No task holds more than a file's or a partition's rows, and the number of partitions follows from the memory
allowed. What comes out is the same, byte for byte, whatever that number and whoever runs the tasks: codes
are ranks of ids, rows are ordered by their codes, and a row's side depends on the row alone.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from butaca.data.again import AGAIN, of_again
from butaca.data.came import all_came
from butaca.data.columns.kinds import MOST_KINDS, lacking_kinds
from butaca.data.columns.names import Role
from butaca.data.folders import sha256, writing
from butaca.data.formats.opened import quoted, session
from butaca.data.repeats import pairs_repeated
from butaca.errors import SplitError, TableError
from butaca.scale.coding import write_ids
from butaca.scale.column_files import write_columns, write_negatives
from butaca.scale.cutting import cut_of
from butaca.scale.partition import (
    PartTask,
    Rule,
    Sorted,
    sort,
    with_cut,
)
from butaca.scale.pool import Runner, StageProgress, counted, local_runner
from butaca.scale.prepare_settings import MOST_PARTITIONS, Preparing, bytes_of, files_of, partitions_for
from butaca.scale.prepared import FORMAT, KIND, Prepared
from butaca.scale.reading import Budget, Read, ReadTask, read
from butaca.scale.remarks import notes_of

FOR_DUCKDB, FOR_ROWS = 0.45, 0.35  # shares of a worker's memory


def prepare(
    source: str | PathLike[str] | Sequence[str | PathLike[str]],
    out: str | PathLike[str],
    *,
    settings: Preparing | None = None,
    runner: Runner | None = None,
    progress: StageProgress | None = None,
) -> Prepared:
    """Prepares a table, a folder of tables or grown data, and opens the result.

    Args:
        source: a CSV, Parquet or JSON lines file, a folder or a pattern of them, several of these, or "-" for
            the standard input; a folder of `butaca data grow`.
        out: a new folder, or one of prepared data.
        settings: the settings.
        runner: runs the tasks; processes of this machine if not given.
        progress: called after each task.

    Raises:
        TableError: a file or cell that breaks the rules, or an `out` that holds something else.
        SplitError: a side of the split that would be empty, or a temporal one without times.
    """
    settings = settings or Preparing()
    with tempfile.TemporaryDirectory(prefix="butaca-") as spool:
        files, settings = files_of(source, settings, spool=Path(spool))
        with writing(Path(out), KIND) as draft, ExitStack() as stack:
            if runner is None:
                runner = stack.enter_context(local_runner(min(settings.workers, MOST_PARTITIONS)))
            draft.facts.update(_write(files, draft.path, settings, runner, progress, draft.checksums))
    return Prepared.open(out)


def _write(
    files: Sequence[Path],
    out: Path,
    settings: Preparing,
    runner: Runner,
    progress: StageProgress | None,
    checksums: dict[str, str],
) -> dict[str, Any]:
    """Runs all the stages; returns the facts of the manifest."""
    work = out / "work"
    for name in ("read", "sorted", "spill"):
        (work / name).mkdir(parents=True)
    each = bytes_of(settings.memory) // runner.workers
    partitions = settings.partitions or partitions_for(files, int(each * FOR_ROWS), workers=runner.workers)
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
    tasks = [
        ReadTask(str(path), n, asked, partitions, work, wide, settings.reading, settings.signal)
        for n, path in enumerate(files)
    ]
    reads = list(counted(runner.map(read, tasks), "reading", total=len(tasks), progress=progress))
    first = _alike(reads, settings)
    tables: dict[Role, str | None] = {"user": settings.users, "item": settings.items}
    of_tables: list[str] = []
    for role, table in tables.items():
        met = [one.folder / f"{role}s.parquet" for one in reads]
        of_tables += write_ids(
            role,
            first.names[role],
            is_text=first.is_text[role],
            met=met,
            work=work,
            out=out,
            table=table,
            title=settings.title,
            reading=settings.reading,
            budget=budget,
        )
    sizes = {side: _length(work / f"{side}.parquet") for side in ("users", "items")}
    names = tuple(name for name in ("value", "time") if name in first.names)
    names += ("weight",) if settings.signal.says else ()
    with_times = [r for r in reads if r.times]
    span = (
        min((r.earliest for r in with_times), default=0),
        max((r.latest for r in with_times), default=0),
    )
    rule = Rule(settings.split, settings.test_share, settings.seed, again=settings.signal.again)
    rows_of = [tuple(f for one in reads for f in one.parts.get(n, ())) for n in range(partitions)]
    parts = [
        PartTask(n, work, names, rule, span, budget, rows_of[n], signal=settings.signal)
        for n in range(partitions)
    ]
    found = []
    for part, one in zip(
        parts, counted(runner.map(sort, parts), "sorting", total=partitions, progress=progress), strict=True
    ):
        found.append(one)
        for path in part.files:
            path.unlink()
    parts = [replace(part, files=(), folder=f.folder) for part, f in zip(parts, found, strict=True)]
    rows = sum(f.rows for f in found)
    if rows + sum(f.others for f in found) != sum(one.rows for one in reads):
        raise TableError(
            "Every row that was read is in one partition",
            f"{sum(one.rows for one in reads):,} rows read and {rows:,} sorted",
            "Check that all workers see the same folder, and prepare again",
        )
    if settings.split == "temporal":
        cut = cut_of(
            parts, np.sum([f.histogram for f in found], axis=0), test=settings.test_share, runner=runner
        )
        parts = [with_cut(part, cut) for part in parts]
    if not rows:
        raise TableError(
            "At least one interaction is a positive",
            f"{len(files):,} files of which no row is",
            f"Check what counts: {settings.signal.as_json()}",
        )
    if settings.signal.says:
        write_negatives(parts, out, n_users=sizes["users"])
    n_train, n_test = write_columns(parts, out, n_users=sizes["users"], runner=runner, progress=progress)
    shutil.rmtree(work)
    paths = sorted(p for p in out.rglob("*") if p.is_file())
    sums = counted(runner.map(sha256, paths), "checksums", total=len(paths), progress=progress)
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
        "repeats": 0 if settings.signal.says else sum(f.others for f in found),
        "times": first.times,
        "notes": _notes(reads, settings, found, of_tables, span if with_times else None),
        **_of_signal(settings, found),
    }


def _notes(
    reads: Sequence[Read],
    settings: Preparing,
    found: Sequence[Sorted],
    of_tables: Sequence[str],
    span: tuple[int, int] | None,
) -> list[str]:
    """Returns what reading decided and found, as reading the whole table at once says it."""
    notes = notes_of([(one.path, one.remarks) for one in reads], tables=of_tables, span=span)
    there = [one.remarks.kinds for one in reads if one.remarks.kinds is not None]
    if there:
        met = frozenset().union(*(places for places, _ in there))
        held = list(dict.fromkeys(word for _, words in there for word in words))
        name = settings.signal.event_column or ""
        at = len(reads[0].remarks.how) if len(reads) == 1 else 0
        notes[at:at] = lacking_kinds(settings.signal, met, name=name, held=lambda: held[:MOST_KINDS])
    came = all_came(f.came for f in found)
    if settings.signal.says:
        return [*notes, *came.notes(settings.signal)]
    dropped, rows = sum(f.others for f in found), sum(one.rows for one in reads)
    notes += pairs_repeated(came.repeated, dropped, timed=span is not None)
    many = dropped >= AGAIN * rows
    return notes + (of_again(sum(f.times for f in found), rows - dropped) if many else [])


def _of_signal(settings: Preparing, found: Sequence[Sorted]) -> dict[str, Any]:
    """Returns what the manifest says of what counts as what; nothing where nothing is said."""
    if not settings.signal.says:
        return {}
    low, high = (pick(f.weights[n] for f in found if f.rows) for n, pick in enumerate((min, max)))
    return {
        "signal": settings.signal.as_json(),
        "weighted": low < high,
        "n_negatives": sum(f.came.negatives or 0 for f in found),
    }


def _alike(reads: Sequence[Read], settings: Preparing) -> Read:
    """Returns the first file, if all the others have its columns.

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
            ("numbers", first.scales or "as they stand", other.scales or "as they stand"),
        ):
            if mine != its:
                raise TableError(
                    "All files of a folder are written alike",
                    f"{other.path} with the {what} {its}, and {first.path} with {mine}",
                    "Name the columns with user_column= and so on (on the command line: --user-column), or "
                    "write the files alike",
                )
    if settings.split == "temporal" and "time" not in first.names:
        raise SplitError(
            "A split by time needs a time for every interaction",
            f"{first.path}, which has no time column",
            "Name one with time_column=, or pass split='random' "
            "(on the command line: --time-column, --split)",
        )
    return first


def _length(path: Path) -> int:
    with session() as con:
        n: int = con.execute(f"FROM {quoted(str(path))} SELECT count(*)").fetchall()[0][0]
    return n
