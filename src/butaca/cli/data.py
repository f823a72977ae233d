"""This module holds the commands for data in bulk: `butaca data grow`, `data prepare` and `butaca batch`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn

from butaca.cli import options
from butaca.cli.screen import plain
from butaca.data.folders import GROWN, check_free
from butaca.data.formats.written import Reading
from butaca.errors import SettingError

if TYPE_CHECKING:
    from butaca.scale.pool import Runner, StageProgress

out = Console()

data = typer.Typer(no_args_is_help=True, help="Data in bulk: grow a set to any size, prepare it on disk.")


def register(app: typer.Typer) -> None:
    """Add the commands to butaca's."""
    app.add_typer(data, name="data")
    app.command()(batch)


@data.command()
def grow(
    source: Annotated[
        str,
        typer.Argument(
            help="ml-100k (or 1m, 10m, 20m, 25m, 32m, latest-small), or a CSV, Parquet or JSON lines file.",
            metavar="SOURCE",
        ),
    ],
    out_folder: Annotated[Path, typer.Option("--out", help="A new folder, or one of grown data.")],
    user_copies: Annotated[int, typer.Option(min=1, help="Copies of each user.")] = 160,
    item_copies: Annotated[int, typer.Option(min=1, help="Copies of each item.")] = 32,
    length: Annotated[
        float,
        typer.Option(
            help="History length against the original's: the set has user copies x length times its size."
        ),
    ] = 1.5625,
    seed: Annotated[int, typer.Option(min=0, help="Same seed and settings: same files, byte for byte.")] = 42,
    items: options.ItemTable = None,
    users: options.UserTable = None,
    user_column: options.UserColumn = None,
    item_column: options.ItemColumn = None,
    value_column: options.ValueColumn = None,
    time_column: options.TimeColumn = None,
    time_format: options.TimeFormat = None,
    encoding: options.Encoding = None,
) -> None:
    """Grow a real data set to any size: a randomised Kronecker product, written as Parquet.

    The curves of popularity and of history length, values, times and what is known of users and items stay.
    """
    from butaca.data import fractal
    from butaca.workflows.loading import MOVIELENS, load

    growth = fractal.Growth(user_copies, item_copies, length, seed)
    check_free(out_folder, GROWN)
    columns = options.columns_of(
        *(user_column, item_column, value_column, time_column, items, users),
        time_format=time_format,
        encoding=encoding,
    )
    if source in MOVIELENS:
        from butaca.data.movielens.load import load_movielens

        original = load_movielens(source.removeprefix("ml-"))
    else:
        original = load(source, columns)
    with _progress() as bar:
        task = bar.add_task("growing")
        grown = fractal.grow(
            original,
            out_folder,
            growth=growth,
            progress=lambda done, total: bar.update(task, completed=done, total=max(done, total)),
        )
    name = plain(str(out_folder))
    out.print(
        f"{grown.interactions:,} interactions, {grown.users:,} users, {grown.items:,} items in "
        f"[bold]{name}[/]. Next: butaca data prepare {name} --out prepared",
        highlight=False,
    )


