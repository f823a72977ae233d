"""The leak guard: no training example's history, facts or first stage may hold its positive."""

from __future__ import annotations

from typing import Any

import numpy as np

from butaca.data.dataset import Dataset
from butaca.data.histories import Histories
from butaca.errors import SettingError
from butaca.rank.facts import Facts
from butaca.types import Ints

CURE = "Fit it on the fold's known interactions alone"


class LeakError(SettingError):
    """Something that a training example sees holds what it is to find."""


def check_pairs(known: Dataset, label: Dataset) -> None:
    """No pair of `label` is among `known`.

    Raises:
        LeakError: names how many and the first.
    """
    both = np.isin(_pairs(label), _pairs(known))
    if both.any():
        raise _leak("the known interactions", label, np.flatnonzero(both))


def check_histories(histories: Histories, label: Dataset, what: str = "the histories") -> None:
    """No history holds its user's positive."""
    user = np.repeat(np.arange(len(histories), dtype=np.int64), histories.lengths)
    had = user * len(label.items) + histories.items
    both = np.isin(_pairs(label), had)
    if both.any():
        raise _leak(what, label, np.flatnonzero(both))


def check_first_stage(first: Any, known: Dataset, label: Dataset) -> None:
    """A first stage that tells what it has seen has seen no positive and nobody else's later pairs either."""
    seen = getattr(first, "seen", None)
    if not isinstance(seen, Histories):
        return
    check_histories(seen, label, "the first stage")
    if len(seen.items) > len(Histories.of(known).items):
        raise LeakError(
            "A training example's first stage learned from what was known before it",
            f"one that has seen {len(seen.items):,} pairs, of {len(Histories.of(known).items):,} known",
            CURE,
        )


def check_facts(facts: Facts, known: Dataset) -> None:
    """Facts count what is known, and nothing of what is to be found: users, times, who has what.

    What is compared are counts: facts whose neighbours or ratings were learned elsewhere, under the right
    counts, are not told.
    """
    seen = Histories.of(known)
    users_of = np.bincount(seen.items, minlength=len(known.items))
    off = np.flatnonzero(facts.users_of != users_of)
    if len(off):
        item = int(off[0])
        raise LeakError(
            "A training example's facts count what was known before it, and nothing else",
            f"{facts.users_of[item]:g} users of {known.items.ids.values[item]!r} where {users_of[item]} are "
            f"known, and {len(off) - 1} more items",
            CURE,
        )
    if facts.counts is not None and seen.time is not None:
        total = facts.counts[-1]
        if not np.array_equal(total, users_of):
            raise LeakError(
                "Counts over time add up to the users that are known",
                f"{total.sum():,.0f} of {users_of.sum():,}",
                CURE,
            )
        if facts.times is not None and len(seen.time) and facts.times[-1] > float(seen.time.max()) + 1.0:
            raise LeakError(
                "Facts end with the last known time",
                f"{facts.times[-1]:.0f} after {int(seen.time.max())}",
                CURE,
            )


def _pairs(data: Dataset) -> Ints:
    return data.user.astype(np.int64) * len(data.items) + data.item


def _leak(what: str, label: Dataset, rows: Ints) -> LeakError:
    row = int(rows[0])
    user, item = label.users.ids.values[label.user[row]], label.items.ids.values[label.item[row]]
    return LeakError(
        "What a training example is to find is not among what it sees",
        f"{item!r} of {user!r} and {len(rows) - 1} more pairs, in {what}",
        CURE,
    )
