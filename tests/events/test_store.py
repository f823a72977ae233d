"""The event store, on SQLite and on PostgreSQL: every test that takes `store` runs on both."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from butaca.errors import ConflictError, SettingError, StoreError
from butaca.events import changes
from butaca.events.batches import EventBatch
from butaca.events.group_commit import GroupCommit
from butaca.events.records import KINDS, MAX_TIME, Added, Event
from butaca.events.schema import removals
from butaca.events.store import EventStore, events_table
from tests.support.narrow import some
from tests.support.postgres import watch

shared = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def test_an_event_comes_back_as_it_came(store):
    full = Event("1", "ana", "Heat", "rate", 4.5, 881250949, "r1")
    bare = Event("2", "ana", "Alien", time=MAX_TIME)
    store.add([bare, full])
    assert store.history("ana") == [full, bare]
    assert store.history("ana", limit=1) == [bare]
    assert store.history("nobody") == []


def test_the_time_defaults_to_now(store):
    store.add([Event("1", "ana", "Heat")])
    assert abs(store.history("ana")[0].time - time.time()) < 60


def test_equal_times_keep_the_order_of_the_batch(store):
    items = [f"film {n}" for n in (3, 1, 2)]
    store.add([Event(f"id{9 - n}", "ana", item, time=5) for n, item in enumerate(items)])
    assert [e.item for e in store.history("ana")] == items


def test_the_same_id_again_changes_nothing(store):
    assert store.add([watch(1), watch(2)]) == Added(new=2, known=0)
    assert store.add([watch(2), watch(3)]) == Added(new=1, known=1)
    assert store.add([watch(4), watch(4)]) == Added(new=1, known=1)
    assert store.add([]) == Added(0, 0)
    assert [e.item for e in store.history("ana")] == ["Heat"] * 4


def test_an_id_counts_per_user_and_client(store):
    assert store.add([watch(1), watch(1, user="bob", item="Alien")]) == Added(2, 0)
    assert store.add([watch(1, item="Alien")], "shop") == Added(1, 0)
    assert store.add([watch(1, item="Alien")], "shop") == Added(0, 1)
    assert [e.item for e in store.history("bob")] == ["Alien"]
    assert sorted(e.item for e in store.history("ana")) == ["Alien", "Heat"]


@pytest.mark.parametrize("other", [{"item": "Alien"}, {"kind": "dislike"}, {"value": 4.0}])
def test_the_same_id_for_something_else_is_a_conflict_and_nothing_is_stored(store, other):
    store.add([watch(1)])
    with pytest.raises(ConflictError, match=r"'e1' again.*watch of 'Heat'") as error:
        store.add([watch(7), watch(1, **other)])
    assert "DELETE /v1/events" in error.value.cure
    assert store.count() == 1
    with pytest.raises(ConflictError):
        store.add([watch(2), watch(2, **other)])  # within one batch too
    assert store.count() == 1


def test_a_conflict_takes_no_other_batch_of_its_group_with_it(store):
    store.add([watch(1)])
    bad, good = EventBatch("", [watch(1, item="Alien")]), EventBatch("", [watch(2)])
    first, second, third = store._commit([good, bad, EventBatch("", [watch(3)])])
    assert (first, third) == (Added(1, 0), Added(1, 0))
    assert isinstance(second, ConflictError)
    assert store.count() == 3


def test_an_event_is_taken_back_and_others_are_told(store, database):
    store.add([watch(1), watch(2)])
    store.add([watch(1)], "shop")
    with EventStore.open(database) as other:
        mark = other.changes().mark
        assert store.undo("e1", "ana") == "ana"
        assert store.undo("e1", "ana") is None
        assert store.undo("e2", "bob") is None
        told = other.changes(mark)
        assert told.users == frozenset({"ana"})
        assert some(other.changes(told.mark).users) <= {"ana"}  # PostgreSQL tells some again
    assert [e.id for e in store.history("ana")] == ["e1", "e2"]  # the shop's is its own
    store.add([watch(9), watch(9, "bob")])
    with pytest.raises(ConflictError, match="several users"):
        store.undo("e9")
    assert store.undo("e9", "bob") == "bob"
    assert store.undo("e9") == "ana"
    store.erase("ana")
    store.erase("bob")
    with store._database.read() as connection:
        assert connection.execute(select(func.count()).select_from(removals)).scalar() == 0


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("id", "", "empty"), ("id", None, "NoneType"), ("id", 7, "int 7"),
        ("user", "a\0b", "NUL at position 1"),
        ("item", "x" * 513, "513 characters"), ("item", "a\ud800", "lone surrogate at position 1"),
        ("request_id", "", "empty"), ("kind", "observe", "observe"), ("value", float("nan"), "nan"),
        ("value", float("inf"), "inf"), ("value", True, "True"), ("value", "4", "'4'"),
        ("value", 10**400, "1000"),
        ("time", -1, "-1"), ("time", MAX_TIME + 1, "253402300800"), ("time", 1.5, "1.5"),
        ("time", True, "True"), ("time", None, "None"),
    ],
)  # fmt: skip
def test_a_bad_field_is_named_and_nothing_of_the_batch_is_stored(tmp_path, field, value, says):
    with EventStore.open(str(tmp_path / "events.db")) as store:
        with pytest.raises(SettingError, match="event 1 of the batch") as error:
            store.add([watch(1), replace(watch(2), **{field: value}), watch(3)])
        assert says in error.value.received
        assert field in error.value.rule
        assert error.value.cure
        assert store.count() == 0


def test_numpy_numbers_are_numbers(store):
    store.add([Event("1", "ana", "Heat", value=np.float32(3.5), time=np.int64(7))])  # type: ignore[arg-type]
    assert store.history("ana") == [Event("1", "ana", "Heat", value=3.5, time=7)]


ids = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40)
serial = count()


@shared
@given(ids, ids, ids, st.sampled_from(KINDS), st.none() | st.floats(allow_nan=False, allow_infinity=False))
def test_any_text_comes_back(store, user, item, request_id, kind, value):
    event = Event(f"{user}{next(serial)}", user, item, kind, value, next(serial), request_id)
    assert store.add([event]) == Added(1, 0)
    assert store.history(user, limit=1) == [event]


@pytest.mark.parametrize("sign", ["x", "🎬", "'", "\\", "../", "%s", "\x01", "\u202e"])
def test_the_longest_ids_come_back(store, sign):
    long = (sign * 512)[:512]
    event = Event(long, long, long, request_id=long, time=3)
    store.add([event])
    assert store.history(long) == [event]


@settings(shared, max_examples=30)
@given(st.data())
def test_retries_in_any_order_end_the_same(store, data):
    """Batches once in order; and shuffled, some of them twice: equal events, equal counts of new ones."""
    batches = data.draw(st.lists(st.lists(st.integers(0, 12), max_size=6), min_size=1, max_size=6))
    again = data.draw(st.permutations(batches + data.draw(st.lists(st.sampled_from(batches)))))
    once, twice = f"once{next(serial)}", f"twice{next(serial)}"

    def send(user, batch):
        return store.add([Event(f"{user}-{n}", user, f"film {n}", time=n) for n in batch])

    new = [sum(send(user, batch).new for batch in order) for user, order in ((once, batches), (twice, again))]
    ends = [[(e.item, e.time) for e in store.history(user)] for user in (once, twice)]
    assert ends[0] == ends[1] == [(f"film {n}", n) for n in sorted({n for batch in batches for n in batch})]
    assert new == [len(ends[0])] * 2


def test_threads_that_send_the_same_store_it_once(store):
    def send(worker: int) -> int:
        return sum(store.add([watch(n), watch(n + 1)]).new for n in range(worker % 5, 60))

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(send, range(16))) == 61
    assert [e.time for e in store.history("ana")] == list(range(61))


def test_processes_that_send_the_same_in_opposite_orders_both_succeed(database):
    """On PostgreSQL these wait for each other; it ends one of them, which then starts again."""
    if database.startswith("postgresql"):
        database += "%20-cdeadlock_timeout%3D10ms"
    with (
        EventStore.open(database) as store,
        EventStore.open(database) as other,
        ThreadPoolExecutor(2) as pool,
    ):
        for turn in range(5):
            batch = [Event(f"{turn}-{n}", "ana", "Heat") for n in range(300)]
            added = [pool.submit(store.add, batch), pool.submit(other.add, batch[::-1])]
            assert sum(future.result().new for future in added) == 300
        assert store.count() == 1500


def test_a_history_has_a_limit(store):
    store.add([watch(n) for n in range(5)])
    assert [e.time for e in store.history("ana", limit=2)] == [3, 4]
    with pytest.raises(SettingError, match="limit=0"):
        store.history("ana", limit=0)


def test_changes_name_the_users_of_new_events(store):
    store.add([watch(1)])
    start = store.changes()
    assert start.users == frozenset()
    store.add([watch(2, "bea"), watch(3, "bea"), watch(1)])
    after = store.changes(start.mark)
    assert after.users >= {"bea"}
    store.erase("bea")
    assert store.changes(after.mark).users is None


def test_changes_of_very_many_are_everyones(store, monkeypatch):
    monkeypatch.setattr(changes, "MOST", 2)
    mark = store.changes().mark
    store.add([watch(1, "ana"), watch(2, "bea")])
    after = store.changes(mark)
    assert after.users == {"ana", "bea"}
    store.add([watch(3, "cleo")] + [watch(n, f"u{n}") for n in (4, 5)])
    assert store.changes(after.mark).users is None


def test_what_a_transaction_of_half_a_minute_may_have_missed_is_told_again(store, monkeypatch):
    """Asked at 0, 20 and 40 s, ana's event in between, then bea's. At 45 s a transaction from 16 s may end:
    all since the last time asked before that, which is 0."""
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])

    def ask(since, at):
        clock[0] = at
        with store._database._readers.connect() as connection:
            return changes.read_changes(connection, since, overlap=True)

    mark = ask(None, 0.0).mark
    store.add([watch(1, "ana")])
    mark = ask(mark, 20.0).mark
    store.add([watch(2, "bea")])
    mark = ask(mark, 40.0).mark
    told = ask(mark, 45.0)
    assert told.users == {"ana", "bea"}
    assert ask(ask(told.mark, 80.0).mark, 81.0).users == set()


def test_an_erasure_that_changes_tell_of_is_known(database, store):
    """Whoever reads a person again because of it must not find them as they were."""
    mark = store.changes().mark
    with EventStore.open(database) as other:
        other.erase("ana")
    assert not store.erased("ana")  # its copy is fresh for some time
    assert store.changes(mark).users is None
    assert store.erased("ana")


def test_changes_name_the_users_of_a_slow_transaction_of_postgresql_too(postgres_server):
    """Its rows were numbered before those of a transaction that committed first. (SQLite has one writer.)"""
    address = postgres_server.fresh()
    with EventStore.open(address) as store, EventStore.open(address) as other:
        mark = store.changes().mark
        with other._database.write() as connection:
            other._insert(connection, [watch(1, "slow")])
            store.add([watch(2, "fast")])
            first = store.changes(mark)
        assert first.users == frozenset({"fast"})
        assert some(store.changes(first.mark).users) >= {"slow"}


@pytest.mark.parametrize(("parallel", "most"), [(1, 100), (4, 100), (1, 3), (3, 3)])
def test_every_batch_is_committed_once_and_gets_its_own_result(parallel, most):
    committed, lock = [], threading.Lock()

    def commit(batches):
        time.sleep(0.001)
        with lock:
            committed.extend(batches)
        assert len(batches) == 1 or sum(map(len, batches)) <= most
        return [f"result of {batch}" for batch in batches]

    group = GroupCommit(commit, parallel=parallel, most=most)

    def send(worker):
        sent = [(worker, n, *range(n % 5)) for n in range(25)]
        return [group.submit(batch, len(batch)) == f"result of {batch}" for batch in sent]

    with ThreadPoolExecutor(12) as pool:
        assert all(all(right) for right in pool.map(send, range(12)))
    assert len(committed) == len(set(committed)) == 12 * 25


def test_a_group_that_fails_stores_nothing_and_tells_every_caller(store, monkeypatch):
    """The batches wait for one another; the second to be inserted fails, so that none is there."""
    insert, started, release = store._insert, threading.Event(), threading.Event()
    calls = count()

    def failing(connection, batch, client):
        n = next(calls)
        if n == 0:  # the leader's own group: hold it while the others gather
            started.set()
            release.wait(10)
        elif n == 2:
            raise RuntimeError("the disk is full")
        return insert(connection, batch, client)

    monkeypatch.setattr(store, "_insert", failing)
    monkeypatch.setattr(store._group, "_parallel", 1)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(store.add, [watch(0)])
        started.wait(10)
        others = [pool.submit(store.add, [watch(n)]) for n in (1, 2, 3)]
        while len(store._group._waiting) < 3:
            time.sleep(0.001)
        release.set()
        assert first.result() == Added(1, 0)
        for other in others:
            with pytest.raises(StoreError, match="RuntimeError"):
                other.result()
    monkeypatch.undo()
    assert store.count() == 1
    assert store.add([watch(1), watch(2), watch(3)]) == Added(3, 0)


# What a refit reads


def test_interactions_are_positive_events_in_the_order_stored(store):
    store.add([watch(9, "bea", value=2.0), watch(1), watch(2, kind="skip"), watch(3, kind="dislike")])
    store.add([watch(4, "ana", "Alien", kind="like")])
    table = events_table(store)
    assert table.user.tolist() == ["bea", "ana", "ana"]
    assert table.item.tolist() == ["Heat", "Heat", "Alien"]
    assert table.time.tolist() == [9, 1, 4]
    np.testing.assert_array_equal(table.value, [2.0, np.nan, np.nan])
    assert (table.user.dtype, table.time.dtype) == (np.dtype(object), np.dtype(np.int64))


def test_a_purchase_is_a_yes_that_a_refit_reads(store):
    store.add([watch(1, kind="purchase", value=2.0), watch(2, "ana", "Alien", kind="click")])
    table = events_table(store)
    assert table.kind.tolist() == ["purchase", "click"]
    assert table.value[0] == 2.0
    assert events_table(store, ["purchase"]).item.tolist() == ["Heat"]
    with pytest.raises(SettingError, match="purchase"):
        store.add([watch(3, kind="bought")])


def test_interactions_come_in_chunks_of_one_state(store):
    store.add([watch(n) for n in range(10)])
    chunks = store.interactions(rows=4)
    first = next(chunks)
    store.add([watch(99)])
    assert [len(first), *(len(chunk) for chunk in chunks)] == [4, 4, 2]
    assert len(events_table(store)) == 11


def test_no_events_are_an_empty_table(store):
    assert len(events_table(store)) == 0
