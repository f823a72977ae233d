"""This benchmark puts the second stage beside the first alone: `python -m benchmarks.ranking`.

On the split of ANCHORS (random, seed 42) and on the last fifth in time of MovieLens 100K, seen titles left
out; every seed fits its own first stage, folds and trees on the training data. Settings were chosen on
slices of it. `--markdown docs/ranking.md` writes the section.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import numpy as np

from benchmarks.command import seeded_parser
from benchmarks.machine import one_core
from benchmarks.pages import finish, markdown, write_section
from benchmarks.quality.data import TEST, TUNED_ON, movielens, split
from benchmarks.quality.figures import MEASURES
from benchmarks.quality.scores import OverSeeds
from benchmarks.shapes.fits import cells, difference_text, fit_seed
from butaca import Dataset, Histories, recipe, temporal_split
from butaca.evaluate.protocol import evaluate_scorer
from butaca.rank.fit import fit_ranker
from butaca.rank.judge import RankVerdict, compare_stages
from butaca.rank.matrix import candidates_of
from butaca.rank.settings import RankSettings
from butaca.rank.two_stage import TwoStage
from butaca.types import Scorer


@dataclass(frozen=True, eq=False)
class StageFigures:
    """A StageFigures holds what one split says of both stages, over seeds."""

    verdict: RankVerdict
    train_seconds: tuple[float, ...]
    one_ms: float
    all_seconds: float
    rmse: float
    mae: float


def main() -> int:
    parser = seeded_parser(__doc__)
    parser.add_argument("--only", choices=("random", "later"), help="one of the two splits")
    args = parser.parse_args()
    one_core()
    data, figures, text = movielens(), {}, []
    splits = {"random": split(data, TUNED_ON), "later": temporal_split(data, TEST)}
    for name, (train, test) in splits.items():
        if args.only in (None, name):
            found = measure(train, test, seeds=args.seeds, later=name == "later")
            figures[name] = as_figures(found)
            text.append(section(name, found))
            print(text[-1], flush=True)
    write_section(
        args.markdown, "ranking" if args.only is None else f"ranking {args.only}", text="\n\n".join(text)
    )
    finish({"benchmark": "ranking", "seeds": args.seeds} | headline(figures) | figures, args.out)
    return 0


def measure(train: Dataset, test: Dataset, *, seeds: int, later: bool) -> StageFigures:
    """Fits and judges both stages with each seed."""
    seen = Histories.of(train)
    firsts, boths, seconds, errors = [], [], [], []
    chosen = RankSettings(folds="time" if later else "random")
    two: TwoStage | None = None
    for seed in range(seeds):

        def first_of(part: Dataset, seed: int = seed) -> Scorer:
            return fit_seed(recipe("default").for_data(part, future=later), part, seed)

        first = first_of(train)
        begin = time.perf_counter()
        ranker = fit_ranker(train, first_of, first=first, settings=replace(chosen, seed=seed))
        seconds.append(time.perf_counter() - begin)
        two = TwoStage(first, ranker, seen)
        firsts.append(evaluate_scorer(first, test, seen=seen))
        boths.append(evaluate_scorer(two, test, seen=seen))
        errors.append(rating_errors(two, test))
        print(
            f"seed {seed}",
            *cells(firsts[-1]),
            "|",
            *cells(boths[-1]),
            seconds[-1],
            file=sys.stderr,
            flush=True,
        )
    assert two is not None
    one_ms, all_seconds = speeds(two, len(train.users))
    rmse, mae = np.mean(errors, axis=0)
    verdict = compare_stages(OverSeeds.of(firsts), OverSeeds.of(boths), test=test, seen=seen)
    one = compare_stages(
        firsts[0], boths[0], test=test, seen=seen
    )  # a mean over seeds can't be cut into slices
    verdict = replace(verdict, slices=one.slices, liked=one.liked)
    return StageFigures(verdict, tuple(seconds), one_ms, all_seconds, float(rmse), float(mae))


def rating_errors(two: TwoStage, test: Dataset) -> tuple[float, float]:
    """Returns RMSE and MAE of the ratings predicted for test pairs, beside their user's 300 candidates."""
    assert test.value is not None
    errors = []
    for user in np.unique(test.user):
        one = np.array([user], dtype=np.int32)
        scores = two.first.score(one)
        mine = np.flatnonzero(test.user == user)
        near, _ = two.candidates(one, scores)
        items = np.concatenate([test.item[mine], near[0][~np.isin(near[0], test.item[mine])]]).astype(
            np.int32
        )
        found = two.ranker.predict_ratings(two.people(one), items[None], scores=scores[:, items])
        errors.append(found[: len(mine)] - test.value[mine])
    off = np.concatenate(errors)
    return float(np.sqrt(np.square(off).mean())), float(np.abs(off).mean())


