"""This module holds `butaca fit`: its options become a FitPlan, which `workflows` carries out."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console

from butaca.cli import options, screen
from butaca.errors import SettingError

if TYPE_CHECKING:  # these load JAX
    from butaca.scale.ray_training import JobEvent
    from butaca.workflows.fitting import Fitted
    from butaca.workflows.plans import Cluster

out = Console()


def register(app: typer.Typer) -> None:
    """Adds the command to butaca's."""
    app.command()(fit)


def fit(
    source: Annotated[
        list[str] | None,
        typer.Argument(
            help="Your table: files, a folder or a pattern of them, - for the standard input, or the address "
            "of a database; ml-100k (or 1m, 10m, 20m, 25m, 32m, latest-small); or a folder of `butaca "
            "data prepare`, which comes split. May be left out with --from-events.",
            metavar="SOURCE",
            show_default=False,
        ),
    ] = None,
    out_folder: Annotated[Path, typer.Option("--out", help="Folder for the model.")] = Path("model"),
    from_events: Annotated[
        str | None,
        typer.Option(
            help="The service's events, added to SOURCE: a file (SQLite) or a postgresql:// address.",
            metavar="PATH_OR_URL",
        ),
    ] = None,
    recipe: Annotated[Literal["default", "notebook"], typer.Option(help="What to train.")] = "default",
    split: options.SplitName = "random",
    split_at: Annotated[
        str | None,
        typer.Option(
            help="Test what comes from this moment on, such as 2011-10-01, instead of --split.",
            metavar="TIME",
        ),
    ] = None,
    test: Annotated[
        str | None,
        typer.Option(help="A table of test interactions, for a split of your own, instead of --split."),
    ] = None,
    test_share: options.TestShare = 0.2,
    seed: options.Seed = 42,
    rank: Annotated[
        bool, typer.Option("--rank", help="Train a second stage that orders what the towers retrieve.")
    ] = False,
    rank_target: Annotated[
        Literal["watched", "graded"] | None,
        typer.Option(
            help="With --rank, what is learned: watched, or graded, where a liked item is worth more.",
            show_default="watched",
        ),
    ] = None,
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
    title_column: options.TitleColumn = None,
    sep: options.Sep = None,
    encoding: options.Encoding = None,
    query: options.Query = None,
    wide: options.Wide = False,
    drop_nulls: options.DropNulls = False,
    min_user: options.MinUser = 0,
    min_item: options.MinItem = 0,
    order: Annotated[
        Literal["timescales", "attention", "none"] | None,
        typer.Option(
            help="How the history is read: in its order by sums with decays or by attention, or as a bag.",
            show_default="timescales with --split last or temporal, or --split-at; else none",
        ),
    ] = None,
    effort: Annotated[
        Literal["quick", "normal", "thorough"] | None,
        typer.Option(
            help="How long validation searches for what suits the data: not at all, for about three more "
            "fits, or for --trials configurations.",
            show_default="normal; quick where settings are given or data come prepared",
        ),
    ] = None,
    trials: Annotated[int, typer.Option(min=1, help="Of --effort thorough.")] = 16,
    epochs: Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's.")] = None,
    dim: Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's.")] = None,
    softmax: Annotated[
        Literal["full", "sampled", "in_batch"] | None,
        typer.Option(help="What a positive competes with, instead of the recipe's."),
    ] = None,
    tensorboard: Annotated[Path | None, typer.Option(help="Write TensorBoard logs to this folder.")] = None,
    checkpoint: Annotated[Path | None, typer.Option(help="Keep a checkpoint in this folder.")] = None,
    checkpoint_every: Annotated[
        int, typer.Option(min=0, help="Steps between checkpoints; 0: each epoch.")
    ] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Continue from --checkpoint.")] = False,
    settings: Annotated[Path | None, typer.Option(help="What `butaca tune` found, as JSON.")] = None,
    engine: Annotated[
        Literal["local", "ray"],
        typer.Option(help="Where prepared data train: in this process, or by workers of a Ray cluster."),
    ] = "local",
    workers: Annotated[
        int,
        typer.Option(
            min=0, help="Processes that train together on Ray, a core each; 0: all cores of the cluster."
        ),
    ] = 0,
    address: options.Address = None,
    noun: options.Noun = None,
) -> None:
    """Train on a table of who had what, say how good it is, and save it."""
    from butaca.train.callbacks import Progress
    from butaca.workflows.carrying import Watching, carry_out_fit
    from butaca.workflows.plans import FitPlan, Keeping
    from butaca.workflows.recipe_choice import RecipeChoice

    if rank_target is not None and not rank:
        raise SettingError("--rank-target is of a second stage", "no --rank", "Add --rank")
    plan = FitPlan(
        one_or_all(source),
        out_folder,
        from_events=from_events,
        columns=options.columns_of(
            *(user_column, item_column, value_column, time_column, items, users),
            title=title_column,
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
        recipe=RecipeChoice(
            recipe,
            settings=settings,
            order=order,
            epochs=epochs,
            batch_size=batch_size,
            dim=dim,
            softmax=softmax,
        ),
        split=split,
        split_at=split_at,
        test=test,
        test_share=test_share,
        seed=seed,
        rank=(rank_target or "watched") if rank else None,
        keeping=Keeping(checkpoint, every_steps=checkpoint_every, resume=resume, tensorboard=tensorboard),
        ray=_cluster(engine, workers, address),
        noun=noun,
        effort=effort,
        trials=trials,
    )
    watching = Watching(
        data=lambda data: screen.data_summary(out, data, noun=noun),
        cluster=lambda event: _print_event(event, plan.cluster_checkpoint),
        callbacks=[Progress(out)],
        choice=screen.ChoiceBar(out),
    )
    _print_fitted(carry_out_fit(plan, watching), recipe, out_folder)


def one_or_all(source: Sequence[str] | None) -> str | tuple[str, ...] | None:
    """Returns the one source that was named, or all of several files; None where there is none."""
    return None if not source else source[0] if len(source) == 1 else tuple(source)


def _cluster(engine: str, workers: int, address: str | None) -> Cluster | None:
    """Returns the cluster that the options name, or None for this process."""
    from butaca.workflows.plans import Cluster

    if engine == "ray":
        return Cluster(workers, address)
    if address is not None or workers:
        raise SettingError(
            "--address and --workers are of a Ray cluster", "--engine local", "Add --engine ray"
        )
    return None


def _print_event(event: JobEvent, checkpoint: Path) -> None:
    """Prints what happens on a cluster, where it is news."""
    at = "the beginning" if event.position is None else "epoch {}, step {}".format(*event.position)
    if event.kind == "started":
        text = f"{len(event.places)} workers train from {at}; checkpoints go to {checkpoint}"
    elif event.kind == "lost":
        text = f"A worker was lost, and all begin again from {at}. {event.reason}"
    else:
        return
    out.print(text, highlight=False, markup=False)


def _print_fitted(fitted: Fitted, recipe: str, folder: Path) -> None:
    """Prints the verdict on a fitted model, and what to do next."""
    for note in fitted.notes:
        out.print(note, highlight=False, markup=False)
    if fitted.judged is None:
        out.print("Trained on everything; nothing was held out to judge it by.")
    else:
        screen.print_judged(out, fitted.judged, name=recipe)
        if fitted.ranking is not None:
            out.print(screen.ranking_table(fitted.ranking))
    at = screen.plain(str(folder))
    again = screen.plain(shlex.quote(str(folder)))
    out.print(f"Saved to [bold]{at}[/]. Next: butaca recommend {again} --user ID -k 3")
