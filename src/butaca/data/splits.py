"""This module splits into train and test: random, stratified, by time, last of each user, by user.

Every split is disjoint and complete. Only draws decide where time and share do not: no order of ids.

Both sides share the vocabularies of the whole (as in the notebook, whose candidates are all movies),
so a test item may be one that training never saw: a cold item, which evaluation counts. What users said no to
(`Dataset.negatives`) is known in training, but for what a split by time or by user puts on the other side.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import Literal

import numpy as np

from butaca.checks import finite_number, of_kind, real_number, whole_number
from butaca.data.dataset import Dataset
from butaca.data.earlier import parted
from butaca.data.histories import as_seconds
from butaca.data.negatives import Aside
from butaca.errors import SplitError
from butaca.types import Bools, Ints, Times, Values

#: Splits whose test side lies after the training side: what is asked is what comes next.
COMES_NEXT = ("temporal", "last")


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
    return _both(data, order[:n_train], order[n_train:], later=_drawn(data, test_share, seed=seed))


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
    interactions of the same moment stay on the same side, so no time stands on both.
    """
    _check(data, test_share)
    time = _times(data, "temporal_split")
    moments, counts = np.unique(time, return_counts=True)
    if len(moments) < 2:
        raise SplitError(
            "A split by time needs at least two different times",
            f"{len(data)} interactions, all at time {moments[0].item() if len(moments) else 'none'}",
            "Use random_split or user_split",
        )
    before = np.cumsum(counts)[:-1]  # interactions earlier than moments[1:], never none, never all
    cut = moments[1:][np.argmin(np.abs(before - (1 - test_share) * len(data)))]
    return _by_mask(data, time >= cut, _from(data.negatives, cut), later=_from(data.earlier, cut))


def split_at(data: Dataset, moment: str | float) -> tuple[Dataset, Dataset]:
    """Splits at a moment: what is before it trains, what comes from it on tests.

    Args:
        data: with times.
        moment: a date or a date and time in ISO, taken as UTC where it has no zone, or seconds since 1970.

    Raises:
        SplitError: the data have no times, it is no moment, or one side would be empty.
    """
    time = _times(data, "split_at")
    cut = moment_of(moment) if isinstance(moment, str) else finite_number("moment", moment)
    return _by_mask(data, time >= cut, _from(data.negatives, cut), later=_from(data.earlier, cut))


