"""This module holds what comes from other systems and goes there: `butaca export`, `import-vectors`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from butaca.cli import options
from butaca.cli.screen import plain

out = Console()


def register(app: typer.Typer) -> None:
    """Adds the commands to butaca's."""
    app.command()(export)


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
    if vectors.second_stage:
        out.print("The second stage is not exported: the lists are those of the towers alone.")
