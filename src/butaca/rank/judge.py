"""This module judges both stages: what retrieval allows, what ranking gains, for whom, where it hurts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from butaca.data.dataset import Dataset
from butaca.data.histories import Histories
from butaca.evaluate.honesty import Notice
from butaca.evaluate.protocol import Evaluation, evaluate_scorer
from butaca.evaluate.slices import Slice, by_slice
from butaca.evaluate.verdict import MEASURES, Comparison, compare_many
from butaca.rank.graded import K, compare_graded, worth_of
from butaca.rank.ranker import Ranker
from butaca.rank.two_stage import TwoStage

#: Where the ceiling is measured.
CEILINGS = (100, 300)


@dataclass(frozen=True, eq=False)
class RankVerdict:
    """A RankVerdict puts two stages beside the first alone, seen items left out.

    Attributes:
        first, both: evaluations of the same pairs.
        gains: both less first, by `MEASURES`, with paired intervals over users.
        ceiling: share of the test pairs among the first stage's best 100 and 300: no order of the
            candidates finds more.
        slices: by name, the first stage's and both stages' figures.
        liked: the same gain at top-10 over the pairs that were rated above the mean of the test's
            ratings; None without ratings.
        notice: a warning, where ranking hurts and is better left out.
        graded: the gain at graded NDCG@10, where a liked item is worth `worth` times one that was only
            watched (rank/graded.py); None without ratings.
        worth: of a liked item.
        target: that the ranker learned, "watched" or "graded"; "" where nobody said.
    """

    first: Evaluation
    both: Evaluation
    gains: tuple[Comparison, ...]
    ceiling: Mapping[int, float]
    slices: tuple[tuple[Slice, Slice], ...]
    liked: Comparison | None
    notice: Notice | None
    graded: Comparison | None = None
    worth: float = 1.0
    target: str = ""

    def as_json(self) -> dict[str, Any]:
        """Returns the figures by label, as the report keeps them."""
        return {
            "ceiling": {f"recall@{k}": value for k, value in self.ceiling.items()},
            "gains": {c.label: _numbers(c) for c in self.gains},
            "liked": None if self.liked is None else _numbers(self.liked),
            "graded": None if self.graded is None else _numbers(self.graded) | {"worth": self.worth},
            "target": self.target,
            "slices": {
                a.name: {"pairs": a.n_pairs, "first": dict(a.metrics), "both": dict(b.metrics)}
                for a, b in self.slices
                if a.n_pairs
            },
            "notice": None if self.notice is None else self.notice.as_json(),
        }


def judge_ranking(two: TwoStage, test: Dataset, *, seen: Histories | None = None) -> RankVerdict:
    """Returns the verdict on a second stage.

    Args:
        two: both stages.
        test: pairs to find, in their codes.
        seen: left out; None: what `two` has seen.
    """
    seen = two.seen if seen is None else seen
    first, both = evaluate_scorer(two.first, test, seen=seen), evaluate_scorer(two, test, seen=seen)
    return compare_stages(first, both, test=test, seen=seen, ranker=two.ranker)


def compare_stages(
    first: Evaluation, both: Evaluation, *, test: Dataset, seen: Histories, ranker: Ranker | None = None
) -> RankVerdict:
    """Returns the verdict from two evaluations of the same pairs.

    Args:
        first: of the first stage alone.
        both: of both stages.
        test: the pairs.
        seen: what people had before.
        ranker: that ordered, for the graded measure; None leaves it out. One that learned the graded target
            is warned of by that measure too.
    """
    measures = [(metric, k) for metric, k, _ in MEASURES]
    gains = compare_many(both, {"first": first}, measures=measures)["first"]
    liked = None
    if test.value is not None and np.isfinite(test.value).any():
        likes = test.value > float(test.value[test.value == test.value].mean())
        if likes.any():
            liked = compare_many(
                both.only(likes), {"": first.only(likes)}, measures=[("top_k_accuracy", 10)]
            )[""][0]
    worth = None if ranker is None else worth_of(ranker, seen, test=test)
    graded = None if worth is None else compare_graded(both, first, worth=worth)
    target = "" if ranker is None else ranker.settings.target
    aimed = (graded,) if graded is not None and target == "graded" else ()
    return RankVerdict(
        first,
        both,
        gains,
        {k: first.top_k(k) for k in CEILINGS},
        tuple(zip(by_slice(first, seen), by_slice(both, seen), strict=True)),
        liked,
        ranking_hurts((*gains, *aimed)),
        graded,
        1.0 if ranker is None else ranker.settings.liked,
        target,
    )


def ranking_hurts(gains: tuple[Comparison, ...]) -> Notice | None:
    """Returns a warning where the second stage loses on a measure of short lists and wins on none."""
    short = [c for c in gains if c.k is not None and c.k <= 20]
    lost = [c for c in short if c.word == "loses"]
    if not lost or any(c.word == "beats" for c in short):
        return None
    return Notice(
        "A second stage earns its place by better lists",
        "; ".join(f"{c.label} {c.difference:+.4f} ({c.low:+.4f} to {c.high:+.4f})" for c in lost),
        "Leave it out: the first stage's order is better",
    )


def kept_comparison(metric: str, k: int | None, *, row: Mapping[str, Any]) -> Comparison:
    """Returns a row of `RankVerdict.as_json` as the comparison that it was; nan for null."""
    names = ("both", "first", "gain", "low", "high")
    ours, theirs, gain, low, high = (float("nan") if row[n] is None else float(row[n]) for n in names)
    return Comparison(metric, k, ours, theirs, gain, low, high, row["word"])


def with_kept(verdict: RankVerdict, kept: Mapping[str, Any]) -> RankVerdict:
    """Returns what needs ratings of the test, from the verdict of the fit: a folder keeps the pairs alone."""
    liked, graded = kept.get("liked"), kept.get("graded")
    return replace(
        verdict,
        liked=verdict.liked or (liked and kept_comparison("top_k_accuracy", 10, row=liked)),
        graded=verdict.graded or (graded and kept_comparison("graded_ndcg", K, row=graded)),
    )


def _numbers(c: Comparison) -> dict[str, float | str]:
    return {
        "first": c.theirs,
        "both": c.ours,
        "gain": c.difference,
        "low": c.low,
        "high": c.high,
        "word": c.word,
    }
