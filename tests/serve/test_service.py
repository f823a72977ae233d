"""The service: what its routes answer, over HTTP, from a model made of arrays."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import httpx
import numpy as np
import pytest
from structlog.testing import capture_logs

from butaca.cli import app as cli
from butaca.data.vocabulary import Vocabulary
from butaca.errors import BundleError, SettingError, UnknownEntityError
from butaca.events.changes import Changes, Mark
from butaca.events.records import Event, Shown, checked_shown
from butaca.events.store import EventStore
from butaca.serve import registry as registry_module
from butaca.serve.answering import NOBODY, ask, same_id
from butaca.serve.http.access import scope_of
from butaca.serve.http.errors import logged
from butaca.serve.live import Live, person_of
from butaca.serve.pools import WaitPool
from butaca.serve.registry import Registry, named_folders
from butaca.serve.schemas import RecommendRequest
from butaca.serve.settings import ServeSettings
from butaca.serve.shown import ShownLog
from butaca.serve.telemetry import LatencyRing, Telemetry, uuid7
from butaca.serve.watch import Loop
from tests.support.boards import checkerboard, left_out
from tests.support.commands import commands_of
from tests.support.serving import asking, client, post, running_app, serve, small


def titles(answer):
    return [item["title"] for item in answer.json()["items"]]


EVEN = ["Film 0 (1950)", "Film 2 (1952)"]


def test_a_known_user_gets_the_item_that_is_missing(tmp_path):
    with running_app(tmp_path) as app:
        answer = asking(app, post("/v1/recommend", {"user": "u04", "k": 1}))[0]
    told = answer.json()
    assert answer.status_code == 200
    assert [item["id"] for item in told["items"]] == [f"i{left_out(4):02d}"]
    assert told["source"] == "user"
    assert told["user"] == "u04"
    assert told["model"] == "small"
    assert told["model_version"] == "memory-small"
    assert re.fullmatch(
        r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", told["request_id"]
    )
    assert 0 < told["took_ms"] < 10_000


def test_the_ladder_is_named(tmp_path):
    bodies = [{"user": "u04"}, {"history": EVEN}, {"user": "nobody"}, {}, {"user": "u04", "history": EVEN}]
    with running_app(tmp_path) as app:
        answers = asking(app, *(post("/v1/recommend", body) for body in bodies))
    assert [a.json()["source"] for a in answers] == ["user", "history", "popularity", "popularity", "history"]


def test_history_may_be_titles_ids_and_ratings_and_says_what_it_did_not_know(tmp_path):
    history = ["film 0", {"item": "i02", "value": 4}, "no such film"]
    with running_app(tmp_path) as app:
        told = asking(app, post("/v1/recommend", {"history": history, "k": 3, "explain": True}))[0].json()
    assert told["history"] == EVEN
    assert told["unknown"] == ["no such film"]
    assert all(int(item["id"][1:]) % 2 == 0 for item in told["items"])
    assert {reason["title"] for item in told["items"] for reason in item["because"]} <= set(EVEN)
    assert told["items"][0]["because"]


def test_filters_exclusions_and_seen(tmp_path):
    base = {"history": ["i00"], "k": 16}
    with running_app(tmp_path) as app:
        where, years, excluded, allowed, seen, less = asking(
            app,
            post("/v1/recommend", {**base, "where": {"genres": ["odd"]}}),
            post(
                "/v1/recommend",
                {**base, "where": {"genres": {"not": ["odd"]}, "year": {"min": 1952, "max": 1960}}},
            ),
            post("/v1/recommend", {**base, "exclude": ["i02", "not there"]}),
            post("/v1/recommend", {**base, "allow": ["i03", "i04"]}),
            post("/v1/recommend", {**base, "exclude_seen": False}),
            post("/v1/recommend", {**base, "less": ["i02"]}),
        )
    ids = [
        [int(i["id"][1:]) for i in a.json()["items"]] for a in (where, years, excluded, allowed, seen, less)
    ]
    assert sorted(ids[0]) == [1, 3, 5, 7, 9, 11, 13, 15]
    assert sorted(ids[1]) == [2, 4, 6, 8, 10]
    assert sorted(ids[2]) == [i for i in range(16) if i not in {0, 2}]
    assert ids[3] == [4, 3]
    assert 0 in ids[4]
    assert 2 not in ids[5]


def test_an_unknown_column_or_value_is_told_with_its_cure(tmp_path):
    with running_app(tmp_path) as app:
        column, value = asking(
            app,
            post("/v1/recommend", {"where": {"director": "Varda"}}),
            post("/v1/recommend", {"where": {"genres": "evn"}}),
        )
    for answer in (column, value):
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"
        told = answer.json()
        assert told["rule"]
        assert told["received"]
        assert told["cure"]
    assert "genres" in column.json()["cure"]
    assert "even" in value.json()["cure"]


def test_events_count_at_once(tmp_path):
    events = [{"id": "1", "user": "new", "item": "i01"}, {"id": "2", "user": "new", "item": "i99", "time": 5}]
    with running_app(tmp_path) as app:
        before, stored, after, again, also = asking(
            app,
            post("/v1/recommend", {"user": "new", "k": 3}),
            post("/v1/events", {"events": events}),
            post("/v1/recommend", {"user": "new", "k": 3}),
            post("/v1/events", {"events": events}),
            post("/v1/recommend", {"user": "u00", "k": 3}),
        )
    assert before.json()["source"] == "popularity"
    assert stored.json() == {"accepted": 2, "known": 0}
    assert again.json() == {"accepted": 0, "known": 2}
    assert after.json()["source"] == "user"
    assert all(int(item["id"][1:]) % 2 for item in after.json()["items"])
    assert "i01" not in {item["id"] for item in after.json()["items"]}
    assert also.json()["source"] == "user"


def test_a_no_moves_away_and_is_left_out(tmp_path):
    event = {"id": "1", "user": "u00", "item": f"i{left_out(0):02d}", "kind": "dislike"}
    with running_app(tmp_path) as app:
        _, after = asking(
            app, post("/v1/events", {"events": [event]}), post("/v1/recommend", {"user": "u00", "k": 16})
        )
    assert after.json()["items"]
    assert event["item"] not in {item["id"] for item in after.json()["items"]}


def test_times_are_read_in_any_spelling(tmp_path):
    spellings = [1_700_000_000, "2023-11-14T22:13:20Z", "2023-11-14T23:13:20+01:00", "2023-11-14T22:13:20"]
    events = [{"id": str(i), "user": "t", "item": "i00", "time": t} for i, t in enumerate(spellings)]
    with running_app(tmp_path) as app:
        asking(app, post("/v1/events", {"events": [*events, {"id": "now", "user": "t", "item": "i01"}]}))
        stored = {e.id: e.time for e in app.service.store.history("t")}
    assert {stored[str(i)] for i in range(4)} == {1_700_000_000}
    assert abs(stored["now"] - time.time()) < 60


def test_a_time_that_has_yet_to_come_is_refused_and_one_long_past_is_not(tmp_path):
    """Up to a day ahead: clocks and time zones differ. Later, it would be its person's latest for years."""
    now = int(time.time())
    iso = datetime.fromtimestamp(now + 2 * 86_400, UTC).isoformat()
    refused = [now + 86_400 + 60, iso, "9999-12-31T23:59:59Z", 253_402_300_799]
    taken = [now + 86_000, 0, "1970-01-01T00:00:00Z"]
    event = {"id": "x", "user": "t", "item": "i00"}
    with running_app(tmp_path) as app:
        bad = asking(app, *(post("/v1/events", {"events": [event, {**event, "time": t}]}) for t in refused))
        assert app.service.store.count() == 0
        good = asking(
            app,
            *(
                post("/v1/events", {"events": [{**event, "id": str(n), "time": t}]})
                for n, t in enumerate(taken)
            ),
        )
    for answer in bad:
        assert answer.status_code == 422
        told = answer.json()
        assert "event 1 of the batch" in told["rule"]
        assert "a day ahead" in told["rule"]
        assert told["received"]
        assert "divide by 1000" in told["cure"]
    assert [answer.json() for answer in good] == [{"accepted": 1, "known": 0}] * 3


