"""This module says for whom, and for what, the mean holds: accuracy by slice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from butaca.data.histories import Histories
from butaca.evaluate.protocol import Evaluation
from butaca.evaluate.verdict import MEASURES
from butaca.types import Bools


@dataclass(frozen=True)
class Slice:
    """A Slice is some of the test pairs, and how well they were found.

    Attributes:
        name: "users: few interactions", "items: rare", ...
        what: where its bounds lie, in words.
        n_users: users with such pairs.
        n_pairs: pairs.
        metrics: by label ("top-10", "NDCG@10", ...), of these pairs alone: for an item slice a user's
            relevant items are those of the slice, among a list of the whole catalogue. nan without pairs.
    """

    name: str
    what: str
    n_users: int
    n_pairs: int
    metrics: Mapping[str, float]


def by_slice(evaluation: Evaluation, seen: Histories) -> tuple[Slice, ...]:
    """Slices users by the length of their history, items by the users that had them; the cold apart.

    Users: thirds of the test users with a history, by its length; ties go to the shorter third.
    Items: ordered by training users, the first that make up a third of all of training's pairs are
    popular, the next third middling, the rest rare; equal counts stay together.

    Args:
        evaluation: to take apart.
        seen: training histories.
    """
    known = (evaluation.user >= 0) & (evaluation.user < len(seen))
    length = np.where(known, seen.lengths[np.where(known, evaluation.user, 0)], 0) if len(seen) else known * 0
    of_users = np.zeros(len(evaluation.users), dtype=np.int64)
    of_users[np.searchsorted(evaluation.users, evaluation.user)] = length
    warm = of_users[of_users > 0]
    few, many = np.quantile(warm, [1 / 3, 2 / 3], method="inverted_cdf") if len(warm) else (0, 0)

    counts = np.bincount(seen.items, minlength=evaluation.n_items)
    ordered = np.sort(counts)[::-1]
    before = np.cumsum(ordered) - ordered  # pairs of the items ahead of each
    total = int(counts.sum())
    head = int(ordered[before < total / 3].min(initial=max(total, 1)))
    middle = int(ordered[before < total * 2 / 3].min(initial=max(total, 1)))
    had = counts[evaluation.item]

    parts: list[tuple[str, str, Bools]] = [
        ("users: few interactions", f"1 to {few}", (length > 0) & (length <= few)),
        ("users: some interactions", f"{few + 1} to {many}", (length > few) & (length <= many)),
        ("users: many interactions", f"more than {many}", length > many),
        ("users: cold", "none in training", length == 0),
        ("items: popular", f"{head} users or more", had >= head),
        ("items: middling", f"{middle} to {head - 1} users", (had >= middle) & (had < head)),
        ("items: rare", f"1 to {middle - 1} users", (had > 0) & (had < middle)),
        ("items: cold", "nobody in training", had == 0),
    ]
    return tuple(_slice(name, what, evaluation.only(pairs)) for name, what, pairs in parts)


def _slice(name: str, what: str, part: Evaluation) -> Slice:
    metrics = {label: part.metric(metric, k) for metric, k, label in MEASURES}
    return Slice(name, what, len(part.users), len(part.ranks), metrics)
