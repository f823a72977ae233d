"""This module reads kinds of event, and says which a table has."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from butaca.data.cells.converted import column, is_text_field
from butaca.data.columns.reactions import are_other_words, are_reactions, weights_for
from butaca.data.columns.roles import Field
from butaca.data.formats.opened import Opened, quoted
from butaca.data.signal import NEGATIVE, Signal
from butaca.errors import TableError
from butaca.types import Codes

#: Kinds of event that a notice names, at most.
MOST_KINDS = 12

#: Kinds that the line of a notice names, at most.
MOST_FLAGS = 5


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
        there = words_of(opened, field)
        one = there[0] if there else "view"
        raise TableError(
            "At least one interaction is of a kind that is a positive",
            f"column {field.name!r} of {opened.label}, which holds {', '.join(there)}",
            f"Say what one of these counts, such as --event {shlex.quote(one + '=1')} (events={{...}} in "
            "Python)",
        )
    opened.notes += lacking_kinds(signal, met, name=field.name, held=lambda: words_of(opened, field))
    return found


def lacking_kinds(
    signal: Signal, met: Collection[int], *, name: str, held: Callable[[], Sequence[str]]
) -> list[str]:
    """Returns a note on the kinds that no row is of.

    Args:
        signal: what counts as what.
        met: the places in its events of kinds that rows are of.
        name: of the column.
        held: gives what it holds.
    """
    lacking = [kind for place, kind in enumerate(signal.events) if place not in met]
    return (
        [f"no row is of the kind {', '.join(lacking)}: {name!r} holds {', '.join(held())}"] if lacking else []
    )


def kinds_there(opened: Opened, field: Field, *, signal: Signal) -> tuple[frozenset[int], tuple[str, ...]]:
    """Returns the places in a signal's events of kinds that loaded rows are of, and what the column holds."""
    with opened.errors():
        rows = opened.con.execute(f"FROM {opened.table} SELECT DISTINCT {kind_sql(field, signal)}").fetchall()
    return frozenset(place for (place,) in rows if place >= 0), tuple(words_of(opened, field))


@contextmanager
def numbers_or_words(opened: Opened, field: Field) -> Iterator[None]:
    """Says of a column of values that holds kinds of event in words how these are read, where it is refused.

    Args:
        opened: the loaded table.
        field: the column.
    """
    try:
        yield
    except TableError as error:
        there = words_of(opened, field) if is_text_field(opened, field) else []
        if not 1 < len(there) <= MOST_KINDS or not (are_reactions(there) or are_other_words(there)):
            raise
        raise TableError(
            "A value is a number, and kinds of event say with weights what they count",
            f"column {field.name!r} of {opened.label}, which holds {', '.join(there)}",
            f"Pass value_column='', event_column={field.name!r} and events= (--value-column '' "
            f"{event_flags(field.name, there)})",
        ) from error


def event_flags(column: str, there: Sequence[str]) -> str:
    """Returns how a command line says what kinds of event count, as a shell takes it.

    >>> event_flags("kind", ["view", "add to cart", "it's"])
    "--event-column kind --event view=0.3 --event 'add to cart=1' ..."

    Args:
        column: its name.
        there: the kinds, of which those are named that something is known of.
    """
    weights = list(weights_for(there).items())[:MOST_FLAGS]
    flags = [f"--event {shlex.quote(f'{kind}={weight}')}" for kind, weight in weights]
    rest = ["..."] if len(there) > len(flags) else []
    return " ".join([f"--event-column {shlex.quote(column)}", *flags, *rest])


def words_of(opened: Opened, field: Field) -> list[str]:
    """Returns the words that a column holds, the most frequent first."""
    with opened.errors():
        rows = opened.con.execute(
            f"FROM {opened.table} SELECT trim({field.sql}::VARCHAR) AS w WHERE w <> '' "
            f"GROUP BY w ORDER BY count(*) DESC, w LIMIT {MOST_KINDS + 1}"
        ).fetchall()
    return [str(word) for (word,) in rows]