def test_another_process_writes_and_is_noticed(tmp_path):
    with running_app(tmp_path, staleness=0.05) as app, EventStore.open(str(tmp_path / "events.db")) as other:

        async def run():
            async def source(wanted: str) -> str:
                """The source of the list, asked for until it is the one wanted, or for ten seconds."""
                for _ in range(200):
                    answer = await http.post("/v1/recommend", json={"user": "new"})
                    if (found := answer.json()["source"]) == wanted:
                        break
                    await asyncio.sleep(0.05)
                return str(found)

            async with client(app) as http:
                first = await source("popularity")
                await asyncio.to_thread(other.add, [Event("1", "new", "i01")])
                second = await source("user")
                await asyncio.to_thread(other.erase, "new")
                third = await source("popularity")
            return [first, second, third]

        assert asyncio.run(run()) == ["popularity", "user", "popularity"]


def test_history_and_erasure(tmp_path):
    event = {"id": "1", "user": "u03", "item": "i04", "kind": "rate", "value": 4.5, "time": 1_700_000_000}
    with running_app(tmp_path, log_lists=False) as app:
        _, known, before, erased, after, unlearned, once_more = asking(
            app,
            post("/v1/events", {"events": [event]}),
            post("/v1/recommend", {"user": "u03"}),
            ("GET", "/v1/users/u03/history"),
            ("DELETE", "/v1/users/u03"),
            ("GET", "/v1/users/u03/history"),
            post("/v1/recommend", {"user": "u03"}),
            ("DELETE", "/v1/users/u03"),
        )
    assert known.json()["source"] == "user"  # and is remembered
    first, *rest = before.json()["items"]
    assert first == {
        "id": "i04",
        "title": "Film 4 (1954)",
        "kind": "rate",
        "value": 4.5,
        "time": 1_700_000_000,
        "from": "events",
    }
    assert len(rest) == 7
    assert {entry["from"] for entry in rest} == {"training"}
    assert rest[0]["time"] > rest[-1]["time"]
    assert erased.json() == {"user": "u03", "erased": {"events": 1, "recommendations": 0}}
    assert after.json() == {"user": "u03", "erased": True, "items": []}
    assert unlearned.json()["source"] == "popularity"
    assert once_more.status_code == 200


