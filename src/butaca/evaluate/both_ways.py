"""This module holds what is said both ways: with what people had before left out of lists, and allowed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from butaca.data.dataset import Dataset
from butaca.data.histories import Histories
from butaca.evaluate.honesty import REPEATS, n_repeats
from butaca.evaluate.protocol import Evaluation, evaluate_scorer
from butaca.evaluate.verdict import Verdict, verdict
from butaca.types import Scorer

#: The name of the model's row.
MODEL = "the model"

#: What a table of both ways shows of each row: metric, where lists are cut, and what it calls it.
SHOWN = (("top_k_accuracy", 10, "top-10"), ("ndcg", 10, "NDCG@10"))


@dataclass(frozen=True)
class BothWays:
    """A BothWays is a model and the baselines on pairs of which many are of what the user had before.

    Attributes:
        n_test: pairs, those among them.
        n_again: of what the user had before.
        left_out: by row, the model first, with what was had left out of lists, so that those are missed.
        allowed: by row, with it kept in lists.
        verdicts: on each, by "seen left out" and "seen allowed".
    """

    n_test: int
    n_again: int
    left_out: Mapping[str, Evaluation]
    allowed: Mapping[str, Evaluation]
    verdicts: Mapping[str, Verdict]

    @property
    def sentences(self) -> list[str]:
        """Returns what to say of each way."""
        return [
            f"What people had before {way}: {_lower(found.sentence)}"
            for way, found in zip(("left out", "allowed"), self.verdicts.values(), strict=True)
        ]

    def as_json(self) -> dict[str, Any]:
        """Returns it as JSON values."""
        return {
            "test_pairs": self.n_test,
            "had_before": self.n_again,
            **{
                way: {
                    "sentence": self.verdicts[way].sentence,
                    "rows": {
                        name: {label: row.metric(metric, k) for metric, k, label in SHOWN}
                        for name, row in rows.items()
                    },
                }
                for way, rows in (("seen left out", self.left_out), ("seen allowed", self.allowed))
            },
        }


def both_ways(
    scorers: Mapping[str, Scorer],
    test: Dataset,
    *,
    seen: Histories,
    known: Mapping[str, Mapping[str, Evaluation]] | None = None,
    comes_next: bool = False,
) -> BothWays | None:
    """Judges both ways, where many of the test pairs are of what users had before; else None.

    Args:
        scorers: by row, the model first, which answer from `seen`.
        test: pairs to find.
        seen: what users had before.
        known: evaluations of these pairs that are there, by "seen left out" and "seen allowed".
        comes_next: whether the pairs come after what trained.
    """
    n_again = n_repeats(test.user, test.item, seen=seen)
    if n_again <= REPEATS * len(test):
        return None
    known = known or {}
    ways: dict[str, dict[str, Evaluation]] = {}
    for way, gone in (("seen left out", seen), ("seen allowed", None)):
        there = known.get(way, {})
        ways[way] = {
            name: there[name] if name in there else evaluate_scorer(scorer, test, seen=gone)
            for name, scorer in scorers.items()
        }
    verdicts = {}
    for way, rows in ways.items():
        others = {name: row for name, row in rows.items() if name != MODEL}
        verdicts[way] = verdict(rows[MODEL], others, comes_next=comes_next)
    return BothWays(len(test), n_again, ways["seen left out"], ways["seen allowed"], verdicts)


def _lower(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]
