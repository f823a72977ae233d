"""This module reads the columns that a Signal names, and says where a table seems to tell what says no."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from butaca.data.cells import LARGEST, column, is_text_field, number, numbers
from butaca.data.columns import Field, Role, by_name, is_value, listed, named, plain, words
from butaca.data.opened import Opened, quoted
from butaca.data.settled import as_amounts
from butaca.data.signal import NEGATIVE, Doubles, Signal
from butaca.errors import TableError
from butaca.types import Codes

#: Columns that often tell whether an interaction says yes or no, or of which kind it is.
LABELS = words(
    "label labels clicked click target event events eventtype eventname action actiontype behavior behaviour"
) | words(
    "behaviortype interactiontype feedback liked islike isliked isclick purchased converted response "
    "etiqueta evento accion clic comprado megusta"
)
#: Values that count things, so that one below 0 takes something back.
AMOUNTS = words("quantity qty count units plays playcount cantidad unidades menge quantite")

#: Words that say no.
NO = words(
    "no n false f negative neg dislike disliked unlike down thumbsdown bad hate hated skip skipped"
) | words(
    "remove removed return returned refund report hide hidden unfollow nogusta nomegusta falso malo devuelto"
)

#: Kinds of event that a notice names, at most.
MOST_KINDS = 12


def is_label(field: Field) -> bool:
    """Returns whether a column's name says that it tells yes from no, or the kind of event."""
    return plain(field.name) in LABELS and field.kind in {"text", "whole", "real", "bool"}


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
    return out


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
            rule="Every interaction has an amount, a finite number",
            cure="Correct it, or leave out weight_column (--weight-column)",
        )
    )
    assert found is not None
    return found


def kind_sql(field: Field, signal: Signal) -> str:
    """Returns the SQL of the place of a row's kind in `Signal.events`, -1 for one that is not there."""
    cases = " ".join(
        f"WHEN {quoted(kind.casefold())} THEN {place}" for place, kind in enumerate(signal.events)
    )
    return f"CASE lower(trim({field.sql}::VARCHAR)) {cases} ELSE -1 END"


def kinds(opened: Opened, field: Field, *, signal: Signal) -> Codes:
    """Returns the kind of each loaded row, int32 [n], as `kind_sql`.

    Raises:
        TableError: none of the rows is of a kind that is a positive.
    """
    found: Codes = np.asarray(column(opened, f"({kind_sql(field, signal)})::INTEGER"), dtype=np.int32)
    met = set(np.unique(found).tolist())
    if not any(place in met for place, weight in enumerate(signal.events.values()) if weight != NEGATIVE):
        there = _distinct(opened, field)
        raise TableError(
            "At least one interaction is of a kind that is a positive",
            f"column {field.name!r} of {opened.label}, which holds {', '.join(there)}",
            "Say what one of these counts, such as --event "
            f"{there[0] if there else 'view'}=1 (events={{...}} in Python)",
        )
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


def looked_at(ignored: Sequence[Field]) -> list[Field]:
    """Returns those of the columns that are not read whose names say that they may tell yes from no."""
    return [f for f in ignored if is_label(f) or (is_value(f) and f.kind in {"text", "whole", "real"})]


def _as_number(opened: Opened, field: Field) -> str:
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
    flag = f"--value-column {field.name} " if pass_value else ""
    if whole and low >= -1 and high <= 1:
        many = f"{below + zero:,} of {n:,} values of {field.name!r} are {'-1' if low < 0 else '0'}"
        many += " or 0" if low < 0 and zero else ""
        return f"{many}: if they say no, pass {asked}positive_from=1 ({flag}--positive-from 1)"
    if plain(field.name) in AMOUNTS:
        what = "takes something back" if below else "counts nothing"
        return (
            f"{many}: if such a row {what}, pass weight_column={field.name!r} (--weight-column {field.name}) "
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
    if not is_label(field):
        return ""
    there = _distinct(opened, field)
    if not 2 <= len(there) <= MOST_KINDS:
        return ""
    no = [word for word in there if plain(word) in NO]
    yes = [word for word in there if word not in no]
    said = [f"{yes[0]}=1", f"{no[0]}=negative"] if no and yes else [f"{there[0]}=0.3", f"{there[1]}=1"]
    flags = " ".join(f"--event {one}" for one in said) + (" ..." if len(there) > len(said) else "")
    return (
        f"column {field.name!r} holds {', '.join(there)}, which all count the same: to say what each counts, "
        f"pass event_column={field.name!r} and events=, such as --event-column {field.name} {flags}"
    )


def _distinct(opened: Opened, field: Field) -> list[str]:
    """Returns the words that a column holds, the most frequent first."""
    with opened.errors():
        rows = opened.con.execute(
            f"FROM {opened.table} SELECT trim({field.sql}::VARCHAR) AS w WHERE w <> '' "
            f"GROUP BY w ORDER BY count(*) DESC, w LIMIT {MOST_KINDS + 1}"
        ).fetchall()
    return [str(word) for (word,) in rows]
