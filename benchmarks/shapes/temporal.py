"""This benchmark tries the default recipe on a split in time: `python -m benchmarks.shapes.temporal`.

The last fifth of MovieLens 100K in time tests, the rest trains, and the recipe is told that its test is the
future (`for_data(train, future=True)`). Beside popularity and recent popularity, whose half-life is
tuned on the last fifth of the training data. `--explore` tries settings of the recipe there; test pairs take
no part. `--markdown docs/shapes.md` writes the section.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from benchmarks.command import seeded_parser
from benchmarks.machine import one_core
from benchmarks.pages import finish, markdown, write_section
from benchmarks.quality.data import TEST, movielens
from benchmarks.quality.figures import MEASURES
from benchmarks.shapes.ablation import history, model, spectral, steps
from benchmarks.shapes.fits import (
    against,
    as_figures,
    cells,
    difference_text,
    fit_seed,
    judged,
    over_seeds,
    some_users,
    where,
)
from butaca import EASE, Dataset, Histories, Popularity, RecentPopularity, Recipe, recipe, temporal_split
from butaca.baselines.item_knn import ItemKNN
from butaca.baselines.popularity import HALF_LIFE_SHARE
from butaca.evaluate.protocol import evaluate_scorer
from butaca.referee.tables import seconds
from butaca.train.build import item_prior
from butaca.types import Bools, Codes, Floats, Scorer

#: Half-lives tried, in parts of the time that the training data span.
SHARES = (0.003, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)

#: What `--explore` found best for the recipe: its prior's half-life, and how often it is added once trained.
LATER_SHARE, LATER_EXTRA = 0.05, 1.0


def main() -> int:
    parser = seeded_parser(__doc__)
    parser.add_argument("--explore", action="store_true", help="settings on the validation slice, no more")
    args = parser.parse_args()
    one_core()
    train, test = temporal_split(movielens(), TEST)
    if args.explore:
        explore(train, args.seeds)
        return 0
    share = best_share(train)
    figures, text = measure(train, test, share=share, seeds=args.seeds)
    write_section(args.markdown, "later", text=text)
    finish(figures, args.out)
    return 0


def recent(train: Dataset, share: float) -> RecentPopularity:
    """Fits recent popularity with a half-life of this part of the time that the data span."""
    assert train.timestamp is not None
    return RecentPopularity(share * float(np.ptp(train.timestamp))).fit(train)


def best_share(train: Dataset) -> float:
    """Returns the half-life that validation picks: NDCG@20 on the last fifth of the training data."""
    before, after = temporal_split(train, TEST)
    seen = Histories.of(before)
    found = {
        share: evaluate_scorer(recent(before, share), after, seen=seen).metric("ndcg", 20) for share in SHARES
    }
    for share, value in found.items():
        print(f"recent popularity, half-life {share:g} of the span: {value:.4f}", file=sys.stderr)
    return max(found, key=lambda share: found[share])


def with_history(train: Dataset, test: Dataset) -> Bools:
    """Says which test pairs are of a user in the training data."""
    known: Bools = np.isin(test.user, np.unique(train.user))
    return known


@dataclass(frozen=True, eq=False)
class Later:
    """A Later is a fitted scorer with a term of the items added, the same for everyone."""

    scorer: Scorer
    term: Floats

    @property
    def n_items(self) -> int:
        """Returns the size of the catalogue."""
        return self.scorer.n_items

    def score(self, users: Codes) -> Floats:
        """Returns the sum of both."""
        scores: Floats = self.scorer.score(users) + self.term
        return scores


def fit_later(chosen: Recipe, share: float, extra: float, train: Dataset, seed: int) -> Scorer:
    """Fits the recipe with another half-life of its prior, and adds that prior so many times once trained.

    What histories teach is of the past; the term tells what has come since.
    """
    fitted = fit_seed(model(prior_half_life=share)(chosen), train, seed)
    term = item_prior(train, "recent", power=extra, half_life=share)
    assert term is not None
    return Later(fitted, term)


def explore(train: Dataset, seeds: int) -> None:
    """Prints settings on the last fifth of the training data, one by one."""
    before, after = temporal_split(train, TEST)
    seen, known = Histories.of(before), with_history(before, after)
    chosen = recipe("default").for_data(before, future=True)
    print(f"{len(after):,} pairs, {known.sum():,} of users with a history", file=sys.stderr)

    def tell(name: str, *values: float) -> None:
        print(f"{name:42}", *(f"{v:.4f}" for v in values), file=sys.stderr, flush=True)

    others: dict[str, Scorer] = {"popularity": Popularity().fit(before)}
    others |= {f"recent {share:g}": recent(before, share) for share in SHARES}
    for name, judgement in judged(others, after, seen=seen).items():
        tell(name, judgement.top_k(10), judgement.metric("ndcg", 20), judgement.only(known).top_k(10))
    for name, change, share, extra in tried():
        ours = over_seeds(
            partial(fit_later, change(chosen), share, extra), before, test=after, seeds=seeds
        ).evaluation
        tell(name, ours.top_k(10), ours.metric("ndcg", 20), some_users(ours, known).top_k(10))


def tried() -> list[tuple[str, Callable[[Recipe], Recipe], float, float]]:
    """Returns settings by name, with the half-life of the prior's recency and how often it is added."""
    changes: dict[str, Callable[[Recipe], Recipe]] = {
        **{f"power {p}": model(prior_power=p) for p in (0.7, 1.0, 2.0)},
        **{f"weight {w}": spectral(weight=w) for w in (0.1, 1.0)},
        **{f"span {x:g}": spectral(span=x) for x in (100.0, float("inf"))},
        **{f"temperature {t}": model(temperature=t) for t in (0.5, 1.0)},
        **{f"steps times {n}": steps(n) for n in (0.1, 0.5)},
        "by_recency": history(by_recency=True),
    }

    def same(r: Recipe) -> Recipe:
        return r

    return [
        *((f"half-life {x:g}", same, x, 0.0) for x in (0.1, 0.01, 0.02, 0.05, 0.2)),
        *((f"half-life .05, {name}", change, LATER_SHARE, 0.0) for name, change in changes.items()),
        *((f"half-life .05, added {x:g} times", same, LATER_SHARE, x) for x in (0.25, 0.5, LATER_EXTRA, 2.0)),
    ]


