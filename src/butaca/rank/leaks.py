"""This module is the leak guard: no training example's history or first stage may hold its positive.

Its facts are rank/fact_check.py's.
"""

from __future__ import annotations

import numpy as np

from butaca.data.dataset import Dataset
from butaca.data.histories import Histories
from butaca.errors import SettingError
from butaca.evaluate.scorers import HasHistories
from butaca.types import Ints, Scorer

CURE = "Fit it on the fold's known interactions alone"


class LeakError(SettingError):
    """A LeakError says that something a training example sees holds what it is to find."""


def check_pairs(known: Dataset, label: Dataset) -> None:
    """Checks that no pair of `label` is among `known`.

    Raises:
        LeakError: names how many and the first.
    """
    both = np.isin(_pairs(label), _pairs(known))
    if both.any():
        raise _leak("the known interactions", label, np.flatnonzero(both))


def check_histories(histories: Histories, label: Dataset, *, what: str = "the histories") -> None:
    """Checks that no history holds its user's positive."""
    user = np.repeat(np.arange(len(histories), dtype=np.int64), histories.lengths)
    had = user * len(label.items) + histories.items
    both = np.isin(_pairs(label), had)
    if both.any():
        raise _leak(what, label, np.flatnonzero(both))


def check_first_stage(first: Scorer, known: Dataset, *, label: Dataset) -> None:
    """Checks that a first stage that says what it has seen has seen no positive, and no later pairs."""
    seen = first.seen if isinstance(first, HasHistories) else None
    if not isinstance(seen, Histories):
        return
    check_histories(seen, label, what="the first stage")
    if len(seen.items) > len(Histories.of(known).items):
        raise LeakError(
            "A training example's first stage learned from what was known before it",
            f"one that has seen {len(seen.items):,} pairs, of {len(Histories.of(known).items):,} known",
            CURE,
        )


def check_when(known: Dataset, label: Dataset, *, when: float | None) -> None:
    """Checks that in a fold in time all that is known lies before the time of asking, and the rest after.

    Raises:
        LeakError: names how many do not, and the first.
    """
    if when is None:
        return
    for data, what in ((known, "known"), (label, "to be found")):
        if data.timestamp is None:
            raise LeakError("A fold in time has a time for every interaction", f"{what} without", CURE)
        late = data.timestamp >= when
        rows = np.flatnonzero(late if data is known else ~late)
        if len(rows):
            raise LeakError(
                "What is known comes before a fold's time of asking, what is to be found no sooner",
                f"{len(rows)} interactions {what} on the wrong side of {when:.0f}, the first at "
                f"{int(data.timestamp[rows[0]])}",
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
