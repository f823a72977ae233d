"""This benchmark says what variety and freshness cost and give: `python -m benchmarks.ranking.reorder`.

The default recipe on the ANCHORS split of MovieLens 100K, seen films left out, one seed: lists of ten for
every test user at several settings of each, and what they hold.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from benchmarks.pages import markdown, write_section
from benchmarks.quality.data import movielens, split
from butaca import Recommender, recipe
from butaca.data.dataset import Dataset
from butaca.evaluate.beyond import beyond_accuracy
from butaca.types import Codes

SETTINGS: tuple[dict[str, float], ...] = (
    {},
    {"variety": 0.1},
    {"variety": 0.2},
    {"variety": 0.3},
    {"variety": 0.5},
    {"freshness": 0.1},
    {"freshness": 0.25},
    {"freshness": 0.5},
    {"freshness": 1.0},
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--markdown", type=Path, help="write the section into this page")
    args = parser.parse_args()
    train, test = split(movielens(), seed=42)
    model, _ = recipe("default").for_data(train).fit(train)
    recommender = Recommender.build(model, train)
    rows, figures = [], {}
    for setting in SETTINGS:
        name = ", ".join(f"{key} {value:g}" for key, value in setting.items()) or "neither"
        found = figures[name] = judged(recommender, test, setting=setting)
        rows.append(
            [
                name,
                *(f"{found[key]:.4f}" for key in ("top_10", "likeness", "coverage")),
                f"{found['year']:.1f}",
            ]
        )
        print(*rows[-1], file=sys.stderr, flush=True)
    heads = ["", "top-10", "likeness within a list", "catalogue in some list", "mean year"]
    text = "One seed; likeness is the mean cosine of two films of a list by who had them."
    write_section(args.markdown, "variety and freshness", text=f"{text}\n\n{markdown(heads, rows)}")
    print(json.dumps(figures))
    return 0


def judged(recommender: Recommender, test: Dataset, *, setting: dict[str, float]) -> dict[str, float]:
    """Returns top-10 accuracy per test pair, and what the lists hold."""
    users = np.unique(test.user)
    lists: Codes = np.full((len(users), 10), -1, dtype=np.int32)
    code = {item: i for i, item in enumerate(recommender.catalogue.ids)}
    for row, user in enumerate(users.tolist()):
        answer = recommender.recommend(recommender.users.ids.values[user], 10, **setting)  # type: ignore[arg-type]
        found = [code[item.id] for item in answer.items]
        lists[row, : len(found)] = found
    place = np.searchsorted(users, test.user)
    hit = (lists[place] == test.item[:, None]).any(axis=1)
    beyond = beyond_accuracy(lists, users, seen=recommender.seen, n_items=recommender.n_items)
    year = recommender.catalogue.filters.numbers("year")
    assert year is not None
    return {
        "top_10": float(hit.mean()),
        "likeness": beyond.intra_list_similarity,
        "coverage": beyond.coverage,
        "year": float(np.nanmean(year[lists[lists >= 0]])),
    }


if __name__ == "__main__":
    sys.exit(main())
