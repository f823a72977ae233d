"""This module holds everything that is said of a model on one test set, and its JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from butaca.evaluate.beyond import Beyond
from butaca.evaluate.both_ways import BothWays
from butaca.evaluate.honesty import Notice
from butaca.evaluate.protocol import NOTEBOOK_K, Evaluation
from butaca.evaluate.slices import Slice
from butaca.evaluate.verdict import MEASURES, Verdict, verdict

#: Rows of the model itself; every other row is a baseline, with seen items left out.
MODEL_ROWS = ("seen kept", "seen left out", "both stages")

#: Columns of the table of comparison: the verdict's measures after top-1.
COLUMNS = (("top_k_accuracy", 1, "top-1"), *MEASURES)


#: Further columns, where test pairs have weights.
WEIGHTED_COLUMNS = (
    ("weighted_top_k_accuracy", 10, "weighted top-10"),
    ("weighted_ndcg", 10, "weighted NDCG@10"),
)


@dataclass(frozen=True)
class Judged:
    """Holds evaluations on one test set, by the name of their row, and what follows from them.

    Attributes:
        rows: "seen kept" and "seen left out" of the model's first stage and, where it has a second,
            "both stages" with seen left out; then the baselines with seen left out: "popularity", "recent
            popularity", "item-kNN", "iALS", "EASE" and, of what comes next, "Markov chain", those that the
            data allows.
        n_test: pairs.
        verdict: the model with seen left out against every baseline: both stages where there are two.
        warnings: what makes these figures lie.
        slices: the model's accuracy by slice, seen left out.
        beyond: by row, seen left out, what lies beyond accuracy in the first 10.
        left_out: baselines that the data does not allow, and why.
        first: the verdict on the first stage alone, of a model with two.
        again: whether what users had may come again: then all but "seen left out" is with seen items kept.
        both_ways: where many test pairs are of what users had before, all with that left out and allowed.
    """

    rows: Mapping[str, Evaluation]
    n_test: int
    verdict: Verdict = field(default_factory=lambda: Verdict({}))
    warnings: tuple[Notice, ...] = ()
    slices: tuple[Slice, ...] = ()
    beyond: Mapping[str, Beyond] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    first: Verdict | None = None
    again: bool = False
    both_ways: BothWays | None = None

    @property
    def ours(self) -> Evaluation:
        """Returns the row of the model's first stage that stands beside the baselines."""
        return self.rows["seen kept" if self.again else "seen left out"]

    @property
    def served(self) -> Evaluation:
        """Returns the model's row that the verdict is on: of all its stages."""
        return self.rows.get("both stages", self.ours)

    def with_stages(self, both: Evaluation) -> Judged:
        """Returns what is said of a model whose second stage orders what the first retrieves.

        Args:
            both: of both stages, on the same pairs, with the same items left out.
        """
        of = self.verdict
        judged = verdict(
            both,
            self.baselines,
            comes_next=of.comes_next,
            limited=of.limited,
            left_out=of.left_out,
            stages=2,
        )
        rows = dict(self.rows)
        head = {name: rows.pop(name) for name in MODEL_ROWS if name in rows}
        return replace(self, rows={**head, "both stages": both, **rows}, verdict=judged, first=of)

    @property
    def baselines(self) -> dict[str, Evaluation]:
        """Returns the rows that are not the model's."""
        return {name: row for name, row in self.rows.items() if name not in MODEL_ROWS}

    def as_json(self, k: Sequence[int] = NOTEBOOK_K) -> dict[str, Any]:
        """Returns the notebook's names at the top level, the other rows under theirs; nan is null."""
        return {
            **finite(self.rows["seen kept"].metrics(k)),
            "seen_left_out": finite(self.rows["seen left out"].metrics(k)),
            "popularity": finite(self.rows["popularity"].metrics(k)),
            "test_pairs": self.n_test,
            "baselines": {name: finite(figures(row)) for name, row in self.baselines.items()},
            "baselines_left_out": dict(self.left_out),
            "baselines_limited": {name: asdict(limit) for name, limit in self.verdict.limited.items()},
            "verdict": _verdict_json(self.verdict),
            **({} if self.first is None else {"first_stage_verdict": _verdict_json(self.first)}),
            **({"again": True} if self.again else {}),
            **({} if self.both_ways is None else {"both_ways": self.both_ways.as_json()}),
            "warnings": [notice.as_json() for notice in self.warnings],
            "slices": [asdict(s) | {"metrics": finite(s.metrics)} for s in self.slices],
            "beyond_accuracy": {name: finite(asdict(row)) for name, row in self.beyond.items()},
        }


def best_baseline(baselines: Mapping[str, Evaluation]) -> str:
    """Returns the name of the baseline with the best NDCG@10."""
    return max(baselines, key=lambda name: baselines[name].metric("ndcg", 10))


def outdone(found: Verdict, baselines: Mapping[str, Evaluation]) -> bool:
    """Says whether the best baseline's lists are better somewhere, or popularity's are as good.

    Lists that are alike and as good as any baseline's are no fault: where most people had little, what is
    popular is the best that can be said to them.
    """
    return found.word(best_baseline(baselines)) in {"loses", "mixed"} or found.word("popularity") != "beats"


def _verdict_json(found: Verdict) -> dict[str, Any]:
    """Returns a verdict as JSON values."""
    return {
        "sentence": found.sentence,
        "comes_next": found.comes_next,
        "stages": found.stages,
        "against": {
            name: {
                "word": found.word(name),
                "comparisons": [finite(asdict(c) | {"label": c.label}) for c in row],
            }
            for name, row in found.against.items()
        },
    }


def figures(row: Evaluation) -> dict[str, float]:
    """Returns a row of the table of comparison, by label: top-1, top-10, top-100, NDCG@10, Recall@20.

    Where test pairs have weights, also weighted top-10 and weighted NDCG@10.
    """
    weighted = () if row.weight is None else WEIGHTED_COLUMNS
    return {label: row.metric(metric, k) for metric, k, label in (*COLUMNS, *weighted)}


def finite(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns figures as JSON values: nan and infinity become null."""
    return {name: nullable(value) if isinstance(value, float) else value for name, value in values.items()}


def nullable(value: float) -> float | None:
    """Returns a number, or None for nan and infinity, which JSON has not."""
    return value if math.isfinite(value) else None
