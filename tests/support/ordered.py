"""This module makes small data whose order says what comes next, and towers that read it."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import optax

import butaca
from butaca.data.dataset import Dataset, Entities
from butaca.data.vocabulary import Vocabulary
from butaca.model.features import History
from butaca.two_tower import TwoTower

N_ITEMS, N_USERS, LENGTH = 24, 60, 12
ADAM = optax.adam(0.02)  # one object: the compiled step is found again


def rounds(seed: int = 0, *, ties: bool = False, n_users: int = N_USERS, length: int = LENGTH) -> Dataset:
    """Returns people who walk through a ring of items, three steps of four by one, else by seven.

    With ties, each two in a row have one time. The last user has nothing.
    """
    rng = np.random.default_rng(seed)
    user, item, time = [], [], []
    for u in range(n_users - 1):
        seen: list[int] = []
        at = int(rng.integers(N_ITEMS))
        while len(seen) < length:
            while at in seen:
                at = (at + 1) % N_ITEMS
            seen.append(at)
            at = (at + (1 if rng.random() < 0.75 else 7)) % N_ITEMS
        when = 1_000_000 + np.cumsum(rng.integers(60, 200_000, length))
        if ties:
            when = when[np.arange(length) // 2 * 2]
        user += [u] * length
        item += seen
        time += when.tolist()
    shuffled = rng.permutation(len(user))
    users = Entities("user_id", Vocabulary.of([f"u{u:02d}" for u in range(n_users)]), {})
    names = [f"i{i:02d}" for i in range(N_ITEMS)]
    items = Entities("item_id", Vocabulary.of(names), {})
    return Dataset(
        users,
        items,
        np.array(user, np.int32)[shuffled],
        np.array(item, np.int32)[shuffled],
        None,
        np.array(time, np.int64)[shuffled],
    )


SETTINGS: dict[str, dict[str, Any]] = {
    "timescales": {"query": (History(order="timescales", dropout=0.1),)},
    "timescales, own table": {"query": (History(order="timescales", dropout=0.1, shared=False),)},
    "attention": {"query": (History(order="attention", dropout=0.1, heads=2, window=8),)},
}


@functools.cache
def fitted(name: str, *, ties: bool = False, epochs: int = 6, **more: Any) -> TwoTower:
    """Returns a tower trained on `rounds`."""
    settings: dict[str, Any] = {
        "candidate": (butaca.Id("item_id"),), "dim": 8, "unit": True, "temperature": 0.2,
    }  # fmt: skip
    model = TwoTower(**settings | SETTINGS[name] | more)
    model.fit(rounds(ties=ties), epochs=epochs, batch_size=200, optimizer=ADAM)
    return model
