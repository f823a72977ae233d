"""The `butaca` command: thin commands over `workflows`, `Recommender` and `screen`."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from functools import partial
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console

from butaca.cli import data as data_commands
from butaca.cli import model as model_commands
from butaca.cli import screen
from butaca.cli import serve as serve_commands
from butaca.data.dataset import Dataset
from butaca.errors import ButacaError, SettingError
from butaca.evaluate.judged import Judged
from butaca.evaluate.protocol import NOTEBOOK_K
from butaca.recommend.folder.bundle import check_free
from butaca.recommend.recommender import Recommender
from butaca.workflows import about, fitting, judging, loading

if TYPE_CHECKING:  # these load JAX
    from butaca.recipes import Recipe
    from butaca.train.callbacks import FitHistory
    from butaca.two_tower import TwoTower

out = Console()
err = Console(stderr=True)

app = typer.Typer(
    name="butaca",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
    help="A two-tower recommender you can defend: from a table of who watched what to judged, exact lists.",
    epilog="""[bold]Start here[/]

butaca demo   the notebook, whole: MovieLens 100K, trained, compared, three titles

butaca fit ratings.csv --out model/   your own table; columns are found by name

butaca evaluate model/   the verdict again, by slice, and beyond accuracy

butaca recommend model/ --user 21 -k 3

butaca recommend model/ --history "Toy Story" --history Aladdin   someone new

butaca similar model/ "Toy Story"

Each command explains itself: butaca fit --help""",
)


Model = Annotated[
    Path, typer.Argument(help="A model folder, as `butaca fit --out` wrote it.", metavar="MODEL")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
K = Annotated[int, typer.Option("-k", min=1, help="Items per list.")]
UserColumn = Annotated[str | None, typer.Option(help="Column of the user; found by name if not given.")]
ItemColumn = Annotated[str | None, typer.Option(help="Column of the item.")]
ValueColumn = Annotated[str | None, typer.Option(help="Column of the rating.")]
TimeColumn = Annotated[str | None, typer.Option(help="Column of the time.")]


def _print_version(asked: bool) -> None:
    """Prints the version, and ends the command."""
    if asked:
        typer.echo(f"butaca {installed('butaca')}")
        raise typer.Exit


@app.callback()
def start(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Reads what comes before the name of a command."""


@app.command()
def demo(
    out_folder: Annotated[Path, typer.Option("--out", help="Where the model goes.")] = Path("model"),
) -> None:
    """Do what the notebook does, on MovieLens 100K, and compare."""
    from butaca.cli.demo import run

    run(out, out_folder)


