"""This module holds what comes from other systems and goes there: `butaca export`, `import-vectors`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from butaca.cli import options, screen
from butaca.cli.screen import plain

out = Console()


def register(app: typer.Typer) -> None:
    """Adds the commands to butaca's."""
    app.command()(export)
    app.command("import-vectors")(import_vectors)


def export(
    model: options.Model,
    out_folder: Annotated[Path, typer.Option("--out", help="A new folder, or one of an earlier export.")],
    to: Annotated[
        Literal["parquet", "faiss", "qdrant", "pgvector", "onnx"],
        typer.Option(help="For which system; all have the vectors as Parquet. onnx: the query tower."),
    ] = "parquet",
    address: Annotated[
        str | None,
        typer.Option(
            help="A server that is filled too: http://127.0.0.1:6333 of Qdrant, or postgresql://user@host/database.",
        ),
    ] = None,
) -> None:
    """Write a model's vectors for another system, so that the same lists come out there."""
    from butaca.export.writing import export as run
    from butaca.recommend.recommender import Recommender

    vectors = run(Recommender.load(model), out_folder, to=to, address=address)
    last = ", the last one the item's own term (1 in queries)" if vectors.bias else ""
    out.print(
        f"{len(vectors.item_ids):,} items and {len(vectors.user_ids):,} queries of {vectors.dimensions} "
        f"dimensions{last}, in [bold]{plain(str(out_folder))}[/]. A score is their inner product.",
        highlight=False,
    )
    if vectors.left_out:
        out.print(
            f"{vectors.left_out:,} users of whom nothing is known have no query: what is popular answers."
        )
    if vectors.pairs is not None:
        out.print(
            f"Of its scores, {len(vectors.pairs.item):,} pairs of items are beside the vectors, in "
            "pairs.parquet: what searches by vectors alone gives other lists (manifest.json says how they "
            "add up).",
            highlight=False,
        )
    if vectors.second_stage:
        out.print("The second stage is not exported: the lists are those of the towers alone.")


def import_vectors(
    source: Annotated[
        Path,
        typer.Argument(
            help="Vectors that another system trained: an .npz with user_vectors, item_vectors, user_ids and "
            "item_ids; a .parquet with side, id and vector; or a folder of `butaca export`.",
            metavar="VECTORS",
        ),
    ],
    train: Annotated[str, typer.Option(help="The table that they were trained on; it counts as seen.")],
    test: Annotated[
        str | None, typer.Option(help="A table of held-out interactions to judge on; none: no verdict.")
    ] = None,
    ids: Annotated[
        Path | None,
        typer.Option(help="A file of user_ids and item_ids (.npz or .json), where the vectors have none."),
    ] = None,
    out_folder: Annotated[Path, typer.Option("--out", help="Folder for the model.")] = Path("model"),
    metric: Annotated[
        Literal["dot", "cosine"], typer.Option(help="What a score is: their product, or that at length 1.")
    ] = "dot",
    default: Annotated[
        bool,
        typer.Option(
            "--default/--no-default", help="Train butaca's default recipe on the same table, to stand beside."
        ),
    ] = True,
    seed: options.Seed = 42,
    items: options.ItemTable = None,
    users: options.UserTable = None,
    user_column: options.UserColumn = None,
    item_column: options.ItemColumn = None,
    value_column: options.ValueColumn = None,
    time_column: options.TimeColumn = None,
    time_format: options.TimeFormat = None,
    sep: options.Sep = None,
    encoding: options.Encoding = None,
) -> None:
    """Compare another system's vectors with the baselines and butaca's default, and make a model of them.

    That they were trained on --train alone, and never on --test, only you can know.
    """
    from butaca.workflows.importing import ImportPlan, carry_out_import

    plan = ImportPlan(
        source,
        out_folder,
        train=train,
        test=test,
        ids=ids,
        metric=metric,
        columns=options.columns_of(
            *(user_column, item_column, value_column, time_column, items, users),
            sep=sep,
            time_format=time_format,
            encoding=encoding,
        ),
        default=default,
        seed=seed,
    )
    imported = carry_out_import(plan)
    model = imported.recommender
    sizes = f"{len(model.users):,} users and {len(model.items):,} items"
    out.print(f"{sizes}, vectors of {model.item_vectors.shape[1]} dimensions.", highlight=False)
    for note in imported.notes:
        out.print(note, highlight=False, markup=False)
    if imported.judged is not None:
        screen.print_judged(out, imported.judged, name="imported")
    again = plain(shlex.quote(str(out_folder)))
    out.print(f"Saved to [bold]{plain(str(out_folder))}[/]. Next: butaca serve {again}")
