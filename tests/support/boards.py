"""Small sets whose right answer is obvious."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from butaca.data.bags import Bags
from butaca.data.dataset import Dataset, Entities
from butaca.data.vocabulary import Vocabulary


def checkerboard(n_users: int = 20, n_items: int = 16, name: str = "checkerboard") -> Dataset:
    """Even users like even items, odd users odd ones, all but one item each: the answer is obvious.

    User u has not had item (u % n_items) of its own parity, which is what it should be offered.
    """
    user, item = [], []
    for u in range(n_users):
        for i in range(n_items):
            if u % 2 == i % 2 and i != left_out(u, n_items):
                user.append(u)
                item.append(i)
    users = Entities(
        "user_id",
        Vocabulary.of([f"u{u:02d}" for u in range(n_users)]),
        {"parity": np.array(["even" if u % 2 == 0 else "odd" for u in range(n_users)], dtype=object)},
    )
    items = Entities(
        "item_id",
        Vocabulary.of([f"i{i:02d}" for i in range(n_items)]),
        {
            "title": np.array([f"Film {i} (19{50 + i})" for i in range(n_items)], dtype=object),
            "genres": Bags.of([["even" if i % 2 == 0 else "odd", "film"] for i in range(n_items)]),
            "year": np.arange(1950, 1950 + n_items),
        },
    )
    n = len(user)
    return Dataset(
        users,
        items,
        np.array(user, dtype=np.int32),
        np.array(item, dtype=np.int32),
        np.ones(n, dtype=np.float32),
        np.arange(n, dtype=np.int64),
        name=name,
    )


def left_out(u: int, n_items: int = 16) -> int:
    """The item of its own parity that user u of the checkerboard has not had."""
    return (u // 2 * 2 + u % 2) % n_items


def rated_board() -> Dataset:
    """The checkerboard of 40 by 20 with ratings, a time for each row, jobs of people and kinds of items."""
    board = checkerboard(40, 20)
    n = np.arange(len(board))
    people = {"job": np.array([["cook", "pilot", "smith"][u % 3] for u in range(40)])}
    things = {"kind": np.array([["farce", "noir", "epic"][i % 3] for i in range(20)])}
    return replace(
        board,
        users=Entities("user_id", board.users.ids, people),
        items=Entities("item_id", board.items.ids, things | {"year": np.arange(1980, 2000)}),
        value=(n * 7 % 5 + 1).astype(np.float32),
        timestamp=(n * 37 % len(n)) * 3600,
    )
