"""The store is slow, locked, hung, full, moved; the log can't be written: who waits, and what is told."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from butaca.errors import StoreError
from butaca.events.store import EventStore
from butaca.serve import telemetry, watch
from butaca.serve.logs import LogWriter
from butaca.serve.telemetry import SafeLog, Telemetry
from butaca.serve.watch import Loop, LoopWatch
from tests.support.narrow import some
from tests.support.postgres import a_server
from tests.support.postgres import watch as event
from tests.support.serving import asking, client, post, running_app


def events(n):
    return {"events": [{"id": f"e{n}", "user": f"w{n}", "item": "i00"}]}


def timed(app, path, **keywords):
    """A list or whatever else, and the seconds that it took."""
    started = time.perf_counter()
    (answer,) = asking(app, (keywords.pop("method", "POST"), path, keywords))
    return answer, time.perf_counter() - started


def while_writing(app, n, talk):
    """Sends n events, and meanwhile has a conversation; returns what it gave, and the events' answers."""

    async def run():
        async with client(app) as http:
            sent = [asyncio.create_task(http.post("/v1/events", json=events(i))) for i in range(n)]
            await asyncio.sleep(0.1)
            told = await talk(http)
            return told, await asyncio.gather(*sent)

    return asyncio.run(run())


def test_a_locked_store_costs_those_who_write_and_nobody_else(tmp_path):
    with EventStore.open(str(tmp_path / "events.db")) as store:
        key = store.keys.create("all", ["admin"])
    with running_app(tmp_path, keys=True, timeout=2.0) as app, ThreadPoolExecutor(1):
        headers = {"x-api-key": key}
        lock = sqlite3.connect(tmp_path / "events.db", isolation_level=None, check_same_thread=False)
        lock.execute("BEGIN IMMEDIATE")

        async def lists(http):
            took = []
            for n in range(10):
                started = time.perf_counter()
                answer = await http.post("/v1/recommend", json={"user": f"u0{n}"}, headers=headers)
                took.append(time.perf_counter() - started)
                assert answer.status_code == 200
                assert answer.json()["without_events"] is False  # who reads waits for nobody who writes
            assert (await http.get("/v1/users/u01/history", headers=headers)).status_code == 200
            return took

        async def run():
            async with client(app, headers=headers) as http:
                started = time.perf_counter()
                sent = [asyncio.create_task(http.post("/v1/events", json=events(i))) for i in range(40)]
                await asyncio.sleep(0.1)
                took = await lists(http)
                answers = await asyncio.gather(*sent)
                return took, answers, time.perf_counter() - started

        took, answers, whole = asyncio.run(run())
        lock.execute("ROLLBACK")
        lock.close()
        assert max(took) < 0.5
        assert {a.status_code for a in answers} == {503}
        assert whole < 10  # one after another they would take 80: nothing waits beyond the timeout
        again = asking(app, ("POST", "/v1/events", {"json": events(0), "headers": headers}))[0]
        assert again.status_code == 200


def test_a_store_that_hangs_is_answered_without_and_said_so(tmp_path):
    with running_app(tmp_path, timeout=2.0, staleness=60.0) as app:
        while app.service.live._mark is None:  # what was read before the first mark is read again
            time.sleep(0.01)
        asking(app, ("DELETE", "/v1/users/u03"), post("/v1/recommend", {"user": "u05"}))
        release = threading.Event()
        app.service.store.history = lambda *_: release.wait(10) and []
        first, took = timed(app, "/v1/recommend", json={"user": "u01"})
        assert (first.status_code, first.json()["source"]) == (200, "user")
        assert first.json()["without_events"] is True
        assert took < 1.8
        for n in range(30):
            answer, took = timed(app, "/v1/recommend", json={"user": f"x{n}"})
            assert answer.status_code == 200
            assert took < 0.5
        known, took = timed(app, "/v1/recommend", json={"user": "u05"})
        assert known.json()["without_events"] is False  # in memory
        erased, _ = timed(app, "/v1/recommend", json={"user": "u03"})
        assert (erased.json()["source"], erased.json()["without_events"]) == ("popularity", True)
        late, took = timed(app, "/v1/users/u01/history", method="GET")
        assert late.status_code == 503
        assert took < 3
        metrics = asking(app, ("GET", "/metrics"))[0].text
        assert "butaca_lists_without_events_total 32.0" in metrics
        release.set()
        del app.service.store.history
        deadline = time.monotonic() + 5
        while asking(app, post("/v1/recommend", {"user": "u06"}))[0].json()["without_events"]:
            assert time.monotonic() < deadline


