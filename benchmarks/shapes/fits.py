"""What the ablation, the shapes and the cold starts share: fits over seeds, judged, as tables in Markdown."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.notebook.figures import cpu
from benchmarks.quality.figures import MEASURES
from benchmarks.quality.report import figure, short
from benchmarks.quality.scores import OverSeeds
from butaca import Dataset, Evaluation, Histories, Recipe, evaluate_scorer
from butaca.evaluate.verdict import Comparison, Verdict, compare_many
from butaca.types import Bools, Codes, Floats, Scorer

#: Fits a scorer with a seed.
Fit = Callable[[Dataset, int], Scorer]


@dataclass(frozen=True, eq=False)
class Fitted:
    """One way of fitting, judged over seeds.

    Attributes:
        evaluation: over the seeds.
        seconds: of each fit; the first may compile.
    """

    evaluation: OverSeeds
    seconds: tuple[float, ...]

    @property
    def warm(self) -> float:
        """Median seconds of the fits after the first, or the first's."""
        return median(self.seconds[1:] or self.seconds)


@dataclass(frozen=True, eq=False)
class Only:
    """A scorer whose lists hold some of the items alone."""

    scorer: Scorer
    items: Bools

    @property
    def n_items(self) -> int:
        """Size of the catalogue."""
        return self.scorer.n_items

    def score(self, users: Codes) -> Floats:
        """Its scores, -inf elsewhere."""
        scores: Floats = np.where(self.items, self.scorer.score(users), np.float32(-np.inf))
        return scores


def fit_seed(chosen: Recipe, train: Dataset, seed: int) -> Scorer:
    """A recipe with another seed, fitted as `butaca fit` does."""
    model, _ = replace(chosen, model=replace(chosen.model, seed=seed)).fit(train)
    model.user_vectors  # noqa: B018  # both towers' vectors are part of a fit
    return model


def over_seeds(
    fit: Fit,
    train: Dataset,
    test: Dataset,
    seeds: int,
    seen: Histories | None = None,
    only: Bools | None = None,
) -> Fitted:
    """Fit with seeds 0, 1, ... and judge each; what was seen (default: in training) is left out."""
    seen = Histories.of(train) if seen is None else seen
    evaluations, seconds = [], []
    for seed in range(seeds):
        begin = time.perf_counter()
        scorer = fit(train, seed)
        seconds.append(time.perf_counter() - begin)
        evaluations.append(evaluate_scorer(scorer if only is None else Only(scorer, only), test, seen=seen))
    return Fitted(OverSeeds.of(evaluations), tuple(seconds))


def judged(
    scorers: Mapping[str, Scorer], test: Dataset, seen: Histories, only: Bools | None = None
) -> dict[str, Evaluation]:
    """Scorers without randomness on the same pairs."""
    return {
        name: evaluate_scorer(s if only is None else Only(s, only), test, seen=seen)
        for name, s in scorers.items()
    }


def against(ours: Evaluation, others: Mapping[str, Evaluation]) -> Verdict:
    """The paired verdict on the four measures."""
    return Verdict(compare_many(ours, others, measures=[(metric, k) for metric, k, _ in MEASURES]))


def some_users(evaluation: OverSeeds, pairs: Bools) -> OverSeeds:
    """The same over some of the pairs."""
    return OverSeeds.of([seed.only(pairs) for seed in evaluation.seeds])


def cells(evaluation: Evaluation) -> list[str]:
    """A table's four figures, with t intervals where there are seeds."""
    return [figure(evaluation, metric, k).strip() for metric, k, _ in MEASURES]


def told(c: Comparison) -> str:
    """A difference, its interval and the word."""
    low, high = short(c.low, "+.4f"), short(c.high, "+.4f")
    return f"{c.word} {short(c.difference, '+.4f')} ({low} to {high})"


def seconds(value: float) -> str:
    """Such as 0.43 s."""
    return f"{value:.2f} s" if value < 10 else f"{value:.0f} s"


def markdown(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def where() -> str:
    """The machine that times hold for."""
    return f"Fit: seconds on one core of {cpu()}, the median of the fits after the first."


def write(path: Path | None, text: str) -> None:
    """Write a page, and make its folder."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf8")


def as_figures(evaluation: Evaluation) -> dict[str, Any]:
    """For JSON: label -> figure."""
    return {label: round(evaluation.metric(metric, k), 5) for metric, k, label in MEASURES}


def settled(text: str) -> str:
    """Paragraphs with single blank lines between, one newline at the end."""
    return "\n\n".join(part.strip("\n") for part in text.split("\n\n") if part.strip()) + "\n"


def one_core() -> None:
    """Start again on one core, where the system knows such a thing.

    Beside other work, a fit on two cores waits for its slower half: 2 s become 13 s. Times of one
    core can be compared within a table.
    """
    if hasattr(os, "sched_setaffinity") and len(os.sched_getaffinity(0)) > 1:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        os.execv(sys.executable, sys.orig_argv)  # so that thread pools are made for one


def write_section(path: Path | None, name: str, text: str) -> None:
    """Put text between a page's marks for a section, and leave the rest as it is."""
    if path is None:
        return
    first, last = f"<!-- {name}: written by the command -->\n", f"<!-- end of {name} -->\n"
    page = path.read_text(encoding="utf8") if path.exists() else ""
    if first not in page:
        page += f"\n{first}{last}"
    before, rest = page.split(first, 1)
    _, after = rest.split(last, 1)
    write(path, f"{before}{first}\n{settled(text)}\n{last}{after}")