def test_a_history_is_latest_first_whether_by_training_or_since(tmp_path):
    """The board's times count up from 0; u03's are 21 to 27."""
    events = [
        {"id": "old", "user": "u03", "item": "i00", "time": 0},
        {"id": "new", "user": "u03", "item": "film 2", "time": 1_000},
    ]
    with running_app(tmp_path) as app:
        _, answer = asking(app, post("/v1/events", {"events": events}), ("GET", "/v1/users/u03/history"))
    entries = answer.json()["items"]
    assert (entries[0]["id"], entries[0]["title"]) == (
        "film 2",
        "Film 2 (1952)",
    )  # as it came, and what it is
    told = [(entry["from"], entry["time"]) for entry in entries]
    assert told == [
        ("events", 1_000),
        *(("training", time) for time in range(27, 20, -1)),
        ("events", 0),
    ]


def test_what_an_erased_person_does_next_is_a_new_persons(tmp_path):
    with running_app(tmp_path) as app:
        *_, answer = asking(
            app,
            ("DELETE", "/v1/users/u03"),
            post("/v1/events", {"events": [{"id": "n", "user": "u03", "item": "i00"}]}),
            post("/v1/recommend", {"user": "u03", "k": 4}),
        )
    assert all(int(item["id"][1:]) % 2 == 0 for item in answer.json()["items"])


def test_a_model_that_reads_no_history_takes_events_as_what_to_leave_out():
    person = person_of([Event("1", "u04", f"i{left_out(4):02d}")], erased=False)
    vectors = small(reads_history=False)
    answer = ask(vectors, RecommendRequest(user="u04", k=16), user="u04", person=person)
    assert person.had[0].item not in {item.id for item in answer.items}
    kept = ask(vectors, RecommendRequest(user="u04", k=16, exclude_seen=False), user="u04", person=person)
    assert person.had[0].item in {item.id for item in kept.items}


def test_items(tmp_path):
    with running_app(tmp_path) as app:
        popular, found, one, titled, missing, similar, filters, places = asking(
            app,
            ("GET", "/v1/items?limit=3"),
            ("GET", "/v1/items?query=FILM%2012"),
            ("GET", "/v1/items/i03"),
            ("GET", "/v1/items/Film%203%20(1953)"),
            ("GET", "/v1/items/i99"),
            ("GET", "/v1/items/i03/similar?k=5"),
            ("GET", "/v1/filters"),
            ("GET", "/v1/map"),
        )
    assert len(popular.json()["items"]) == 3
    assert titles(found) == ["Film 12 (1962)"]
    assert one.json() == titled.json()
    assert one.json()["genres"] == ["odd", "film"]
    assert one.json()["year"] == 1953
    assert one.json()["features"]["genres"] == ["odd", "film"]
    assert missing.status_code == 404
    assert similar.json()["item"]["id"] == "i03"
    assert all(int(item["id"][1:]) % 2 for item in similar.json()["items"])
    columns = {column["name"]: column for column in filters.json()["columns"]}
    assert columns["genres"]["values"][0] == {"value": "film", "count": 16}
    assert (columns["year"]["min"], columns["year"]["max"]) == (1950, 1965)
    assert len(places.json()["items"]) == 16
    assert all(0 <= item[axis] <= 1 for item in places.json()["items"] for axis in "xy")


def test_what_stays_the_same_is_tagged_and_compressed(tmp_path):
    with running_app(tmp_path) as app:
        small_one, plain, none = asking(
            app,
            ("GET", "/v1/map"),
            ("GET", "/v1/map", {"headers": {"accept-encoding": "identity"}}),
            ("GET", "/v1/recommend"),
        )
        again = asking(app, ("GET", "/v1/map", {"headers": {"if-none-match": plain.headers["etag"]}}))[0]
    assert small_one.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert small_one.json() == plain.json()
    assert again.status_code == 304
    assert none.headers["cache-control"] == "no-store"


def test_the_map_is_sketched_at_once_and_drawn_by_a_process_of_its_own(folders, monkeypatch):
    monkeypatch.setenv("BUTACA_CACHE", str(folders / "cache"))
    registry = Registry({"m": folders / "one"})
    showcase = registry.serving.default.showcase
    sketch = json.loads(showcase.map().content)
    deadline = time.monotonic() + 60
    while json.loads(showcase.map().content)["method"] == "PCA":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    drawn = json.loads(showcase.map().content)
    registry.close()
    assert sketch["method"] == "PCA"
    assert [i["id"] for i in sketch["items"]] == [i["id"] for i in drawn["items"]]
    again = Registry({"m": folders / "one"})
    assert json.loads(again.serving.default.showcase.map().content) == drawn
    again.close()


