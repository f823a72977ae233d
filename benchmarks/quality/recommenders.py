"""This benchmark follows Microsoft Recommenders' protocol: `python -m benchmarks.quality.recommenders`.

Split: per movie id 75/25, seed 42; the rows of their `python_stratified_split(filter_by="item")`.
Lists: ten movies of those that training knows, less the user's own. The default recipe stands beside
what their benchmark published and beside peers run here, with the settings that `benchmarks.quality.tune`
chose on another split. The last line of output is one line of JSON.

Metrics, by their code (`ndcg_at_k`, `map`, `precision_at_k`, `recall_at_k`), as means over test users:

- nDCG@10: a test movie gains 1 whatever its rating; the ideal list holds min(10, R) of a user's R test
  movies. They discount by natural logarithms, we by base 2, which cancels.
- MAP: the sum of the precision at each hit among the ten, over R. The published .1436 is of this kind:
  dividing by min(10, R), as their later `map_at_k` and our "map" do (shown as MAP@10), gives about .33.
- precision: hits over 10. recall: hits over R.
- R counts test movies that training does not know and no list can hold, in theirs as in ours.
- Equal scores: theirs fall as a sort leaves them, ours count against the model.
- Users: their MAP, precision and recall average over users with both test movies and predictions, their
  nDCG over all with test movies. Here everyone has both.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.command import run
from benchmarks.environment import PEERS
from benchmarks.notebook.report import new_table
from benchmarks.quality.contestants import DefaultRecipe, Within
from benchmarks.quality.data import held, peer_settings
from benchmarks.quality.figures import comparisons, digits
from benchmarks.quality.report import cell, short
from benchmarks.quality.runs import over_seeds, settle, tuned
from benchmarks.quality.scores import OverSeeds
from benchmarks.quality.tune import NAMES
from butaca import Evaluation
from butaca.evaluate.intervals import mean_over_seeds
from butaca.evaluate.verdict import Comparison, compare_many, label_of
from butaca.referee.contestants import Contestant

K = 10

#: As their examples/06_benchmarks/movielens.ipynb prints them: nDCG, MAP, precision, recall.
PUBLISHED = {
    "BiVAE, published": (0.4687, 0.1436, 0.4082, 0.2209),
    "LightGCN, published": (0.4164, None, None, None),
}
HEADINGS = ("nDCG@10", "MAP", "precision", "recall", "MAP@10")
COMPARED = (("ndcg", K), ("map", K), ("precision", K), ("recall", K))
PEERS_HERE = ("EASE", "EDLAE", "SLIM", "iALS", "implicit ALS")
TARGET, AIM = 0.47, 0.52


@dataclass
class RecommendersResults:
    """A RecommendersResults holds the model and every peer on the split."""

    model: OverSeeds
    peers: dict[str, OverSeeds]
    against: dict[str, tuple[Comparison, ...]]
    facts: dict[str, int]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="of every model that has one (default 5)")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=list(PEERS_HERE), metavar="PEER")
    parser.add_argument("--out", type=Path, help="also write the JSON here")
    args = parser.parse_args()
    return run(
        lambda progress: measure(args.seeds, args.only, progress=progress),
        show,
        as_json=as_json,
        out=args.out,
    )


def measure(seeds: int, names: Sequence[str], *, progress: Console) -> RecommendersResults:
    """Fits and judges everything on the split."""
    settle()
    python = PEERS.python(progress)
    sides, settings = held("recommenders"), peer_settings()
    train, test = sides.train, sides.test
    assert test is not None
    known = np.bincount(train.item, minlength=len(train.items)) > 0
    peers_here = tuned({name: settings[name] for name in names}, python)
    entering: list[Contestant] = [DefaultRecipe(), *peers_here]
    peers = over_seeds(
        [Within(one, known) for one in entering], sides, seeds, name="Recommenders' split", progress=progress
    )
    model = peers.pop("butaca")
    facts = {
        "train": len(train),
        "test": len(test),
        "movies": len(train.items),
        "movies_without_training": int((~known).sum()),
        "users": len(model.users),
        "users_without_training": len(np.setdiff1d(test.user, train.user)),
    }
    return RecommendersResults(model, peers, compare_many(model, peers, measures=COMPARED), facts)


def figures(evaluation: Evaluation) -> tuple[float, ...]:
    """Returns the figures in the order of HEADINGS."""
    relevant = evaluation.hits_per_user(K)[1]  # R: movie ids repeat no pair
    cut = evaluation.per_user("map", K)
    by_all = cut * np.minimum(relevant, K) / relevant
    return (
        evaluation.metric("ndcg", K),
        float(by_all.mean()),
        evaluation.metric("precision", K),
        evaluation.metric("recall", K),
        float(cut.mean()),
    )


def show(console: Console, outcome: RecommendersResults) -> None:
    """Prints the table, the verdicts, the facts."""
    console.print()
    console.print(accuracy(outcome))
    table = new_table(
        "The model less each peer: paired, 95 % intervals from resampled users",
        *(label_of(metric, k) for metric, k in COMPARED),
    )
    for name, row in outcome.against.items():
        table.add_row(name, *(cell(c) for c in row))
    console.print(table)
    f = outcome.facts
    for line in (
        f"{f['train']:,} ratings train, {f['test']:,} test; {f['users']} users are judged, "
        f"{f['users_without_training']} of them without training.",
        f"{f['movies_without_training']} of {f['movies']:,} movies have all their ratings in the test set: "
        "relevant, but in no list.",
        "±: half of a 95 % t interval over seeds. MAP divides by all test movies of a user, as published; "
        "MAP@10 by ten at most.",
        "Peers run here with the settings that validation chose on the 80/20 split of titles.",
    ):
        console.print(f"  {line}", style="dim", markup=False)
    value = outcome.model.metric("ndcg", K)
    word, style = ("yes", "green") if value >= TARGET else ("no ", "red")
    console.print(f"\n  {word}  nDCG@10 {value:.4f}: at least {TARGET:g}, aim {AIM:g}\n", style=style)


def accuracy(outcome: RecommendersResults) -> Table:
    """Makes the table of the model, the peers run here, and what was published."""
    table = new_table(
        "MovieLens 100K, Microsoft Recommenders' split: 75/25 of each movie, seed 42, seen left out",
        *HEADINGS,
    )
    rows = {"butaca default": outcome.model, **outcome.peers}
    for number, (name, evaluation) in enumerate(rows.items()):
        each = [mean_over_seeds(column) for column in zip(*map(figures, evaluation.seeds), strict=True)]
        cells = [
            short(m.mean) + (f" ±{short(m.high - m.mean)}" if len(evaluation.seeds) > 1 else " " * 7)
            for m in each
        ]
        table.add_row(name, *cells, end_section=number in (0, len(rows) - 1))
    for name, printed in PUBLISHED.items():
        table.add_row(name, *("" if v is None else f"{short(v)}{' ' * 7}" for v in printed))
    return table


def as_json(outcome: RecommendersResults) -> dict[str, Any]:
    """Returns one line's worth."""
    keys = ("ndcg_10", "map", "precision_10", "recall_10", "map_10")
    rows: dict[str, OverSeeds] = {"butaca": outcome.model, **outcome.peers}
    every = {
        name: {key: digits(v) for key, v in zip(keys, figures(e), strict=True)} for name, e in rows.items()
    }
    return {
        "benchmark": "quality_recommenders",
        **every["butaca"],
        "peers": {name: row for name, row in every.items() if name != "butaca"},
        "published": {
            name.removesuffix(", published"): dict(zip(keys, row, strict=False))
            for name, row in PUBLISHED.items()
        },
        "verdicts": comparisons(outcome.against, ("ndcg_10", "map_10", "precision_10", "recall_10")),
        "facts": outcome.facts,
    }


if __name__ == "__main__":
    sys.exit(main())