@app.command()
def fit(
    source: Annotated[
        str | None,
        typer.Argument(
            help="ml-100k (or 1m, 10m, 20m, 25m, 32m, latest-small), a CSV, Parquet or JSON lines file, or a "
            "folder of `butaca data prepare`, which comes split. May be left out with --from-events.",
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
    split: Annotated[
        loading.Split,
        typer.Option(
            help="random share, temporal, last of each user, by user, or none: train on everything."
        ),
    ] = "random",
    test: Annotated[float, typer.Option(help="Share that is held out.")] = 0.2,
    seed: Annotated[int, typer.Option(help="Of the split and of training.")] = 42,
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
    items: Annotated[str | None, typer.Option(help="A table of item features.")] = None,
    users: Annotated[str | None, typer.Option(help="A table of user features.")] = None,
    user_column: UserColumn = None,
    item_column: ItemColumn = None,
    value_column: ValueColumn = None,
    time_column: TimeColumn = None,
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
    address: data_commands.Address = None,
) -> None:
    """Train on a table of who had what, say how good it is, and save it."""
    from butaca import recipes
    from butaca.train.callbacks import Callback, Checkpoint, Progress, TensorBoard

    if resume and checkpoint is None:
        raise SettingError("--resume continues a checkpoint", "no --checkpoint", "Name its folder")
    if rank_target is not None and not rank:
        raise SettingError("--rank-target is of a second stage", "no --rank", "Add --rank")
    check_free(out_folder)
    chosen = recipes.recipe(recipe)
    if settings is not None:
        from butaca.tune import load_settings

        chosen = load_settings(settings, chosen)
    model = replace(
        chosen.model, seed=seed, dim=dim or chosen.model.dim, softmax=softmax or chosen.model.softmax
    )
    chosen = replace(
        chosen,
        model=model,
        epochs=epochs or chosen.epochs,
        steps=0 if epochs else chosen.steps,
        batch_size=batch_size or chosen.batch_size,
    )
    columns = loading.Columns(user_column, item_column, value_column, time_column, items, users)
    if source is None and from_events is None:
        raise SettingError("fit learns from a table", "none", "Name a SOURCE, or pass --from-events")
    sides = None if source is None else loading.prepared(source)
    if sides is not None and (rank or from_events is not None):
        raise SettingError(
            "Prepared data train the towers alone, from the disk",
            "--rank or --from-events with a folder of `butaca data prepare`",
            "Leave it out, or pass the table itself",
        )
    data = None if source is None else loading.load(source, columns) if sides is None else sides.train
    if from_events is not None:
        data = loading.with_events(data, from_events, columns)
    assert data is not None
    screen.data_summary(out, data)
    trainer = None
    if engine == "ray":
        if sides is None or tensorboard is not None:
            raise SettingError(
                "Ray trains the towers on prepared data, and writes no TensorBoard logs",
                "--engine ray with a table or --tensorboard",
                "Run `butaca data prepare SOURCE --out FOLDER` first and pass FOLDER, or use --engine local",
            )
        kept = checkpoint or out_folder.absolute().parent / f".{out_folder.name}.checkpoint"
        trainer = partial(
            _fit_on_ray, str(source), workers=workers, checkpoint=kept, address=address,
            every_steps=checkpoint_every, resume=resume,
        )  # fmt: skip
    elif address is not None or workers:
        raise SettingError(
            "--address and --workers are of a Ray cluster", "--engine local", "Add --engine ray"
        )
    callbacks: list[Callback] = [Progress(out)]
    if tensorboard is not None:
        callbacks.append(TensorBoard(tensorboard))
    if checkpoint is not None:
        callbacks.append(Checkpoint(checkpoint, checkpoint_every))
    fitted = fitting.fit(
        data,
        chosen,
        split,
        test,
        seed,
        callbacks,
        checkpoint if resume else None,
        rank,
        rank_target or "watched",
        sides,
        trainer,
    )
    fitted.recommender.save(out_folder)
    if engine == "ray" and checkpoint is None:
        shutil.rmtree(kept)
    for note in fitted.notes:
        out.print(note, highlight=False, markup=False)
    if fitted.judged is not None:
        _print_judged(fitted.judged, recipe)
        if fitted.ranking is not None:
            out.print(screen.ranking_table(fitted.ranking))
    else:
        out.print("Trained on everything; nothing was held out to judge it by.")
    out.print(f"Saved to [bold]{out_folder}[/]. Next: butaca recommend {out_folder} --user ID -k 3")


def _fit_on_ray(folder: str, recipe: Recipe, **how: Any) -> tuple[TwoTower, FitHistory]:
    """Train on a cluster, and say what happens there."""
    from butaca.scale.ray_training import Event, fit_on_ray

    def told(event: Event) -> None:
        at = "the beginning" if event.position is None else "epoch {}, step {}".format(*event.position)
        if event.kind == "started":
            text = f"{len(event.places)} workers train from {at}; checkpoints go to {how['checkpoint']}"
        elif event.kind == "lost":
            text = f"A worker was lost, and all begin again from {at}. {event.reason}"
        else:
            return
        out.print(text, highlight=False, markup=False)

    return fit_on_ray(folder, recipe, told=told, **how)


@app.command()
def tune(
    source: Annotated[str, typer.Argument(help="As for fit.", metavar="SOURCE")],
    out_file: Annotated[Path, typer.Option("--out", help="Where the settings go, as JSON.")] = Path(
        "settings.json"
    ),
    trials: Annotated[int, typer.Option(min=1, help="Settings to try at most.")] = 60,
    seconds: Annotated[float | None, typer.Option(min=0, help="Budget of time.")] = None,
    split: Annotated[
        loading.Split, typer.Option(help="As for fit: what it would hold out is never read.")
    ] = "random",
    test: Annotated[float, typer.Option(help="As for fit.")] = 0.2,
    seed: Annotated[int, typer.Option(help="Of the split, as for fit, and of the search.")] = 42,
    slices: Annotated[int, typer.Option(min=1, help="Validation slices that a trial is judged on.")] = 4,
    user_column: UserColumn = None,
    item_column: ItemColumn = None,
    value_column: ValueColumn = None,
    time_column: TimeColumn = None,
) -> None:
    """Search the default recipe's settings on validation slices of the training data."""
    from rich.progress import Progress

    from butaca import recipes
    from butaca.tune import Trial, save_settings, validation_slices
    from butaca.tune import tune as search

    columns = loading.Columns(user_column, item_column, value_column, time_column)
    train, _ = loading.split(loading.load(source, columns), split, test, seed)
    with Progress(console=out) as bar:
        task = bar.add_task("trials", total=trials)

        def told(trial: Trial, best: float) -> None:
            bar.update(task, advance=1, description=f"{trial.value:.4f}, best {best:.4f}")

        found = search(
            recipes.DEFAULT,
            validation_slices(train, slices),
            trials=trials,
            seconds=seconds,
            seed=seed,
            progress=told,
        )
    save_settings(found, out_file, about={"source": source, "split": split, "test": test, "seed": seed})
    out.print(
        f"NDCG@20 {found.best.value:.4f}, where the recipe had {found.trials[0].value:.4f}. "
        f"Next: butaca fit {source} --settings {out_file}",
        highlight=False,
    )


@app.command()
def evaluate(
    model: Model,
    test: Annotated[
        str | None, typer.Option(help="A table of test interactions; else the pairs held out by fit.")
    ] = None,
    user_column: Annotated[str | None, typer.Option(help="Of --test; found by name if not given.")] = None,
    item_column: Annotated[str | None, typer.Option(help="Of --test.")] = None,
    k: Annotated[list[int] | None, typer.Option("-k", min=1, help="Repeat for several.")] = None,
    as_json: AsJson = False,
) -> None:
    """Rank every test pair exactly, beside the baselines: who beats whom, by slice, and beyond accuracy."""
    recommender = Recommender.load(model)
    given = None
    if test is not None:
        from butaca.data.tables import read_test

        given = read_test(
            test, recommender.users, recommender.items, user_column=user_column, item_column=item_column
        )
        if not as_json:
            screen.data_summary(out, given)
    judged = judging.judge_saved(recommender, given)
    ks = tuple(k) if k else NOTEBOOK_K
    if test is None and not as_json:
        for note in about.protocol(recommender.about):
            out.print(note, highlight=False, markup=False)
    ranking = None
    if test is None and recommender.test is not None:
        pairs = Dataset(recommender.users, recommender.items, *recommender.test)
        ranking = judging.judge_stages(recommender, pairs)
    elif given is not None:
        ranking = judging.judge_stages(recommender, given)
    if as_json:
        told = {} if ranking is None else {"ranking": ranking.as_json()}
        model_commands.print_json(judged.as_json(ks) | told)
    else:
        _print_judged(judged, str(recommender.about.get("recipe", "model")), ks, details=True)
        if ranking is not None:
            out.print(screen.ranking_table(ranking))


@app.command()
def report(
    model: Model,
    out_file: Annotated[Path, typer.Option("--out", help="The file to write.")] = Path("report.html"),
    language: Annotated[Literal["en", "es"], typer.Option(help="English or Spanish.")] = "en",
) -> None:
    """Write one HTML page to look at: the verdict, learning, slices, what is popular, a map, neighbours."""
    from butaca.report.page import write_report

    out.print(f"Written to [bold]{screen.plain(str(write_report(model, out_file, language=language)))}[/]")


data_commands.register(app)
model_commands.register(app)
serve_commands.register(app)


def _print_judged(judged: Judged, name: str, k: tuple[int, ...] = NOTEBOOK_K, details: bool = False) -> None:
    rows = {
        f"{name}, seen kept": judged.rows["seen kept"],
        f"{name}, seen left out": judged.rows["seen left out"],
        "popularity, seen left out": judged.rows["popularity"],
    }
    out.print(screen.accuracy_table(rows, f"Top-k accuracy of {judged.n_test:,} test pairs", k))
    out.print(screen.comparison_table(judged, name))
    out.print(screen.verdict_table(judged))
    if details:
        out.print(screen.slice_table(judged.slices))
        out.print(screen.beyond_table(judged))
    for baseline, reason in judged.left_out.items():
        out.print(f"Not compared with {baseline}: {reason}.", style="dim", highlight=False)
    out.print(judged.verdict.sentence, style="bold", highlight=False, markup=False)
    if judged.verdict.word("popularity") in {"ties", "loses"}:
        err.print("A model that does not beat popularity should not be served as it is.", style="yellow")
    for notice in judged.warnings:
        err.print(f"[yellow]Mind:[/] {screen.plain(str(notice))}", highlight=False)


def main() -> None:
    """Run the command; errors that the user can mend are one message and exit code 1."""
    try:
        app()
    except ButacaError as error:
        err.print(f"[bold red]error:[/] {screen.plain(str(error))}", highlight=False, soft_wrap=True)
        raise SystemExit(1) from None
    except BrokenPipeError:  # the reader, such as `head`, has enough
        sys.stderr.close()
        raise SystemExit(0) from None
