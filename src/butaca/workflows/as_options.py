"""This module writes what was said of a table as a command's options, for a line to paste."""

from __future__ import annotations

from typing import Any

from butaca.workflows.loading import Columns


def options_of(columns: Columns) -> list[str]:
    """Returns the words of a command line that say what was said of a table.

    >>> from butaca.data.formats.written import Reading
    >>> options_of(Columns(user="who", least=(5, 0), reading=Reading(wide=True)))
    ['--user-column', 'who', '--wide', '--min-user', '5']
    """
    signal, reading = columns.signal, columns.reading
    said: list[tuple[str, Any]] = [
        ("--user-column", columns.user),
        ("--item-column", columns.item),
        ("--value-column", columns.value),
        ("--time-column", columns.time),
        ("--items", columns.items),
        ("--users", columns.users),
        ("--title-column", columns.title),
        ("--time-format", reading.time_format),
        ("--sep", reading.sep),
        ("--encoding", reading.encoding),
        ("--query", reading.query),
        ("--wide", reading.wide or None),
        ("--drop-nulls", reading.drop_nulls or None),
        ("--min-user", columns.least[0] or None),
        ("--min-item", columns.least[1] or None),
        ("--positive-from", None if signal.positive_from is None else f"{signal.positive_from:g}"),
        ("--weight-column", signal.weight_column),
        ("--event-column", signal.event_column),
        *(("--event", f"{kind}={weight}") for kind, weight in signal.events.items()),
        ("--repeats", signal.repeats),
        ("--weight-curve", signal.curve),
    ]
    words = []
    for option, value in said:
        if value is not None:
            words += [option] if value is True else [option, str(value)]
    return words
