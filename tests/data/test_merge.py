"""Events joined with a table, and people taken out of it."""

from __future__ import annotations

import json
import sqlite3

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from butaca.data.bags import Bags
from butaca.data.dataset import Dataset, Entities
from butaca.data.merge import latest_of_each, with_interactions, without_users
from butaca.data.signal import Signal, events_of
from butaca.data.vocabulary import Vocabulary
from butaca.errors import StoreError
from butaca.events.records import Event
from butaca.events.store import EventStore
from butaca.workflows.loading import Columns, with_events
from tests.support.narrow import some


def test_new_people_and_items_come_after_those_that_are_there(board):
    more = with_interactions(
        board,
        user=["u03", "zoe"],
        item=["i07", "new"],
        value=np.array([5.0, np.nan]),
        timestamp=np.array([10**6, 7]),
    )
    assert len(more) == len(board) + 1  # u03 had i07 already: its latest row stays
    assert more.users.ids.values[: len(board.users)].tolist() == board.users.ids.values.tolist()
    assert (more.users.ids.values[-1], more.items.ids.values[-1]) == ("zoe", "new")
    row = more.find("u03", "i07")
    value, time = some(more.value), some(more.timestamp)
    assert (value[row].tolist(), time[row].tolist()) == ([5.0], [10**6])
    assert np.isnan(value[more.find("zoe", "new")]).all()
    new = len(board.items)
    assert more.items["genres"][new].tolist() == []
    assert more.items["title"][new] == ""
    assert np.isnan(more.items["year"][new])
    assert more.users["parity"][-1] == ""
    assert any("1 new user_id and 1 new item_id" in note for note in more.notes)


def test_ids_that_are_numbers_take_numbers_written_as_text():
    users = Entities("u", Vocabulary.of([1, 2]), {"job": np.array([0, 1])}, {"job": ("cook", "nurse")})
    items = Entities("i", Vocabulary.of([5, 6]), {"tags": Bags.of([["a"], []], object)})
    data = Dataset(users, items, np.array([0, 1], np.int32), np.array([0, 1], np.int32))
    more = with_interactions(data, user=["2", "x", "9"], item=["5", "5", "6"])
    assert more.users.ids.values.tolist() == [1, 2, 9]
    assert sorted(zip(more.user.tolist(), more.item.tolist(), strict=True)) == [
        (0, 0),
        (1, 0),
        (1, 1),
        (2, 1),
    ]
    assert more.users.names("job", 2) == [""]
    assert (more.value, more.timestamp) == (None, None)
    assert any("1 events whose ids are no whole numbers" in note for note in more.notes)


def test_whoever_is_taken_out_leaves_nothing(board):
    gone = np.zeros(len(board.users), dtype=bool)
    gone[[0, 5]] = True
    left = without_users(board, gone)
    assert not {"u00", "u05"} & set(left.users.ids.values.tolist())
    assert len(left) == int((~gone[board.user]).sum())
    one = left.record(0)
    assert one["user_id"] == "u01"
    assert left.users["parity"][left.users.ids.code("u04")] == "even"


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 3)), max_size=25))
def test_one_row_of_each_pair_is_kept_the_latest(rows):
    user, item, time = (
        (np.array(c, dtype=np.int64) for c in zip(*rows, strict=True)) if rows else (np.zeros(0, int),) * 3
    )
    kept = latest_of_each(user.astype(np.int32), item.astype(np.int32), time=time)
    for pair in set(zip(user.tolist(), item.tolist(), strict=True)):
        at = [n for n, r in enumerate(rows) if r[:2] == pair]
        best = max(at, key=lambda n: (rows[n][2], n))
        assert [n for n in at if kept[n]] == [best]


@pytest.fixture
def events(tmp_path):
    path = tmp_path / "events.db"
    store = EventStore.open(str(path))
    store.add([Event("1", "u03", "i06", "watch", 4.0, 10**6), Event("2", "ana", "i02", "like", None, 10**6)])
    store.add([Event("3", "ana", "i03", "dislike", None, 10**6), Event("4", "u04", "i01", "watch", None, 9)])
    store.add([Event("5", "eva", "Film 2 (1952)", "watch", None, 10**6)])
    store.erase("u04")
    store.close()
    return path


