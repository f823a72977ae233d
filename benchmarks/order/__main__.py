"""This benchmark asks what comes next: `python -m benchmarks.order`.

MovieLens 100K, and MovieTweetings and Online Retail where `--data` holds them, split by each user's last and
by time: the default recipe with a history in order, as `butaca fit --split last` and `temporal` train it,
beside the panel of a verdict there, with paired intervals over users. `--markdown docs/order.md` writes its
section.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.command import seeded_parser
from benchmarks.order.baselines import SEED, TEST, data_sets
from benchmarks.pages import finish, markdown, write_section
from benchmarks.quality.figures import MEASURES
from benchmarks.shapes.fits import (
    SeedRuns,
    against,
    as_figures,
    cells,
    difference_text,
    fit_seed,
    judged,
    over_seeds,
    where,
)
from butaca import EASE, Dataset, Evaluation, Histories, Recommender, TwoTower, recipe
from butaca.baselines.panel import fit_panel
from butaca.evaluate.verdict import Verdict
from butaca.model.features import Order
from butaca.referee.tables import seconds
from butaca.workflows.loading import Split, split_by

#: Each side that is judged: data, split, and the name of its figure in the JSON.
SIDES: tuple[tuple[str, Split, str], ...] = (
    ("MovieLens 100K", "last", "last"),
    ("MovieLens 100K", "temporal", "later"),
    ("MovieTweetings", "last", "tweets_last"),
    ("MovieTweetings", "temporal", "tweets_later"),
    ("Online Retail", "last", "retail_last"),
    ("Online Retail", "temporal", "retail_later"),
)

#: Lists that are timed.
TIMED = 2_000


@dataclass(frozen=True, eq=False)
class NextResults:
    """A NextResults is what one side says.

    Attributes:
        data, split, key: of `SIDES`.
        ours: the recipe over seeds.
        others: the baselines.
        verdict: ours against them.
        query_us: microseconds of one list from a history, the median; None where it was not timed.
    """

    data: str
    split: Split
    key: str
    ours: SeedRuns
    others: Mapping[str, Evaluation]
    verdict: Verdict
    query_us: float | None

    @property
    def title(self) -> str:
        """Returns the side in words."""
        return f"{self.data}, {'the last of each user' if self.split == 'last' else 'the later fifth'}"


def main() -> int:
    parser = seeded_parser(__doc__)
    parser.add_argument("sides", nargs="*", metavar="SIDE", help=", ".join(key for *_, key in SIDES))
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the other two")
    parser.add_argument("--order", choices=["timescales", "attention"], default="timescales")
    args = parser.parse_args()
    unknown = sorted(set(args.sides) - {key for *_, key in SIDES})
    if unknown:
        parser.error(f"no such side: {', '.join(unknown)}")
    data = data_sets(args.data)
    found = [
        measure(name, data[name], split=split, key=key, seeds=args.seeds, order=args.order)
        for name, split, key in SIDES
        if name in data and (not args.sides or key in args.sides)
    ]
    write_section(args.markdown, "order", text=section(found, args.seeds))
    finish(as_json(found), args.out)
    return 1 if any(lost(outcome) for outcome in found) else 0


def measure(name: str, data: Dataset, *, split: Split, key: str, seeds: int, order: Order) -> NextResults:
    """Fits and judges the recipe and the baselines."""
    train, test = split_by(data, split, test_share=TEST, seed=SEED)
    assert test is not None
    chosen = recipe("default").ordered(order).for_data(train, future=True, asks=split)
    models: list[TwoTower] = []

    def fit(side: Dataset, seed: int) -> TwoTower:
        model = fit_seed(chosen, side, seed)
        assert isinstance(model, TwoTower)
        models[:] = [model]
        return model

    ours = over_seeds(fit, train, test=test, seeds=seeds)
    panel = fit_panel(train, split).scorers
    if "EASE" not in panel:
        panel["EASE"] = EASE().fit(train)  # beyond what an evaluation waits for
    others = judged(panel, test, seen=Histories.of(train))
    outcome = NextResults(
        name, split, key, ours, others, against(ours.evaluation, others), query_us(models[0], train)
    )
    print(outcome.title, *cells(ours.evaluation), seconds(ours.warm), file=sys.stderr)
    for baseline, row in outcome.verdict.against.items():
        print(
            f"  {baseline:18}",
            *cells(others[baseline]),
            *map(difference_text, row),
            file=sys.stderr,
            flush=True,
        )
    return outcome


def query_us(model: TwoTower, train: Dataset) -> float:
    """Returns the microseconds of one list from a history of a new person, the median over histories."""
    recommender, seen = Recommender.build(model, train), Histories.of(train)
    ids = recommender.items.ids.values
    lengths = np.flatnonzero(seen.lengths)
    taken = []
    for user in lengths[:: max(len(lengths) // TIMED, 1)].tolist():
        at = slice(int(seen.start[user]), int(seen.start[user + 1]))
        history = [ids[code] for code in seen.items[at].tolist()]
        begin = time.perf_counter()
        recommender.recommend(history=history, k=10, skip_unknown=True)
        taken.append(time.perf_counter() - begin)
    return median(taken) * 1e6


def lost(outcome: NextResults) -> bool:
    """Says whether any measure loses to any baseline."""
    return any(c.word == "loses" for row in outcome.verdict.against.values() for c in row)


def as_json(found: list[NextResults]) -> dict[str, Any]:
    """Returns the figures of everyone, and those that the issue names."""
    out: dict[str, Any] = {}
    for o in found:
        out[f"{o.key}_ndcg_10"] = round(o.ours.evaluation.metric("ndcg", 10), 5)
        out[f"{o.key}_hr_10"] = round(o.ours.evaluation.metric("hit_rate", 10), 5)
        best = max(o.others, key=lambda name: o.others[name].metric("ndcg", 10))
        out[f"{o.key}_best_baseline"] = best
        out[f"{o.key}_best_baseline_ndcg_10"] = round(o.others[best].metric("ndcg", 10), 5)
        out[f"{o.key}_recent_ndcg_10"] = round(o.others["recent popularity"].metric("ndcg", 10), 5)
        out[f"{o.key}_fit_s"] = round(o.ours.warm, 3)
        out[f"{o.key}_words"] = {name: [c.word for c in row] for name, row in o.verdict.against.items()}
        out[f"{o.key}_figures"] = as_figures(o.ours.evaluation)
    if found:
        out["fit_s"] = round(found[0].ours.warm, 3)
        out["query_us"] = None if found[0].query_us is None else round(found[0].query_us, 1)
    return out


def section(found: list[NextResults], seeds: int) -> str:
    """Returns what the page says of them."""
    labels = [label for _, _, label in MEASURES]
    rows, words = [], []
    for o in found:
        rows.append([f"**{o.title}**", "in order", *cells(o.ours.evaluation), seconds(o.ours.warm)])
        rows += [["", name, *cells(e), ""] for name, e in o.others.items()]
        words += [
            [o.title, name, *(difference_text(c) for c in row)] for name, row in o.verdict.against.items()
        ]
    return "\n\n".join(
        [
            f"Means of {seeds} seeds, 95 % t intervals over seeds; seen items left out.",
            markdown(["data", "", *labels, "fit"], rows),
            "The model less each baseline, paired by user, with 95 % intervals from 2,000 resamples:",
            markdown(["data", "against", *labels], words),
            where().replace("one core", "the cores"),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
