"""This module declares the options that several commands share, each once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from butaca.data.formats.written import Reading
from butaca.data.signal import PLAIN, Curve, Repeats, Signal, events_of
from butaca.workflows.loading import Columns, Split

Model = Annotated[
    Path, typer.Argument(help="A model folder, as `butaca fit --out` wrote it.", metavar="MODEL")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
ListLength = Annotated[int, typer.Option("-k", min=1, help="Items per list.")]
IncludeSeen = Annotated[bool, typer.Option("--include-seen", help="Keep what the users already had.")]

UserColumn = Annotated[str | None, typer.Option(help="Column of the user; found by name if not given.")]
ItemColumn = Annotated[str | None, typer.Option(help="Column of the item; found by name if not given.")]
ValueColumn = Annotated[str | None, typer.Option(help="Column of the rating; an empty name: none.")]
TimeColumn = Annotated[str | None, typer.Option(help="Column of the time; an empty name: none.")]
TimeFormat = Annotated[
    str | None,
    typer.Option(
        help="How times are written, if its cells do not tell: '%d/%m/%Y %H:%M', s, ms, us, ns, excel, "
        "day-first, month-first or year-first.",
        metavar="PATTERN",
    ),
]
TitleColumn = Annotated[
    str | None,
    typer.Option(help="Column of --items that people call an item by; found by name if not given."),
]
Sep = Annotated[
    str | None,
    typer.Option(help="What separates the cells of a text file; tab; or blank: any run of blanks."),
]
Encoding = Annotated[
    str | None,
    typer.Option(
        help="How letters are written in text that is not UTF-8: cp1252, cp1251, gbk, ...", metavar="NAME"
    ),
]
Query = Annotated[str | None, typer.Option(help="SQL that gives the table, of a database.", metavar="SQL")]
Wide = Annotated[bool, typer.Option("--wide", help="The table is users x items, or holds lists of items.")]
DropNulls = Annotated[
    bool,
    typer.Option(
        "--drop-nulls", help="Leave out, and count, rows without a user or an item (NULL, nan, ...)."
    ),
]
MinUser = Annotated[int, typer.Option(min=0, help="Keep users with at least so many interactions.")]
MinItem = Annotated[int, typer.Option(min=0, help="Keep items with at least so many interactions.")]
PositiveFrom = Annotated[
    float | None,
    typer.Option(
        help="Rows with at least this value are positives; the others say no: never recommended, not "
        "learned as likes.",
        show_default=False,
    ),
]
WeightColumn = Annotated[
    str | None,
    typer.Option(help="Column of amounts (plays, quantity): how much a row counts; below 0: a return."),
]
EventColumn = Annotated[str | None, typer.Option(help="Column of kinds of event; with --event.")]
EventWeights = Annotated[
    list[str] | None,
    typer.Option(
        "--event",
        help="What a kind counts: view=0.3, or dislike=negative; repeat for several. Rows of others are "
        "left out.",
        metavar="KIND=WEIGHT",
    ),
]
PutTogether = Annotated[
    Literal["last", "sum", "mean", "count", "allow"] | None,
    typer.Option(
        help="What the rows of a pair come to; allow: each time counts, and lists keep what was had.",
        show_default="sum with weights or events, else last",
    ),
]
WeightCurve = Annotated[
    Literal["log", "sqrt", "linear", "one"] | None,
    typer.Option(
        "--weight-curve", help="What an amount n is worth beside 1.", show_default="log: 1 + ln(n) / 4"
    ),
]
ItemTable = Annotated[str | None, typer.Option("--items", help="A table of item features.")]
UserTable = Annotated[str | None, typer.Option("--users", help="A table of user features.")]

SplitName = Annotated[
    Split,
    typer.Option(
        "--split",
        help="What is held out: a random share; temporal, the last share, or last, the last of each user: "
        "what comes next; user, a share of the users; or none: train on everything.",
    ),
]
TestShare = Annotated[float, typer.Option("--test-share", help="Share of the interactions that is held out.")]
Seed = Annotated[int, typer.Option(min=0, help="Of the split, of training and of searches.")]

Engine = Annotated[
    Literal["local", "ray"],
    typer.Option(help="Who works: processes of this machine, or a Ray cluster. The result is the same."),
]
Workers = Annotated[
    int, typer.Option(min=0, help="Tasks at the same time; 0: one for each core. The result is the same.")
]
Address = Annotated[
    str | None,
    typer.Option(help="HOST:PORT of a Ray cluster that this machine is part of; else one is started here."),
]
Events = Annotated[
    str,
    typer.Option(
        "--events", help="A file (SQLite), or postgresql://user@host/database.", metavar="PATH_OR_URL"
    ),
]

Noun = Annotated[
    str | None,
    typer.Option(
        help="What the items are called: book, or with its plural artículo:artículos; if not given, what the "
        "columns' names say.",
        metavar="WORD",
    ),
]


def columns_of(
    *names: str | None,
    title: str | None = None,
    sep: str | None = None,
    query: str | None = None,
    wide: bool = False,
    time_format: str | None = None,
    drop_nulls: bool = False,
    encoding: str | None = None,
    least: tuple[int, int] = (0, 0),
    signal: Signal = PLAIN,
) -> Columns:
    """Returns what the options say of a table.

    Args:
        *names: of the columns of user, item, value and time, then the tables of items and of users.
        title: the items' column of titles.
        sep: what separates its cells.
        query: SQL that gives it, of a database.
        wide: whether it is users x items, or holds lists of items.
        time_format: how times are written.
        drop_nulls: whether rows without a user or an item are left out.
        encoding: of text that is not UTF-8.
        least: interactions that a user and an item have at least.
        signal: what counts as what.
    """
    reading = Reading(
        sep=sep,
        query=query,
        wide=wide,
        time_format=time_format,
        drop_nulls=drop_nulls,
        encoding=encoding,
    )
    return Columns(*names, title=title, reading=reading, least=least, signal=signal)


def signal_of(
    positive_from: float | None,
    weight_column: str | None,
    *,
    event_column: str | None,
    events: list[str] | None,
    repeats: Repeats | None,
    curve: Curve | None,
) -> Signal:
    """Returns what the options say counts as what."""
    return Signal(
        positive_from,
        weight_column=weight_column,
        event_column=event_column,
        events=events_of(events or ()),
        repeats=repeats,
        curve=curve,
    )
