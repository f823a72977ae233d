"""This module says what makes numbers lie, beside them: the split, the users, the catalogue, the cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from butaca.data.histories import Histories
from butaca.types import Codes, Floats, Ints

#: Share of the test pairs from which repeats of training, which can't be hit, are worth a word, and pairs of
#: users without a history, who all get one list.
REPEATS, COLD = 0.05, 0.1

#: Share of the items from which twins are worth a word, and the users that an item has at least for a vector
#: of its own: what the same one or two people had has one vector, rightly.
TWINS, KNOWN = 0.01, 5


@dataclass(frozen=True)
class Notice:
    """A Notice is something that the reader of a figure should know.

    Attributes:
        rule: what an honest figure needs.
        received: what was found.
        cure: what to do about it.
    """

    rule: str
    received: str
    cure: str

    def __str__(self) -> str:
        return f"{self.rule}. Received: {self.received}. {self.cure}."

    def as_json(self) -> dict[str, str]:
        """Returns the rule, what was received and the cure, by name."""
        return asdict(self)


def users_without_history(user: Codes, seen: Histories) -> Notice | None:
    """Warns of test users unknown to training, where many pairs are theirs: all of them get the same list.

    Args:
        user: user codes of the test pairs, [P].
        seen: training histories.
    """
    users, pairs = np.unique(user, return_counts=True)
    known = (users >= 0) & (users < len(seen))
    cold = ~known
    cold[known] = seen.lengths[users[known]] == 0
    if pairs[cold].sum() <= COLD * len(user):
        return None
    return Notice(
        "A personal list needs a history",
        f"{np.count_nonzero(cold):,} of {len(users):,} test users without one, with "
        f"{int(pairs[cold].sum()):,} of {len(user):,} test pairs",
        "Read the others' figures by slice (butaca evaluate); to offer these people more than what most "
        "chose, give what is known of them (--users), which fit uses where validation says that it helps",
    )


def repeats_of_training(user: Codes, item: Codes, *, seen: Histories) -> Notice | None:
    """Warns of test pairs that training held: with seen items left out they count as misses.

    Args:
        user: user codes of the test pairs, [P].
        item: item codes of the test pairs, [P].
        seen: training histories.
    """
    again = n_repeats(user, item, seen=seen)
    if again <= REPEATS * len(user):
        return None
    return Notice(
        "With seen items left out, what a user had before can't be offered again",
        f"{again:,} of {len(user):,} test pairs that are of what the user had before",
        "Read the figures of both ways; where people have things again, a model fitted with --repeats allow "
        '(Signal(repeats="allow")) learns that and offers it',
    )


def n_repeats(user: Codes, item: Codes, *, seen: Histories) -> int:
    """Returns how many test pairs are of what the user had before.

    Args:
        user: user codes of the test pairs, [P].
        item: item codes of the test pairs, [P].
        seen: what users had before.
    """
    users, row = np.unique(user, return_inverse=True)
    width = int(max(item.max(initial=0), seen.items.max(initial=0))) + 1
    seen_row, seen_item = seen.pairs(users)
    return int(np.isin(row * width + item, seen_row * width + seen_item).sum())


def duplicate_candidates(
    titles: Sequence[str], seen: Histories, *, vectors: Floats | None = None
) -> Notice | None:
    """Warns of candidates that are one thing under two codes, where many are: a hit on one misses the other.

    Args:
        titles: what a person calls each item, [N].
        seen: training histories; items that few people had may share a vector.
        vectors: of the items [N, d], or None.
    """
    place: dict[str, int] = {}
    twins = [(place.setdefault(title, code), code) for code, title in enumerate(titles)]
    same = [(a, b) for a, b in twins if a != b and titles[b].strip()]
    if len(same) > TWINS * len(titles):
        a, b = same[0]
        return Notice(
            "Every candidate is one thing, and every thing one candidate",
            f"{len(same):,} items with the title of another, such as {titles[a]!r} at {a} and {b}",
            "Identify items by title (Dataset.keyed_by, on the command line --item-column), or merge them in "
            "the table",
        )
    if vectors is None:
        return None
    known: Ints = np.flatnonzero(np.bincount(seen.items, minlength=len(vectors)) >= KNOWN)
    twin = len(known) - len(np.unique(vectors[known], axis=0))
    if twin <= TWINS * len(known):
        return None
    return Notice(
        "Items that can be told apart have different vectors",
        f"{twin:,} of {len(known):,} items that {KNOWN} people or more had, whose vector equals another's",
        "Merge them in the table if they are one thing; else give a tower of your own an Id of the item "
        "(TwoTower, candidate=)",
    )


def cut_above_catalogue(k: Sequence[int], n_items: int) -> Notice | None:
    """Warns of lists as long as the catalogue, which hold every item, whoever made them.

    Args:
        k: where lists are cut.
        n_items: size of the catalogue.
    """
    above = sorted({n for n in k if n >= n_items})
    if not above:
        return None
    return Notice(
        "A metric is cut below the size of the catalogue",
        f"k = {', '.join(map(str, above))} with {n_items:,} items, where every scorer finds all it can",
        "Read the smaller k",
    )