@data.command()
def prepare(
    source: Annotated[
        list[str],
        typer.Argument(
            help="CSV, Parquet or JSON lines files, a folder or a pattern of them, - for the standard input, "
            "or a folder of `butaca data grow`.",
            metavar="SOURCE",
        ),
    ],
    out_folder: Annotated[Path, typer.Option("--out", help="A new folder, or one of prepared data.")],
    split: Annotated[
        Literal["random", "temporal", "none"],
        typer.Option(help="Each interaction by chance, all from a moment on, or none is held out."),
    ] = "random",
    test_share: options.TestShare = 0.2,
    seed: Annotated[int, typer.Option(min=0, help="Of the random split.")] = 42,
    engine: options.Engine = "local",
    workers: options.Workers = 0,
    address: options.Address = None,
    memory: Annotated[
        str, typer.Option(help="What the workers keep to, together; with less they spill to the disk.")
    ] = "3GB",
    partitions: Annotated[
        int, typer.Option(min=0, help="Parts to sort; 0: as the memory asks. The result is the same.")
    ] = 0,
    items: options.ItemTable = None,
    users: options.UserTable = None,
    user_column: options.UserColumn = None,
    item_column: options.ItemColumn = None,
    value_column: options.ValueColumn = None,
    time_column: options.TimeColumn = None,
    positive_from: options.PositiveFrom = None,
    weight_column: options.WeightColumn = None,
    event_column: options.EventColumn = None,
    event: options.EventWeights = None,
    repeats: options.PutTogether = None,
    weight_curve: options.WeightCurve = None,
    title_column: options.TitleColumn = None,
    time_format: options.TimeFormat = None,
    sep: options.Sep = None,
    encoding: options.Encoding = None,
    drop_nulls: options.DropNulls = False,
) -> None:
    """Read, code, split and sort interactions into memory-mapped columns, in little memory."""
    from butaca.scale.prepare import prepare as run
    from butaca.scale.prepare_settings import Preparing

    settings = Preparing(
        split=split,
        test_share=test_share,
        seed=seed,
        memory=memory,
        partitions=partitions,
        user_column=user_column,
        item_column=item_column,
        value_column=value_column,
        time_column=time_column,
        reading=Reading(sep=sep, time_format=time_format, drop_nulls=drop_nulls, encoding=encoding),
        items=items,
        users=users,
        title=title_column,
        signal=options.signal_of(
            positive_from,
            weight_column,
            event_column=event_column,
            events=event,
            repeats=repeats,
            curve=weight_curve,
        ),
    )
    with _runner(engine, workers, address) as runner, _stages() as progress:
        prepared = run(source, out_folder, settings=settings, runner=runner, progress=progress)
    for note in prepared.manifest["notes"]:
        out.print(f"  {note}", style="dim", highlight=False, markup=False)
    out.print(
        f"{len(prepared.train):,} interactions to train, {len(prepared.test):,} to test, "
        f"{prepared.n_users:,} users, {prepared.n_items:,} items in [bold]{plain(str(out_folder))}[/].",
        highlight=False,
    )


def batch(
    model: options.Model,
    out_folder: Annotated[Path, typer.Option("--out", help="A new folder, or one of lists.")],
    k: options.ListLength = 100,
    include_seen: options.IncludeSeen = False,
    first_stage: Annotated[
        bool, typer.Option("--first-stage", help="Leave out the second stage, where the model has one.")
    ] = False,
    engine: options.Engine = "local",
    workers: options.Workers = 0,
    address: options.Address = None,
) -> None:
    """Write the best items of every user to Parquet: user_id, rank, item_id, score."""
    from butaca.scale.batch import KIND, ListSettings, write_lists

    check_free(out_folder, KIND)
    asked = ListSettings(k, False if include_seen else None, not first_stage)
    with _runner(engine, workers, address) as runner, _stages() as progress:
        done = write_lists(model, out_folder, settings=asked, runner=runner, progress=progress)
    out.print(
        f"{done['n_rows']:,} rows for {done['n_users']:,} users in [bold]{plain(str(out_folder))}[/].",
        highlight=False,
    )


@contextmanager
def _runner(engine: str, workers: int, address: str | None) -> Iterator[Runner]:
    """Yields who runs the tasks."""
    if engine == "ray":
        from butaca.scale.ray_runner import ray_runner

        with ray_runner(address, workers) as tasks:
            yield tasks
        return
    if address is not None:
        raise SettingError("--address is of a Ray cluster", f"{address} for local", "Add --engine ray")
    from butaca.cores import cores
    from butaca.scale.pool import local_runner

    with local_runner(workers or cores()) as processes:
        yield processes


@contextmanager
def _stages() -> Iterator[StageProgress]:
    """Shows bars, one a stage, and what moves them."""
    with _progress() as bar:
        tasks: dict[str, TaskID] = {}

        def move(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage, total=total)
            bar.update(tasks[stage], completed=done)

        yield move


@contextmanager
def _progress() -> Iterator[Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        yield bar
