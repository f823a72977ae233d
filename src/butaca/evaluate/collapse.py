"""This module sounds the collapse alarm: lists have become the same for everyone.

How alike lists may be depends on the data: where few items are had by most, or most people have had little,
the best lists are alike too. So the model's lists stand between popularity's, which are the same for all but
for what is left out as seen, and what is personal on the same data: the best baseline's lists, or where
nothing was compared the histories.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from butaca.data.histories import Histories
from butaca.evaluate.beyond import exposure, history_popularity_share, item_shares, overlap, popularity_share
from butaca.evaluate.honesty import Notice
from butaca.evaluate.protocol import top_lists
from butaca.types import Codes, Floats, Scorer

#: Lists are the same for everyone from halfway between what is personal and popularity, and at least so much
#: more alike than what is personal. MovieLens 100K, random split: histories .20, popularity .50, EASE .09.
MARGIN = 0.15

#: Fewer users than this say nothing.
LEAST_USERS = 20

#: Places of a list that are looked at: less in a small catalogue.
PLACES = 10


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
        popular: share of a popularity list, seen left out, that another user's holds.
        best: the same of the best baseline's lists; None where nothing was compared.
    """

    n_users: int
    k: int
    distinct: int
    n_items: int
    overlap: float
    history_overlap: float
    popularity: float
    history_popularity: float
    popular: float
    best: float | None = None

    @property
    def most(self) -> float:
        """Returns the overlap above which lists count as the same for everyone."""
        personal = self.history_overlap if self.best is None else max(self.history_overlap, self.best)
        return max((personal + self.popular) / 2, personal + MARGIN)

    @property
    def collapsed(self) -> bool:
        """Returns whether the lists are the same for everyone, near enough to warn."""
        return self.n_users >= LEAST_USERS and self.overlap > self.most

    @property
    def notice(self) -> Notice:
        """Returns the warning, with the figures."""
        best = "" if self.best is None else f", the best baseline's lists {self.best:.0%}"
        return Notice(
            "A personal model gives different people different lists",
            f"two users share {self.overlap:.0%} of their first {self.k}, where popularity's lists share "
            f"{self.popular:.0%}, histories {self.history_overlap:.0%}{best}: {self.distinct:,} of "
            f"{self.n_items:,} items for {self.n_users:,} users",
            "Try more dimensions or epochs (on the command line: --dim, --epochs), or search (butaca tune); "
            "if it stays, popularity gives nearly the same lists and costs less",
        )


def alikeness(
    lists: Codes,
    users: Codes,
    *,
    seen: Histories,
    n_items: int,
    popular: Codes | None = None,
    best: Codes | None = None,
) -> Alikeness:
    """Measures how alike the lists are, beside the histories.

    Args:
        lists: int32 [U, k], best first, -1 where nothing was left.
        users: codes of their users [U]; those without a history are left aside, for they get the same
            list from any scorer.
        seen: training histories.
        n_items: size of the catalogue.
        popular: popularity's lists of the same users, as long; None: made here.
        best: the best baseline's; None: nothing was compared.
    """
    k = min(lists.shape[1], PLACES, max(n_items // 10, 1))
    known = (users >= 0) & (users < len(seen))
    warm = known & (seen.lengths[np.where(known, users, 0)] > 0) if len(seen) else known
    lists, users = lists[warm, :k], users[warm]
    if popular is None:
        popular = top_lists(_Counted(seen, n_items), users, seen=seen, k=k)
    else:
        popular = popular[warm, :k]
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
        overlap(popular),
        None if best is None else overlap(best[warm, :k]),
    )


class _Counted:
    """A _Counted scores an item by the users that had it."""

    def __init__(self, seen: Histories, n_items: int) -> None:
        self.n_items = n_items
        self._counts = np.bincount(seen.items, minlength=n_items).astype(np.float32)

    def score(self, users: Codes) -> Floats:
        """Returns the same scores for every user code [B], [B, N]."""
        return np.broadcast_to(self._counts, (len(users), self.n_items))


def collapse(
    lists: Codes,
    users: Codes,
    *,
    seen: Histories,
    n_items: int,
    popular: Codes | None = None,
    best: Codes | None = None,
) -> Notice | None:
    """Returns a warning if these lists are the same for everyone, else None; arguments as `alikeness`."""
    found = alikeness(lists, users, seen=seen, n_items=n_items, popular=popular, best=best)
    return found.notice if found.collapsed else None


def collapse_of(
    scorer: Scorer, users: Codes, *, seen: Histories, k: int = PLACES, n_users: int = 1000, seed: int = 0
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
