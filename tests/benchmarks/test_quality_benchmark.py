"""The quality benchmark's own parts: seeds averaged before users are resampled, and settings found fairly."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.quality.data import peer_settings
from benchmarks.quality.scores import Only, OverSeeds, SavedScores
from benchmarks.quality.tune import NAMES

from butaca.data.dataset import Dataset, Entities
from butaca.data.histories import Histories
from butaca.data.vocabulary import Vocabulary
from butaca.evaluate.protocol import evaluate_scorer
from butaca.evaluate.verdict import compare
from butaca.types import Bools

USERS, ITEMS = (Entities(key, Vocabulary.of(range(n))) for key, n in (("user_id", 2), ("item_id", 4)))


def pairs(user: list[int], item: list[int]) -> Dataset:
    return Dataset(USERS, ITEMS, np.array(user, dtype=np.int32), np.array(item, dtype=np.int32))


TRAIN = pairs([0, 1], [0, 1])
TEST = pairs([0, 0, 1], [1, 2, 3])

# Seed 0 puts user 0's items first and second (item 0 was seen), user 1's last; seed 1 finds user 1's first
# and user 0's second and third.
SEEDS = (
    [[9, 3, 2, 1], [3, 9, 2, 1]],
    [[9, 2, 1, 3], [1, 9, 2, 3]],
)


def judge(n_seeds: int, only: Bools | None = None) -> OverSeeds:
    scorers = [SavedScores(np.array(scores, dtype=np.float32), of=TRAIN) for scores in SEEDS[:n_seeds]]
    seen = Histories.of(TRAIN)
    return OverSeeds.of(
        [evaluate_scorer(s if only is None else Only(s, only), TEST, seen=seen) for s in scorers]
    )


class TestOverSeeds:
    def test_figures_are_means_over_seeds(self) -> None:
        both = judge(2)
        # ranks: seed 0 user 0 [0, 1], user 1 [2]; seed 1 user 0 [1, 2], user 1 [0]
        assert [e.ranks.tolist() for e in both.seeds] == [[0, 1, 2], [1, 2, 0]]
        assert both.metric("top_k_accuracy", 1) == pytest.approx((1 / 3 + 1 / 3) / 2)
        assert both.metric("top_k_accuracy", 2) == pytest.approx((2 / 3 + 2 / 3) / 2)
        assert both.per_user("recall", 2).tolist() == pytest.approx([(1 + 1 / 2) / 2, (0 + 1) / 2])
        hits, of = both.hits_per_user(2)
        assert (hits.tolist(), of.tolist()) == ([1.5, 0.5], [2, 1])
        assert both.each("recall", 2) == [0.5, 0.75]

    def test_one_seed_is_that_evaluation(self) -> None:
        one = judge(1)
        for metric, k in (("top_k_accuracy", 2), ("ndcg", 3), ("map", 2)):
            assert one.metric(metric, k) == one.seeds[0].metric(metric, k)

    def test_a_comparison_uses_the_means(self) -> None:
        both, first = judge(2), judge(1)
        assert compare(both, first, metric="recall", k=2).difference == pytest.approx(0.625 - 0.5)
        assert compare(both, both, metric="top_k_accuracy", k=2).difference == 0.0

    def test_items_that_may_not_be_listed_are_never_hit(self) -> None:
        only = np.array([True, True, False, True])
        judged = judge(1, only)
        # user 0: item 1 first, item 2 out; user 1: item 3 after item 0
        assert judged.metric("top_k_accuracy", 2) == pytest.approx(2 / 3)
        assert isinstance(judged, OverSeeds)


def test_every_peer_had_the_same_trials() -> None:
    found = peer_settings()
    assert set(found) == set(NAMES)
    assert {(peer["trials"], peer["seed"]) for peer in found.values()} == {(60, 0)}
