"""What was shown and what came of it; and a person erased. On both databases."""

from __future__ import annotations

import os
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text

from butaca.errors import ButacaError, SettingError, StoreError
from butaca.events import erasures
from butaca.events.attribution import ArmCounts
from butaca.events.records import MAX_TIME, Added, Erased, Event
from butaca.events.store import EventStore, events_table
from tests.support.postgres import shown, watch


def test_what_was_shown_and_what_came_of_it(store):
    """Arm a: r1 led to two events, r2 to none (not in the list), r3 to none (a skip); arm b: r4 to one."""
    store.log_recommendations(
        [shown("r1"), shown("r2"), shown("r3", "bea"), shown("r4", None, "b"), shown("r5")]
    )
    store.log_recommendations([shown("r1", "eve", "b"), shown("r6", arm=None)])  # r1 is known; r6 in no arm
    store.add(
        [
            watch(11, request_id="r1"), watch(12, item="Alien", kind="like", request_id="r1"),
            watch(13, item="Another film", request_id="r2"), watch(14, kind="skip", request_id="r3"),
            watch(15, "someone", request_id="r4"), watch(16, request_id="no such request"), watch(17),
            watch(18, request_id="r6"),
        ]
    )  # fmt: skip
    # a: 1 of 4, ana 1 of 3, bea 0 of 1: (1 - 3/4)^2 + (1/4)^2 = 1/8. b: 1 of 1.
    assert store.experiment() == {"a": ArmCounts(4, 1, 2, 2, 0.125), "b": ArmCounts(1, 1, 1, 1, 0.0)}
    assert store.experiment(since=11) == {}


def test_everyone_who_gives_no_name_is_somebody_else(store):
    """Three lists, one of which led to an event: three people, (1 - 1/3)^2 + 2 (1/3)^2 = 2/3."""
    store.log_recommendations([shown("r1", None), shown("r2", None), shown("r3", None)])
    store.add([watch(11, request_id="r1")])
    (counts,) = store.experiment().values()
    assert (counts.recommendations, counts.with_event, counts.users) == (3, 1, 3)
    assert counts.squares == pytest.approx(2 / 3)


def test_items_are_compared_whole(store):
    store.log_recommendations([shown("r", items=['say "hi", 🎬', "1"])])
    store.add([watch(1, item="hi", request_id="r"), watch(2, item="🎬", request_id="r")])
    assert store.experiment()["a"].events == 0
    store.add([watch(3, item='say "hi", 🎬', request_id="r")])
    assert store.experiment()["a"].events == 1


def test_old_recommendations_are_pruned_and_events_stay(store):
    store.log_recommendations([shown("old", at=5), shown("new", at=6)])
    store.add([watch(1, request_id="old")])
    assert store.prune(before=6) == 1
    assert store.experiment()["a"].recommendations == 1
    assert store.count() == 1


def test_a_bad_row_shown_is_refused(store):
    with pytest.raises(SettingError, match="item shown"):
        store.log_recommendations([shown("r1"), shown("r2", items=["fine", ""])])
    store.log_recommendations([])
    assert store.experiment() == {}


# Erasing


def test_erasing_removes_a_person_and_nobody_else(store):
    store.add([watch(1), watch(2), watch(3, "bea")])
    store.log_recommendations([shown("r1"), shown("r2", "bea"), shown("r3", None)])
    assert store.erase("ana") == Erased(events=2, recommendations=1)
    assert store.history("ana") == []
    assert len(store.history("bea")) == 1
    assert store.experiment()["a"].recommendations == 2
    assert (store.erased("ana"), store.erased("bea")) == (True, False)
    assert store.erased_among(["bea", "ana", "cleo"]) == {"ana"}
    assert store.erase("never seen") == Erased(0, 0)
    assert store.erased("never seen")


def test_an_event_that_is_being_written_meanwhile_is_erased_too(postgres_server):
    """Another process has not committed it yet: the erasure waits for it. (SQLite has one writer.)"""
    address = postgres_server.fresh()
    with EventStore.open(address) as store, EventStore.open(address) as other, ThreadPoolExecutor(1) as pool:
        with other._database.write() as connection:
            other._insert(connection, [watch(1)])
            erasing = pool.submit(store.erase, "ana")
            with pytest.raises(TimeoutError):
                erasing.result(0.3)
        assert erasing.result(20) == Erased(1, 0)
        assert store.history("ana") == []


def test_later_events_are_a_new_persons_and_a_retry_brings_nothing_back(store):
    store.add([watch(1), watch(2)])
    store.erase("ana")
    assert store.add([watch(1), watch(2), watch(3)]) == Added(new=1, known=2)
    assert [e.time for e in store.history("ana")] == [3]
    assert len(events_table(store)) == 1
    assert store.erased("ana")
    assert store.erase("ana") == Erased(1, 0)
    assert store.add([watch(n) for n in (1, 2, 3)]) == Added(0, 3)


def test_what_is_logged_late_for_an_erased_person_names_nobody(store):
    store.erase("ana")
    store.log_recommendations([shown("r1"), shown("r2", at=MAX_TIME)])
    assert store.erase("ana") == Erased(0, 1)  # r2, shown after the erasure
    assert store.experiment()["a"].recommendations == 1


def test_erasure_is_kept_and_seen_by_other_stores(database, store, monkeypatch):
    with EventStore.open(database) as other:
        store.add([watch(1)])
        store.erase("ana")
        assert not other.erased("ana")  # its copy is fresh for erasures.STALE seconds
        assert other.add([watch(1)]) == Added(0, 1)  # adding looks
        monkeypatch.setattr(other._erasures, "_times", {})
        monkeypatch.setattr(other._erasures, "_last", 0)
        other._erasures._fresh_until = 0.0
        assert other.erased("ana")
    with EventStore.open(database) as later:
        assert later.erased("ana")
    assert 0 < erasures.STALE <= 5


def test_no_trace_of_an_erased_id_stays_in_the_file(tmp_path):
    path = tmp_path / "events.db"
    with EventStore.open(str(path)) as store:
        store.add([Event(f"a{n}", "ana@example.com", "Heat") for n in range(500)] + [watch(1)])
        store.log_recommendations([shown(f"r{n}", "ana@example.com") for n in range(50)])
        assert b"ana@example.com" in content(tmp_path)
        reading = store.interactions(rows=1)
        next(reading)  # a refit under way sees the older state, which the log keeps for it
        store.erase("ana@example.com")
        assert isinstance(reading, Generator)
        reading.close()
        store.add([watch(2)])
        assert b"ana@example.com" not in content(tmp_path)
        assert store.count() == 2


def content(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir() if os.access(path, os.R_OK))


def test_a_database_that_goes_away_is_a_store_error(database, monkeypatch):
    with EventStore.open(database) as store:
        store.erase("ana")
        with store._database.write() as connection:
            connection.execute(text("DROP TABLE events"))
            connection.execute(text("DROP TABLE erasures"))
        for call in (lambda: store.add([watch(1)]), lambda: store.history("ana"), lambda: store.erase("bea")):
            with pytest.raises(StoreError, match="read and written"):
                call()
        store._erasures._fresh_until = 0.0
        assert store.erased("ana")  # what is known stays known
        assert issubclass(StoreError, ButacaError)
