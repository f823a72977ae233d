"""This module writes the line that runs one row again."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from butaca.referee.plan import RefereePlan
from butaca.workflows.loading import Columns


def line_of(plan: RefereePlan, *, protocol: str, models: Sequence[str]) -> str:
    """Returns the command that runs these models on a protocol again, the first for the comparison."""
    sources = [plan.source] if isinstance(plan.source, str) else list(plan.source)
    words = ["butaca", "referee", *map(without_password, map(str, sources)), "--protocol", protocol]
    for name in models:
        words += ["--model", name]
    words += ["--seeds", str(plan.seeds), "--trials", str(plan.trials), "--out", f"{plan.out.name}-again"]
    if plan.test_share != 0.2:
        words += ["--test-share", f"{plan.test_share:g}"]
    for option, value in options_of(plan.columns):
        words += [option] if value is True else [option, str(value)]
    return shlex.join(words)


def without_password(source: str) -> str:
    """Returns a source with the password of a database's address blotted out.

    >>> without_password("postgresql://ana:se:cret@host/shop::sales"), without_password("a:b@c.csv")
    ('postgresql://ana:***@host/shop::sales', 'a:b@c.csv')
    >>> without_password("postgresql://host/shop?user=ana&password=secret")
    'postgresql://host/shop?user=ana&password=***'
    """
    if "://" not in source:
        return source
    source = re.sub(r"(://[^:/@]*):[^/]*@", r"\1:***@", source)
    return re.sub(r"(password=)[^&:]*", r"\1***", source, flags=re.I)


def options_of(columns: Columns) -> Iterator[tuple[str, Any]]:
    """Yields the options that say what was said of a table, and their values; True for one without.

    >>> list(options_of(Columns(user="who", least=(5, 0))))
    [('--user-column', 'who'), ('--min-user', 5)]
    """
    signal, reading = columns.signal, columns.reading
    said: list[tuple[str, Any]] = [
        ("--user-column", columns.user),
        ("--item-column", columns.item),
        ("--value-column", columns.value),
        ("--time-column", columns.time),
        ("--items", columns.items),
        ("--users", columns.users),
        ("--time-format", reading.time_format),
        ("--sep", reading.sep),
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
    return ((option, value) for option, value in said if value is not None)
