"""This module holds everything that is said of a model on one test set, and its JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from butaca.evaluate.beyond import Beyond
from butaca.evaluate.honesty import Notice
from butaca.evaluate.protocol import NOTEBOOK_K, Evaluation
from butaca.evaluate.slices import Slice
from butaca.evaluate.verdict import MEASURES, Verdict

#: Rows of the model itself; every other row is a baseline, with seen items left out.
MODEL_ROWS = ("seen kept", "seen left out")

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
        rows: "seen kept" and "seen left out" of the model, then the baselines with seen left out:
            "popularity", "recent popularity", "item-kNN", "EASE" and, of what comes next, "Markov chain",
            those that the data allows.
        n_test: pairs.
        verdict: the model with seen left out against every baseline.
        warnings: what makes these figures lie.
        slices: the model's accuracy by slice, seen left out.
        beyond: by row, seen left out, what lies beyond accuracy in the first 10.
        left_out: baselines that the data does not allow, and why.
        again: whether what users had may come again: then all but "seen left out" is with seen items kept.
    """

    rows: Mapping[str, Evaluation]
    n_test: int
    verdict: Verdict = field(default_factory=lambda: Verdict({}))
    warnings: tuple[Notice, ...] = ()
    slices: tuple[Slice, ...] = ()
    beyond: Mapping[str, Beyond] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    again: bool = False

    @property
    def ours(self) -> Evaluation:
        """Returns the row of the model that stands beside the baselines."""
        return self.rows["seen kept" if self.again else "seen left out"]

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
            "verdict": {
                "sentence": self.verdict.sentence,
                "comes_next": self.verdict.comes_next,
                "against": {
                    name: {
                        "word": self.verdict.word(name),
                        "comparisons": [finite(asdict(c) | {"label": c.label}) for c in row],
                    }
                    for name, row in self.verdict.against.items()
                },
            },
            **({"again": True} if self.again else {}),
            "warnings": [notice.as_json() for notice in self.warnings],
            "slices": [asdict(s) | {"metrics": finite(s.metrics)} for s in self.slices],
            "beyond_accuracy": {name: finite(asdict(row)) for name, row in self.beyond.items()},
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
