"""This module sounds the collapse alarm: lists have become the same for everyone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from butaca.data.histories import Histories
from butaca.evaluate.beyond import exposure, history_popularity_share, item_shares, overlap, popularity_share
from butaca.evaluate.honesty import Notice
from butaca.evaluate.protocol import top_lists
from butaca.types import Codes, Scorer

#: Lists are alike for everyone when two users share more than this of them. MovieLens 100K, random
#: split, seen left out: popularity .50, recent popularity .57; item-kNN .07, EASE .09, towers .01 to .09.
OVERLAP = 0.35

#: ... and that is more than so many times what two users share of their histories (there .20).
TIMES_HISTORIES = 1.5

#: Fewer users than this say nothing.
LEAST_USERS = 20


@dataclass(frozen=True)
class Alikeness:
    """Says how alike the lists of users with a history are, beside how alike the histories themselves are.

    Attributes:
        n_users: users looked at.
        k: length of the lists: a tenth of a small catalogue at most, where lists overlap by chance.
        distinct: items in at least one list.
        n_items: size of the catalogue.
        overlap: share of a list that another user's holds, mean over all pairs of users.
        history_overlap: share of a history that another user's holds.
        popularity: mean share of users that had an offered item.
        history_popularity: the same of what these users had.
    """

    n_users: int
    k: int
    distinct: int
    n_items: int
    overlap: float
    history_overlap: float
    popularity: float
    history_popularity: float

    @property
    def collapsed(self) -> bool:
        """Returns whether the lists are the same for everyone, near enough to warn."""
        enough = self.n_users >= LEAST_USERS and self.overlap > OVERLAP
        return enough and self.overlap > TIMES_HISTORIES * self.history_overlap

    @property
    def notice(self) -> Notice:
        """Returns the warning, with the figures."""
        return Notice(
            "A personal model gives different people different lists",
            f"two users share {self.overlap:.0%} of their first {self.k} ({self.history_overlap:.0%} of "
            f"their histories): {self.distinct:,} of {self.n_items:,} items for {self.n_users:,} users, had "
            f"by {self.popularity:.1%} of users in the mean (what they chose themselves: "
            f"{self.history_popularity:.1%})",
            "Train longer or with a lower learning rate, weaken the item prior, or check the query features; "
            "if it stays, serve popularity: it costs less",
        )


def alikeness(lists: Codes, users: Codes, *, seen: Histories, n_items: int) -> Alikeness:
    """Measures how alike the lists are, beside the histories.

    Args:
        lists: int32 [U, k], best first, -1 where nothing was left.
        users: codes of their users [U]; those without a history are left aside, for they get the same
            list from any scorer.
        seen: training histories.
        n_items: size of the catalogue.
    """
    k = min(lists.shape[1], max(n_items // 10, 1))
    known = (users >= 0) & (users < len(seen))
    warm = known & (seen.lengths[np.where(known, users, 0)] > 0) if len(seen) else known
    lists, users = lists[warm, :k], users[warm]
    _, item = seen.pairs(users)
    had = np.bincount(item, minlength=n_items).astype(np.float64)
    others = max(len(users) - 1, 1) * max(len(item), 1)
    share = item_shares(seen, n_items)
    return Alikeness(
        len(users),
        k,
        int(np.count_nonzero(exposure(lists, n_items))),
        n_items,
        overlap(lists),
        float((had * (had - 1)).sum() / others),
        popularity_share(lists, share),
        history_popularity_share(seen, users, share=share),
    )


def collapse(lists: Codes, users: Codes, *, seen: Histories, n_items: int) -> Notice | None:
    """Returns a warning if these lists are the same for everyone, else None; arguments as `alikeness`."""
    found = alikeness(lists, users, seen=seen, n_items=n_items)
    return found.notice if found.collapsed else None


def collapse_of(
    scorer: Scorer, users: Codes, *, seen: Histories, k: int = 10, n_users: int = 1000, seed: int = 0
) -> Notice | None:
    """Returns the warning about a scorer's lists, seen items left out, on a sample of users, or None.

    Args:
        scorer: whose lists.
        users: codes to sample from, such as the validation users; repeats count once.
        seen: training histories.
        k: length of the lists.
        n_users: at most so many users are scored.
        seed: of the sample.
    """
    chosen = np.unique(users)
    if len(chosen) > n_users:
        chosen = np.sort(np.random.default_rng(seed).choice(chosen, n_users, replace=False))
    return collapse(top_lists(scorer, chosen, seen=seen, k=k), chosen, seen=seen, n_items=scorer.n_items)
