"""Draws docs/accuracy.png, the picture of the README: `python docs/picture.py` (needs the dev extra)."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np

import butaca
from butaca.evaluate.protocol import Evaluation

mpl.use("Agg")

from matplotlib import pyplot as plt

INK, MUTED = "#1c1c1c", "#8a8a8a"


def trained(name: str, train: butaca.Dataset) -> butaca.TwoTower:
    """A recipe's model, fitted."""
    model, _ = butaca.recipe(name).for_data(train).fit(train)
    return model


def main() -> None:
    """Train both recipes on the notebook's split and draw their top-k accuracy for k = 1 to 100."""
    ml = butaca.load_movielens("100k").keyed_by("movie_title")
    train, test = butaca.random_split(ml)
    seen = butaca.Histories.of(train)
    notebook = trained("notebook", train)
    curves: list[tuple[str, Evaluation, str, str]] = [
        (
            "butaca, default",
            butaca.evaluate_scorer(trained("default", train), test, seen=seen),
            "#b3261e",
            "-",
        ),
        ("popularity", butaca.evaluate_scorer(butaca.Popularity().fit(train), test, seen=seen), MUTED, "-"),
        ("the notebook's model", butaca.evaluate_scorer(notebook, test, seen=seen), "#1f5f8b", "-"),
        ("the same, seen films kept", butaca.evaluate_scorer(notebook, test), "#1f5f8b", ":"),
    ]
    k = np.arange(1, 101)
    figure, axes = plt.subplots(figsize=(7.2, 3.6), dpi=160)
    for label, result, colour, style in curves:
        values = np.array([result.top_k(int(n)) for n in k])
        axes.plot(k, values, style, color=colour, lw=2)
        axes.annotate(
            f"{label}  {values[-1]:.2f}",
            (100, values[-1]),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            fontsize=9,
        )
    axes.set_xlim(1, 100)
    axes.set_ylim(0, None)
    axes.set_xticks([1, 10, 25, 50, 75, 100])
    axes.set_xlabel("films recommended (k)", color=INK)
    axes.set_title(
        "MovieLens 100K: share of 20,000 held-out ratings found in the first k",
        loc="left",
        fontsize=10,
        color=INK,
    )
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e6e6e6", lw=0.8)
    axes.set_axisbelow(True)
    figure.tight_layout()
    figure.savefig(Path(__file__).with_name("accuracy.png"), metadata={"Software": None})


if __name__ == "__main__":
    main()