def test_many_new_people_at_once_are_all_read_where_the_store_works(tmp_path):
    with running_app(tmp_path) as app:

        async def run():
            async with client(app) as http:
                asked = [http.post("/v1/recommend", json={"user": f"x{n}", "k": 1}) for n in range(100)]
                return await asyncio.gather(*asked)

        answers = asyncio.run(run())
    assert [a.json()["without_events"] for a in answers] == [False] * 100


def test_keys_are_checked_without_the_store(tmp_path):
    with EventStore.open(str(tmp_path / "events.db")) as store:
        key = store.keys.create("all", ["read"])
    with running_app(tmp_path, keys=True) as app:
        store, release = app.service.store, threading.Event()
        store.keys.load = lambda: release.wait(10)
        store.changes = store.history = lambda *_: release.wait(10)
        for text_, status in ((key, 200), (key + "0", 401), ("butaca_0_0", 401)):
            answer, took = timed(app, "/v1/recommend", json={}, headers={"x-api-key": text_})
            assert answer.status_code == status
            assert took < 0.5
        release.set()


def test_writers_that_wait_leave_room_for_lists(tmp_path):
    with running_app(tmp_path, timeout=1.0, max_in_flight=16) as app:
        release = threading.Event()
        app.service.store.add = lambda *_: release.wait(10)

        async def lists(http):
            return [(await http.post("/v1/recommend", json={"k": 1})).status_code for _ in range(5)]

        told, answers = while_writing(app, 12, lists)
        release.set()
    assert told == [200] * 5
    assert {a.status_code for a in answers} == {503}
    assert any(a.json()["type"] == "urn:butaca:problem:busy" for a in answers)


def test_a_postgresql_that_stops_answering_is_given_up(postgres_server):
    """Nobody on the network says a word: the driver alone would wait for ever."""
    with a_server() as server, EventStore.open(server.fresh(), 1.0) as store:
        store.add([event(1)])
        pid = some(server.process).pid
        os.system(f"pkill -STOP -P {pid}; kill -STOP {pid}")
        try:
            for ask in (lambda: store.add([event(2)]), lambda: store.history("ana"), store.probe):
                started = time.monotonic()
                with pytest.raises(StoreError):
                    ask()
                assert time.monotonic() - started < 8
        finally:
            os.system(f"kill -CONT {pid}; pkill -CONT -P {pid}")
        deadline = time.monotonic() + 20
        while True:
            try:
                store.add([event(3)])
                break
            except StoreError:
                assert time.monotonic() < deadline
        assert "e1" in {e.id for e in store.history("ana")}


def test_lists_wait_until_the_store_takes_them(tmp_path):
    with running_app(tmp_path) as app:
        store, log = app.service.store, app.service.store.log_recommendations

        def away(_):
            raise StoreError("It answers", "it does not")

        store.log_recommendations = away
        asking(app, *[post("/v1/recommend", {"k": 1})] * 5)
        time.sleep(0.5)
        assert len(app.service.shown) == 5
        store.log_recommendations = log
        deadline = time.monotonic() + 5
        while len(app.service.shown):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        time.sleep(0.1)
        assert app.service.telemetry.logged._value.get() == 5


# Background work


def test_a_loop_outlives_whatever_its_step_raises_and_its_log_too(monkeypatch):
    class Gone:
        def __getattr__(self, name):
            raise BrokenPipeError

    monkeypatch.setattr(telemetry.log, "_inner", Gone())
    errors = iter([OSError("disk"), SystemExit(1), KeyboardInterrupt(), MemoryError(), StoreError("x")])
    turns = []

    def step():
        turns.append(1)
        if (error := next(errors, None)) is not None:
            raise error

    loop = Loop("work", step, pause=0.01, failed="it failed")
    loop.start()
    deadline = time.monotonic() + 5
    while len(turns) < 8:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert (loop.failures, loop.failing, loop.alive) == (5, False, True)
    assert loop.stop()


def test_a_thread_that_ended_is_started_anew_and_counted(monkeypatch):
    told = Telemetry()
    watched = LoopWatch(told)
    loop = Loop("work", lambda: None, pause=0.01, failed="it failed")
    watched.loops.append(loop)
    watched.start()
    loop._run, run = (lambda: None), loop._run  # type: ignore[method-assign]
    loop._stop.set()
    some(loop._thread).join(5)
    loop._stop.clear()
    loop._run = run  # type: ignore[method-assign]
    assert watched.down() == []
    assert loop.alive
    watched.count()
    assert b'butaca_loop_restarts{loop="work"} ' in told.exposition()
    assert loop.restarts >= 1
    assert watched.stop()


