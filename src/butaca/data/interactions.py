"""This module reads the rows of interactions, and makes a Dataset of those to keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb
import numpy as np

from butaca.data.again import AGAIN, had_again
from butaca.data.cells.converted import Ids, ids, is_nothing, refuse_lists
from butaca.data.cells.values import numbers
from butaca.data.columns.kinds import kinds, numbers_or_words
from butaca.data.columns.names import REQUIRED, Role
from butaca.data.columns.noted import Noted, rows_dropped
from butaca.data.columns.roles import ColumnChoice
from butaca.data.columns.strays import drop_repeated_names, last_row_sums
from butaca.data.columns.told import amounts, lacks, signal_fields, with_label
from butaca.data.dataset import Dataset, Entities
from butaca.data.earlier import with_earlier
from butaca.data.formats.opened import Opened
from butaca.data.formats.opening import Source, open_table
from butaca.data.formats.written import Reading
from butaca.data.repeats import (
    Duplicates,
    once,
    pairs_repeated,
    repeated,
)
from butaca.data.settled import Told, counting, settle
from butaca.data.signal import PLAIN, Doubles, Signal
from butaca.data.times.column import read_times
from butaca.types import Codes, Floats, Ints, Times


@dataclass(frozen=True)
class ReadRows:
    """Holds interactions as read: where they came from, and every column but the codes."""

    opened: Opened
    choice: ColumnChoice
    user: Ids
    item: Ids
    value: Floats | None
    timestamp: Times | None
    notes: list[str]
    signal: Signal = PLAIN
    kind: Codes | None = None
    amount: Doubles | None = None


def asked_of(
    user: str | None, item: str | None, *, value: str | None, time: str | None
) -> dict[Role, str | None]:
    """Returns the names of columns that the caller gave, by role."""
    return {"user": user, "item": item, "value": value, "time": time}


def read_rows(
    con: duckdb.DuckDBPyConnection,
    source: Source,
    *,
    asked: Mapping[Role, str | None],
    preferred: Mapping[Role, str] | None = None,
    reading: Reading,
    signal: Signal,
    as_fitted: bool = False,
) -> ReadRows:
    """Finds the columns, reads them and checks every cell."""
    own = [signal.weight_column, signal.event_column]
    wanted = [name for name in [*asked.values(), *(preferred or {}).values(), *own] if name]
    opened = open_table(con, source, table="interactions", wanted=wanted, reading=reading, asked=asked)
    asked = with_label(opened.fields, asked, signal=signal, label=opened.label)
    if as_fitted and (lacking := lacks(opened, signal, asked=asked)):
        opened.notes.append(f"no {lacking} as in the data of the model: every row is a positive")
        signal = PLAIN
    choice = opened.choose(asked, preferred)
    more = signal_fields(opened, signal)
    noted = Noted(opened, choice, more, asked, signal)
    opened.load([*noted.used, *noted.looked])
    again = drop_repeated_names(opened, list(choice.fields.values()))
    dropped = [n for role in REQUIRED for n in _dropped(opened, choice, role)] if reading.drop_nulls else []
    user = ids(opened, choice.fields["user"], rule="Every interaction has a user")
    item = ids(opened, choice.fields["item"], rule="Every interaction has an item")
    refuse_lists(opened, choice.fields["item"])
    value = None
    if "value" in choice.fields:
        with numbers_or_words(opened, choice.fields["value"]):
            value = numbers(opened, choice.fields["value"])
    times = (
        read_times(opened, choice.fields["time"], time_format=reading.time_format)
        if "time" in choice.fields
        else None
    )
    kind = kinds(opened, more["event"], signal=signal) if "event" in more else None
    said = noted.columns({"time": times[1]} if times else {})
    low = value is not None and bool(value.min() <= 0)
    amount = amounts(opened, more["weight"]) if "weight" in more else None
    sums = last_row_sums(opened, choice.fields)
    notes = [*opened.notes, *said, *again, *dropped, *noted.others(low=low), *sums]
    return ReadRows(
        opened, choice, user, item, value, times[0] if times else None, notes, signal, kind, amount
    )


def _dropped(opened: Opened, choice: ColumnChoice, role: Role) -> list[str]:
    """Leaves out rows without an id; returns a note."""
    return rows_dropped(role, opened.drop(is_nothing(opened, choice.fields[role])))


def finish(
    rows: ReadRows,
    users: Entities,
    *,
    items: Entities,
    user: Codes,
    item: Codes,
    name: str | None,
    duplicates: Duplicates,
    keep: Ints | None = None,
) -> Dataset:
    """Returns the Dataset of the rows to keep, without repeated pairs, as they count."""
    signal = rows.signal
    keep = np.arange(len(user)) if keep is None else keep
    if signal.says:
        data = _dataset(rows, users, items, user, item, keep, name, rows.notes)
        kind = None if rows.kind is None else rows.kind[keep]
        amount = None if rows.amount is None else rows.amount[keep]
        told = Told(data.user, data.item, data.value, data.timestamp, kind, amount)
        found = settle(told, signal, n_items=len(items))
        return counting(data, told, signal=signal, found=found)
    time = None if rows.timestamp is None else rows.timestamp[keep]
    pair = user[keep].astype(np.int64) * len(items) + item[keep]
    is_kept, repeats = once(pair, time, first=duplicates == "first")
    if repeats and duplicates == "error":
        raise repeated(rows.opened, pair, rows=keep, users=users, items=items)
    notes = list(rows.notes)
    if repeats:
        dropped = int((~is_kept).sum())
        notes += pairs_repeated(repeats, dropped, duplicates=duplicates, timed=time is not None)
        many = dropped >= AGAIN * len(pair)  # of lines of one time, fewer are had again
        said = had_again(pair, time) if many and duplicates == "last" else []
        if said:
            whole = _dataset(rows, users, items, user, item, keep, name, [*notes, *said])
            return with_earlier(whole.take(np.flatnonzero(is_kept)), whole, rows=~is_kept)
    if duplicates != "keep":
        keep = keep[is_kept]
    return _dataset(rows, users, items, user, item, keep, name, notes)


def _dataset(
    rows: ReadRows,
    users: Entities,
    items: Entities,
    user: Codes,
    item: Codes,
    keep: Ints,
    name: str | None,
    notes: list[str],
) -> Dataset:
    """Returns the Dataset of some of the rows."""
    value, timestamp = rows.value, rows.timestamp
    fields = rows.choice.fields
    return Dataset(
        users=users,
        items=items,
        user=user[keep],
        item=item[keep],
        value=None if value is None else value[keep],
        timestamp=None if timestamp is None else timestamp[keep],
        value_name=fields["value"].name if "value" in fields else "value",
        time_name=fields["time"].name if "time" in fields else "timestamp",
        name=name or rows.opened.name,
        notes=tuple(notes),
    )
