"""This module measures the graded target: by NDCG where an item watched and liked is worth more."""

from __future__ import annotations

import numpy as np

from butaca.data.dataset import Dataset
from butaca.data.histories import Histories
from butaca.evaluate.intervals import percentile_interval, resampled_sums
from butaca.evaluate.metrics import graded_ndcg
from butaca.evaluate.protocol import Evaluation
from butaca.evaluate.verdict import FEWEST_USERS, Comparison, word_of
from butaca.rank.facts import Doubles
from butaca.rank.people import People
from butaca.rank.ranker import Ranker
from butaca.rank.scene import Scene

#: Where lists are cut.
K = 10

#: People whose generosity is computed at once.
BLOCK = 1024


def worth_of(ranker: Ranker, seen: Histories, *, test: Dataset) -> Doubles | None:
    """Returns what finding each test pair is worth, [P]: `settings.liked` where it was liked, else 1.

    Liked is what training calls so: rated above the item's mean and the person's generosity, both of
    what was known, of which the test is no part. None where the test or the training has no ratings.
    """
    facts = ranker.facts
    if test.value is None or not np.isfinite(test.value).any() or not np.isfinite(facts.mean_rating):
        return None
    expected = np.full(len(test), facts.mean_rating)
    if facts.rating is not None and "rating" in ranker.names:
        users, row = np.unique(test.user, return_inverse=True)
        generosity = np.concatenate(
            [_generosity(ranker, seen, users[at : at + BLOCK]) for at in range(0, len(users), BLOCK)]
        ).astype(np.float32)  # as a feature holds it
        expected = facts.rating[test.item].astype(np.float64) + generosity[row]
    with np.errstate(invalid="ignore"):
        return np.where(test.value > expected, ranker.settings.liked, 1.0)


def compare_graded(both: Evaluation, first: Evaluation, *, worth: Doubles) -> Comparison:
    """Compares graded NDCG@10 of both stages with that of the first, with a paired interval over users.

    Args:
        both: an evaluation.
        first: another of the same pairs.
        worth: of each pair, [P].
    """
    ours, theirs = _per_user(both, worth), _per_user(first, worth)
    low = high = float("nan")
    if len(ours) >= FEWEST_USERS:
        sums = resampled_sums((ours - theirs)[:, None])
        low, high = percentile_interval(sums[:, 0] / len(ours))
    a, b = (float(one.mean()) if len(one) else float("nan") for one in (ours, theirs))
    return Comparison("graded_ndcg", K, a, b, a - b, low, high, word_of(low, high))


def _per_user(evaluation: Evaluation, worth: Doubles) -> Doubles:
    """Returns graded NDCG of each of `evaluation.users`, a pair that is repeated counted once: its first."""
    row = np.searchsorted(evaluation.users, evaluation.user)
    once = np.unique(row * evaluation.n_items + evaluation.item, return_index=True)[1]
    k = min(K, evaluation.n_items)
    return graded_ndcg(evaluation.ranks[once], row[once], n=len(evaluation.users), k=k, gain=worth[once])


def _generosity(ranker: Ranker, seen: Histories, users: np.ndarray) -> Doubles:
    people = People.of(users.astype(np.int32), seen)
    none = np.zeros((len(users), 0))
    return Scene(ranker.facts, people, none.astype(np.int32), none.astype(np.float32)).generosity