def measure(train: Dataset, test: Dataset, *, share: float, seeds: int) -> tuple[dict[str, object], str]:
    """Returns the figures of the test, which is read once, and the section."""
    seen, known = Histories.of(train), with_history(train, test)
    chosen = recipe("default").for_data(train, future=True)
    ours = over_seeds(partial(fit_seed, chosen), train, test=test, seeds=seeds)
    later = over_seeds(partial(fit_later, chosen, LATER_SHARE, LATER_EXTRA), train, test=test, seeds=seeds)
    scorers: dict[str, Scorer] = {
        "popularity": Popularity().fit(train),
        "recent popularity": RecentPopularity().fit(train),
        "item-kNN": ItemKNN().fit(train),
        "EASE": EASE().fit(train),
    }
    if share != HALF_LIFE_SHARE:
        scorers[f"recent popularity, half-life {share:g} (validation's)"] = recent(train, share)
    others = judged(scorers, test, seen=seen)
    people, knew = len(np.unique(test.user)), len(np.unique(test.user[known]))
    parts = [
        INTRO.format(
            people=people,
            without=people - knew,
            pairs=len(test),
            known=int(known.sum()),
            knew=knew,
            share=share,
        )
    ]
    figures: dict[str, object] = {"half_life_share": share, "fit_s": round(ours.warm, 3)}
    cuts = {"all": np.ones(len(test), dtype=bool), "with a history": known, "without": ~known}
    for name, pairs in cuts.items():
        mine = some_users(ours.evaluation, pairs)
        theirs = {n: e.only(pairs) for n, e in others.items()}
        verdict = against(mine, theirs)
        heading = {"all": "All test users", "with a history": "Users with a history"}.get(name)
        tuned = some_users(later.evaluation, pairs)
        also = against(tuned, theirs)
        rows = [["the default recipe", *cells(mine), "", ""], [f"{LATER_NAME}", *cells(tuned), "", ""]]
        rows += [
            [n, *cells(e), difference_text(verdict.against[n][0]), difference_text(also.against[n][0])]
            for n, e in theirs.items()
        ]
        heads = ["", *(label for _, _, label in MEASURES), "top-10: default less this", "with more recency"]
        parts += [
            f"**{heading or 'Users without one'}.** {verdict.sentence} With more recency: "
            f"{also.sentence[0].lower()}{also.sentence[1:]}",
            markdown(heads, rows),
        ]
        figures[name] = {
            "default": as_figures(mine),
            "more recency": as_figures(tuned),
            "words of more recency": {n: [c.word for c in row] for n, row in also.against.items()},
            **{n: as_figures(e) for n, e in theirs.items()},
            "words": {n: [c.word for c in row] for n, row in verdict.against.items()},
        }
        print(name, *cells(mine), seconds(ours.warm), verdict.sentence, file=sys.stderr)
    return figures, "\n\n".join([*parts, where()])


LATER_NAME = "the same with more recency"

INTRO = """The last fifth of MovieLens 100K in time: {pairs:,} pairs of {people} users, {without} of whom
have no history before it; {known:,} pairs are of {knew} users with one. Recent popularity's half-life is a
twentieth of the training data's time, as that of the recipe's prior; validation picks {share:g}.
*More recency* is the recipe with its prior added once more after training: the best of what
`--explore` tried on the last fifth of the training data.
"""


if __name__ == "__main__":
    sys.exit(main())
