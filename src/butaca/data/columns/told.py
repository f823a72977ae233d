"""This module reads the columns that a Signal names, and says where a table seems to tell what says no."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

import duckdb

from butaca.data.cells.converted import LARGEST, is_text_field, number
from butaca.data.cells.values import numbers
from butaca.data.columns.kinds import MOST_KINDS, event_flags, words_of
from butaca.data.columns.names import Role, plain, words
from butaca.data.columns.reactions import are_reactions, are_votes
from butaca.data.columns.reactions import is_label as is_label_name
from butaca.data.columns.roles import Field, by_name, is_value, listed, named
from butaca.data.formats.opened import Opened
from butaca.data.settled import as_amounts
from butaca.data.signal import Doubles, Signal
from butaca.errors import TableError

#: Values that count things, so that one below 0 takes something back.
AMOUNTS = words("quantity qty count units plays playcount cantidad unidades menge quantite")
AMOUNT_RULE = "Every interaction has an amount, a finite number"
AMOUNT_CURE = "Correct it, or leave out weight_column (--weight-column)"
#: Rows and columns by which it is told whether to look at all of a column whose name says nothing.
FIRST_ROWS, FIRST_COLUMNS = 2000, 40


def is_label(field: Field) -> bool:
    """Returns whether a column's name says that it tells yes from no, or the kind of event."""
    return is_label_name(field.name) and field.kind in {"text", "whole", "real", "bool"}


def with_label(
    fields: Sequence[Field], asked: Mapping[Role, str | None], *, signal: Signal, label: str
) -> dict[Role, str | None]:
    """Returns what was asked, and the label as the value where positives are told by one and none is there.

    Args:
        fields: of the table.
        asked: by the caller.
        signal: what counts as what.
        label: of the table.
    """
    found = dict(asked)
    if signal.positive_from is not None and asked.get("value") is None:
        labels = [f for f in fields if is_label(f)]
        if len(labels) == 1 and by_name(fields, "value", label=label) is None:
            found["value"] = labels[0].name
    return found


def signal_fields(opened: Opened, signal: Signal) -> dict[str, Field]:
    """Returns the columns that a signal names: "weight" and "event".

    Raises:
        TableError: the table has no such column.
    """
    out = {}
    for role, name in (("weight", signal.weight_column), ("event", signal.event_column)):
        if name is None:
            continue
        found = named(opened.fields, name)
        if found is None:
            raise TableError(
                f"The {role} column is one of the table's own",
                f"{name!r}, while {opened.label} has the columns {listed(opened.fields)}",
                f"Name one of those with {role}_column= in Python or --{role}-column on the command line",
            )
        out[role] = found
    if signal.events and signal.event_column is None:
        _refuse_unnamed(opened, signal)
    return out


def _refuse_unnamed(opened: Opened, signal: Signal) -> None:
    """Raises where kinds are named, but not the column that plainly holds them."""
    kinds = {kind.strip().casefold() for kind in signal.events}
    for field in opened.fields:
        if is_label(field) and kinds & {word.casefold() for word in _first_words(opened, field)}:
            raise TableError(
                "Kinds of event are those of a column that is named",
                f"{', '.join(signal.events)}, and no column of {opened.label}, of which {field.name!r} holds "
                "such kinds",
                f"Pass event_column={field.name!r} (--event-column {shlex.quote(field.name)})",
            )


def lacks(opened: Opened, signal: Signal, *, asked: Mapping[Role, str | None]) -> str:
    """Returns what a table lacks of the columns that a signal names, "" where it has all.

    Args:
        opened: the table.
        signal: what counts as what.
        asked: names of columns, by role.
    """
    for name in (signal.weight_column, signal.event_column):
        if name is not None and named(opened.fields, name) is None:
            return f"column {name!r}"
    value = asked.get("value")
    if signal.positive_from is not None and not value:
        has_it = value is None and by_name(opened.fields, "value", label=opened.label) is not None
        return "" if has_it or not opened.has_names else "value"
    return ""


def amounts(opened: Opened, field: Field) -> Doubles:
    """Returns how much each loaded row counts, float64 [n].

    Raises:
        TableError: a cell that is no finite number.
    """
    found = as_amounts(
        numbers(
            opened,
            field,
            rule=AMOUNT_RULE,
            cure=AMOUNT_CURE,
        )
    )
    assert found is not None
    return found


