"""This module reads a file of interactions to rows by partition of the users, and the ids it holds.

The first pure function of preparing: one task a file. Columns are found, and cells checked, as in
`data.tables`, in a DuckDB that spills to the work folder when it has less memory than it wants.

A task writes to a folder that no other task or attempt knows, and its result says where: of a task that was
killed, and runs again, only what the finished attempt wrote is ever read.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from butaca.data.cells.converted import NOTHING, ids, is_nothing, refuse_lists
from butaca.data.cells.values import numbers_sql
from butaca.data.columns.kinds import kind_sql, kinds_there, numbers_or_words
from butaca.data.columns.names import REQUIRED, Role
from butaca.data.columns.noted import Noted, rows_dropped, words_for_nothing
from butaca.data.columns.strays import drop_repeated_names, last_row_sums, odd_ids
from butaca.data.columns.told import AMOUNT_CURE, AMOUNT_RULE, signal_fields, with_label
from butaca.data.formats.opened import quoted, session
from butaca.data.formats.opening import open_table
from butaca.data.formats.written import AS_IT_IS, Reading
from butaca.data.signal import PLAIN, Signal
from butaca.data.times.column import how_written
from butaca.data.times.odd import odd_times
from butaca.scale.remarks import Remarks

SMALLEST = 100_000_000  # bytes that a DuckDB gets at least


@dataclass(frozen=True)
class Budget:
    """Holds what a task may use: bytes of DuckDB's memory, threads, and where it spills."""

    memory: int
    threads: int
    spill: Path


@dataclass(frozen=True)
class ReadTask:
    """A ReadTask is one file, by number, and where its rows go."""

    path: str
    number: int
    asked: Mapping[Role, str | None]
    partitions: int
    work: Path
    budget: Budget
    reading: Reading = AS_IT_IS
    signal: Signal = PLAIN


@dataclass(frozen=True)
class Read:
    """Holds what a file held.

    Attributes:
        path: the file.
        folder: where users.parquet and items.parquet hold its ids.
        parts: the files of its rows, by partition.
        rows: how many.
        names: of the columns, by role.
        is_text: by role, whether the ids are text.
        times: what times look like ("seconds since 1970"), "" without.
        earliest, latest: of the times.
        remarks: what reading decided, and found odd.
        scales: by column, what numbers are of that do not stand as they are, such as "out of 5".
    """

    path: str
    folder: Path
    parts: Mapping[int, tuple[Path, ...]]
    rows: int
    names: Mapping[Role, str]
    is_text: Mapping[Role, bool]
    times: str
    earliest: int
    latest: int
    remarks: Remarks
    scales: Mapping[str, str]


@contextmanager
def spilling(budget: Budget) -> Iterator[duckdb.DuckDBPyConnection]:
    """Gives a DuckDB that keeps to a budget, and spills to a folder of its own: machines may share it."""
    spill = own_folder(budget.spill, "")
    try:
        with session() as con:
            con.execute(f"SET memory_limit = '{max(budget.memory, SMALLEST)}B'")
            con.execute(f"SET threads = {budget.threads}")
            con.execute(f"SET temp_directory = {quoted(str(spill))}")
            yield con
    finally:
        shutil.rmtree(spill, ignore_errors=True)


def own_folder(parent: Path, prefix: str) -> Path:
    """Returns a new folder that no other task, attempt or machine has."""
    return Path(tempfile.mkdtemp(prefix=prefix, dir=parent))