def test_lists_are_logged_with_their_request_id(tmp_path):
    with running_app(tmp_path, {"a": small(0), "b": small(1)}, {"a": 0.5, "b": 0.5}) as app:
        answers = asking(app, *(post("/v1/recommend", {"user": f"u{u:02d}", "k": 2}) for u in range(20)))
        told = [a.json() for a in answers]
        event = {
            "id": "e",
            "user": told[0]["user"],
            "item": told[0]["items"][1]["id"],
            "request_id": told[0]["request_id"],
        }
        deadline = time.monotonic() + 10
        while len(app.service.shown) or app.service.telemetry.logged._value.get() < 20:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        _, experiments = asking(app, post("/v1/events", {"events": [event]}), ("GET", "/v1/experiments"))
    arms = {arm["name"]: arm for arm in experiments.json()["arms"]}
    assert {t["arm"] for t in told} == {"a", "b"}
    assert {(t["arm"], t["model_version"]) for t in told} == {("a", "memory-a"), ("b", "memory-b")}
    for name in "ab":
        assert arms[name]["recommendations"] == sum(t["arm"] == name for t in told)
        assert arms[name]["low"] <= arms[name]["rate"] <= arms[name]["high"]
        assert arms[name]["with_event"] == (name == told[0]["arm"])
    assert experiments.json()["differences"][0]["arm"] == "b"


def test_an_event_counts_for_its_list_by_any_name_of_the_item(tmp_path):
    """By its id, its title, its title without the year; not for an item that was not in the list."""
    with running_app(tmp_path, {"a": small(0), "b": small(1)}, {"a": 1.0, "b": 0.0}) as app:
        told = [a.json() for a in asking(app, *[post("/v1/recommend", {"user": "u01", "k": 2})] * 4)]
        deadline = time.monotonic() + 10
        while app.service.telemetry.logged._value.get() < 4:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        first = told[0]["items"][0]
        names = [first["id"], first["title"], first["title"].lower()[:-7], "Film 0 (1950)"]
        assert "i00" not in {item["id"] for item in told[0]["items"]}
        events = [
            {"id": name, "user": "u01", "item": name, "request_id": one["request_id"]}
            for name, one in zip(names, told, strict=True)
        ]
        _, answer = asking(app, post("/v1/events", {"events": events}), ("GET", "/v1/experiments"))
    arm = answer.json()["arms"][0]
    assert (arm["recommendations"], arm["with_event"], arm["events"]) == (4, 3, 3)


def test_lists_beyond_the_queue_are_dropped_and_counted_and_the_rest_written_at_the_end():
    class Store:
        rows: ClassVar[list[Shown]] = []

        def log_recommendations(self, rows):
            self.rows.extend(rows)

    store: Any = Store()
    shown = ShownLog(store, Telemetry(), size=3)
    for n in range(5):
        shown.put(Shown(f"r{n}", None, 1, "m", None, "popularity", ("i00",)))
    assert (len(shown), shown._telemetry.dropped._value.get()) == (3, 2)
    shown.start()
    shown.close()
    assert [row.request_id for row in Store.rows] == ["r0", "r1", "r2"]


def test_a_list_that_can_not_be_logged_takes_no_other_with_it():
    """An item's id longer than the store takes: 513 letters."""

    class Store:
        rows: ClassVar[list[Shown]] = []

        def log_recommendations(self, rows):
            self.rows.extend([checked_shown(row) for row in rows])

    store: Any = Store()
    shown = ShownLog(store, Telemetry(), size=100)
    for n in range(5):
        items = ("i00", "x" * 513 if n == 2 else "i01")
        shown.put(Shown(f"r{n}", None, 1, "m", None, "popularity", items))
    with capture_logs() as logs:
        shown.drain()
    assert [row.request_id for row in Store.rows] == ["r0", "r1", "r3", "r4"]
    assert (shown._telemetry.logged._value.get(), shown._telemetry.unlogged._value.get()) == (4, 1)
    assert [line["lists"] for line in logs] == [1]


def test_a_user_stays_in_an_arm_and_a_request_may_name_its_model(tmp_path):
    with running_app(tmp_path, {"a": small(0), "b": small(1)}, {"a": 0.5, "b": 0.5}) as app:
        *sticky, named, versioned, unknown, nobody = asking(
            app,
            *(post("/v1/recommend", {"user": "u01"}) for _ in range(5)),
            post("/v1/recommend", {"user": "u01", "model": "b"}),
            post("/v1/recommend", {"user": "u01", "model": "memory-b"}),
            post("/v1/recommend", {"user": "u01", "model": "c"}),
            post("/v1/recommend", {}),
        )
    assert len({a.json()["arm"] for a in sticky}) == 1
    assert (named.json()["model"], named.json()["arm"]) == ("b", None)
    assert versioned.json()["model"] == "b"
    assert unknown.status_code == 404
    assert (nobody.json()["model"], nobody.json()["arm"]) == ("a", None)


@pytest.fixture
def folders(tmp_path):
    """Two versions of a model, in folders of their own."""
    small(0).save(tmp_path / "one")
    small(1).save(tmp_path / "two")
    return tmp_path


