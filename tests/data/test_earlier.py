"""This module tests what is kept of the earlier rows of what people had again, through splits and codes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from butaca.data.core import cored
from butaca.data.dataset import Dataset
from butaca.data.earlier import with_all
from butaca.data.merge import without_users
from butaca.data.negatives import Aside
from butaca.data.signal import Signal
from butaca.data.splits import leave_last_out, random_split, split_at, temporal_split, user_split
from butaca.data.tables import read_table

#: 40 people who each buy bread at 100 and at 300, milk at 200: 120 rows, of which 40 are had again.
ROWS = [(f"u{u:02}", item, time) for u in range(40) for item, time in (("bread", 100), ("milk", 200))]
ROWS += [(f"u{u:02}", "bread", 300 + u) for u in range(40)]


def table(rows: list[tuple[str, str, int]] = ROWS) -> dict[str, list[object]]:
    return {name: [row[at] for row in rows] for at, name in enumerate(("user", "item", "time"))}


def shop(**more: object) -> Dataset:
    return read_table(table(), **more)  # type: ignore[arg-type]


def earlier_of(data: Dataset) -> Aside:
    assert data.earlier is not None
    return data.earlier


def test_earlier_rows_stand_beside_the_latest():
    data = shop()
    assert len(data) == 80
    earlier = earlier_of(data)
    assert earlier.user.tolist() == list(range(40))
    assert set(earlier.item.tolist()) == {data.items.ids.code("bread")}
    assert set(np.asarray(earlier.timestamp).tolist()) == {100}
    assert data.fingerprint() == replace(data, earlier=None).fingerprint()


def test_few_repeats_and_those_without_times_are_not_kept():
    few = [row for row in ROWS if row[2] < 300 or row[0] in {"u01", "u02"}]
    assert read_table(table(few)).earlier is None
    untimed = table()
    del untimed["time"]
    assert read_table(untimed).earlier is None


def test_a_signal_keeps_them_too_unless_it_allows_repeats():
    assert len(earlier_of(shop(signal=Signal(repeats="last")))) == 40
    assert shop(signal=Signal(repeats="allow")).earlier is None


def test_a_split_by_time_tells_what_was_had_before():
    train, test = split_at(shop(), 250)
    assert (len(train), len(test)) == (40, 40)  # milk, and bread of the second time
    assert (len(earlier_of(train)), len(earlier_of(test))) == (40, 0)
    assert len(with_all(train)) == 80
    assert [len(earlier_of(side)) for side in temporal_split(shop(), 0.5)] == [40, 0]
    assert [len(earlier_of(side)) for side in leave_last_out(shop())] == [40, 0]


def test_a_random_split_draws_them_and_one_by_user_has_none():
    sides = random_split(shop(), 0.5, seed=1)
    n_train, n_test = (len(earlier_of(side)) for side in sides)
    assert n_train + n_test == 40
    assert min(n_train, n_test) > 5
    assert [side.earlier for side in user_split(shop())] == [None, None]


def test_they_go_where_their_people_and_items_go():
    data = shop()
    gone = np.zeros(40, dtype=bool)
    gone[:10] = True
    assert earlier_of(without_users(data, gone)).user.tolist() == list(range(30))
    rows = [*ROWS, ("stray", "bread", 7)]
    assert earlier_of(cored(read_table(table(rows)), min_user=2)).user.tolist() == list(range(40))
    same = data.recoded(data.users, replace(data.items))
    assert np.array_equal(earlier_of(same).item, earlier_of(data).item)


@pytest.mark.parametrize("users", [None, np.arange(40) < 3])
def test_a_side_with_all_holds_each_pair_once(users: np.ndarray | None):
    whole = with_all(split_at(shop(), 250)[0], users=users)
    assert len(whole) == 40 + (40 if users is None else 3)
    assert len(set(zip(whole.user.tolist(), whole.item.tolist(), strict=True))) == len(whole)
