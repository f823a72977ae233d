"""This module adds interactions to a data set, and takes people out of it: a new Dataset each time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from butaca.data.bags import Bags, Column, join_columns, take_column
from butaca.data.dataset import Dataset, Entities
from butaca.data.histories import as_seconds
from butaca.data.negatives import Negatives, together
from butaca.data.vocabulary import Vocabulary
from butaca.types import Bools, Codes, Floats, Times, Values


def with_interactions(
    data: Dataset,
    *,
    user: Sequence[Any] | Values,
    item: Sequence[Any] | Values,
    value: Floats | None = None,
    timestamp: Times | None = None,
    weight: Floats | None = None,
) -> Dataset:
    """Returns the data with further interactions, [n] by raw ids; of a repeated pair the latest stays.

    Where people have things again (`Dataset.again`) all stay.

    New users and items come after those that are there; what is known of them is missing. Ids that do not
    fit the kind of the data's (text where those are whole numbers) are left out, and a note says how many.
    Values and times are kept where the data have them: a missing value is nan.

    Args:
        data: to begin with.
        user: raw id of each.
        item: raw id of each.
        value: a rating or weight of each.
        timestamp: seconds since 1970 UTC of each.
        weight: how much each counts; None: 1.
    """
    users, u = _grown(data.users, user)
    items, i = _grown(data.items, item)
    fits = (u >= 0) & (i >= 0)
    notes = [f"{len(u):,} events: {int(fits.sum()):,} of {len(np.unique(u[fits])):,} users taken"]
    new = [
        f"{n:,} new {e.key}"
        for e, n in ((users, len(users) - len(data.users)), (items, len(items) - len(data.items)))
        if n
    ]
    if new:
        notes.append(f"events brought {' and '.join(new)}, of which nothing else is known")
    if not fits.all():
        notes.append(f"left out: {int((~fits).sum()):,} events whose ids are no whole numbers")
    n = int(fits.sum())
    of_new = np.full(n, np.nan, np.float32) if value is None else np.asarray(value, np.float32)[fits]
    values = None if data.value is None else np.concatenate([data.value, of_new])
    times = None
    if data.timestamp is not None:
        latest = data.timestamp.max(initial=0)
        at = (
            np.full(n, latest, data.timestamp.dtype)
            if timestamp is None
            else as_seconds(np.asarray(timestamp))[fits]
        )
        times = np.concatenate([data.timestamp, at])
    weights = data.weight
    if weight is not None or weights is not None:
        of_new = np.ones(n, np.float32) if weight is None else np.asarray(weight, np.float32)[fits]
        weights = np.concatenate([data.weights, of_new])
    whole = replace(
        data,
        weight=weights,
        users=users,
        items=items,
        user=np.concatenate([data.user, u[fits]]).astype(np.int32),
        item=np.concatenate([data.item, i[fits]]).astype(np.int32),
        value=values,
        timestamp=times,
        notes=(*data.notes, *notes),
    )
    if data.again:
        return whole
    kept = latest_of_each(whole.user, whole.item, time=times)
    return whole if kept.all() else whole.take(np.flatnonzero(kept))


def with_negatives(data: Dataset, more: Negatives) -> Dataset:
    """Returns the data with further pairs that someone said no to, in its codes.

    Of a pair the latest word counts. Without times, what was said no to is.

    Args:
        data: to begin with, and its own negatives.
        more: further ones.
    """
    aside = together(data.negatives, more)
    assert aside is not None
    if data.timestamp is None or aside.timestamp is None:
        no = more.user.astype(np.int64) << 32 | more.item
        stays = ~np.isin(data.user.astype(np.int64) << 32 | data.item, no)
        left = data.take(np.flatnonzero(stays))
        return replace(left, negatives=aside.without(left.user, left.item))
    pair = np.concatenate([(side.user.astype(np.int64) << 32) | side.item for side in (data, aside)])
    time = np.concatenate([data.timestamp, aside.timestamp]).astype(np.float64)
    _, of = np.unique(pair, return_inverse=True)
    says_no = np.append(np.zeros(len(data), dtype=bool), np.ones(len(aside), dtype=bool))
    order = np.lexsort((says_no, time))
    last = np.zeros(int(of.max(initial=-1)) + 1, dtype=np.int64)
    last[of[order]] = order
    is_no = says_no[last][of]
    once = last[of] == np.arange(len(of))
    left = data.take(np.flatnonzero(~is_no[: len(data)]))
    return replace(left, negatives=aside.take((is_no & once)[len(data) :]))


def without_users(data: Dataset, gone: Bools) -> Dataset:
    """Returns the data without some users: neither their interactions nor their rows are left.

    Args:
        data: to begin with.
        gone: of each user, [U].
    """
    stays = np.flatnonzero(~gone)
    code = np.full(len(gone), -1, dtype=np.int32)
    code[stays] = np.arange(len(stays))
    left = data.take(np.flatnonzero(code[data.user] >= 0))
    every = np.arange(len(data.items), dtype=np.int32)
    if left.negatives is not None:
        left = replace(left, negatives=left.negatives.recoded(code, every))
    if left.earlier is not None:
        left = replace(left, earlier=left.earlier.recoded(code, every))
    columns = {name: take_column(column, stays) for name, column in data.users.columns.items()}
    ids = Vocabulary(data.users.ids.values[stays])
    users = Entities(data.users.key, ids, columns, data.users.labels)
    return replace(left, users=users, user=code[left.user])


def latest_of_each(user: Codes, item: Codes, *, time: Times | None) -> Bools:
    """Returns which rows are the latest of their pair, [n]; of equal times, or without times, the last row.

    >>> latest_of_each(np.array([0, 0, 1]), np.array([5, 5, 5]), time=np.array([9, 3, 1])).tolist()
    [True, False, True]
    """
    pair = user.astype(np.int64) << 32 | item.astype(np.int64)
    order = np.argsort(pair, kind="stable") if time is None else np.lexsort((time, pair))
    last = np.ones(len(pair), dtype=bool)
    last[order[:-1]] = np.diff(pair[order]) != 0
    return last


def _grown(entities: Entities, raw: Sequence[Any] | Values) -> tuple[Entities, Codes]:
    """Returns the entities with the ids new to them, and each raw id's code; -1 where it does not fit."""
    codes = entities.ids.encode(list(raw)).copy()
    strange = np.flatnonzero(codes == entities.ids.unknown)
    if not len(strange):
        return entities, codes
    values = [raw[int(r)] for r in strange]
    if entities.ids.is_text:
        fresh: list[Any] = sorted({str(v) for v in values})
    else:
        fresh = sorted({int(v) for v in values if _whole(v)})
    known = entities.ids.values
    added: Values = np.empty(len(fresh), dtype=object if entities.ids.is_text else np.int64)
    added[:] = fresh
    ids = Vocabulary(np.concatenate([known, added]))
    labels = {name: tuple(words) for name, words in entities.labels.items()}
    columns: dict[str, Column] = {}
    for name, column in entities.columns.items():
        columns[name] = _padded(column, len(fresh), labels, name)
    codes[strange] = [ids.code(v) if entities.ids.is_text or _whole(v) else -1 for v in values]
    return Entities(entities.key, ids, columns, labels), codes


def _whole(value: Any) -> bool:
    try:
        return abs(int(value)) < 1 << 62
    except (TypeError, ValueError):
        return False


def _padded(column: Column, n: int, labels: dict[str, tuple[str, ...]], name: str) -> Column:
    """Returns the column with n rows of which nothing is known."""
    blank: Column
    if isinstance(column, Bags):
        blank = Bags(column.values[:0], np.zeros(n + 1, dtype=np.int64))
    elif name in labels:  # a label of its own
        labels[name] = (*labels[name], "")
        blank = np.full(n, len(labels[name]) - 1, dtype=column.dtype)
    elif column.dtype.kind in "OU":
        blank = np.full(n, "", dtype=object)
    else:
        blank = np.full(n, np.nan, dtype=np.float32)
    return join_columns(column, blank)
