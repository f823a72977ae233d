"""This module puts the rows of each pair of user and item together, as a Signal says what they count."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from butaca.data.again import different_times, of_again
from butaca.data.came import Came
from butaca.data.dataset import Dataset
from butaca.data.earlier import with_earlier
from butaca.data.negatives import Negatives
from butaca.data.signal import Doubles, Signal
from butaca.errors import SettingError, TableError
from butaca.types import Bools, Codes, Floats, Ints, Times


@dataclass(frozen=True, eq=False)
class Told:
    """Holds what a table tells of each row, [n] each.

    Attributes:
        user, item: codes.
        value: compared with `Signal.positive_from`, or None.
        time: in seconds, or None.
        kind: of event, a place in `Signal.events`, -1 for one that is not there; None without kinds.
        amount: how much, below 0 a return; None is 1.
    """

    user: Codes
    item: Codes
    value: Floats | None = None
    time: Times | None = None
    kind: Codes | None = None
    amount: Doubles | None = None

    def __len__(self) -> int:
        return len(self.user)


@dataclass(frozen=True, eq=False)
class Settled:
    """Holds what rows come to.

    Attributes:
        rows: the positives, ascending [m]: of each pair the latest that counts, or all.
        each: weight of each, float32 [m].
        negative: rows that say no, the latest of each pair; None where the signal knows no such.
        came: what was decided, counted.
        earlier: further positives of pairs of which the latest is among `rows`.
    """

    rows: Ints
    each: Floats
    negative: Ints | None
    came: Came
    earlier: Ints

    @property
    def weight(self) -> Floats | None:
        """Returns the weights, or None where all count the same."""
        return unless_even(self.each)


def unless_even(weight: Floats) -> Floats | None:
    """Returns weights, or None where they are all the same, which is as good as none."""
    return None if not len(weight) or bool((weight == weight[0]).all()) else weight


def signalled(data: Dataset, signal: Signal) -> Dataset:
    """Returns a data set as it counts: positives with weights, negatives kept aside, each pair once.

    >>> from butaca.data.tables import read_table
    >>> data = read_table({"user": ["ana", "ana", "eva"], "film": [7, 9, 9], "rating": [5.0, 1.0, 4.0]})
    >>> liked = signalled(data, Signal(positive_from=4))
    >>> liked.item.tolist(), len(liked.negatives)
    ([0, 1], 1)

    Args:
        data: whose rows are told by their values; of pairs that come more than once, all of them.
        signal: what counts as what. `weight_column` is the data's value, if any.

    Raises:
        SettingError: the signal speaks of columns that the data do not have.
        TableError: values are needed and there are none, or no positive is left.
    """
    if not signal.says:
        return data
    other = signal.event_column if signal.weight_column == data.value_name else signal.weight_column
    other = other or signal.event_column
    if other is not None or signal.events:
        raise SettingError(
            "The interactions of a data set have a value and a time, no other columns",
            f"{other or 'events'!r} for {data.name!r}",
            "Read the table itself with this signal: read_table(..., signal=...)",
        )
    amount = data.value if signal.weight_column is not None else None
    told = Told(data.user, data.item, data.value, data.timestamp, amount=as_amounts(amount))
    return counting(data, told, signal=signal, found=settle(told, signal, n_items=len(data.items)))


def as_amounts(column: Floats | None) -> Doubles | None:
    """Returns a column as amounts, or None."""
    return None if column is None else column.astype(np.float64)


def counting(data: Dataset, told: Told, *, signal: Signal, found: Settled) -> Dataset:
    """Returns a data set of what its rows came to.

    Args:
        data: of all rows.
        told: of the same rows.
        signal: what counts as what.
        found: what they came to.
    """
    if not len(found.rows):
        raise TableError(
            "At least one interaction is a positive",
            f"{data.name!r}, of whose {len(told):,} rows none is",
            f"Check what counts: {', '.join(f'{k}={v}' for k, v in signal.as_json().items())}",
        )
    negatives = None
    if found.negative is not None:
        time = None if told.time is None else told.time[found.negative]
        negatives = Negatives(told.user[found.negative], told.item[found.negative], time)
    notes = (*data.notes, *found.came.notes(signal))
    positives = data.take(found.rows)
    counted = replace(positives, weight=found.weight, negatives=negatives, notes=notes, again=signal.again)
    if signal.again or not of_again(found.came.times, found.came.pairs):
        return counted
    return with_earlier(counted, data, rows=found.earlier)


def settle(told: Told, signal: Signal, *, n_items: int, weights: Doubles | None = None) -> Settled:
    """Returns what rows come to: which are positives, how much, and which say no.

    Args:
        told: the rows, in the order of the source; of equal times the later row is the latest.
        signal: what counts as what.
        n_items: items N.
        weights: what each kind counts, nan for a negative, instead of `Signal.weights`.
    """
    n = len(told)
    weights = signal.weights if weights is None else weights
    base = weights[0] if told.kind is None else np.append(weights, 0.0)[told.kind]
    is_negative = np.isnan(np.broadcast_to(base, n)).copy()
    if signal.positive_from is not None:
        if told.value is None:
            raise TableError(
                "A positive is told by its value",
                f"positive_from={signal.positive_from:g} for interactions without values",
                "Name their column with value_column= (on the command line: --value-column)",
            )
        is_negative |= told.value < signal.positive_from  # what has no value is none that is too low
    amount = np.ones(n) if told.amount is None else told.amount
    weighs = np.where(is_negative, 1.0, np.broadcast_to(base, n))
    counts = (weighs > 0) & (is_negative | (amount != 0))
    rows = np.flatnonzero(counts)
    pair = told.user[rows].astype(np.int64) * n_items + told.item[rows]
    order = np.argsort(pair, kind="stable") if told.time is None else np.lexsort((told.time[rows], pair))
    rows = rows[order]
    _, of = np.unique(pair[order], return_inverse=True)
    n_pairs = int(of[-1]) + 1 if len(of) else 0

    is_return = ~is_negative[rows] & (amount[rows] < 0)
    says = np.flatnonzero(~is_return)
    last = np.full(n_pairs, -1)
    last[of[says]] = says  # of equal places the last assignment stays
    said = last >= 0
    disliked = said & is_negative[rows[last]]
    had = np.flatnonzero(~is_negative[rows])
    net = np.bincount(of[had], amount[rows[had]], minlength=n_pairs)
    returned = np.bincount(of[is_return], minlength=n_pairs) > 0
    taken_back = ~disliked & returned & ~(net > 0)

    stays = (~is_negative[rows] & ~is_return) & (said & ~disliked & ~taken_back)[of]
    kept = np.flatnonzero(stays)
    weight = np.broadcast_to(base, n)[rows] * signal.worth(np.maximum(amount[rows], 1e-9))
    group, n_groups = of, n_pairs
    if signal.again and told.time is not None:  # one time is one purchase, however many lines it has
        _, group = np.unique(np.stack([of, _ranks(told.time[rows])]), axis=1, return_inverse=True)
        n_groups = int(group.max(initial=-1)) + 1
    if signal.again and told.time is None:
        group, n_groups = np.arange(len(rows)), len(rows)
    weight = _together(
        weight,
        kept,
        rows=rows,
        of=group,
        told=told,
        amount=amount,
        is_yes=~is_negative[rows],
        signal=signal,
        weights=weights,
    )
    at = np.full(n_groups, -1)
    at[group[kept]] = kept
    kept = at[at >= 0]
    positives = rows[kept]
    in_order = np.argsort(positives)
    found = weight[kept][in_order].astype(np.float32)
    no = None
    if signal.says_no or np.isnan(weights).any():
        no = np.sort(rows[last[disliked]])
    came = Came(
        n - len(rows),
        None if no is None else len(no),
        int(taken_back.sum()),
        int((np.bincount(of, minlength=n_pairs) > 1).sum()),
        different_times(of[stays], None if told.time is None else told.time[rows[stays]]),
        len(np.unique(of[stays])),
    )
    return Settled(positives[in_order], found, no, came, np.setdiff1d(rows[stays], positives))


def _ranks(time: Times) -> Ints:
    """Returns a number for each different time."""
    ranks: Ints = np.unique(time, return_inverse=True)[1]
    return ranks


def _together(
    weight: Doubles,
    kept: Ints,
    *,
    rows: Ints,
    of: Ints,
    told: Told,
    amount: Doubles,
    is_yes: Bools,
    signal: Signal,
    weights: Doubles,
) -> Doubles:
    """Returns the weight of each row [m], as its pair counts all in all."""
    how = signal.together
    if how == "last":
        return weight
    if how == "mean":
        of_kept = of[kept]
        total, times = np.bincount(of_kept, weight[kept]), np.bincount(of_kept)
        return (total / np.maximum(times, 1))[np.minimum(of, len(total) - 1)]
    kind = np.zeros(len(rows), dtype=np.int64) if told.kind is None else told.kind[rows].astype(np.int64)
    n_kinds = len(weights)
    key = of * n_kinds + kind
    much = np.where(is_yes, amount[rows], 0.0)
    if how == "count":
        much = np.zeros(len(rows))
        much[kept] = 1.0
    keys, place = np.unique(key, return_inverse=True)
    sums = np.maximum(np.bincount(place, much), 0.0)
    base = np.where(np.isnan(weights), 0.0, weights)[keys % n_kinds]
    worth = np.where(sums > 0, base * signal.worth(np.maximum(sums, 1e-9)), 0.0)
    total = np.bincount(keys // n_kinds, worth)
    return np.maximum(total, 1e-9)[of]