def read(task: ReadTask) -> Read:
    """Checks a file, and writes its rows (u, i, v, t, f, k, a, ord) by partition, and both sides' ids (v).

    `t` is a time in seconds, `f` the nanoseconds beyond it, which decide what is later and go no further.
    `k` is the kind of event and `a` the amount, where the signal names their columns. `ord` is the row's
    place in the whole source: of two rows of a pair at the same time the later stays.

    Raises:
        TableError: a cell that is wrong; the message names file, row and column.
    """
    signal = task.signal
    folder = own_folder(task.work / "read", f"{task.number:06d}-")
    with spilling(task.budget) as con:
        opened = open_table(
            con,
            task.path,
            table="interactions",
            wanted=[n for n in (*task.asked.values(), signal.weight_column, signal.event_column) if n],
            reading=task.reading,
            asked=task.asked,
        )
        asked = with_label(opened.fields, task.asked, signal=signal, label=opened.label)
        choice = opened.choose(asked)
        own = signal_fields(opened, signal)
        noted = Noted(opened, choice, own, asked, signal)
        rows = opened.load([*noted.used, *noted.looked])
        before = drop_repeated_names(opened, list(choice.fields.values()))
        rows = opened.one(f"FROM {opened.table} SELECT count(*)")[0] if before else rows
        dropped: list[str] = []
        for role in REQUIRED if task.reading.drop_nulls else ():
            n = opened.drop(is_nothing(opened, choice.fields[role]))
            rows -= n
            dropped += rows_dropped(role, n)
        user = ids(opened, choice.fields["user"], rule="Every interaction has a user")
        item = ids(opened, choice.fields["item"], rule="Every interaction has an item")
        refuse_lists(opened, choice.fields["item"])
        selected = [f"{user.sql} AS u", f"{item.sql} AS i"]
        if "value" in choice.fields:
            with numbers_or_words(opened, choice.fields["value"]):
                selected.append(f"({numbers_sql(opened, choice.fields['value'])})::FLOAT AS v")
        if "event" in own:
            selected.append(f"({kind_sql(own['event'], signal)})::INTEGER AS k")
        if "weight" in own:
            selected.append(
                f"({numbers_sql(opened, own['weight'], rule=AMOUNT_RULE, cure=AMOUNT_CURE)})::DOUBLE AS a"
            )
        times, earliest, latest = "", 0, 0
        said: dict[Role, str] = {}
        odd: list[str] = []
        if "time" in choice.fields:
            moments = how_written(opened, choice.fields["time"], time_format=task.reading.time_format)
            times = moments.said.partition(",")[0]
            said["time"] = f", {moments.said}"
            selected += [f"{moments.seconds} AS t", f"({moments.nanoseconds})::INTEGER AS f"]
            span = f"min({moments.seconds}), max({moments.seconds})"
            earliest, latest = opened.one(f"FROM {opened.table} SELECT {span}")
            odd = odd_times(opened, moments.seconds, span=(earliest, latest))
        selected += [f"{task.number << 40} + rowid AS ord", f"(hash({user.sql}) % {task.partitions}) AS p"]
        con.execute("SET preserve_insertion_order = false")
        with opened.errors():
            target = quoted(str(folder / "rows"))
            con.execute(
                f"COPY (FROM {opened.table} SELECT {', '.join(selected)}) TO {target} "
                "(FORMAT parquet, PARTITION_BY (p))"
            )
            for side, sql in (("users", user.sql), ("items", item.sql)):
                target = quoted(str(folder / f"{side}.parquet"))
                distinct = f"FROM {opened.table} SELECT DISTINCT {sql} AS v"
                con.execute(f"COPY ({distinct}) TO {target} (FORMAT parquet)")
        words: list[str] = []
        for place, found in zip(REQUIRED, (user, item), strict=True):
            if found.is_text:
                if _holds_nothing(con, folder / f"{place}s.parquet"):
                    words += words_for_nothing(opened, choice.fields[place], role=place)
                once = f"FROM read_parquet({quoted(str(folder / f'{place}s.parquet'))})"
                words += odd_ids(con, once, role=place)
        sums = last_row_sums(opened, choice.fields)
        more = (*before, *dropped, *noted.others(), *sums)
        event = own.get("event")
        there = None if event is None else kinds_there(opened, event, signal=signal)
        remarks = Remarks(
            tuple(opened.notes), tuple(noted.columns(said)), tuple(odd), more, tuple(words), there
        )
    parts = {
        int(part.name.removeprefix("p=")): tuple(sorted(part.iterdir()))
        for part in (folder / "rows").iterdir()
    }
    return Read(
        task.path,
        folder,
        parts,
        rows,
        {role: field.name for role, field in choice.fields.items()},
        {"user": user.is_text, "item": item.is_text},
        times,
        int(earliest),
        int(latest),
        remarks,
        {name: scale for name, scale in opened.scales.items() if scale},
    )


def _holds_nothing(con: duckdb.DuckDBPyConnection, ids_: Path) -> bool:
    """Says whether words for nothing are among a file's ids."""
    words = ", ".join(map(quoted, NOTHING))
    found = con.execute(f"FROM read_parquet({quoted(str(ids_))}) SELECT count(*) WHERE trim(v) IN ({words})")
    return bool(found.fetchall()[0][0])