def test_models_are_found_activated_and_taken_back(folders):
    registry = Registry({"m": folders / "one"})
    first = registry.serving.default.version
    small(1).save(folders / "one")
    found = registry.versions()
    assert [(v["active"], v["loaded"]) for v in found] == [(True, True), (False, False)]
    second = registry.activate(found[1]["version"])
    assert registry.serving.default is second
    assert registry.activate(first).version == first
    assert registry.serving.default.version == first


def test_without_a_split_activating_decides_who_answers(folders):
    registry = Registry(named_folders([f"a={folders / 'one'}", f"b={folders / 'two'}"]))
    other = registry.serving.active["b"].version
    registry.activate(other)
    assert registry.serving.default.version == other
    assert [v["active"] for v in registry.versions()] == [False, True]


def test_with_a_split_activating_leaves_the_first_model_first(folders):
    registry = Registry({"a": folders / "one", "b": folders / "two"}, {"a": 0.5, "b": 0.5})
    small(2).save(folders / "two")
    (fresh,) = (v["version"] for v in registry.versions() if not v["loaded"])
    assert registry.activate(fresh).name == "b"
    assert registry.serving.active["b"].version == fresh
    assert registry.serving.default.name == "a"


def test_two_activations_at_once_both_hold(folders, monkeypatch):
    registry = Registry({"a": folders / "one", "b": folders / "two"}, {"a": 0.5, "b": 0.5})
    small(2).save(folders / "one")
    small(3).save(folders / "two")
    fresh = [v["version"] for v in registry.versions() if not v["loaded"]]
    load = registry_module._load

    def slow(name, folder, index):
        loaded = load(name, folder, index)
        time.sleep(0.2)
        return loaded

    monkeypatch.setattr(registry_module, "_load", slow)
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(registry.activate, fresh))
    assert [registry.serving.active[name].version for name in "ab"] == fresh


def test_a_folder_that_changes_while_it_is_loaded_is_not_taken_for_the_version_asked(folders, monkeypatch):
    registry = Registry({"m": folders / "one"})
    before, load = registry.serving, registry_module._load
    small(1).save(folders / "one")
    version = registry.versions()[1]["version"]

    def slow(name, folder, index):
        small(2).save(folders / "one")
        return load(name, folder, index)

    monkeypatch.setattr(registry_module, "_load", slow)
    with pytest.raises(UnknownEntityError, match="GET /v1/models"):
        registry.activate(version)
    assert registry.serving is before


def test_a_damaged_folder_is_refused_and_the_old_model_stays(folders, tmp_path):
    registry = Registry({"m": folders / "one"})
    first = registry.serving.default
    small(1).save(folders / "one")
    version = registry.versions()[1]["version"]
    arrays = next((folders / "one").glob("arrays-*"))
    content = bytearray(arrays.read_bytes())
    content[-1] ^= 1
    arrays.write_bytes(content)
    with pytest.raises(BundleError):
        registry.activate(version)
    assert registry.serving.default is first
    (folders / "one" / "manifest.json").write_text("{")
    assert "damaged" in registry.versions()[-1]


@pytest.mark.parametrize("models", [["a=x", "a=y"], ["x/m", "y/m"]])
def test_two_models_have_two_names(models):
    with pytest.raises(SettingError, match="name of its own"):
        named_folders(models)


def test_a_split_names_models(folders):
    with pytest.raises(SettingError, match="split names models"):
        Registry({"a": folders / "one"}, {"a": 0.5, "z": 0.5})


def test_state_models_metrics_and_health(tmp_path):
    verdict = {"sentence": "The model beats popularity.", "against": {}}
    model = small(0, metrics={"verdict": verdict, "test_pairs": 10})
    with running_app(tmp_path, {"small": model}) as app:
        _, state, models, metrics, live, ready = asking(
            app,
            post("/v1/recommend", {"user": "u01"}),
            ("GET", "/v1/state"),
            ("GET", "/v1/models"),
            ("GET", "/metrics"),
            ("GET", "/health/live"),
            ("GET", "/health/ready"),
        )
    told = state.json()
    assert told["model"]["verdict"] == verdict["sentence"]
    assert told["data"] == {"users": 20, "items": 16, "interactions": 140}
    assert told["latency"]["samples"] == 1
    assert told["latency"]["p50_ms"] > 0
    assert told["requests"]["total"] == 1
    assert models.json()["models"][0]["metrics"]["test_pairs"] == 10
    assert 'butaca_requests_total{route="/v1/recommend",status="200"} 1.0' in metrics.text
    assert 'butaca_recommendations_total{model="small",source="user"} 1.0' in metrics.text
    assert 'butaca_model_info{name="small",version="memory-small"} 1.0' in metrics.text
    assert live.json() == {"status": "live"}
    assert ready.json() == {"status": "ready"}


def test_percentiles_of_the_recent_latencies():
    recent = LatencyRing(4)
    assert recent.percentiles()["p50_ms"] is None
    for ms in (50, 1, 2, 3, 4):  # the first one is forgotten
        recent.add(ms / 1000)
    assert recent.percentiles() == {"samples": 4, "p50_ms": 3.0, "p95_ms": 4.0, "p99_ms": 4.0}


