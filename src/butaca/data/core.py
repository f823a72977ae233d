"""This module keeps the users and items that have enough interactions: the k-core of a data set."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from butaca.data.bags import take_column
from butaca.data.dataset import Dataset, Entities
from butaca.data.vocabulary import Vocabulary
from butaca.errors import SettingError, TableError
from butaca.types import Bools, Codes


def cored(data: Dataset, *, min_user: int = 0, min_item: int = 0) -> Dataset:
    """Returns the largest part of the data in which each user and each item has that many interactions.

    Who is left out takes interactions along, so that others may fall below: it is done until none does. A
    note says how much is left. With 0 or 1 of both, all stays, items without interactions too.

    Args:
        data: to begin with.
        min_user: interactions that a user has at least.
        min_item: and an item.

    Raises:
        SettingError: a number below 0.
        TableError: nothing is left.
    """
    for name, least in (("min_user", min_user), ("min_item", min_item)):
        if least < 0:
            raise SettingError(f"{name} is 0 or more", f"{name}={least}", "Correct it")
    if min_user <= 1 and min_item <= 1:
        return data
    keep = np.ones(len(data), dtype=bool)
    while True:
        users = np.bincount(data.user[keep], minlength=len(data.users)) >= max(min_user, 1)
        items = np.bincount(data.item[keep], minlength=len(data.items)) >= max(min_item, 1)
        now = keep & users[data.user] & items[data.item]
        if now.sum() == keep.sum():
            break
        keep = now
    asked = f"min_user={min_user} and min_item={min_item} (--min-user, --min-item)"
    if users.sum() < 2 or items.sum() < 2:
        raise TableError(
            "What is left has at least two users and two items",
            f"{int(keep.sum())} of {len(data):,} interactions with {asked}",
            "Ask for less",
        )
    left = data.take(np.flatnonzero(keep))
    own_users, of_user = _without(data.users, users)
    own_items, of_item = _without(data.items, items)
    negatives = None if data.negatives is None else data.negatives.recoded(of_user, of_item)
    earlier = None if data.earlier is None else data.earlier.recoded(of_user, of_item)
    note = (
        f"with {asked}: {len(left):,} of {len(data):,} interactions, {len(own_users):,} of "
        f"{len(data.users):,} users and {len(own_items):,} of {len(data.items):,} items are left"
    )
    return replace(
        left,
        users=own_users,
        items=own_items,
        user=of_user[left.user],
        item=of_item[left.item],
        notes=(*data.notes, note),
        negatives=negatives,
        earlier=earlier,
    )


def _without(entities: Entities, stays: Bools) -> tuple[Entities, Codes]:
    """Returns the entities that stay, and the new code of each old one, -1 for those that are gone."""
    rows = np.flatnonzero(stays)
    code = np.full(len(stays), -1, dtype=np.int32)
    code[rows] = np.arange(len(rows))
    columns = {name: take_column(column, rows) for name, column in entities.columns.items()}
    ids = Vocabulary(entities.ids.values[rows])
    return Entities(entities.key, ids, columns, entities.labels), code