def moment_of(text: str) -> float:
    """Returns a moment as seconds since 1970 UTC.

    >>> moment_of("1970-01-02"), moment_of("1970-01-01T01:00:00+01:00"), moment_of("86400")
    (86400.0, 0.0, 86400.0)
    """
    try:
        found = datetime.fromisoformat(text.strip()) if not text.strip().isdigit() else None
        if found is None:
            return float(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise SplitError(
            "A moment is a date or a date and time in ISO, or seconds since 1970",
            repr(text),
            "Write it as 2011-10-01 or 2011-10-01T12:00:00Z (split_at=, on the command line: --split-at)",
        ) from None


def leave_last_out(data: Dataset, n: int = 1, *, seed: int = 42) -> tuple[Dataset, Dataset]:
    """Holds out the last n interactions of each user; the earlier ones train.

    Users with n interactions or fewer stay whole in train. What has the same time has no order: where the cut
    goes through it, a seeded draw says what is held out. It hashes the raw ids, so neither their order nor
    that of the rows has a say, and the same interactions and seed give the same test pairs.
    `tied_at_the_cut` counts whom that concerns.
    """
    if whole_number("n", n, least=None) < 1:
        raise SplitError("leave_last_out takes at least one interaction", f"n={n}", "Pass n=1 or more")
    of_kind("data", data, kind=Dataset, cure="Read one with read_table or load_movielens")
    whole_number("seed", seed, least=0)
    return _by_last(data, _last_of_each(data, n, seed=seed, split="leave_last_out"))


def tied_at_the_cut(train: Dataset, test: Dataset) -> int:
    """Returns how many users were cut within a moment: their last training time is their first test time.

    >>> from butaca.data.dataset import Entities
    >>> from butaca.data.vocabulary import Vocabulary
    >>> one = Entities("id", Vocabulary.of(range(3)))
    >>> user, item = np.array([0, 0, 1, 1], dtype=np.int32), np.array([0, 1, 1, 2], dtype=np.int32)
    >>> data = Dataset(one, one, user, item, timestamp=np.array([5, 6, 9, 9]))  # user 1 had both at 9
    >>> tied_at_the_cut(*leave_last_out(data))
    1
    """
    for name, side in (("train", train), ("test", test)):
        of_kind(name, side, kind=Dataset, cure="Pass both sides of a split")
    of_train, of_test = (as_seconds(_times(side, "tied_at_the_cut")) for side in (train, test))
    kind = np.result_type(of_train, of_test)
    limits = np.finfo(kind) if kind.kind == "f" else np.iinfo(kind)
    before = np.full(len(train.users), limits.min, dtype=kind)
    after = np.full(len(train.users), limits.max, dtype=kind)
    np.maximum.at(before, train.user, of_train)
    np.minimum.at(after, test.user, of_test)
    return int(np.count_nonzero(before == after))


def validation_split(
    train: Dataset, split: str, *, share: float = 0.1, seed: int = 0
) -> tuple[Dataset, Dataset]:
    """Holds out a slice of the training side in the way the test side was held out, so it asks the same.

    By time the slice is the latest share. Of a split that holds out each user's last, it is each user's last
    that is left, the last but one; of more users than the share of the interactions, a seeded draw. In all
    other cases it is a random share.

    Args:
        train: the training side.
        split: how the test side was made: "temporal", "last", or anything else.
        share: of the interactions; at most so many of a split by the last.
        seed: of the draws.
    """
    of_kind("train", train, kind=Dataset, cure="Read one with read_table or load_movielens")
    of_kind("split", split, kind=str)
    if split == "temporal":
        return temporal_split(train, share)
    if split != "last":
        return random_split(train, share, seed=seed)
    check_share(share)
    mask = _last_of_each(train, 1, seed=seed, split="A slice of each user's last")
    users = train.user[mask]
    most = max(round(share * len(train)), 1)
    if len(users) > most:
        drawn = np.random.default_rng([seed, 5]).choice(np.sort(users), most, replace=False)
        mask &= np.isin(train.user, drawn)
    return _by_last(train, mask)


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
    aside = None if data.negatives is None else np.isin(data.negatives.user, chosen[:n_test])
    return _by_mask(data, np.isin(data.user, chosen[:n_test]), aside)


def _check(data: Dataset, test_share: float, seed: int = 0) -> None:
    """Checks what every split takes."""
    of_kind("data", data, kind=Dataset, cure="Read one with read_table or load_movielens")
    check_share(test_share)
    whole_number("seed", seed, least=0)


def _last_of_each(data: Dataset, n: int, *, seed: int, split: str) -> Bools:
    """Returns which rows are the last n of a user who has more; where the cut is tied, by a draw."""
    time = _times(data, split)
    order = np.lexsort((time, data.user))
    user, at = data.user[order], time[order]
    start = np.searchsorted(user, user, side="left")
    end = np.searchsorted(user, user, side="right")
    enough = np.flatnonzero(end - start > n)
    cut = end[enough] - n
    tied = enough[(at[cut - 1] == at[cut]) & (at[enough] == at[cut])]
    if len(tied):
        draw = np.zeros(len(data), dtype=np.uint64)
        draw[order[tied]] = _draws(data, order[tied], seed)
        order = np.lexsort((draw, time, data.user))  # users and moments stay where they were
    mask = np.zeros(len(data), dtype=bool)
    mask[order[enough[enough >= cut]]] = True
    return mask


def _draws(data: Dataset, rows: Ints, seed: int) -> Values:
    """Returns a number for each of the rows that looks random, by its raw ids and value: uint64."""
    user = data.users.ids.values[data.user[rows]].tolist()
    item = data.items.ids.values[data.item[rows]].tolist()
    value = [None] * len(rows) if data.value is None else data.value[rows].tolist()
    numbers = (
        int.from_bytes(
            hashlib.blake2b(repr((seed, *row)).encode("utf-8", "surrogatepass"), digest_size=8).digest()
        )
        for row in zip(user, item, value, strict=True)
    )
    return np.fromiter(numbers, dtype=np.uint64, count=len(rows))


def _by_mask(
    data: Dataset, is_test: Bools, aside: Bools | None = None, *, later: Bools | None = None
) -> tuple[Dataset, Dataset]:
    return _both(data, np.flatnonzero(~is_test), np.flatnonzero(is_test), aside=aside, later=later)


def _by_last(data: Dataset, is_test: Bools) -> tuple[Dataset, Dataset]:
    """Returns both sides; what a user said no to from the first test time on is not known in training."""
    if data.timestamp is None:
        return _by_mask(data, is_test)
    first = np.full(len(data.users), np.inf)
    np.minimum.at(first, data.user[is_test], data.timestamp[is_test].astype(np.float64))
    aside, later = (
        None if pairs is None else _from(pairs, first[pairs.user]) for pairs in (data.negatives, data.earlier)
    )
    return _by_mask(data, is_test, aside, later=later)


def _from(pairs: Aside | None, cut: float | Values) -> Bools | None:
    """Returns which pairs aside come from a moment on, [m]; None where there are none, or no times."""
    if pairs is None or pairs.timestamp is None:
        return None
    later: Bools = pairs.timestamp >= cut
    return later


def _drawn(data: Dataset, test_share: float, *, seed: int) -> Bools | None:
    """Returns which earlier rows a random split holds out, [m]; None where there are none."""
    if data.earlier is None:
        return None
    return np.random.default_rng([seed, 6]).random(len(data.earlier)) < test_share


def _both(
    data: Dataset, train: Ints, test: Ints, *, aside: Bools | None = None, later: Bools | None = None
) -> tuple[Dataset, Dataset]:
    """Returns both sides.

    Args:
        data: that is split.
        train: rows.
        test: rows.
        aside: which negatives [m] go with the test side; None: none.
        later: which earlier rows of repeats do; None: neither side has any.
    """
    if not len(train) or not len(test):
        raise SplitError(
            "Both sides of a split hold at least one interaction",
            f"{len(train)} for training and {len(test)} for testing out of {len(data)}",
            "Give more data, or another share",
        )
    sides = parted((data.take(train), data.take(test)), later)
    if data.negatives is None:
        return sides
    if aside is None:
        aside = np.zeros(len(data.negatives), dtype=bool)
    of_train, of_test = data.negatives.take(~aside), data.negatives.take(aside)
    return replace(sides[0], negatives=of_train), replace(sides[1], negatives=of_test)


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