def test_request_ids_sort_by_time():
    first = uuid7()
    time.sleep(0.002)
    assert first < uuid7()


def test_people_in_memory_are_bounded(tmp_path):
    with running_app(tmp_path, cached_users=3) as app:
        asking(app, *(post("/v1/recommend", {"user": f"x{i}"}) for i in range(10)))
        assert len(app.service.live) == 3


class Holding:
    """A store whose people have so many events each, or whose changes can't be told."""

    def __init__(self, each: int = 0) -> None:
        self.each, self.asked, self.failing = each, 0, False

    def history(self, user, limit):
        return [Event(f"{user}-{n}", user, f"i{n}", time=n) for n in range(min(self.each, limit))]

    def erased(self, user):
        return False

    def changes(self, since=None):
        self.asked += 1
        if self.failing:
            raise RuntimeError("not an error of ours")
        return Changes(frozenset({"a"}), Mark(self.asked))


def test_events_in_memory_are_bounded_though_few_people_have_them_all():
    """150 people may be kept, so 1,500 events: 15 people of 100 each; the last who asked are among them."""

    many: Any = Holding(each=100)
    more: Any = Holding(each=5_000)
    here = WaitPool("reads", threads=1, most=8)

    async def run():
        live = Live(many, here, size=150)
        for n in range(40):
            await live.of(f"p{n}")
            await live.of(f"p{n}")
        assert (len(live), live.events) == (15, 1_500)
        assert live.at_hand("p39") is not None
        assert live.at_hand("p0") is None
        live.forget(["p39", "p39", "nobody"])
        assert (len(live), live.events) == (14, 1_400)
        live.forget(None)
        assert (len(live), live.events) == (0, 0)
        one = Live(more, here, size=1)
        await one.of("many")
        assert (len(one), one.events) == (1, 1_000)

    asyncio.run(run())


def test_what_a_person_said_is_in_the_order_of_the_last_words():
    """i04 by two names; the second word on it comes after the one on i05."""
    codes = {"i04": 4, "Film 4": 4, "i05": 5}
    person = person_of([Event("1", "u", "i04"), Event("2", "u", "i05"), Event("3", "u", "i04")], False)
    assert [given.item for given in person.had] == ["i05", "i04"]
    events = [("Film 4", "dislike"), ("i05", "watch"), ("i04", "like"), ("i06", "skip")]
    person = person_of([Event(str(n), "u", item, kind) for n, (item, kind) in enumerate(events)], False)
    had, less = person.in_catalogue(codes.get)
    assert [given.item for given in had] == ["i05", "i04"]
    assert less == ("i06",)


def test_what_others_write_is_seen_again_after_any_failure():
    """Errors that nobody foresaw must not end the loop that looks: others' events would stay unseen."""

    async def run():
        store: Any = Holding()
        live = Live(store, WaitPool("reads", threads=1, most=8), size=10)
        loop = Loop("changes", live.notice, pause=0.02, failed="changes in the event store not seen")

        async def some_more_looks():
            wanted = store.asked + 3
            while store.asked < wanted:
                assert loop.alive
                await asyncio.sleep(0.02)

        with capture_logs() as logs:
            await live.of("b")  # before anything tells what changed: may be old
            loop.start()
            await some_more_looks()
            assert live.at_hand("b") is None
            await live.of("b")
            await some_more_looks()
            assert live.at_hand("b") is not None
            store.failing = True
            await some_more_looks()
            store.failing = False
            await some_more_looks()
            assert live.at_hand("b") is None  # whoever changed meanwhile
            await live.of("a")
            await some_more_looks()
            assert live.at_hand("a") is None  # the store says so, each time
            assert loop.stop()
        told = [line["event"] for line in logs]
        assert told == ["changes in the event store not seen", "works again"]

    asyncio.run(asyncio.wait_for(run(), 20))


def test_a_read_that_began_before_a_write_is_not_remembered():
    """The write is acknowledged while the read is under way: the next request must read again."""

    class Slow:
        reads = 0

        def history(self, user, limit):
            Slow.reads += 1
            time.sleep(0.1)
            return []

        def erased(self, user):
            return False

    store: Any = Slow()

    async def run():
        live = Live(store, WaitPool("reads", threads=2, most=8), size=10)
        reading = asyncio.create_task(live.of("a"))
        await asyncio.sleep(0.03)
        live.forget(["a"])
        await reading
        await asyncio.sleep(0)
        assert live.at_hand("a") is None
        await live.of("a")
        assert live.at_hand("a") is not None
        assert Slow.reads == 2

    asyncio.run(run())


HOOK = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"jax", "jaxlib", "optax", "equinox", "duckdb", "scipy"}:
            raise ImportError(name + " is blocked")
