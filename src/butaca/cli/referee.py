"""This module holds `butaca referee`: its options become a RefereePlan, which `referee` carries out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from butaca.cli import options, screen
from butaca.errors import SettingError

if TYPE_CHECKING:
    from butaca.referee.found import RefereeFound

out = Console()


def register(app: typer.Typer) -> None:
    """Adds the command to butaca's."""
    app.command()(referee)


def referee(
    source: Annotated[
        list[str] | None, typer.Argument(help="As for fit.", metavar="SOURCE", show_default=False)
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="The same as SOURCE: a table of your own.", metavar="FILE")
    ] = None,
    protocol: Annotated[
        list[str] | None,
        typer.Option(
            help="What is held out: random, a share; user, people; last, of each; temporal, the latest; "
            "repeat for several.",
            show_default="all that the data allow",
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="By its name in the page, such as 'implicit ALS'; repeat for several. The others are "
            "compared with the first.",
            show_default="all that are installed",
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Splits and fits of each: 42, 1, 2, ...")] = 1,
    trials: Annotated[
        int, typer.Option(min=1, help="Configurations that validation judges of each model.")
    ] = 16,
    out_folder: Annotated[
        Path, typer.Option("--out", help="Folder for the page, its picture and the JSON.")
    ] = Path("referee"),
    test_share: options.TestShare = 0.2,
    items: options.ItemTable = None,
    users: options.UserTable = None,
    user_column: options.UserColumn = None,
    item_column: options.ItemColumn = None,
    value_column: options.ValueColumn = None,
    time_column: options.TimeColumn = None,
    time_format: options.TimeFormat = None,
    positive_from: options.PositiveFrom = None,
    weight_column: options.WeightColumn = None,
    event_column: options.EventColumn = None,
    event: options.EventWeights = None,
    repeats: options.PutTogether = None,
    weight_curve: options.WeightCurve = None,
    sep: options.Sep = None,
    encoding: options.Encoding = None,
    query: options.Query = None,
    wide: options.Wide = False,
    drop_nulls: options.DropNulls = False,
    min_user: options.MinUser = 0,
    min_item: options.MinItem = 0,
) -> None:
    """Compare models of several libraries, judged alike: protocols by models, one page and one JSON.

    butaca as fit gives it and the quick one, every baseline, and the models of implicit, LensKit, LightFM and
    RecTools where these are installed; each gets the same trials on validation, and a process of its own.
    """
    from butaca.referee.carrying import carry_out_referee
    from butaca.referee.plan import PAGE, RefereePlan

    if source and data:
        raise SettingError("A source is told once", "SOURCE and --data", "Leave one of them out")
    sources = tuple(source or ([data] if data else ()))
    plan = RefereePlan(
        sources[0] if len(sources) == 1 else sources,
        out_folder,
        columns=options.columns_of(
            *(user_column, item_column, value_column, time_column, items, users),
            sep=sep,
            query=query,
            wide=wide,
            time_format=time_format,
            drop_nulls=drop_nulls,
            encoding=encoding,
            least=(min_user, min_item),
            signal=options.signal_of(
                positive_from,
                weight_column,
                event_column=event_column,
                events=event,
                repeats=repeats,
                curve=weight_curve,
            ),
        ),
        protocols=protocol or (),
        models=model or (),
        seeds=seeds,
        trials=trials,
        test_share=test_share,
    )
    err = Console(stderr=True, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, disable=not err.is_terminal) as bar:
        task = bar.add_task("reading", total=None)

        def watch(what: str, done: int, total: int) -> None:
            """Moves the bar; where none can be drawn, as in a log, prints a line."""
            bar.update(task, description=what, completed=done, total=total)
            if not err.is_terminal:
                err.print(f"{done} of {total}: {what}", markup=False, soft_wrap=True)

        found = carry_out_referee(plan, watch=watch, told=lambda table: screen.data_summary(out, table))
    _print_found(found, out_folder / PAGE)


def _print_found(found: RefereeFound, page: Path) -> None:
    """Prints a table for each protocol, what failed, what is not there, and where the page is."""
    from butaca.cli.figures import Figures
    from butaca.referee.tables import LABELS, figures, seconds

    for protocol, bout in found.bouts.items():
        table = Figures(f"{protocol}: {bout.question}", [*LABELS, "fit", "MiB"])
        for row in bout.rows:
            if row.failure:
                table.add_row(row.name, "failed", *[""] * (len(LABELS) + 1))
            else:
                memory = "–" if row.memory_mib is None else f"{row.memory_mib:,.0f}"
                table.add_row(row.name, *figures(row.means), seconds(row.fit_s), memory)
        out.print(table)
    for what, why in found.failures.items():
        out.print(f"[red]failed:[/] {screen.plain(what)}: {screen.plain(why)}", highlight=False)
    for name, why in found.not_there.items():
        out.print(f"Not there: {name}: {why}", style="dim", highlight=False, markup=False)
    out.print(f"Intervals, settings and how to run a row again: [bold]{screen.plain(str(page))}[/]")
