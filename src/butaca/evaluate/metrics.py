"""Metrics as pure functions: formula, convention, a worked example."""

from __future__ import annotations

import numpy as np

from butaca.types import Codes, Floats, Ints


def top_k_accuracy(ranks: Ints, k: int) -> float:
    """Share of test pairs whose item stands among the first k: mean(rank < k).

    Ranks count from 0 and ties count against the item, so a constant scorer gets 0. This is TFRS's
    factorized_top_k/top_k_categorical_accuracy (notebook's cell 106), with ties decided.

    >>> top_k_accuracy(np.array([0, 3, 9, 10]), 10)  # three of four below 10
    0.75
    """
    return float(np.mean(ranks < k)) if len(ranks) else float("nan")


def in_batch_loss(scores: Floats, user: Codes | Ints, item: Codes | Ints) -> float:
    """The notebook's loss of one batch of pairs, summed: every pair against the batch's items.

    loss = sum over pairs b of  log sum over pairs j of exp(s[user_b, item_j])  -  s[user_b, item_b],
    the B x B softmax of TFRS's Retrieval task, computed over unique users and items.

    Args:
        scores: of the batch's users for the whole catalogue, [U, N].
        user: row into `scores` of each pair, [B].
        item: item code of each pair, [B].

    >>> round(in_batch_loss(np.zeros((1, 3)), np.array([0, 0]), np.array([1, 2])), 4)  # 2 log 2
    1.3863
    """
    items, column, counts = np.unique(item, return_inverse=True, return_counts=True)
    users, row, pairs = np.unique(user, return_inverse=True, return_counts=True)
    logits = scores[np.ix_(users, items)].astype(np.float64)  # [U', I']
    largest = logits.max(axis=1, keepdims=True)
    log_sum = largest[:, 0] + np.log((np.exp(logits - largest) * counts).sum(axis=1))
    return float(pairs @ log_sum - logits[row, column].sum())
