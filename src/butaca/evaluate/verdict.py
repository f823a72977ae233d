"""This module gives a verdict: *beats*, *ties* or *loses*, by a paired bootstrap over the same users.

A verdict asks many questions, every measure of every baseline. Its lower ends hold together, so that "beats"
is not the luckiest of two dozen, its upper ends each by itself, so that no loss hides behind the others
(docs/decisions/020-verdict.md); `compare` asks a single question.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np

from butaca.checks import of_kind
from butaca.errors import SettingError
from butaca.evaluate.intervals import Doubles, joint_intervals, percentile_interval, resampled_sums
from butaca.evaluate.protocol import Evaluation

#: "open": there are too few users to say.
Word: TypeAlias = Literal["beats", "ties", "loses", "open"]

#: Users that an interval takes at least. It is drawn from theirs alone: of fewer it is too short to hold what
#: it says (of one it has no width), by a tenth of its length at ten.
FEWEST_USERS = 10

#: Users that a verdict's measure takes at least for whom one of the two finds anything.
FEWEST_HITS = 10

#: What a verdict compares: metric, where lists are cut, and what a table calls it.
MEASURES: tuple[tuple[str, int, str], ...] = (
    ("top_k_accuracy", 10, "top-10"),
    ("top_k_accuracy", 100, "top-100"),
    ("ndcg", 10, "NDCG@10"),
    ("recall", 20, "Recall@20"),
)


@dataclass(frozen=True)
class Comparison:
    """A Comparison is one metric of two scorers on the same users.

    Attributes:
        metric, k: as `Evaluation.metric` takes them.
        ours, theirs: the two figures.
        difference: ours - theirs.
        low, high: ends of the 95 % interval of the difference; nan where there are too few users. In a
            verdict the lower ends of all hold together.
        word: "beats" if the interval lies above zero, "loses" if below, "ties" if around it; "open" if there
            is none.
    """

    metric: str
    k: int | None
    ours: float
    theirs: float
    difference: float
    low: float
    high: float
    word: Word

    @property
    def label(self) -> str:
        """Returns what a table calls the metric, such as "NDCG@10"."""
        return label_of(self.metric, self.k)

    def __str__(self) -> str:
        return (
            f"{self.word} {self.label} {self.ours:.4f} against {self.theirs:.4f}: "
            f"{self.difference:+.4f} ({self.low:+.4f} to {self.high:+.4f})"
        )


@dataclass(frozen=True)
class Limit:
    """A Limit says that a baseline saw a part of large data.

    Attributes:
        what: it saw a part of, the items that most users had or users at random.
        n: how many it saw.
        of: how many there are.
    """

    what: Literal["items", "users"]
    n: int
    of: int

    def __str__(self) -> str:
        return f"from {self.n:,} of {self.of:,} {self.what}"


@dataclass(frozen=True)
class Verdict:
    """A Verdict compares a model with every baseline.

    Attributes:
        against: by baseline, its comparisons, one for each of `MEASURES` unless asked otherwise.
        comes_next: whether the test pairs come after what trained, so that the question is what comes next.
        limited: baselines that saw a part of the data, and which.
        left_out: baselines that the data does not allow, and why.
        stages: of the model: 2 where a second stage orders what the first retrieves.
    """

    against: Mapping[str, tuple[Comparison, ...]]
    comes_next: bool = False
    limited: Mapping[str, Limit] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    stages: int = 1

    def word(self, baseline: str) -> Literal["beats", "ties", "loses", "mixed", "open"]:
        """Returns all comparisons with one baseline in a word.

        "open" if there are too few users to say; "ties" if none excludes zero, "beats" if some do and all
        of those are ours, "loses" if all of those are theirs, "mixed" if each wins some.
        """
        words = {c.word for c in self.against[baseline]}
        if words == {"open"}:
            return "open"
        if {"beats", "loses"} <= words:
            return "mixed"
        return "beats" if "beats" in words else "loses" if "loses" in words else "ties"

    @property
    def sentence(self) -> str:
        """Returns such as "The model beats popularity and item-kNN (ties at top-1), ties with EASE.".

        Of what comes next: "For what comes next, the model beats popularity.".
        """
        return self.sentence_of("model with its second stage" if self.stages == 2 else "model")

    def sentence_of(self, model: str) -> str:
        """Returns `sentence` of a model that is called so."""
        phrases = {"beats": "beats", "ties": "ties with", "loses": "loses to"}
        parts = []
        for word, phrase in phrases.items():
            names = [self._remarked(name) for name in self.against if self.word(name) == word]
            if names:
                parts.append(f"{phrase} {_and(names)}")
        for name in self.against:
            if self.word(name) == "mixed":
                won, lost = (_and(self.at(name, word)) for word in ("beats", "loses"))
                parts.append(f"beats {self._remarked(name)} at {won} and loses to it at {lost}")
        missing = f" Not compared with {_and(list(self.left_out))}." if self.left_out else ""
        if self.against and not parts:  # every word is open
            return (
                f"Too few users to say which is better: a verdict takes {FEWEST_HITS} or more for whom "
                "anything is found."
            )
        if not parts:
            return "There was nothing to compare with."
        undecided = [_spoken(name) for name in self.against if self.word(name) == "open"]
        if undecided:
            parts.append(f"found too little to be told from {_and(undecided)}")
        return (
            f"{'For what comes next, the' if self.comes_next else 'The'} {model} {', '.join(parts)}.{missing}"
        )

    def at(self, baseline: str, word: Word) -> list[str]:
        """Returns the labels of the measures at which a comparison has this word."""
        return [c.label for c in self.against[baseline] if c.word == word]

    def tied(self, baseline: str) -> list[str]:
        """Returns the labels of the measures at which neither is better, where others tell them apart."""
        return self.at(baseline, "ties") if self.word(baseline) in {"beats", "loses"} else []

    def _remarked(self, name: str) -> str:
        """Returns a baseline with what it was limited to and what it ties at."""
        tied = self.tied(name)
        remarks = [str(self.limited[name])] if name in self.limited else []
        remarks += [f"ties at {_and(tied)}"] if tied else []
        return f"{_spoken(name)} ({'; '.join(remarks)})" if remarks else _spoken(name)


def compare(
    ours: Evaluation,
    theirs: Evaluation,
    *,
    metric: str = "top_k_accuracy",
    k: int | None = 10,
    n_resamples: int = 2000,
    seed: int = 0,
) -> Comparison:
    """Returns the difference of one metric, with its interval.

    Users are drawn with replacement, the same for both sides, and the figure taken again: for a
    per-user metric the mean, for top_k_accuracy the hits over the pairs of the users drawn.

    Args:
        ours: the model's.
        theirs: the other's, of the same test pairs.
        metric: as `Evaluation.metric` takes it.
        k: where lists are cut; None cuts nothing.
        n_resamples: draws.
        seed: of the draws.

    Raises:
        SettingError: the two were not judged on the same pairs.
    """
    return compare_many(ours, {"": theirs}, measures=[(metric, k)], n_resamples=n_resamples, seed=seed)[""][0]


def compare_many(
    ours: Evaluation,
    others: Mapping[str, Evaluation],
    *,
    measures: Sequence[tuple[str, int | None]],
    n_resamples: int = 2000,
    seed: int = 0,
    together: bool = False,
) -> dict[str, tuple[Comparison, ...]]:
    """Compares with several others on several measures, from one set of draws.

    Args:
        ours: the model's.
        others: by name, of the same test pairs.
        measures: metric and k of each.
        n_resamples: draws.
        seed: of the draws.
        together: the lower ends are lowered until those of all hold together in 95 % of the draws, and a
            measure of which both find anything for fewer than `FEWEST_HITS` users is open. Else each
            interval stands alone.
    """
    of_kind("An evaluation", ours, kind=Evaluation, cure="Make one with evaluate_scorer")
    for name, theirs in others.items():
        of_kind("An evaluation", theirs, kind=Evaluation, cure="Make one with evaluate_scorer")
        check_same_pairs(ours, theirs, name=name)
    for metric, _ in measures:
        of_kind("A metric", metric, kind=str)
    pairs = ours.hits_per_user(1)[1]
    own = [_sums(ours, metric, k) for metric, k in measures]
    # Differences are taken before they are summed, so that equal scorers differ by 0, not by rounding.
    columns = [pairs]  # [U] each: the pairs, then every other's differences by measure
    told: list[bool] = []  # of each, whether there is enough to tell
    for theirs in others.values():
        for mine, (metric, k) in zip(own, measures, strict=True):
            other = _sums(theirs, metric, k)
            columns.append(mine - other)
            told.append(not together or int(np.count_nonzero((mine > 0) | (other > 0))) >= FEWEST_HITS)
    found = [
        (ours.metric(metric, k), theirs.metric(metric, k))
        for theirs in others.values()
        for metric, k in measures
    ]
    ends = np.full((len(found), 2), np.nan)
    if len(pairs) >= FEWEST_USERS:
        sums = resampled_sums(np.stack(columns, axis=1), n_resamples, seed=seed)
        over = [
            sums[:, 0] if metric == "top_k_accuracy" else np.full(len(sums), float(len(pairs)))
            for metric, _ in measures
        ]
        draws = sums[:, 1:] / np.tile(np.stack(over, axis=1), len(others))
        can = np.flatnonzero(told)
        if not len(can):
            pass
        elif together:
            chosen, middle = draws[:, can], np.array([a - b for a, b in found])[can]
            ends[can, 0] = joint_intervals(chosen, middle, n=len(pairs))[:, 0]
            ends[can, 1] = [
                joint_intervals(chosen[:, [c]], middle[[c]], n=len(pairs))[0, 1] for c in range(len(can))
            ]
        else:
            ends[can] = [percentile_interval(draws[:, c]) for c in can]
    rows = [
        Comparison(metric, k, a, b, a - b, float(low), float(high), word_of(low, high))
        for (metric, k), (a, b), (low, high) in zip([*measures] * len(others), found, ends, strict=True)
    ]
    n = len(measures)
    return {name: tuple(rows[n * place : n * (place + 1)]) for place, name in enumerate(others)}


def verdict(
    ours: Evaluation,
    baselines: Mapping[str, Evaluation],
    *,
    n_resamples: int = 2000,
    seed: int = 0,
    comes_next: bool = False,
    limited: Mapping[str, Limit] | None = None,
    left_out: Mapping[str, str] | None = None,
    stages: int = 1,
) -> Verdict:
    """Compares a model with every baseline on `MEASURES`, on the same pairs, seen items left out alike.

    The lower ends of all hold together (`compare_many`); the rest is as in `Verdict`.
    """
    measures = [(m, k) for m, k, _ in MEASURES]
    against = compare_many(
        ours, baselines, measures=measures, n_resamples=n_resamples, seed=seed, together=True
    )
    return Verdict(against, comes_next, limited or {}, left_out or {}, stages)


def label_of(metric: str, k: int | None) -> str:
    """Returns what a table calls a metric.

    >>> label_of("top_k_accuracy", 10), label_of("ndcg", 10), label_of("map", None)
    ('top-10', 'NDCG@10', 'MAP')
    """
    if metric == "top_k_accuracy":
        return f"top-{k}"
    if metric == "graded_ndcg":
        name = "graded NDCG"
    else:
        name = metric.upper() if metric in {"ndcg", "map", "mrr"} else metric.replace("_", " ").capitalize()
    return name if k is None else f"{name}@{k}"


def _sums(evaluation: Evaluation, metric: str, k: int | None) -> Doubles:
    """Returns what is added over users, [U]."""
    if metric == "top_k_accuracy":
        return evaluation.hits_per_user(evaluation.n_items if k is None else k)[0]
    return evaluation.per_user(metric, k)


def word_of(low: float, high: float) -> Word:
    """Returns what an interval of a difference says.

    >>> word_of(0.01, 0.02), word_of(-0.01, 0.02), word_of(float("nan"), float("nan"))
    ('beats', 'ties', 'open')
    """
    return "beats" if low > 0 else "loses" if high < 0 else "ties" if low <= high else "open"


def check_same_pairs(ours: Evaluation, theirs: Evaluation, *, name: str = "") -> None:
    """Checks that two scorers were judged on the same pairs, with the same items left out.

    Raises:
        SettingError: they were not.
    """
    same = np.array_equal(ours.user, theirs.user) and np.array_equal(ours.item, theirs.item)
    if not same or ours.seen_left_out != theirs.seen_left_out or ours.n_items != theirs.n_items:
        raise SettingError(
            "Two scorers are compared on the same test pairs and catalogue, with seen items treated alike",
            f"{len(ours.user):,} pairs of {ours.n_items:,} items with seen "
            f"{'left out' if ours.seen_left_out else 'kept'}, and for {name or 'the other'} "
            f"{len(theirs.user):,} of {theirs.n_items:,} with seen "
            f"{'left out' if theirs.seen_left_out else 'kept'}",
            "Evaluate both on the same test set",
        )


def _spoken(name: str) -> str:
    """Returns a baseline's name as a sentence has it."""
    return "the Markov chain" if name == "Markov chain" else name


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
