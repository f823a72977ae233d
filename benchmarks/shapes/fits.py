"""This module fits over seeds and judges, for the ablation, the shapes, the cold starts and the ranking."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from benchmarks.machine import cpu
from benchmarks.quality.figures import MEASURES
from benchmarks.quality.report import figure, short
from benchmarks.quality.scores import Only, OverSeeds
from butaca import Dataset, Evaluation, Histories, Recipe, evaluate_scorer
from butaca.evaluate.verdict import Comparison, Verdict, compare_many
from butaca.types import Bools, Scorer

#: Fits a scorer with a seed.
Fit = Callable[[Dataset, int], Scorer]


@dataclass(frozen=True, eq=False)
class SeedRuns:
    """A SeedRuns is one way of fitting, judged over seeds.

    Attributes:
        evaluation: over the seeds.
        seconds: of each fit; the first may compile.
    """

    evaluation: OverSeeds
    seconds: tuple[float, ...]

    @property
    def warm(self) -> float:
        """Returns the median seconds of the fits after the first, or the first's."""
        return median(self.seconds[1:] or self.seconds)


def fit_seed(chosen: Recipe, train: Dataset, seed: int) -> Scorer:
    """Fits a recipe with another seed, as `butaca fit` does."""
    model, _ = replace(chosen, model=replace(chosen.model, seed=seed)).fit(train)
    model.user_vectors  # noqa: B018  # both towers' vectors are part of a fit
    return model


def over_seeds(
    fit: Fit,
    train: Dataset,
    *,
    test: Dataset,
    seeds: int,
    seen: Histories | None = None,
    only: Bools | None = None,
) -> SeedRuns:
    """Fits with seeds 0, 1, ... and judges each; what was seen (default: in training) is left out."""
    seen = Histories.of(train) if seen is None else seen
    evaluations, seconds = [], []
    for seed in range(seeds):
        begin = time.perf_counter()
        scorer = fit(train, seed)
        seconds.append(time.perf_counter() - begin)
        evaluations.append(evaluate_scorer(scorer if only is None else Only(scorer, only), test, seen=seen))
    return SeedRuns(OverSeeds.of(evaluations), tuple(seconds))


def judged(
    scorers: Mapping[str, Scorer], test: Dataset, *, seen: Histories, only: Bools | None = None
) -> dict[str, Evaluation]:
    """Judges scorers without randomness on the same pairs."""
    return {
        name: evaluate_scorer(s if only is None else Only(s, only), test, seen=seen)
        for name, s in scorers.items()
    }


def against(ours: Evaluation, others: Mapping[str, Evaluation]) -> Verdict:
    """Returns the paired verdict on the four measures."""
    return Verdict(compare_many(ours, others, measures=[(metric, k) for metric, k, _ in MEASURES]))


def some_users(evaluation: OverSeeds, pairs: Bools) -> OverSeeds:
    """Returns the evaluation over some of the pairs."""
    return OverSeeds.of([seed.only(pairs) for seed in evaluation.seeds])


def cells(evaluation: Evaluation) -> list[str]:
    """Returns a table's four figures, with t intervals where there are seeds."""
    return [figure(evaluation, metric, k=k).strip() for metric, k, _ in MEASURES]


def difference_text(c: Comparison) -> str:
    """Writes a difference, its interval and the word."""
    low, high = short(c.low, "+.4f"), short(c.high, "+.4f")
    return f"{c.word} {short(c.difference, '+.4f')} ({low} to {high})"


def where() -> str:
    """Names the machine that times hold for."""
    return f"Fit: seconds on one core of {cpu()}, the median of the fits after the first."


def as_figures(evaluation: Evaluation) -> dict[str, Any]:
    """Returns the figures by label, for JSON."""
    return {label: round(evaluation.metric(metric, k), 5) for metric, k, label in MEASURES}