def hints(opened: Opened, ignored: Sequence[Field], *, value: Field | None) -> list[str]:
    """Returns a notice for each loaded column that plainly tells yes from no, with what to pass.

    Args:
        opened: the loaded table.
        ignored: columns that are not read, but were loaded to be looked at.
        value: the column of values, if some are 0 or below.
    """
    found = [] if value is None else [_of_value(opened, value)]
    found += [_of_label(opened, field) for field in ignored]
    return [note for note in found if note]


def looked_at(opened: Opened, ignored: Sequence[Field]) -> list[Field]:
    """Returns those of the columns that are not read whose names or first cells tell yes from no."""
    cells = [f for f in ignored if f.kind in {"text", "whole", "real"}]
    by_their_names = {f.sql for f in ignored if is_label(f)} | {f.sql for f in cells if is_value(f)}
    others = [f for f in cells if f.sql not in by_their_names][:FIRST_COLUMNS]
    by_their_cells = {f.sql for f in others if _plainly(_first_words(opened, f))} if others else set()
    return [f for f in ignored if f.sql in by_their_names | by_their_cells]


def _plainly(found: Sequence[str]) -> bool:
    return are_votes(found) or are_reactions(found)


def _first_words(opened: Opened, field: Field) -> list[str]:
    """Returns the different words of a column's first cells; none where they are too many to be kinds."""
    first = f"({opened.relation} SELECT trim({field.sql}::VARCHAR) AS w LIMIT {FIRST_ROWS})"
    try:
        rows = opened.con.execute(
            f"FROM {first} SELECT DISTINCT w WHERE w <> '' LIMIT {MOST_KINDS + 1}"
        ).fetchall()
    except duckdb.Error:  # reading says what is wrong
        return []
    return [str(word) for (word,) in rows] if len(rows) <= MOST_KINDS else []


def _as_number(opened: Opened, field: Field) -> str:
    if field.sql in opened.read_as:
        return opened.read_as[field.sql]
    return number(field.sql) if is_text_field(opened, field) else f"{field.sql}::DOUBLE"


def _of_value(opened: Opened, field: Field, *, pass_value: bool = False) -> str:
    """Returns the notice on a column of numbers of which some are 0 or below; "" where none is."""
    sql = _as_number(opened, field)
    low, high, below, zero, whole, n = opened.one(
        f"FROM {opened.table} SELECT min({sql}), max({sql}), count_if({sql} < 0), count_if({sql} = 0), "
        f"bool_and({sql} = floor({sql})), count({sql})"
    )
    if not n or low > 0 or not abs(low) <= LARGEST:
        return ""
    many = f"{below + zero:,} of {n:,} values of {field.name!r} are 0 or below"
    asked = f"value_column={field.name!r}, " if pass_value else ""
    flag = f"--value-column {shlex.quote(field.name)} " if pass_value else ""
    takes_back = below and plain(field.name) in AMOUNTS
    if whole and low >= -1 and high <= 1 and not takes_back:
        many = f"{below + zero:,} of {n:,} values of {field.name!r} are {'-1' if low < 0 else '0'}"
        many += " or 0" if low < 0 and zero else ""
        return f"{many}: if they say no, pass {asked}positive_from=1 ({flag}--positive-from 1)"
    if plain(field.name) in AMOUNTS:
        what = "takes something back" if below else "counts nothing"
        return (
            f"{many}: if such a row {what}, pass weight_column={field.name!r} "
            f"(--weight-column {shlex.quote(field.name)}) "
            "and the others count by their amounts"
        )
    return (
        f"{many}: if low values say no, pass {asked}positive_from= ({flag}--positive-from) with the least "
        "that says yes"
    )


def _of_label(opened: Opened, field: Field) -> str:
    """Returns the notice on an ignored column; "" where it says nothing."""
    sql = _as_number(opened, field)
    empty = f"({field.sql} IS NULL OR trim({field.sql}::VARCHAR) = '')"
    filled, numeric_ = opened.one(f"FROM {opened.table} SELECT count_if(NOT {empty}), count({sql})")
    if not filled:
        return ""
    if filled == numeric_:
        return _of_value(opened, field, pass_value=True)
    there = words_of(opened, field)
    if not 2 <= len(there) <= MOST_KINDS or not (is_label(field) or are_reactions(there)):
        return ""
    return (
        f"column {field.name!r} holds {', '.join(there)}, which all count the same: to say what each counts, "
        f"pass event_column={field.name!r} and events=, such as {event_flags(field.name, there)}"
    )
