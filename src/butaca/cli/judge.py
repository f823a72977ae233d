"""This module holds the commands that judge: `butaca evaluate`, `butaca report` and `butaca tune`."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from butaca.cli import options, screen
from butaca.evaluate.protocol import NOTEBOOK_K
from butaca.workflows.as_options import options_of

out = Console()


def register(app: typer.Typer) -> None:
    """Adds the commands to butaca's."""
    for command in (tune, evaluate, report):
        app.command()(command)


def tune(
    source: Annotated[str, typer.Argument(help="As for fit.", metavar="SOURCE")],
    out_file: Annotated[Path, typer.Option("--out", help="Where the settings go, as JSON.")] = Path(
        "settings.json"
    ),
    trials: Annotated[int, typer.Option(min=1, help="Settings to try at most.")] = 60,
    seconds: Annotated[float | None, typer.Option(min=0, help="Budget of time.")] = None,
    split: options.SplitName = "random",
    test_share: options.TestShare = 0.2,
    seed: options.Seed = 42,
    slices: Annotated[int, typer.Option(min=1, help="Validation slices that a trial is judged on.")] = 4,
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
    time_format: options.TimeFormat = None,
    sep: options.Sep = None,
    encoding: options.Encoding = None,
    query: options.Query = None,
    wide: options.Wide = False,
    drop_nulls: options.DropNulls = False,
    min_user: options.MinUser = 0,
    min_item: options.MinItem = 0,
) -> None:
    """Search the default recipe's settings on validation slices of the training data.

    What the split holds out, as for fit, is never read. The slices are made as that is: at random, of the
    latest share, or of each user's last but one.
    """
    from rich.progress import Progress

    from butaca.tune import Trial
    from butaca.workflows.carrying import carry_out_tune
    from butaca.workflows.plans import TunePlan

    plan = TunePlan(
        source,
        out_file,
        columns=options.columns_of(
            *(user_column, item_column, value_column, time_column),
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
        split=split,
        test_share=test_share,
        seed=seed,
        trials=trials,
        seconds=seconds,
        slices=slices,
    )
    with Progress(console=out) as bar:
        task = bar.add_task("trials", total=trials)

        def progress(trial: Trial, best: float) -> None:
            """Moves the bar by a trial."""
            bar.update(task, advance=1, description=f"{trial.value:.4f}, best {best:.4f}")

        found = carry_out_tune(plan, progress, watching=partial(screen.data_summary, out))
    same = {"--split": (split, "random"), "--test-share": (test_share, 0.2), "--seed": (seed, 42)}
    held = [word for name, (value, usual) in same.items() if value != usual for word in (name, str(value))]
    again = shlex.join([source, *held, *options_of(plan.columns), "--settings", str(out_file)])
    out.print(
        f"NDCG@20 {found.best.value:.4f}, where the recipe had {found.trials[0].value:.4f}. "
        f"Next: butaca fit {again}",
        highlight=False,
        soft_wrap=True,
    )


def evaluate(
    model: options.Model,
    test: Annotated[
        str | None, typer.Option(help="A table of test interactions; else the pairs held out by fit.")
    ] = None,
    user_column: Annotated[str | None, typer.Option(help="Of --test; found by name if not given.")] = None,
    item_column: Annotated[str | None, typer.Option(help="Of --test.")] = None,
    value_column: Annotated[str | None, typer.Option(help="Of --test.")] = None,
    positive_from: options.PositiveFrom = None,
    weight_column: options.WeightColumn = None,
    event_column: options.EventColumn = None,
    event: options.EventWeights = None,
    repeats: options.PutTogether = None,
    weight_curve: options.WeightCurve = None,
    time_format: options.TimeFormat = None,
    sep: options.Sep = None,
    encoding: options.Encoding = None,
    drop_nulls: options.DropNulls = False,
    k: Annotated[list[int] | None, typer.Option("-k", min=1, help="Repeat for several.")] = None,
    as_json: options.AsJson = False,
) -> None:
    """Rank every test pair exactly, beside the baselines: who beats whom, by slice, and beyond accuracy.

    What counts as what in --test is as it was for fit, unless said here.
    """
    from butaca.workflows.evaluate_plan import EvaluatePlan, carry_out_evaluate

    signal = options.signal_of(
        positive_from,
        weight_column,
        event_column=event_column,
        events=event,
        repeats=repeats,
        curve=weight_curve,
    )
    columns = options.columns_of(
        *(user_column, item_column, value_column),
        sep=sep,
        time_format=time_format,
        drop_nulls=drop_nulls,
        encoding=encoding,
        signal=signal,
    )
    plan = EvaluatePlan(model, test, columns=columns, k=k or NOTEBOOK_K)

    def held_out(notes: Sequence[str]) -> None:
        """Prints what is known of the pairs that fit held out."""
        for note in notes:
            out.print(note, highlight=False, markup=False)

    found = carry_out_evaluate(
        plan,
        data=None if as_json else partial(screen.data_summary, out),
        held_out=None if as_json else held_out,
    )
    judged, ranking = found.judged, found.ranking
    if as_json:
        both = {} if ranking is None else {"ranking": ranking.as_json()}
        screen.print_json(judged.as_json(plan.k) | both)
        return
    name = str(found.recommender.about.get("recipe", "model"))
    screen.print_judged(out, judged, name=name, k=plan.k, details=True)
    if ranking is not None:
        out.print(screen.ranking_table(ranking))


def report(
    model: options.Model,
    out_file: Annotated[Path, typer.Option("--out", help="The file to write.")] = Path("report.html"),
    language: Annotated[Literal["en", "es"], typer.Option(help="English or Spanish.")] = "en",
    noun: options.Noun = None,
) -> None:
    """Write one HTML page to look at: the verdict, learning, slices, what is popular, a map, neighbours."""
    from butaca.report.page import write_report

    written = write_report(model, out_file, language=language, noun=noun)
    out.print(f"Written to [bold]{screen.plain(str(written))}[/]")
