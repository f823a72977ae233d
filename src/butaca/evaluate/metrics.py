"""This module holds accuracy metrics as pure functions of exact ranks: formula, convention, an example.

Ranks count from 0. They come from `protocol.rank_pairs`, where ties count against the item, so every
figure here is a lower bound over the orders that ties allow. The per-user functions take

    ranks  int64 [P]  rank of each relevant (test) item, a user's items distinct,
    row    int64 [P]  which user each belongs to, 0 to n - 1,
    n                 number of users, each with at least one relevant item,
    k                 where the list is cut; the size of the catalogue cuts nothing,

and return float64 [n], one figure a user; the metric is their mean. R is a user's number of relevant
items. An item that can't be in the list (seen in training, left out) has a rank of at least k.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from butaca.types import Codes, Floats, Ints

#: One figure a user.
PerUser: TypeAlias = NDArray[np.float64]


class UserMetric(Protocol):
    """A UserMetric is a function of ranks that gives one figure a user."""

    __name__: str

    def __call__(self, ranks: Ints, row: Ints, *, n: int, k: int) -> PerUser:
        """Returns the figure of each of n users, float64 [n]."""


class WeightedMetric(Protocol):
    """A WeightedMetric is a UserMetric in which finding one item is worth more than finding another."""

    def __call__(self, ranks: Ints, row: Ints, *, n: int, k: int, gain: PerUser) -> PerUser:
        """Returns the figure of each of n users, float64 [n], of pairs worth `gain` [P]."""


def top_k_accuracy(ranks: Ints, k: int) -> float:
    """Returns the share of test pairs whose item stands among the first k: mean(rank < k).

    Ranks count from 0 and ties count against the item, so a constant scorer gets 0. This is TFRS's
    factorized_top_k/top_k_categorical_accuracy (notebook's cell 106), with ties decided.

    >>> top_k_accuracy(np.array([0, 3, 9, 10]), 10)  # three of four below 10
    0.75
    """
    return float(np.mean(ranks < k)) if len(ranks) else float("nan")


def hit_rate(ranks: Ints, row: Ints, *, n: int, k: int) -> PerUser:
    """Returns 1 for a user with a relevant item among the first k, else 0 (Hit Rate, HR@k).

    >>> hit_rate(np.array([0, 7, 9]), np.array([0, 0, 1]), n=2, k=5)  # the second user's stands tenth
    array([1., 0.])
    """
    return (_hits(ranks, row, n, k) > 0).astype(np.float64)


def precision(ranks: Ints, row: Ints, *, n: int, k: int) -> PerUser:
    """Returns the share of the k places that hold a relevant item: hits / k (Precision@k).

    Divided by k even where R < k, so a user with one relevant item reaches 1 / k at most.

    >>> precision(np.array([0, 3, 9]), np.array([0, 0, 1]), n=2, k=4)  # 2 of 4 places, 0 of 4
    array([0.5, 0. ])
    """
    return _hits(ranks, row, n, k) / k


def recall(ranks: Ints, row: Ints, *, n: int, k: int) -> PerUser:
    """Returns the share of the relevant items among the first k: hits / R (Recall@k).

    Divided by R, not by min(k, R) as in Liang et al. 2018 (VAE-CF): a user with more relevant items
    than places can't reach 1.

    >>> recall(np.array([0, 7, 8, 2]), np.array([0, 0, 0, 1]), n=2, k=5)  # 1 of 3, 1 of 1
    array([0.33333333, 1.        ])
    """
    return _hits(ranks, row, n, k) / _relevant(row, n)


def ndcg(ranks: Ints, row: Ints, *, n: int, k: int) -> PerUser:
    """Returns the discounted gain of the hits over the best possible (NDCG@k, Järvelin and Kekäläinen 2002).

        sum over hits of 1 / log2(rank + 2)  /  sum over places 0 .. min(k, R) - 1 of 1 / log2(place + 2)

    Relevance is 1 or 0, so 2**rel - 1 and rel are the same. The ideal list holds min(k, R) items.

    >>> ndcg(np.array([0, 2]), np.array([0, 0]), n=1, k=3).round(4)  # (1 + 1/2) / (1 + 1/log2(3))
    array([0.9197])
    """
    gain = np.where(ranks < k, 1 / np.log2(ranks + 2.0), 0.0)
    relevant = _relevant(row, n)
    places = int(min(k, relevant.max(initial=1)))
    ideal = np.cumsum(1 / np.log2(np.arange(places) + 2.0))
    best: PerUser = ideal[np.minimum(relevant, places).astype(np.int64) - 1]
    return np.bincount(row, gain, minlength=n) / best


def graded_ndcg(ranks: Ints, row: Ints, *, n: int, k: int, gain: PerUser) -> PerUser:
    """Returns `ndcg` where finding one item is worth more than finding another: `gain` [P], above 0.

        sum over hits of gain / log2(rank + 2)  /  the same of the list with the largest gains first

    With equal gains it is `ndcg`.

    >>> at, row = np.array([0, 2]), np.array([0, 0])  # (1 + 1.5/2) / (1.5 + 1/log2(3))
    >>> graded_ndcg(at, row, n=1, k=3, gain=np.array([1.0, 1.5])).round(4)
    array([0.8212])
    """
    found = np.where(ranks < k, gain / np.log2(ranks + 2.0), 0.0)
    order = np.lexsort((-gain, row))
    sorted_row = row[order]
    place = np.arange(len(row)) - np.searchsorted(sorted_row, sorted_row)
    ideal = np.where(place < k, gain[order] / np.log2(place + 2.0), 0.0)
    return np.bincount(row, found, minlength=n) / np.bincount(sorted_row, ideal, minlength=n)


def weighted_recall(ranks: Ints, row: Ints, *, n: int, k: int, gain: PerUser) -> PerUser:
    """Returns `recall` by weight: the weight of the hits over that of all relevant items, `gain` [P].

    >>> at, row = np.array([0, 7]), np.array([0, 0])  # found: 3 of 3 + 1
    >>> weighted_recall(at, row, n=1, k=5, gain=np.array([3.0, 1.0]))
    array([0.75])
    """
    found = np.bincount(row, np.where(ranks < k, gain, 0.0), minlength=n)
    return found / np.bincount(row, gain, minlength=n)


def average_precision(ranks: Ints, row: Ints, *, n: int, k: int) -> PerUser:
    """Returns the mean of the precision at each hit (its mean over users is MAP@k).

        sum over hits of (hits up to and including this one) / (rank + 1)  /  min(k, R)

    Divided by min(k, R), as Microsoft Recommenders did until 2021 and Kaggle does, so that a list full
    of hits gets 1 whatever R is; TREC's (and ranx's) convention divides by R.

    >>> average_precision(np.array([4, 1]), np.array([0, 0]), n=1, k=10)  # (1/2 + 2/5) / 2
    array([0.45])
    """
    order = np.lexsort((ranks, row))
    sorted_row = row[order]
    nth = np.arange(len(row)) - np.searchsorted(sorted_row, sorted_row) + 1  # 1 for a user's best
    at = ranks[order]
    found = np.where(at < k, nth / (at + 1.0), 0.0)
    return np.bincount(sorted_row, found, minlength=n) / np.minimum(_relevant(row, n), k)


def reciprocal_rank(ranks: Ints, row: Ints, *, n: int, k: int) -> PerUser:
    """Returns 1 / (rank + 1) of the best relevant item, 0 if it is not among the first k (MRR@k).

    >>> reciprocal_rank(np.array([3, 1, 12]), np.array([0, 0, 1]), n=2, k=10)
    array([0.5, 0. ])
    """
    best = np.full(n, np.iinfo(np.int64).max)
    np.minimum.at(best, row, ranks)
    return np.where(best < k, 1 / (best + 1.0), 0.0)


#: The metrics that average over users, by the name that `Evaluation.metric` takes.
PER_USER: Mapping[str, UserMetric] = MappingProxyType(
    {
        "hit_rate": hit_rate,
        "precision": precision,
        "recall": recall,
        "ndcg": ndcg,
        "map": average_precision,
        "mrr": reciprocal_rank,
    }
)


#: The metrics that weigh what is found, by the name that `Evaluation.metric` takes.
WEIGHTED: Mapping[str, WeightedMetric] = MappingProxyType(
    {"weighted_recall": weighted_recall, "weighted_ndcg": graded_ndcg}
)


def _hits(ranks: Ints, row: Ints, n: int, k: int) -> PerUser:
    return np.bincount(row, ranks < k, minlength=n).astype(np.float64)


def _relevant(row: Ints, n: int) -> PerUser:
    return np.bincount(row, minlength=n).astype(np.float64)


def in_batch_loss(scores: Floats, *, user: Codes | Ints, item: Codes | Ints) -> float:
    """Returns the notebook's loss of one batch of pairs, summed: every pair against the batch's items.

    loss = sum over pairs b of  log sum over pairs j of exp(s[user_b, item_j])  -  s[user_b, item_b],
    the B x B softmax of TFRS's Retrieval task, computed over unique users and items.

    Args:
        scores: of the batch's users for the whole catalogue, [U, N].
        user: row into `scores` of each pair, [B].
        item: item code of each pair, [B].

    >>> round(in_batch_loss(np.zeros((1, 3)), user=np.array([0, 0]), item=np.array([1, 2])), 4)  # 2 log 2
    1.3863
    """
    items, column, counts = np.unique(item, return_inverse=True, return_counts=True)
    users, row, pairs = np.unique(user, return_inverse=True, return_counts=True)
    logits = scores[np.ix_(users, items)].astype(np.float64)  # [U', I']
    largest = logits.max(axis=1, keepdims=True)
    log_sum = largest[:, 0] + np.log((np.exp(logits - largest) * counts).sum(axis=1))
    return float(pairs @ log_sum - logits[row, column].sum())