sys.meta_path.insert(0, Block())
"""


def test_it_serves_where_nothing_that_trains_is_installed(folders):
    script = HOOK + (
        "import asyncio, httpx\n"
        "from pathlib import Path\n"
        "from butaca.serve.app import create_app\n"
        "import butaca.serve.server\n"
        "from butaca.serve.registry import Registry\n"
        "from butaca.events.store import EventStore\n"
        "app = create_app(Registry({'m': Path('one')}), EventStore.open('e.db'))\n"
        "async def main():\n"
        "    transport = httpx.ASGITransport(app=app)\n"
        "    bodies = {'user': 'u01'}, {'history': ['i00'], 'k': 3}, {'where': {'year': {'max': 1955}}}\n"
        "    async with httpx.AsyncClient(transport=transport, base_url='http://localhost') as c:\n"
        "        for body in bodies:\n"
        "            answer = await c.post('/v1/recommend', json=body)\n"
        "            assert answer.status_code == 200, answer.text\n"
        "        assert (await c.get('/v1/map')).status_code == 200\n"
        "asyncio.run(main())\n"
        "app.service.close()\n"
        "print(sorted({'jax', 'scipy', 'duckdb', 'optax'} & set(sys.modules)))\n"
    )
    environment = os.environ | {"BUTACA_CACHE": str(folders / "cache")}
    run = subprocess.run(
        [sys.executable, "-c", script],
        cwd=folders,
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "[]"


def test_butaca_serve_swaps_under_load_and_writes_what_waits_when_stopped(folders):
    """A real process: hammered while versions are swapped; nothing fails, and every list is logged."""
    with serve("m=one", "--events", "events.db", cwd=folders) as server:
        assert any("16 items" in line for line in server.log)
        small(1).save(folders / "one")

        async def run():
            seen, stop = [], asyncio.Event()

            async def hammer(http):
                while not stop.is_set():
                    answer = await http.post("/v1/recommend", json={"user": "u01", "k": 3})
                    seen.append((answer.status_code, answer.json().get("model_version")))

            async with httpx.AsyncClient(base_url=server.url) as http:
                workers = [asyncio.create_task(hammer(http)) for _ in range(4)]
                versions = [v["version"] for v in (await http.get("/v1/models")).json()["models"]]
                assert len(versions) == 2
                for at in range(8):
                    swapped = await http.post(f"/v1/models/{versions[1 - at % 2]}/activate", json={})
                    assert swapped.status_code == 200, swapped.text
                    await asyncio.sleep(0.02)
                missing = await http.post("/v1/models/nope/activate", json={})
                stop.set()
                await asyncio.gather(*workers)
            return seen, versions, missing

        seen, versions, missing = asyncio.run(run())
        assert {status for status, _ in seen} == {200}
        assert {version for _, version in seen} == set(versions)
        assert missing.status_code == 404
        assert server.stop() == 0
    logged = {line["event"]: line for line in map(json.loads, server.log[2:])}
    assert logged["serving"]["models"] == {"m": versions[0]}
    assert logged["stopped"]["waiting_lists"] == 0
    with EventStore.open(str(folders / "events.db")) as store, store._database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM recommendations").scalar() == len(seen)


def test_what_was_acknowledged_survives_the_servers_death(folders):
    """kill -9 under load, twice: every event that got its 200 is in the store, once."""
    acknowledged: list[str] = []
    for attempt in range(2):
        with serve("m=one", "--events", "events.db", cwd=folders) as server:

            async def write(worker, attempt=attempt, url=server.url):
                with contextlib.suppress(httpx.TransportError):
                    async with httpx.AsyncClient(base_url=url) as http:
                        for batch in range(10_000):
                            ids = [f"{attempt}-{worker}-{batch}-{i}" for i in range(5)]
                            events = [{"id": name, "user": f"u{worker:02d}", "item": "i00"} for name in ids]
                            answer = await http.post("/v1/events", json={"events": events})
                            assert answer.json() == {"accepted": 5, "known": 0}
                            acknowledged.extend(ids)

            async def run(process=server.process):
                enough = len(acknowledged) + 50
                workers = [asyncio.create_task(write(worker)) for worker in range(4)]
                async with asyncio.timeout(60):
                    while len(acknowledged) <= enough:
                        await asyncio.sleep(0.05)
                process.kill()
                await asyncio.gather(*workers)

            asyncio.run(run())
    with EventStore.open(str(folders / "events.db")) as store:
        stored = [event.id for worker in range(4) for event in store.history(f"u{worker:02d}", 1_000_000)]
    assert len(acknowledged) > 50
    assert set(acknowledged) <= set(stored)
    assert len(stored) == len(set(stored))
    assert len(stored) % 5 == 0


def test_the_page_is_cached_by_its_tag_and_nothing_else_is_served(tmp_path):
    with running_app(tmp_path) as app:
        page, head, *others = asking(
            app,
            ("GET", "/"),
            ("HEAD", "/"),
            ("GET", "/static/..%2f..%2fapp.py"),
            ("GET", "/static/nope.js"),
            ("GET", f"/static/{'a' * 300}"),  # longer than a file's name may be
            ("GET", "/static/a%00b"),
        )
        again = asking(app, ("GET", "/", {"headers": {"if-none-match": page.headers["etag"]}}))[0]
    assert page.headers["content-type"].startswith("text/html")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-cache"
    assert head.status_code == 200
    assert head.content == b""
    assert again.status_code == 304
    assert again.content == b""
    assert [answer.status_code for answer in others] == [404] * 4


@pytest.mark.parametrize("name", sorted(p.name for p in Path("src/butaca/serve/page").glob("*.html")))
def test_the_page_needs_no_inline_script_or_style_and_no_other_host(name):
    text = (Path("src/butaca/serve/page") / name).read_text(encoding="utf-8")
    assert not re.search(r"<script(?![^>]*\bsrc=)", text)
    assert not re.search(r"<style|\sstyle=|\son\w+=", text)
    assert not re.search(r"(?:src|href)=[\"']?(?:https?:)?//", text)


# Documentation that can't drift.

DOCS = (Path(__file__).parents[2] / "docs" / "service.md").read_text(encoding="utf-8")


def test_every_setting_is_documented_with_its_option_and_default():
    options = {
        option: parameter
        for parameter in commands_of(cli.app)["serve"].params
        for option in getattr(parameter, "opts", ())
    }
    rows = re.findall(r"^\| `(\w+)` \| `(--[\w-]+)`.*? \| (.+?) \| .+ \|$", DOCS, flags=re.M)
    assert [name for name, *_ in rows] == [field.name for field in dataclasses.fields(ServeSettings)]
    defaults = ServeSettings()
    for name, option, default in rows:
        assert re.search(rf"^\s+{name}: ", ServeSettings.__doc__ or "", flags=re.M), name
        value = getattr(defaults, name)
        told = {True: "on", False: "off"}.get(value) if isinstance(value, bool) else None
        told = told or (
            "none" if value in ((), {}, None) else f"{value:g}" if isinstance(value, float) else str(value)
        )
        assert default == told, name
        parameter = options.pop(option)
        given = parameter.default
        if value not in ((), {}, None):
            assert given == value, name
    assert set(options) <= {"models", "--version", "--help"}


def test_every_route_and_metric_is_documented(tmp_path):
    with running_app(tmp_path) as app:
        paths = asking(app, ("GET", "/openapi.json"))[0].json()["paths"]
        metrics = asking(app, ("GET", "/metrics"))[0].text
    for path, methods in paths.items():
        for method in methods:
            assert f"`{method.upper()} {path}`" in DOCS
            line = next(line for line in DOCS.splitlines() if f"`{method.upper()} {path}`" in line)
            assert f"| {scope_of(method.upper(), path) or 'open'} |" in line
    found = set(re.findall(r"^# TYPE (\w+) ", metrics, flags=re.M))
    found = {name for name in found if not name.endswith("_created")}
    assert found == set(re.findall(r"^\| `(butaca_\w+)`", DOCS, flags=re.M))


def test_the_documented_requests_are_answered(tmp_path):
    bodies = re.findall(r"-d '(\{.*?\})'\n", DOCS, flags=re.S)
    assert len(bodies) == 2
    with running_app(tmp_path) as app:
        asked = json.loads(bodies[0]) | {"where": {"genres": ["even"], "year": {"min": 1990}}}
        answers = asking(app, post("/v1/recommend", asked), post("/v1/events", json.loads(bodies[1])))
    assert [a.status_code for a in answers] == [200, 200]


def test_the_last_word_on_an_item_counts_by_id_or_title(tmp_path):
    """A no to a title, then a yes to its id: one item, and the yes is later. And the other way round."""
    with running_app(tmp_path) as app:

        def event(n, item, kind, time):
            return {"id": str(n), "user": "ana", "item": item, "kind": kind, "time": time}

        board = checkerboard()
        title = board.items.columns["title"][4]
        events = [event(1, title, "dislike", 1000), event(2, "i04", "like", 2000)]
        events += [event(3, "i06", "like", 1000), event(4, board.items.columns["title"][6], "dislike", 2000)]
        asking(app, ("POST", "/v1/events", {"json": {"events": events}}))
        asked = {"user": "ana", "k": 16, "exclude_seen": False}
        (answer,) = asking(app, ("POST", "/v1/recommend", {"json": asked}))
    ids = {item["id"] for item in answer.json()["items"]}
    assert "i04" in ids
    assert "i06" not in ids


def test_an_id_is_a_user_by_its_very_text():
    built = small()
    users = dataclasses.replace(built.users, ids=Vocabulary(np.arange(len(built.users))))
    numbered = dataclasses.replace(built, users=users)
    assert same_id(numbered, "3")
    assert not same_id(numbered, "03")
    assert not same_id(numbered, " 3")
    assert same_id(numbered, "nobody")
    asked = RecommendRequest(user="03", k=3)
    assert ask(numbered, asked, user="03", person=NOBODY).source == "popularity"
    assert ask(numbered, asked, user="3", person=NOBODY).source == "user"


def test_a_log_names_nobody():
    assert logged("/v1/users/ana%20maria/history") == "/v1/users/*"
    assert logged("/v1/items/ana") == "/v1/items/ana"
