"""What the commands print: tables of results and lists of titles, drawn with rich."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from butaca.data.dataset import Dataset
from butaca.evaluate.protocol import NOTEBOOK_K, Evaluation
from butaca.recommend.recommender import Recommendation


def data_summary(console: Console, data: Dataset) -> None:
    """Name, sizes, and what reading decided."""
    density = len(data) / max(len(data.users) * len(data.items), 1)
    console.print(
        f"[bold]{data.name}[/]: {len(data):,} interactions of {len(data.users):,} users "
        f"with {len(data.items):,} items ({density:.2%} of all pairs)",
        highlight=False,
    )
    for note in data.notes:
        console.print(f"  {note}", style="dim", highlight=False, markup=False)


def accuracy_table(
    rows: Mapping[str, Evaluation | Mapping[Any, float]], title: str, k: Sequence[int] = NOTEBOOK_K
) -> Table:
    """Top-k accuracies, a row each; a row may be an Evaluation or printed figures by k and "loss".

    The loss is that of the last test batch of 4,096, as Keras prints it.
    """
    table = Table(title=title, title_justify="left", title_style="bold", header_style="dim", box=None)
    table.padding = (0, 0, 0, 2)
    table.add_column("", no_wrap=True)
    for n in k:
        table.add_column(f"top-{n}", justify="right", no_wrap=True)
    table.add_column("loss", justify="right", no_wrap=True)
    for name, row in rows.items():
        if isinstance(row, Evaluation):
            values, loss = [row.top_k(n) for n in k], row.loss
        else:
            values, loss = [row[n] for n in k], row.get("loss")
        cells = [f"{v:.5f}" if v < 0.001 else f"{v:.4f}" for v in values]
        table.add_row(name, *cells, "" if loss is None else f"{loss:,.0f}")
    return table


def recommendation_table(answer: Recommendation, heading: str) -> Table:
    """One list."""
    table = Table(title=heading, title_justify="left", title_style="bold", header_style="dim", box=None)
    table.add_column("", justify="right", style="dim")
    table.add_column("title")
    table.add_column("score", justify="right", style="dim")
    for place, item in enumerate(answer.items, start=1):
        table.add_row(str(place), plain(item.title), f"{item.score:.3f}")
    return table


def plain(text: str) -> str:
    """Text in which square brackets are not markup."""
    return escape(text)


def as_json(answer: Recommendation) -> dict[str, Any]:
    """One JSON line: {"user": ..., "source": ..., "items": [{"id", "title", "score"}, ...]}."""
    return {
        "user": answer.asked,
        "source": answer.source,
        "items": [{"id": i.id, "title": i.title, "score": i.score} for i in answer.items],
    }