def speeds(two: TwoStage, n_users: int) -> tuple[float, float]:
    """Returns milliseconds to featurise and order one person's candidates, and seconds for everyone's."""
    users = np.arange(n_users, dtype=np.int32)
    scores = two.first.score(users)
    candidates, values = two.candidates(users, scores)
    people, times = two.people(users), []
    for u in range(min(200, n_users)):
        begin = time.perf_counter()
        two.ranker.rank(people.take(slice(u, u + 1)), candidates[u : u + 1], scores=values[u : u + 1])
        times.append(time.perf_counter() - begin)
    begin = time.perf_counter()
    found, best = candidates_of(scores, [two.seen[int(u)] for u in users], n=candidates.shape[1])
    two.ranker.rank(two.people(users), found, scores=best)
    return median(times) * 1e3, time.perf_counter() - begin


def headline(figures: dict[str, Any]) -> dict[str, Any]:
    """Returns the figures that a goal names."""
    out: dict[str, Any] = {}
    if "random" in figures:
        gains = figures["random"]["gains"]
        out |= {"top_10": gains["top-10"]["both"], "ndcg_10": gains["NDCG@10"]["both"]}
        out |= {
            "first_stage_top_10": gains["top-10"]["first"],
            "first_stage_ndcg_10": gains["NDCG@10"]["first"],
        }
    if "later" in figures:
        gain = figures["later"]["gains"]["NDCG@10"]
        out |= {"temporal_measure": "NDCG@10", "temporal_gain": gain["gain"]}
        out |= {"temporal_gain_low": gain["low"], "temporal_gain_high": gain["high"]}
    return out


def as_figures(found: StageFigures) -> dict[str, Any]:
    """Returns a split's figures for the JSON."""
    costs = {"train_s": median(found.train_seconds), "one_user_ms": found.one_ms}
    costs |= {"all_users_s": found.all_seconds, "rmse": found.rmse, "mae": found.mae}
    return {**found.verdict.as_json(), **{name: round(value, 4) for name, value in costs.items()}}


def section(name: str, found: StageFigures) -> str:
    """Returns a split's tables."""
    v = found.verdict
    heads = ["", *(label for _, _, label in MEASURES)]
    rows = [["first stage", *cells(v.first)], ["two stages", *cells(v.both)]]
    rows.append(["gain", *(difference_text(c) for c in v.gains)])
    what = "The split of ANCHORS (random, seed 42)" if name == "random" else "The last fifth in time"
    slices = [
        [
            a.name,
            f"{a.n_pairs:,}",
            *(f"{a.metrics[m]:.4f} → {b.metrics[m]:.4f}" for m in ("top-10", "NDCG@10")),
        ]
        for a, b in v.slices
        if a.n_pairs
    ]
    ceiling = ", ".join(f"recall@{k} {value:.4f}" for k, value in v.ceiling.items())
    liked = (
        "" if v.liked is None else f" Pairs rated above the mean, top-10, seed 0: {difference_text(v.liked)}."
    )
    warning = "" if v.notice is None else f" **{v.notice}**"
    return "\n\n".join(
        [
            f"**{what}.** What retrieval allows: {ceiling}.{liked}{warning}",
            markdown(heads, rows),
            markdown(["slice, seed 0", "pairs", "top-10", "NDCG@10"], slices),
            f"Training: {median(found.train_seconds):.1f} s with the folds' first stages. One person's 300 "
            f"candidates: {found.one_ms:.2f} ms; all 943: {found.all_seconds:.2f} s. Predicted ratings: RMSE "
            f"{found.rmse:.4f}, MAE {found.mae:.4f}.",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
