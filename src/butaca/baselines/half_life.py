"""This module chooses recent popularity's half-life on the training side, held out as the split is made."""

from __future__ import annotations

import numpy as np

from butaca.baselines.popularity import RecentPopularity
from butaca.data.dataset import Dataset
from butaca.data.histories import Histories
from butaca.data.splits import validation_split
from butaca.errors import SplitError
from butaca.evaluate.metrics import ndcg
from butaca.types import Codes, Floats, Ints

#: Half-lives that are tried, in parts of the time that the training data span, the longest first.
SHARES = (1.0, 0.3, 0.1, 0.05, 0.02, 0.01, 0.003, 0.001)

#: Interactions that are looked at: of more, those of a seeded draw of users.
MOST = 1_000_000

#: Of the training side, what is held out to choose.
VALIDATION = 0.2


def best_half_life(train: Dataset, split: str, *, k: int = 10) -> float | None:
    """Returns the half-life with the best NDCG@k on the latest part of training, in seconds.

    The part is held out as the test pairs are: the last fifth in time, or the last of each user. Of equals
    the longest wins. Where nothing can be held out the choice is None, which is RecentPopularity's own.

    Args:
        train: with times. A pair counts once, at its latest time, as in a history.
        split: "temporal" or "last".
        k: where lists are cut.
    """
    seen = Histories.of(train)
    assert seen.time is not None
    users = np.arange(len(seen), dtype=np.int32)
    if len(seen.items) > MOST:
        n = max(int(len(users) * MOST / len(seen.items)), 1)
        users = np.sort(np.random.default_rng(0).choice(users, n, replace=False))
    row, at = seen.rows(users)
    weight = None if seen.weight is None else seen.weight[at]
    once = Dataset(
        train.users, train.items, users[row], seen.items[at], timestamp=seen.time[at], weight=weight
    )
    try:
        before, after = validation_split(once, split, share=VALIDATION)
    except SplitError:
        return None
    assert before.timestamp is not None
    span = float(np.ptp(before.timestamp))
    if not span:
        return None
    had = Histories.of(before)
    asked, row = np.unique(after.user, return_inverse=True)
    value = {}
    for share in SHARES:
        weights = RecentPopularity(share * span).fit(before).weights
        ranks = shared_ranks(weights, after.user, item=after.item, seen=had)
        value[share * span] = float(ndcg(ranks, row, n=len(asked), k=k).mean())
    return max(value, key=lambda half_life: value[half_life])


def shared_ranks(scores: Floats, user: Codes, *, item: Codes, seen: Histories) -> Ints:
    """Returns the ranks of pairs [P] by scores that all users share [N], what a user had left out.

    The same as `evaluate.protocol.rank_pairs` gives, without a score for each user and item.
    """
    values, level = np.unique(scores, return_inverse=True)
    at_least = np.append(np.cumsum(np.bincount(level)[::-1])[::-1], 0)[level[item]]
    users = np.unique(user)
    row, own = seen.pairs(users)
    keys = np.sort(row * len(values) + level[own])  # by user, then by score
    of = np.searchsorted(users, user)
    hidden = np.searchsorted(keys, (of + 1) * len(values)) - np.searchsorted(
        keys, of * len(values) + level[item]
    )
    ranks: Ints = at_least - 1 - hidden
    had, pair = row * len(scores) + own, of * len(scores) + item  # what was had, ascending
    seen_before = np.searchsorted(had, pair, side="right") > np.searchsorted(had, pair)
    return np.where(seen_before, len(scores), ranks)