def test_a_store_joins_a_table_without_whoever_was_erased(board, events):
    more = with_events(board, str(events), columns=Columns())
    assert "u04" not in set(more.users.ids.values.tolist())
    assert len(more.find("u03", "i06")) == 1
    assert len(more.find("ana", "i02")) == 1
    assert len(more.find("eva", "i02")) == 1  # a title stands for its item
    assert len(more.items) == len(board.items)
    assert len(more.find("ana", "i03")) == 0  # a dislike teaches nothing to want
    assert any("1 erased users left out" in note for note in more.notes)


def test_a_store_alone_is_a_table(events):
    data = with_events(None, str(events), columns=Columns())
    assert len(data) == 3
    assert sorted(data.users.ids.values.tolist()) == ["ana", "eva", "u03"]


def test_events_count_as_a_signal_says(board, tmp_path):
    """The latest word of each pair: a click counts a third, what was disliked since is no positive."""
    store = EventStore.open(str(tmp_path / "events.db"))
    told = [("u03", "i06", "click", 1), ("u03", "i08", "click", 2), ("u03", "i08", "dislike", 3)]
    told += [("u00", "i02", "dislike", 10**6), ("eva", "i02", "watch", 1), ("eva", "i04", "skip", 2)]
    rows = (Event(f"e{n}", u, i, kind, None, at) for n, (u, i, kind, at) in enumerate(told))
    store.add(list(rows))
    store.close()
    said = events_of(["click=0.3", "watch=1", "dislike=negative"])
    signal = Signal(event_column="kind", events=said, repeats="last")
    address = str(tmp_path / "events.db")
    more = with_events(board, address, columns=Columns(signal=signal))
    (row,) = more.find("u03", "i06")
    assert some(more.weight)[row] == pytest.approx(0.3)
    no = some(more.negatives)
    refused = zip(more.users.ids.decode(no.user), more.items.ids.decode(no.item), strict=True)
    assert sorted(refused) == [("u00", "i02"), ("u03", "i08")]
    assert len(board.find("u00", "i02")) == 1
    assert len(more.find("u00", "i02")) == 0
    assert len(more.find("eva", "i04")) == 0
    assert any("left out: 1 row counting nothing: not click, watch, dislike" in note for note in more.notes)
    alone = with_events(None, address, columns=Columns(signal=signal))
    assert sorted(alone.weights.tolist()) == pytest.approx([0.3, 1.0])
    assert with_events(board, address, columns=Columns()).weight is None


def test_a_store_that_is_not_there_is_not_made(board, tmp_path):
    with pytest.raises(StoreError, match="--from-events"):
        with_events(board, str(tmp_path / "no.db"), columns=Columns())
    assert list(tmp_path.iterdir()) == []


def test_the_command_fits_a_table_and_its_events(board, events, tmp_path):
    from tests.support.commands import butaca

    pairs = zip(board.user.tolist(), board.item.tolist(), strict=True)
    lines = ["user,item", *(f"u{u:02d},i{i:02d}" for u, i in pairs)]
    (tmp_path / "table.csv").write_text("\n".join(lines) + "\n")
    run = butaca(
        "fit",
        "table.csv",
        "--effort",
        "quick",
        "--from-events",
        str(events),
        "--split",
        "none",
        "--out",
        "m",
        cwd=tmp_path,
    )
    assert "erased users left out" in " ".join(run.stdout.split())
    facts = json.loads(butaca("inspect", "m", "--json", cwd=tmp_path).stdout)
    assert facts["users"]["count"] == len(board.users) + 1  # one erased, two new
    wrong = butaca("fit", "--out", "m", cwd=tmp_path, ok=False)
    assert "--from-events" in wrong.stderr
    sqlite3.connect(events).close()
