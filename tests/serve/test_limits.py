"""What the service refuses, and how: sizes, rates, overload, odd ids, names, keys."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import threading
import time

import httpx
import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner

from butaca.cli import app as cli
from butaca.errors import ButacaError, SettingError, UnknownEntityError
from butaca.events.store import EventStore
from butaca.serve.http.access import presented, scope_of
from butaca.serve.http.limits import RateLimiter
from butaca.serve.http.problems import Problem, shown
from butaca.serve.settings import ServeSettings
from tests.support.serving import asking, client, post, running_app, serve, small

JSON = {"content-type": "application/json"}


def raw(path, content, **headers):
    return "POST", path, {"content": content, "headers": JSON | headers}


def is_problem(answer, status):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert told["status"] == status
    assert told["type"].startswith("urn:butaca:problem:")
    assert told["rule"]
    assert told["detail"].startswith(told["rule"])
    assert len(told["received"]) < 300
    return told


BODIES = {
    "no JSON": b"{",
    "empty": b"",
    "a list": b"[]",
    "text": b'"x"',
    "not UTF-8": b'{"user": "\xff"}',
    "nan": b'{"variety": NaN}',
    "infinity": b'{"variety": Infinity}',
    "variety text": b'{"variety": "0.5"}',
    "variety true": b'{"variety": true}',
    "freshness text": b'{"freshness": "1"}',
    "freshness false": b'{"freshness": false}',
    "value text": b'{"history": [{"item": "a", "value": "4"}]}',
    "value true": b'{"history": [{"item": "a", "value": true}]}',
    "min text": b'{"where": {"year": {"min": "1990"}}}',
    "1e999": b'{"history": [{"item": "a", "value": 1e999}]}',
    "k 0": b'{"k": 0}',
    "k 1001": b'{"k": 1001}',
    "k true": b'{"k": true}',
    "k text": b'{"k": "3"}',
    "k huge": b'{"k": ' + b"9" * 5000 + b"}",
    "user huge": b'{"user": ' + b"9" * 30 + b"}",
    "user empty": b'{"user": ""}',
    "user long": b'{"user": "' + b"a" * 513 + b'"}',
    "user NUL": b'{"user": "a\\u0000b"}',
    "user surrogate": b'{"user": "\\ud800"}',
    "user list": b'{"user": ["a"]}',
    "deep": b'{"where": ' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"}",
    "deep list": b"[" * 100_000,
    "a field that is not there": b'{"usr": "21"}',
    "history long": json.dumps({"history": ["a"] * 1001}).encode(),
    "exclude long": json.dumps({"exclude": ["a"] * 1001}).encode(),
    "allow long": json.dumps({"allow": ["a"] * 1001}).encode(),
    "where long": json.dumps({"where": {str(i): "a" for i in range(21)}}).encode(),
    "where number": b'{"where": {"year": {"min": "x"}}}',
    "model": b'{"model": "../../etc/passwd"}',
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """An app for tests that change nothing that another one reads."""
    with running_app(tmp_path_factory.mktemp("shared"), host_names=("shop.example",)) as app:
        yield app


@pytest.mark.parametrize("name", BODIES)
def test_a_bad_request_is_422_and_says_where(shared, name):
    told = is_problem(asking(shared, raw("/v1/recommend", BODIES[name]))[0], 422)
    assert told["errors"][0]["loc"]
    assert told["errors"][0]["msg"]


EVENT = {"id": "1", "user": "u", "item": "i"}


@pytest.mark.parametrize(
    "change",
    [
        {"id": ""}, {"user": ""}, {"item": ""}, {"id": "a" * 513}, {"kind": "steal"}, {"value": "x"},
        {"time": -1}, {"time": 10**12}, {"time": "yesterday"}, {"time": "9999-99-99"}, {"value": 1e300},
        {"user": None}, {"user": "\x00"}, {"extra": 1}, {"time": 1.5}, {"request_id": ""},
        {"time": "0001-01-01T00:00:00Z"}, {"value": "4"}, {"value": True}, {"time": True},
        {"time": "1700000000"}, {"time": "1700000000000"}, {"time": "20231114"}, {"time": "2023-11-14"},
        {"time": "1969-12-31T23:59:59.5Z"},
    ],
)  # fmt: skip
def test_a_bad_event_stores_nothing_of_its_batch(shared, change):
    before = shared.service.store.count()
    batch = [{**EVENT, "id": "one"}, {**EVENT, "id": "two", **change}]
    is_problem(asking(shared, post("/v1/events", {"events": batch}))[0], 422)
    assert shared.service.store.count() == before


def test_a_batch_has_at_most_a_thousand(tmp_path):
    batch = [EVENT | {"id": str(i)} for i in range(1001)]
    with running_app(tmp_path) as app:
        most, more, none = asking(
            app,
            post("/v1/events", {"events": batch[:1000]}),
            post("/v1/events", {"events": batch}),
            post("/v1/events", {"events": []}),
        )
    assert most.json() == {"accepted": 1000, "known": 0}
    is_problem(more, 422)
    is_problem(none, 422)


ODD = [
    "🎬 película", "a/b", "..", "../../etc/passwd", "'; DROP TABLE events; --", "%2F", "%", "a?b#c", " ",
    "<script>alert(1)</script>", "a" * 512, "ñ" * 512, "null", "0", "-1", "1e5", "\u202e", "e\u0301", "é",
    "\t", "\u00a0",
    "similar", "x/similar", "history", "a\\b", "line\nbreak", '"', "\x7f", "\ufeff", "a\r\nX-Bad: 1",
]  # fmt: skip


@pytest.mark.parametrize("odd", ODD)
def test_odd_ids_come_back_as_they_were_sent(shared, odd):
    from urllib.parse import quote

    path = quote(odd, safe="").replace(".", "%2E")
    stored, history, answer, item, similar, erased = asking(
        shared,
        post("/v1/events", {"events": [{"id": odd, "user": odd, "item": odd, "request_id": odd}]}),
        ("GET", f"/v1/users/{path}/history"),
        post("/v1/recommend", {"user": odd, "k": 1, "exclude": [odd], "history": [odd]}),
        ("GET", f"/v1/items/{path}"),
        ("GET", f"/v1/items/{path}/similar"),
        ("DELETE", f"/v1/users/{path}"),
    )
    assert stored.json() == {"accepted": 1, "known": 0}
    assert history.json()["user"] == odd
    assert history.json()["items"][0]["id"] == odd
    assert answer.json()["user"] == odd
    assert answer.json()["unknown"] == [odd]
    is_problem(item, 404)
    is_problem(similar, 404)
    assert erased.json()["user"] == odd
    assert erased.json()["erased"]["events"] == 1


@pytest.mark.parametrize("path", ["%00", "%FF", "%ED%A0%80", "a" * 513, ""])
def test_odd_paths_are_refused(shared, path):
    for answer in asking(
        shared,
        ("GET", f"/v1/users/{path}/history"),
        ("DELETE", f"/v1/users/{path}"),
        ("GET", f"/v1/items/{path}"),
    ):
        is_problem(answer, 422)


def test_a_body_has_a_limit_announced_or_not(tmp_path):
    with running_app(tmp_path, max_body=2048) as app:

        async def chunks():
            for _ in range(100):
                yield b" " * 100

        async def run():
            async with client(app) as http:
                announced = await http.post("/v1/recommend", content=b" " * 4096, headers=JSON)
                arriving = await http.post("/v1/recommend", content=chunks(), headers=JSON)
                return announced, arriving

        for answer in asyncio.run(run()):
            told = is_problem(answer, 413)
            assert "2,048" in told["rule"]


def test_a_post_is_json_so_that_no_form_of_another_site_can_send_one(tmp_path):
    kinds = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
    with running_app(tmp_path) as app:
        for kind in kinds:
            for path in ("/v1/recommend", "/v1/events", "/v1/models/x/activate"):
                headers = {"content-type": kind} if kind else {}
                is_problem(asking(app, ("POST", path, {"content": b"{}", "headers": headers}))[0], 415)
        charset = raw("/v1/recommend", b"{}", **{"content-type": "Application/JSON; charset=utf-8"})
        assert asking(app, charset)[0].status_code == 200


def test_routes_and_methods_that_are_not_there(tmp_path):
    with running_app(tmp_path) as app:
        missing, method, script, options, put, patch = asking(
            app,
            ("GET", "/v1/nope"),
            ("GET", "/v1/recommend"),
            ("GET", "/<script>alert(1)</script>"),
            ("OPTIONS", "/v1/recommend", {"headers": {"origin": "https://evil.example"}}),
            ("PUT", "/v1/events", {"content": b"{}", "headers": {"content-type": "text/plain"}}),
            ("PATCH", "/v1/events", {"content": b"{}", "headers": JSON}),
        )
    is_problem(missing, 404)
    is_problem(put, 415)
    is_problem(patch, 405)
    assert is_problem(method, 405)["cure"] == "Use POST"
    assert method.headers["allow"] == "POST"
    is_problem(script, 404)
    assert script.headers["x-content-type-options"] == "nosniff"
    is_problem(options, 405)
    assert "access-control-allow-origin" not in options.headers


def test_an_error_of_ours_is_500_without_its_insides(tmp_path):
    with running_app(tmp_path) as app:

        def broken(*_, **__):
            raise RuntimeError("secret detail")

        app.service.store.history = broken
        direct, routed = asking(app, post("/v1/recommend", {"user": "x"}), ("GET", "/v1/users/x/history"))
    for answer in (direct, routed):
        told = is_problem(answer, 500)
        assert "secret" not in answer.text
        assert told["request_id"]


def test_a_store_that_is_away_is_503(tmp_path):
    from butaca.errors import StoreError

    with running_app(tmp_path) as app:

        def away(*_, **__):
            raise StoreError("It answers", "password=hunter2 refused")

        app.service.store.ready = app.service.store.add = app.service.store.history = away
        with capture_logs() as logs:
            answers = asking(
                app,
                ("GET", "/health/ready"),
                post("/v1/events", {"events": [EVENT]}),
                post("/v1/recommend", {"user": "u"}),
            )
    assert answers[2].json()["without_events"] is True
    for answer in answers[:2]:
        told = is_problem(answer, 503)
        assert answer.headers["retry-after"] == "1"
        assert "hunter2" not in answer.text
        line = next(line for line in logs if line["request_id"] == told["request_id"])
        assert "hunter2" in line["reason"]
        assert line["log_level"] == "error"


def test_headers_that_every_answer_has(tmp_path):
    with running_app(tmp_path) as app:
        answers = asking(app, ("GET", "/"), post("/v1/recommend", {}), ("GET", "/v1/map"), ("GET", "/nope"))
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers.get_list("content-security-policy")[1:] == []
        assert "server" not in answer.headers
    assert answers[0].headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize(
    ("host", "good"),
    [
        ("localhost", True),
        ("localhost:8000", True),
        ("127.0.0.1:8000", True),
        ("[::1]:8000", True),
        ("[::1]", True),
        ("LOCALHOST", True),
        ("shop.example", True),
        ("evil.example", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("", False),
        ("evil.example:8000", False),
    ],
)
def test_a_name_that_resolves_here_is_not_enough(shared, host, good):
    headers = {"headers": {"host": host}}
    answer, options, *open_to_all = asking(
        shared,
        ("GET", "/v1/map", headers),
        ("OPTIONS", "/v1/map", headers),
        *(("GET", path, headers) for path in ("/health/live", "/health/ready", "/metrics")),
    )
    assert {one.status_code for one in open_to_all} == {200}  # whoever probes calls a pod by its address
    if good:
        assert answer.status_code == 200
        is_problem(options, 405)
    else:
        is_problem(answer, 400)
        is_problem(options, 400)


def test_beyond_this_machine_any_name_will_do_unless_some_are_given(tmp_path):
    with running_app(tmp_path, host="0.0.0.0") as app:
        assert asking(app, ("GET", "/v1/map", {"headers": {"host": "a.example"}}))[0].status_code == 200
    other = tmp_path / "other"
    other.mkdir()
    with running_app(other, host="0.0.0.0", host_names=("b.example",)) as app:
        assert asking(app, ("GET", "/v1/map", {"headers": {"host": "a.example"}}))[0].status_code == 400


def test_other_origins_are_named_one_by_one(tmp_path):
    with running_app(tmp_path, cors_origins=("https://shop.example",)) as app:
        preflight, answer, other = asking(
            app,
            ("OPTIONS", "/v1/recommend", {"headers": {"origin": "https://shop.example"}}),
            ("POST", "/v1/recommend", {"json": {}, "headers": {"origin": "https://shop.example"}}),
            ("POST", "/v1/recommend", {"json": {}, "headers": {"origin": "https://evil.example"}}),
        )
    assert preflight.status_code == 204
    assert "content-type" in preflight.headers["access-control-allow-headers"]
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"
    assert "access-control-allow-origin" not in other.headers


def test_a_client_has_a_rate(tmp_path):
    with running_app(tmp_path, rate=1.0, burst=3) as app:
        answers = asking(app, *(post("/v1/recommend", {}) for _ in range(5)), ("GET", "/health/live"))
        metrics = app.service.telemetry.exposition().decode()
    assert [a.status_code for a in answers[:3]] == [200] * 3
    assert {a.status_code for a in answers[3:5]} == {429}
    is_problem(answers[4], 429)
    assert int(answers[4].headers["retry-after"]) >= 1
    assert answers[5].status_code == 200
    assert 'butaca_refused_total{reason="rate"} 2.0' in metrics


def test_buckets_fill_again_and_forget_the_oldest():
    buckets = RateLimiter(rate=10, burst=2, size=3)
    assert [buckets.wait("a", 0) for _ in range(3)] == [0, 0, pytest.approx(0.1)]
    assert buckets.wait("a", 0.1) == 0
    assert buckets.wait("a", 100) == buckets.wait("a", 100) == 0
    assert buckets.wait("a", 100) > 0
    for name in "bcde":
        buckets.wait(name, 100)
    assert len(buckets) == 3
    assert RateLimiter(0, 1).wait("a", 0) == RateLimiter(0, 1).wait("a", 0) == 0


def test_more_in_work_than_it_may_have_are_turned_away_at_once(tmp_path):
    with running_app(tmp_path, max_in_flight=2) as app:
        release = threading.Event()
        history = app.service.store.history

        def slow(*arguments):
            release.wait(10)
            return history(*arguments)

        app.service.store.history = slow

        async def run():
            async with client(app) as http:
                slow_ones = [
                    asyncio.create_task(http.post("/v1/recommend", json={"user": f"x{i}"})) for i in range(2)
                ]
                await asyncio.sleep(0.2)
                started = time.perf_counter()
                shed = await http.post("/v1/recommend", json={})
                took = time.perf_counter() - started
                live = await http.get("/health/live")
                release.set()
                return shed, took, live, await asyncio.gather(*slow_ones)

        shed, took, live, slow_ones = asyncio.run(run())
    is_problem(shed, 503)
    assert shed.headers["retry-after"] == "1"
    assert took < 0.5
    assert live.status_code == 200
    assert [a.status_code for a in slow_ones] == [200, 200]


def test_a_request_has_its_time(tmp_path):
    with running_app(tmp_path, timeout=0.2) as app:
        release = threading.Event()
        app.service.store.add = lambda *_: release.wait(5)

        async def never():
            yield b"{"
            await asyncio.sleep(5)

        async def run():
            async with client(app) as http:
                started = time.perf_counter()
                slow = await http.post("/v1/events", json={"events": [EVENT]})
                late = await http.post("/v1/recommend", content=never(), headers=JSON)
                release.set()
                return slow, late, time.perf_counter() - started

        slow, late, took = asyncio.run(run())
    is_problem(slow, 503)
    is_problem(late, 408)
    assert took < 3


def test_an_activation_may_take_its_time_and_nothing_else_may(tmp_path):
    """A person may be called x/activate."""
    with running_app(tmp_path, timeout=0.1) as app:
        activate, erase = app.service.registry.activate, app.service.store.erase

        def slowly(do):
            def wait(*arguments):
                time.sleep(0.4)
                return do(*arguments)

            return wait

        app.service.registry.activate = slowly(activate)
        app.service.store.erase = slowly(erase)
        activated, erased = asking(
            app,
            post("/v1/models/memory-small/activate", {}),
            ("DELETE", "/v1/users/x%2Factivate"),
        )
    assert activated.status_code == 200
    is_problem(erased, 503)


def test_whatever_becomes_of_a_request_it_leaves_once(tmp_path):
    """Those that wait for their turn are counted until then; one that never left would be shed for ever."""
    with running_app(tmp_path, max_in_flight=1) as app:
        left: list[int] = []
        app.leave = lambda: left.append(len(left))
        answers = asking(
            app,
            post("/v1/recommend", {}),
            post("/v1/recommend", {"k": 0}),
            ("GET", "/v1/nope"),
            ("GET", "/health/live"),
            ("GET", "/v1/map", {"headers": {"host": "evil.example"}}),
        )
        assert [answer.status_code for answer in answers] == [200, 422, 404, 200, 400]
        assert len(left) == 5
        assert app.service.telemetry.latency.count == 1  # of lists that were made
        app.in_flight = lambda: 1
        is_problem(asking(app, post("/v1/recommend", {}))[0], 503)
        assert len(left) == 6


def keyed(tmp_path):
    with EventStore.open(str(tmp_path / "events.db")) as store:
        return {scope: store.keys.create(scope, [scope]) for scope in ("read", "write", "admin")}


def test_keys_open_what_their_scopes_say(tmp_path):
    keys = keyed(tmp_path)
    requests = {
        "read": [post("/v1/recommend", {}), ("GET", "/v1/map"), ("GET", "/v1/models"), ("GET", "/metrics"),
                 ("GET", "/v1/users/x/history"), ("GET", "/v1/experiments"), ("GET", "/v1/state")],
        "write": [post("/v1/events", {"events": [EVENT]})],
        "admin": [("DELETE", "/v1/users/x"), post("/v1/models/memory-small/activate", {})],
    }  # fmt: skip
    with running_app(tmp_path, keys=True) as app:
        for needed, asked in requests.items():
            for method, path, *more in asked:
                for scope, key in keys.items():
                    for headers in ({"authorization": f"Bearer {key}"}, {"x-api-key": key}):
                        keywords = {**(more[0] if more else {}), "headers": headers}
                        answer = asking(app, (method, path, keywords))[0]
                        if scope in {needed, "admin"}:
                            assert answer.status_code == 200, (path, scope, answer.text)
                        else:
                            is_problem(answer, 403)
                answer = asking(app, (method, path, *more))[0]
                is_problem(answer, 401)
                assert answer.headers["www-authenticate"].startswith("Bearer")
        for path in ("/", "/health/live", "/health/ready", "/openapi.json"):
            assert asking(app, ("GET", path))[0].status_code == 200


def test_wrong_and_revoked_keys(tmp_path):
    key = keyed(tmp_path)["read"]
    with running_app(tmp_path, keys=True, staleness=0.0) as app:

        def with_key(text):
            return ("GET", "/v1/map", {"headers": {"x-api-key": text}})

        wrong = key[:-1] + ("0" if key[-1] != "0" else "1")
        for text in (wrong, "x", "butaca_", "ñ".encode("latin-1"), "a" * 5000):
            is_problem(asking(app, with_key(text))[0], 401)
        assert asking(app, with_key(key))[0].status_code == 200
        app.service.store.keys.revoke(key.split("_")[1])
        time.sleep(0.6)
        is_problem(asking(app, with_key(key))[0], 401)


def test_a_key_that_another_process_revoked_ends_within_staleness(tmp_path):
    key = keyed(tmp_path)["read"]
    asked = ("GET", "/v1/map", {"headers": {"x-api-key": key}})
    with (
        running_app(tmp_path, keys=True, staleness=0.4) as app,
        EventStore.open(str(tmp_path / "events.db")) as other,
    ):
        assert asking(app, asked)[0].status_code == 200
        other.keys.revoke(key.split("_")[1])
        time.sleep(0.45)
        is_problem(asking(app, asked)[0], 401)


def test_guessing_keys_has_a_rate_too(tmp_path):
    key = keyed(tmp_path)["read"]
    with running_app(tmp_path, keys=True, rate=1.0, burst=5) as app:
        guesses = asking(
            app, *(("GET", "/v1/map", {"headers": {"x-api-key": f"butaca_{i}_x"}}) for i in range(8))
        )
        known = asking(app, ("GET", "/v1/map", {"headers": {"x-api-key": key}}))[0]
    assert [a.status_code for a in guesses] == [401] * 5 + [429] * 3
    assert known.status_code == 200


def test_every_route_has_a_scope_and_what_is_open_is_listed(tmp_path):
    with running_app(tmp_path) as app:
        document = asking(app, ("GET", "/openapi.json"))[0].json()
    found = {
        (method.upper(), path): scope_of(method.upper(), path)
        for path, operations in document["paths"].items()
        for method in operations
    }
    assert {route for route, scope in found.items() if scope is None} == {
        ("GET", "/health/live"),
        ("GET", "/health/ready"),
    }
    assert {route for route, scope in found.items() if scope == "write"} == {
        ("POST", "/v1/events"),
        ("DELETE", "/v1/events/{id}"),
    }
    assert {route for route, scope in found.items() if scope == "admin"} == {
        ("DELETE", "/v1/users/{id}"),
        ("POST", "/v1/models/{version}/activate"),
    }
    assert presented([(b"authorization", b"Basic abc")]) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("port", 70000),
        ("rate", -1.0),
        ("rate", float("nan")),
        ("timeout", 0.0),
        ("max_body", 10),
        ("max_in_flight", 0),
        ("staleness", -1.0),
        ("cors_origins", ("*",)),
        ("cors_origins", ("shop.example",)),
        ("split", {"a": 0.5, "b": 0.4}),
    ],
)
def test_settings_out_of_range_are_refused(field, value):
    with pytest.raises(SettingError):
        ServeSettings(**{field: value})


def test_what_is_said_back_is_short_and_utf8():
    assert len(shown("a" * 10_000)) < 250
    assert json.loads(Problem(422, "x", "r", "\ud800\x00").body())["received"] == "\\ud800\\x00"


# With a process of its own.


def run_butaca(*arguments, cwd, monkeypatch):
    """A command, in this process: its output, and the error it ends with."""
    monkeypatch.chdir(cwd)
    run = CliRunner().invoke(cli.app, [*map(str, arguments)])
    if run.exception is not None and not isinstance(run.exception, ButacaError | SystemExit):
        raise run.exception
    return run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("served")
    small().save(made / "model")
    return made


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["model", "--host", "0.0.0.0", "--port", "0"], "needs API keys.*butaca keys add"),
        (["model", "--trusted-proxy", "127.0.0.1"], "needs API keys.*--trusted-proxy"),
        (["model", "--host-name", "films.example"], "needs API keys.*--host-name"),
        (["model", "--root-path", "/films"], "needs API keys.*--root-path"),
        (["model", "--trusted-proxy", "nginx"], "an IP address.*'nginx'"),
        (["model", "--trusted-proxy", "*"], "an IP address"),
        (["model", "--host-name", "https://films.example"], "without scheme"),
        (["model", "--host-name", "films.example:443"], "without scheme, port"),
        (["model", "--host-name", "*.example"], "wildcard"),
        (["model", "--host-name", ""], "A host name"),
        (["model", "--root-path", "films"], "begins with /"),
        (["model", "--keep-lists", "soon"], "a number with a unit"),
        (["model", "--version", "0123456789ab"], "A version that is asked for.*There are"),
        (["model", "--events", "postgresql://me:pa/ss@host/db"], "encoded as %40"),
        (["nothing-here"], "manifest.json"),
        (["model", "--split", "model=0.9"], "sum to 1"),
        (["model", "--split", "other=1"], "split names models"),
        (["model", "--events", "mysql://x"], "PostgreSQL"),
        (["model", "--host", "no such host"], "--host"),
        (["model", "--port", "TAKEN"], "which another one has"),
    ],
)
def test_what_cannot_be_served_is_said_in_words(folder, monkeypatch, arguments, said):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        arguments = [str(taken.getsockname()[1]) if a == "TAKEN" else a for a in arguments]
        run = run_butaca("serve", *arguments, cwd=folder, monkeypatch=monkeypatch)
    assert isinstance(run.exception, ButacaError)
    assert re.search(said, str(run.exception))


def test_keys_from_the_command_line_to_a_refusal(folder, monkeypatch):
    def keys(*arguments):
        return run_butaca("keys", *arguments, "--events", "keys.db", cwd=folder, monkeypatch=monkeypatch)

    made = keys("add", "shop", "--scope", "read")
    key = made.stdout.strip()
    assert key.startswith("butaca_")
    assert "\n" not in key
    assert isinstance(keys("add", "x", "--scope", "everything").exception, SettingError)
    with serve("model", "--events", "keys.db", "--staleness", "0.5", cwd=folder) as server:
        assert httpx.post(f"{server.url}/v1/recommend", json={}).status_code == 401
        headers = {"authorization": f"Bearer {key}"}
        assert httpx.post(f"{server.url}/v1/recommend", json={}, headers=headers).status_code == 200
        assert httpx.post(f"{server.url}/v1/events", json={}, headers=headers).status_code == 403
        listed = keys("list")
        assert "shop" in listed.stdout
        assert key.split("_")[2] not in listed.stdout
        assert keys("revoke", key.split("_")[1]).exit_code == 0
        deadline = time.monotonic() + 10
        while httpx.post(f"{server.url}/v1/recommend", json={}, headers=headers).status_code == 200:
            assert time.monotonic() < deadline
            time.sleep(0.2)
    assert isinstance(keys("revoke", "nope").exception, UnknownEntityError)


def test_the_wire(folder):
    """What httpx would not send: broken HTTP, raw bytes in paths, chunks without end, and overload."""
    with serve("model", "--max-body", "2048", "--max-in-flight", "4", "--timeout", "3", cwd=folder) as server:
        host, port = server.url.removeprefix("http://").split(":")

        def talk(content, wait=15.0):
            with socket.create_connection((host, int(port)), timeout=wait) as link:
                link.sendall(content)
                got = b""
                try:
                    while part := link.recv(65536):
                        got += part
                        if b"\r\n\r\n" in got and b"connection: close" not in got.lower():
                            break
                except (TimeoutError, ConnectionError):
                    pass
                return got

        head = b"POST /v1/recommend HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        assert b" 400 " in talk(b"nonsense\r\n\r\n").split(b"\r\n")[0]
        raw_path = talk(b"GET /v1/items/\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n").split(b"\r\n")[0]
        assert b" 400 " in raw_path or b" 404 " in raw_path or b" 422 " in raw_path
        assert b" 413 " in talk(head + b"Content-Length: 99999999\r\n\r\n").split(b"\r\n")[0]
        much = talk(
            head + b"Content-Length: 4000000\r\n\r\n" + b" " * 4_000_000
        )  # all sent, then listened to
        assert b" 413 " in much.split(b"\r\n")[0]
        chunks = head + b"Transfer-Encoding: chunked\r\n\r\n" + b"400\r\n" + b" " * 1024 + b"\r\n"
        assert b" 413 " in talk(chunks + (b"400\r\n" + b" " * 1024 + b"\r\n") * 3).split(b"\r\n")[0]
        assert b" 408 " in talk(head + b"Content-Length: 100\r\n\r\n{").split(b"\r\n")[0]
        assert b" 400 " in talk(b"GET / HTTP/1.1\r\n\r\n").split(b"\r\n")[0]  # no Host

        async def flood():
            limits = httpx.Limits(max_connections=60)
            async with httpx.AsyncClient(base_url=server.url, limits=limits, timeout=30) as http:
                asked = [http.post("/v1/recommend", json={"user": "u01", "k": 16}) for _ in range(200)]
                return await asyncio.gather(*asked)

        answers = asyncio.run(flood())
        statuses = {a.status_code for a in answers}
        assert statuses <= {200, 503}
        assert 200 in statuses
        for answer in answers:
            if answer.status_code == 503:
                assert answer.headers["retry-after"] == "1"
        assert httpx.post(f"{server.url}/v1/recommend", json={}).status_code == 200