def test_ready_tells_which_loop_is_down_and_metrics_count_it(tmp_path, monkeypatch):
    monkeypatch.setattr(watch, "LATE", 0.3)
    with running_app(tmp_path, staleness=0.05) as app:
        assert asking(app, ("GET", "/health/ready"))[0].status_code == 200

        def broken(*_):
            raise RuntimeError("nobody foresaw this")

        app.service.store.changes = broken
        time.sleep(0.8)
        ready, metrics = asking(app, ("GET", "/health/ready"), ("GET", "/metrics"))
        assert ready.status_code == 503
        assert "changes for" in ready.json()["received"]
        assert "foresaw" not in ready.text
        assert 'butaca_loop_up{loop="changes"} 0.0' in metrics.text
        assert 'butaca_loop_up{loop="keys"}' in metrics.text
        assert 'butaca_loop_failures{loop="changes"} 0.0' not in metrics.text
        del app.service.store.changes
        time.sleep(0.5)
        assert asking(app, ("GET", "/health/ready"))[0].status_code == 200


def test_the_log_neither_stops_nor_breaks_anything():
    """Its reader is gone; its reader hangs; there is none."""
    read, write = os.pipe()
    os.close(read)
    gone = LogWriter(write)
    gone.write("a line\n")
    gone.close()
    assert gone.lost == 1
    os.close(write)
    read, write = os.pipe()
    hung = LogWriter(write)
    started = time.monotonic()
    for _ in range(20_000):
        hung.write("x" * 100 + "\n")
    hung.close(0.2)
    assert time.monotonic() - started < 2
    assert hung.lost > 5_000
    os.close(read)
    nothing = LogWriter(-1)
    nothing.write("a line\n")
    nothing.close()
    assert nothing.lost == 1


def test_telling_never_raises():
    class Broken:
        def info(self, *_, **__):
            raise OSError("no space left")

        warning = error = info

    told = SafeLog(Broken())
    told.info("x")
    told.warning("x")
    told.error("x")


# Ready means ready


def not_ready(app):
    app.service.health._asked_at = float("-inf")
    answer = asking(app, ("GET", "/health/ready"))[0]
    assert answer.status_code == 503, answer.text
    return answer.json()


def test_a_full_disk_is_not_ready_and_lists_are_answered(tmp_path):
    with running_app(tmp_path) as app:
        with app.service.store._database._writers.connect() as connection:
            raw = connection.connection.dbapi_connection
            pages = raw.execute("PRAGMA page_count").fetchone()[0]
            raw.execute(f"PRAGMA max_page_count = {pages}")
        batch = [{"id": f"b{n}", "user": "u", "item": "x" * 400} for n in range(400)]
        answer, listed = asking(app, post("/v1/events", {"events": batch}), post("/v1/recommend", {}))
        assert (answer.status_code, listed.status_code) == (503, 200)


def test_ready_proves_that_an_event_could_be_stored(tmp_path):
    with running_app(tmp_path, timeout=1.0) as app:
        assert asking(app, ("GET", "/health/ready"))[0].status_code == 200
        lock = sqlite3.connect(tmp_path / "events.db", isolation_level=None, check_same_thread=False)
        lock.execute("BEGIN IMMEDIATE")
        told = not_ready(app)
        assert "events can't be stored" in told["received"]
        assert [error["loc"] for error in told["errors"]] == [["store", "write"]]
        lock.execute("ROLLBACK")
        lock.close()
        time.sleep(1.2)
        app.service.health._asked_at = float("-inf")
        assert asking(app, ("GET", "/health/ready"))[0].status_code == 200


def test_a_store_that_may_only_be_read_is_not_ready(tmp_path):
    with running_app(tmp_path) as app:
        with app.service.store._database._writers.connect() as connection:
            connection.connection.dbapi_connection.execute("PRAGMA query_only = ON")
        assert "may only be read" in not_ready(app)["received"]


@pytest.mark.parametrize("put_back", [False, True])
def test_a_file_that_was_removed_or_replaced_takes_no_event_and_is_told(tmp_path, put_back):
    with running_app(tmp_path) as app:
        assert asking(app, post("/v1/events", events(1)))[0].status_code == 200
        for file in tmp_path.glob("events.db*"):
            file.unlink()
        if put_back:
            EventStore.open(str(tmp_path / "events.db")).close()
        lost = asking(app, post("/v1/events", events(2)))[0]
        assert lost.status_code == 503
        assert "removed or replaced" in not_ready(app)["received"]


def test_a_read_only_postgresql_is_not_ready(postgres_server):
    with EventStore.open(postgres_server.fresh()) as store:
        store.probe()
        with store._database._writers.connect() as connection:
            connection.execute(text("SET default_transaction_read_only = on"))
            connection.commit()
        with pytest.raises(StoreError) as error:
            store.probe()
        assert error.value.reason == "it may only be read"
