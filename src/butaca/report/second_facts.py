"""This module gathers the figures of a second stage: judged anew, or read from the manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from butaca.data.histories import Histories
from butaca.errors import SettingError
from butaca.evaluate.protocol import Evaluation
from butaca.evaluate.slices import by_slice
from butaca.evaluate.verdict import MEASURES, Comparison, compare_many
from butaca.rank.judge import RankVerdict, kept_comparison
from butaca.recommend.recommender import Recommender
from butaca.types import Bools
from butaca.workflows.judging import judge_stages

#: The measure that tells slices, as everywhere on the page.
OF_SLICES = ("recall", 20, "Recall@20")


@dataclass(frozen=True)
class Part:
    """A Part holds the figures of both stages on some of the test pairs.

    Attributes:
        name, what: of the slice; what is "" where only the manifest tells.
        pairs: of it.
        first, both: figures by label.
        gain: at Recall@20 with its interval, or None where only the manifest tells.
    """

    name: str
    what: str
    pairs: int
    first: Mapping[str, float | None]
    both: Mapping[str, float | None]
    gain: Comparison | None


@dataclass(frozen=True)
class Ranking:
    """A Ranking is the verdict on a second stage, judged anew or read from the manifest.

    Attributes:
        ceiling: by k, the share of the test pairs among the first stage's best k.
        best: by k, the share that the best order of the candidates would put in the first k; {} unless
            judged anew.
        gains: by `MEASURES`.
        liked: over the pairs rated above the mean, or None.
        parts: by slice, those with pairs.
        hurts: whether a warning stands.
        graded: at graded NDCG@10, or None without ratings.
        worth: of a liked item, in it.
        target: that the ranker learned, "watched" or "graded"; "" where nobody said.
    """

    ceiling: Mapping[int, float]
    best: Mapping[int, float]
    gains: tuple[Comparison, ...]
    liked: Comparison | None
    parts: tuple[Part, ...]
    hurts: bool
    graded: Comparison | None = None
    worth: float = 1.0
    target: str = ""


@dataclass(frozen=True)
class Second:
    """Holds what the page says of a second stage.

    Attributes:
        left_out: whether it was trained, and the model goes without it.
        candidates: that it orders, or None where nobody knows.
        ranking: the verdict, or None without held-out pairs.
        importance: by feature, the largest first.
        calibration: rows of mean score, share watched, number.
        errors: "rmse" and "mae" of predicted ratings, or {}.
        rating_range: least and most, or None.
    """

    left_out: bool
    candidates: int | None = None
    ranking: Ranking | None = None
    importance: Mapping[str, float] | None = None
    calibration: tuple[tuple[float, float, int], ...] = ()
    errors: Mapping[str, float] | None = None
    rating_range: tuple[float, float] | None = None


def judge_second(recommender: Recommender) -> RankVerdict | None:
    """Judges both stages on the pairs that the folder kept; None without a second stage, or without pairs."""
    test = recommender.held_out
    if recommender.ranker is None or test is None or not len(test):
        return None
    try:
        return judge_stages(recommender, test)
    except SettingError:  # without LightGBM the manifest's figures stand
        return None


def gather_second(recommender: Recommender, verdict: RankVerdict | None) -> Second | None:
    """Gathers the figures of a second stage, also one that was trained and left out.

    A model without either gives None, at no cost. The verdict is `judge_second`'s.
    """
    kept = recommender.about.get("metrics", {}).get("ranking")
    ranker = recommender.ranker
    if ranker is None:
        return None if not kept or not kept.get("notice") else Second(True, ranking=of_manifest(kept))
    ranking = of_manifest(kept) if kept else None
    if verdict is not None:
        ranking = of_verdict(verdict, recommender.seen, candidates=ranker.settings.candidates)
    about = ranker.about
    bounds = about.get("rating_range")
    return Second(
        False,
        ranker.settings.candidates,
        ranking,
        ranker.importance(),
        tuple((float(score), float(share), int(n)) for score, share, n in ranker.calibration.tolist()),
        {name: float(about[name]) for name in ("rmse", "mae") if about.get(name) is not None},
        None if bounds is None else (float(bounds[0]), float(bounds[1])),
    )


def of_verdict(verdict: RankVerdict, seen: Histories, *, candidates: int) -> Ranking:
    """Returns a verdict's figures, with gains by slice and what the best order would reach."""
    first, both = verdict.first, verdict.both
    parts = []
    for (a, b), pairs in zip(verdict.slices, pairs_of_slices(first, seen), strict=True):
        if a.n_pairs:
            of = compare_many(both.only(pairs), {"": first.only(pairs)}, measures=[OF_SLICES[:2]])[""][0]
            parts.append(Part(a.name, a.what, a.n_pairs, a.metrics, b.metrics, of))
    found = first.hits_per_user(min(candidates, first.n_items))[0]
    n = max(len(first.ranks), 1)
    return Ranking(
        verdict.ceiling,
        {k: float(np.minimum(found, k).sum()) / n for k in (10, 100)},
        verdict.gains,
        verdict.liked,
        tuple(parts),
        verdict.notice is not None,
        verdict.graded,
        verdict.worth,
        verdict.target,
    )


def of_manifest(kept: Mapping[str, Any]) -> Ranking:
    """Returns the figures of a verdict that `RankVerdict.as_json` kept."""
    gains = kept.get("gains", {})
    liked, graded = kept.get("liked"), kept.get("graded")
    return Ranking(
        {int(name.split("@")[-1]): nan_if_none(value) for name, value in kept.get("ceiling", {}).items()},
        {},
        tuple(kept_comparison(m, k, row=gains[label]) for m, k, label in MEASURES if label in gains),
        None if liked is None else kept_comparison("top_k_accuracy", 10, row=liked),
        tuple(
            Part(name, "", int(row["pairs"]), row["first"], row["both"], None)
            for name, row in kept.get("slices", {}).items()
        ),
        kept.get("notice") is not None,
        None if graded is None else kept_comparison("graded_ndcg", 10, row=graded),
        1.0 if graded is None else float(graded["worth"]),
        str(kept.get("target", "")),
    )


def nan_if_none(value: Any) -> float:
    """Returns a figure of the manifest as a float: JSON's null is not a number."""
    return float("nan") if value is None else float(value)


class _Recorder:
    """A _Recorder is an evaluation that remembers which pairs it was asked for."""

    def __init__(self, evaluation: Evaluation) -> None:
        self._evaluation = evaluation
        self.asked: list[Bools] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._evaluation, name)

    def only(self, pairs: Bools) -> Evaluation:
        self.asked.append(pairs)
        return self._evaluation.only(pairs)


def pairs_of_slices(evaluation: Evaluation, seen: Histories) -> list[Bools]:
    """Returns which pairs [P] each slice of `by_slice` holds, as it takes them."""
    recorder = _Recorder(evaluation)
    by_slice(cast(Evaluation, recorder), seen)
    return recorder.asked
