"""This module splits into train and test: random, stratified, by time, last of each user, by user.

Every split is disjoint and complete.

Both sides share the vocabularies of the whole (as in the notebook, whose candidates are all movies),
so a test item may be one that training never saw: a cold item, which evaluation counts.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from butaca.checks import of_kind, real_number, whole_number
from butaca.data.dataset import Dataset
from butaca.errors import SplitError
from butaca.types import Bools, Ints, Times


def random_split(data: Dataset, test_share: float = 0.2, *, seed: int = 42) -> tuple[Dataset, Dataset]:
    """Holds out a seeded random share of the interactions, as the notebook's cell 78.

    The rows of `numpy.random.default_rng(seed).permutation(n)`: the first n - round(test_share n) train,
    the rest test. Same data and seed, same split.

    >>> rng_rows = np.random.default_rng(42).permutation(5)  # the order that seed 42 gives 5 rows
    >>> rng_rows.tolist()
    [4, 2, 3, 1, 0]
    """
    _check(data, test_share, seed)
    order = np.random.default_rng(seed).permutation(len(data))
    n_train = len(data) - round(len(data) * test_share)
    return _both(data, order[:n_train], order[n_train:])


def stratified_split(
    data: Dataset, test_share: float = 0.25, *, seed: int = 42, by: Literal["item", "user"] = "item"
) -> tuple[Dataset, Dataset]:
    """Holds out a seeded random share of the interactions of every item, or of every user.

    Of a group of n, the floor((1 - test_share) n) interactions with the lowest draws train and the others
    test, so an item with one interaction is never trained on. Draws are one uniform number per row from
    numpy's legacy generator, `RandomState(seed)`: on MovieLens 100K in the archive's order with movie ids as
    items, `stratified_split(data, 0.25, seed=42)` gives the rows of Microsoft Recommenders'
    `python_stratified_split(data, ratio=0.75, filter_by="item", seed=42)`. Both sides keep the order of
    the data.

    >>> draws = np.random.RandomState(42).random_sample(4)  # one item's four interactions
    >>> draws.argsort().tolist()  # floor(0.75 * 4) = 3 train: all but row 1
    [0, 3, 2, 1]
    """
    _check(data, test_share, seed)
    if not isinstance(by, str) or by not in ("item", "user"):
        raise SplitError("A stratified split is by item or by user", f"by={by!r}", 'Pass by="item"')
    group = data.item if by == "item" else data.user
    draw = np.random.RandomState(seed).random_sample(len(data))
    order = np.lexsort((draw, group))
    ordered = group[order]
    start = np.searchsorted(ordered, ordered, side="left")
    size = np.searchsorted(ordered, ordered, side="right") - start
    position = np.arange(len(ordered)) - start + 1  # 1 to the group's size
    mask = np.empty(len(data), dtype=bool)
    mask[order] = position / size > 1 - test_share
    return _by_mask(data, mask)


def temporal_split(data: Dataset, test_share: float = 0.2) -> tuple[Dataset, Dataset]:
    """Splits at a moment T: everything before it trains, everything from it on tests.

    T is the time that leaves as near to the `test_share` after it as whole moments allow:
    interactions of the same second stay on the same side, so no time stands on both.
    """
    _check(data, test_share)
    time = _times(data, "temporal_split")
    moments, counts = np.unique(time, return_counts=True)
    if len(moments) < 2:
        raise SplitError(
            "A split by time needs at least two different times",
            f"{len(data)} interactions, all at time {int(moments[0]) if len(moments) else 'none'}",
            "Use random_split or user_split",
        )
    before = np.cumsum(counts)[:-1]  # interactions earlier than moments[1:], never none, never all
    cut = moments[1:][np.argmin(np.abs(before - (1 - test_share) * len(data)))]
    return _by_mask(data, time >= cut)


def leave_last_out(data: Dataset, n: int = 1) -> tuple[Dataset, Dataset]:
    """Holds out the last n interactions of each user; the earlier ones train.

    Users with n interactions or fewer stay whole in train. Ties in time are broken by the raw item
    id and then by row, so the same interactions in another row order give the same test pairs.
    """
    if whole_number("n", n, least=None) < 1:
        raise SplitError("leave_last_out takes at least one interaction", f"n={n}", "Pass n=1 or more")
    of_kind("data", data, kind=Dataset, cure="Read one with read_table or load_movielens")
    time = _times(data, "leave_last_out")
    order = np.lexsort((np.arange(len(data)), data.item, time, data.user))
    user = data.user[order]
    start = np.searchsorted(user, user, side="left")
    end = np.searchsorted(user, user, side="right")
    position = np.arange(len(user))
    is_last = (position >= end - n) & (end - start > n)
    mask = np.zeros(len(data), dtype=bool)
    mask[order[is_last]] = True
    return _by_mask(data, mask)


def user_split(data: Dataset, test_share: float = 0.2, *, seed: int = 42) -> tuple[Dataset, Dataset]:
    """Holds out all interactions of a seeded share of the users: strong generalisation, nobody in both.

    The share is of the users that have interactions; at least one stays on each side.
    """
    _check(data, test_share, seed)
    active = np.unique(data.user)
    if len(active) < 2:
        raise SplitError(
            "A split by user needs at least two users with interactions",
            f"{len(active)} of them",
            "Use random_split or temporal_split",
        )
    chosen = np.random.default_rng(seed).permutation(active)
    n_test = min(max(round(len(active) * test_share), 1), len(active) - 1)
    return _by_mask(data, np.isin(data.user, chosen[:n_test]))


def _check(data: Dataset, test_share: float, seed: int = 0) -> None:
    """Checks what every split takes."""
    of_kind("data", data, kind=Dataset, cure="Read one with read_table or load_movielens")
    check_share(test_share)
    whole_number("seed", seed, least=0)


def _by_mask(data: Dataset, is_test: Bools) -> tuple[Dataset, Dataset]:
    return _both(data, np.flatnonzero(~is_test), np.flatnonzero(is_test))


def _both(data: Dataset, train: Ints, test: Ints) -> tuple[Dataset, Dataset]:
    if not len(train) or not len(test):
        raise SplitError(
            "Both sides of a split hold at least one interaction",
            f"{len(train)} for training and {len(test)} for testing out of {len(data)}",
            "Give more data, or another share",
        )
    return data.take(train), data.take(test)


def _times(data: Dataset, split: str) -> Times:
    if data.timestamp is None:
        raise SplitError(
            f"{split} needs a time for every interaction",
            f"{data.name!r}, which has no time column",
            "Name one with time_column= (on the command line: --time-column), or use random_split or "
            "user_split",
        )
    return data.timestamp


def check_share(test_share: float) -> None:
    """Checks the share that a split holds out.

    Raises:
        SplitError: it does not lie between 0 and 1.
    """
    if not 0 < real_number("test_share", test_share) < 1:
        raise SplitError(
            "The test share lies between 0 and 1", f"test_share={test_share}", "Try test_share=0.2"
        )
