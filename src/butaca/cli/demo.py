"""This module holds `butaca demo`: the notebook with its numbers beside ours, then the default recipe."""

from __future__ import annotations

import time
from pathlib import Path
from pprint import pformat

from rich.console import Console

from butaca.cli import screen
from butaca.data.dataset import Dataset
from butaca.data.movielens.load import load_movielens
from butaca.extras import installed
from butaca.recommend.folder.bundle import check_free
from butaca.workflows import fitting

USER = "21"


def run(console: Console, folder: Path) -> None:
    """Load, split, train, evaluate, compare, recommend, save.

    Args:
        console: where to print.
        folder: where the model goes.
    """
    check_free(folder)
    raw = load_movielens("100k")
    begin = time.perf_counter()
    screen.data_summary(console, raw)
    row = int(raw.find("138", "357")[0])
    console.print("One rating, with all that is known of it:")
    console.print(pformat({name: _shown(value) for name, value in raw.record(row).items()}), markup=False)
    data = raw.keyed_by("movie_title")
    console.print(
        f"{len(data.items):,} unique titles; 80,000 ratings train, 20,000 test (random, seed 42).\n"
    )

    from butaca.recipes import NOTEBOOK
    from butaca.train.callbacks import Progress

    fitted = fitting.fit(data, NOTEBOOK, callbacks=[Progress(console)])
    assert fitted.judged is not None
    rows = fitted.judged.rows
    console.print()
    console.print(
        screen.accuracy_table(
            {
                "the notebook, as printed": fitting.NOTEBOOK_PRINTED,
                "butaca, its recipe": rows["seen kept"],
                "the same, seen left out": rows["seen left out"],
                "popularity, seen left out": rows["popularity"],
            },
            "Top-k accuracy of the 20,000 test ratings among all 1,664 titles",
        )
    )
    answer = fitted.recommender.recommend(USER, 3)
    console.print(
        screen.recommendation_table(answer, f"Three titles for user {USER}, by the notebook's model")
    )
    console.print(
        "\nThe notebook's model is reproduced, and it loses to plain popularity. The default recipe:\n",
        markup=False,
    )
    fitted = fit_default(data, console)
    assert fitted.judged is not None
    console.print()
    console.print(screen.comparison_table(fitted.judged, "default"))
    console.print(fitted.judged.verdict.sentence, style="bold", highlight=False, markup=False)
    if fitted.ranking is not None:
        console.print("\nAnd the second stage, which the notebook only mentions:\n", markup=False)
        console.print(screen.ranking_table(fitted.ranking))
    else:
        console.print("\nThe second stage is left out: pip install 'butaca[rank]'", markup=False)
    fitted.recommender.save(folder)
    answer = fitted.recommender.recommend(USER, 3, explain=True)
    console.print()
    console.print(screen.recommendation_table(answer, f"Three titles for user {USER}"))
    console.print(
        f"\nDone in {time.perf_counter() - begin:.1f} s. The model is in {folder}/. Open its page with\n"
        f"  butaca serve {folder}/      then http://127.0.0.1:8000 in a browser\n"
        f"or ask it here:\n"
        f"  butaca recommend {folder}/ --user {USER} -k 3\n"
        f'  butaca recommend {folder}/ --history "Toy Story" --where genres=Comedy --explain\n'
        f'  butaca similar {folder}/ "Toy Story"\n'
        f"  butaca evaluate {folder}/\n"
        f"(`butaca` is in .venv/bin where `make demo` made it)",
        highlight=False,
        markup=False,
    )


def fit_default(data: Dataset, console: Console) -> fitting.Fitted:
    """Fits the default recipe, with a second stage where its library is installed."""
    from butaca.recipes import DEFAULT
    from butaca.train.callbacks import Progress

    return fitting.fit(data, DEFAULT, callbacks=[Progress(console)], rank=installed("lightgbm"))


def _shown(value: object) -> object:
    """Returns arrays and their scalars as plain Python, for printing."""
    return value.tolist() if hasattr(value, "tolist") else value
