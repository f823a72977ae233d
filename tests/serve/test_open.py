"""Open only where it is meant to be, and what is asked in odd ways: names, proxies, HEAD, gzip, queries."""

from __future__ import annotations

import asyncio
import re
import time

import pytest
from structlog.testing import capture_logs

from butaca.events.records import Event, Shown
from butaca.events.store import EventStore
from butaca.serve import service as service_module
from butaca.serve.http.errors import logged
from butaca.serve.http.headers import takes_gzip
from tests.support.serving import asking, post, running_app, small

FORWARDED = [
    ("x-forwarded-for", "203.0.113.9"), ("x-forwarded-host", "films.example"), ("x-forwarded-proto", "https"),
    ("forwarded", "for=203.0.113.9"), ("via", "1.1 proxy"), ("x-real-ip", "203.0.113.9"),
    ("X-Forwarded-For", ""),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), FORWARDED)
def test_without_keys_a_forwarded_request_is_refused_in_words(tmp_path, name, value):
    with running_app(tmp_path) as app:
        headers = {"headers": {name: value}}
        erased, page, live, ready = asking(
            app,
            ("DELETE", "/v1/users/u03", headers),
            ("GET", "/", headers),
            ("GET", "/health/live", headers),
            ("GET", "/health/ready", headers),
        )
        assert app.service.store.erased("u03") is False
    assert (erased.status_code, page.status_code) == (403, 403)
    assert "butaca keys add" in erased.json()["cure"]
    assert (live.status_code, ready.status_code) == (200, 200)


def test_with_keys_a_forwarded_request_is_answered(tmp_path):
    with EventStore.open(str(tmp_path / "events.db")) as store:
        key = store.keys.create("all", ["read"])
    with running_app(tmp_path, keys=True) as app:
        headers = {"x-api-key": key, "x-forwarded-for": "203.0.113.9"}
        assert asking(app, ("GET", "/v1/map", {"headers": headers}))[0].status_code == 200


def test_two_hosts_are_refused_and_so_is_none(tmp_path):
    async def asked(app, hosts, version="1.1"):
        sent = []

        async def receive():
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message):
            sent.append(message)

        scope = {
            "type": "http", "method": "GET", "path": "/health/live", "raw_path": b"/health/live",
            "query_string": b"", "headers": [(b"host", host) for host in hosts], "http_version": version,
            "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2), "scheme": "http", "root_path": "",
        }  # fmt: skip
        await app(scope, receive, send)
        return sent[0]["status"]

    with running_app(tmp_path) as app:
        for hosts, status in (
            ([b"localhost"], 200),
            ([b"localhost"] * 2, 400),
            ([b"localhost", b"x"], 400),
            ([], 400),
        ):
            assert asyncio.run(asked(app, hosts)) == status


def test_a_service_without_keys_says_so_on_its_pages_and_in_the_log_and_one_with_keys_does_not(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(service_module, "SELDOM", 0.05)
    with running_app(tmp_path) as app, capture_logs() as logs:
        for page in asking(app, ("GET", "/"), ("GET", "/state")):
            assert 'data-t="nokey">' in page.text
        with EventStore.open(str(tmp_path / "events.db")) as other:
            other.keys.create("shop")
        deadline = time.monotonic() + 10
        while not any("keys were made since" in line["event"] for line in logs):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    with running_app(tmp_path, keys=True) as app:
        for page in asking(app, ("GET", "/"), ("GET", "/state")):
            assert 'data-t="nokey" hidden>' in page.text


def test_head_works_where_get_does(tmp_path):
    paths = [
        "/health/live",
        "/health/ready",
        "/metrics",
        "/",
        "/v1/map",
        "/v1/items?limit=2",
        "/static/base.css",
    ]
    with running_app(tmp_path) as app:
        for path in paths:
            got, head = asking(app, ("GET", path), ("HEAD", path))
            assert (got.status_code, head.status_code) == (200, 200), path
            assert head.content == b""
            assert head.headers["content-type"] == got.headers["content-type"]
        assert asking(app, ("HEAD", "/v1/events"))[0].status_code == 405
        metrics = asking(app, ("GET", "/metrics"))[0].text
        assert 'route="/v1/items",status="200"} 2.0' in metrics


@pytest.mark.parametrize("left", [True, False], ids=["left by the proxy", "taken off by it"])
def test_a_prefix(tmp_path, left):
    with EventStore.open(str(tmp_path / "events.db")) as store:
        key = store.keys.create("all", ["read"])
    with running_app(tmp_path, keys=True, root_path="/films") as app:
        before = "/films" if left else ""
        headers = {"headers": {"x-api-key": key}}
        page, style, items, document, odd = asking(
            app,
            ("GET", f"{before}/"),
            ("GET", f"{before}/static/base.css"),
            ("GET", f"{before}/v1/items?limit=1", headers),
            ("GET", f"{before}/openapi.json"),
            ("GET", f"{before}/v1/users/a%2Fb/history", headers),
        )
        bare = asking(app, ("GET", "/films"), ("GET", "/films/v1/items"), ("GET", "/filmsx/v1/items"))
    assert [a.status_code for a in (page, style, items, odd)] == [200] * 4
    assert 'href="/' not in page.text
    assert 'src="/' not in page.text
    assert document.json()["servers"] == [{"url": "/films"}]
    assert odd.json()["user"] == "a/b"
    assert (bare[0].status_code, bare[0].headers["location"]) == (308, "/films/")
    assert [a.status_code for a in bare[1:]] == [401, 401]


def test_gzip_as_asked_and_for_long_lists_too(tmp_path):
    for encodings, taken in (
        (b"gzip", True), (b"gzip;q=0, identity", False), (b"*", True), (b"*;q=0", False), (b"br", False),
        (b"GZIP ; q=0.5", True), (b"gzip;q=0, *", False), (b"gzip;q=x", False), (b"", False),
    ):  # fmt: skip
        assert takes_gzip(encodings) is taken, encodings
    with running_app(tmp_path) as app:
        body = {"exclude": ["x" * 500] * 40, "history": [f"{n}-{'y' * 450}" for n in range(60)]}
        kinds = [{"accept-encoding": e} for e in ("gzip", "gzip;q=0", "identity")]
        lists = asking(app, *(("POST", "/v1/recommend", {"json": body, "headers": h}) for h in kinds))
        maps = asking(app, *(("GET", "/v1/map", {"headers": h}) for h in kinds))
        documents = asking(app, *(("GET", "/openapi.json", {"headers": h}) for h in kinds))
        short = asking(app, ("POST", "/v1/recommend", {"json": {}, "headers": kinds[0]}))[0]
    for answers in (lists, maps, documents):
        assert [a.headers.get("content-encoding") for a in answers] == ["gzip", None, None]
        assert "accept-encoding" in answers[0].headers["vary"]
    assert len(lists[0].json()["unknown"]) == len(lists[1].json()["unknown"]) == 60
    assert "content-encoding" not in short.headers


def test_a_page_elsewhere_may_read_a_503_and_ask_first_even_then(tmp_path):
    origin = {"origin": "https://shop.example"}
    with running_app(tmp_path, cors_origins=("https://shop.example",)) as app:
        app.in_flight = lambda: 1000
        shed, first = asking(
            app,
            ("POST", "/v1/recommend", {"json": {}, "headers": origin}),
            ("OPTIONS", "/v1/recommend", {"headers": origin | {"access-control-request-method": "POST"}}),
        )
    assert shed.status_code == 503
    assert shed.headers["access-control-allow-origin"] == "https://shop.example"
    assert first.status_code == 204


@pytest.mark.parametrize(
    "path", ["/v1/items?limt=3", "/v1/map?x=1", "/v1/models?a=b", "/v1/items/i00/similar?n=3", "/v1/state?x"]
)
def test_unknown_parameters_are_refused_as_unknown_fields_are(tmp_path, path):
    with running_app(tmp_path) as app:
        answer, listed, page = asking(
            app, ("GET", path), ("POST", "/v1/recommend?k=3", {"json": {}}), ("GET", "/?films=i00")
        )
    assert (answer.status_code, listed.status_code, page.status_code) == (422, 422, 200)
    assert answer.json()["errors"][0]["loc"][0] == "query"
    assert "takes" in answer.json()["rule"]


def test_a_later_dislike_outranks_an_earlier_like_of_tomorrow(tmp_path):
    soon = int(time.time()) + 80_000
    like = {"id": "1", "user": "fay", "item": "i04", "kind": "like", "time": soon}
    dislike = {"id": "2", "user": "fay", "item": "i04", "kind": "dislike"}
    with running_app(tmp_path) as app:
        *_, answer = asking(
            app,
            post("/v1/events", {"events": [like]}),
            post("/v1/events", {"events": [dislike]}),
            post("/v1/recommend", {"user": "fay", "k": 16}),
        )
    assert "i04" not in {item["id"] for item in answer.json()["items"]}


def test_milliseconds_are_told(tmp_path):
    with running_app(tmp_path) as app:
        event = {"id": "1", "user": "u", "item": "i00", "time": int(time.time() * 1000)}
        told = asking(app, post("/v1/events", {"events": [event]}))[0]
    assert told.status_code == 422
    assert "divide by 1000" in told.json()["rule"]


def test_ids_conflicts_and_taking_back_over_http(tmp_path):
    with EventStore.open(str(tmp_path / "events.db")) as store:
        shop = store.keys.create("shop", ["write"])
        rotated = store.keys.create("shop", ["write"])
        other = store.keys.create("other", ["write", "read"])
    event = {"id": "e", "user": "ana", "item": "i00"}
    with running_app(tmp_path, keys=True) as app:

        def sent(key, **change):
            headers = {"x-api-key": key}
            return asking(
                app, ("POST", "/v1/events", {"json": {"events": [event | change]}, "headers": headers})
            )[0]

        def undone(key, user="ana"):
            keywords = {"headers": {"x-api-key": key}, "params": {"user": user}}
            return asking(app, ("DELETE", "/v1/events/e", keywords))[0]

        assert sent(shop).json() == {"accepted": 1, "known": 0}
        assert sent(rotated).json() == {"accepted": 0, "known": 1}  # the same client
        assert sent(other, item="i01").json() == {"accepted": 1, "known": 0}
        assert sent(shop, user="bob", item="i02").json() == {"accepted": 1, "known": 0}
        conflict = sent(shop, item="i03")
        assert conflict.status_code == 409
        assert conflict.json()["type"] == "urn:butaca:problem:conflict"
        assert "'i00'" in conflict.json()["received"]
        assert undone(shop, user="nobody").json()["removed"] == 0
        assert undone(rotated).json() == {"id": "e", "user": "ana", "removed": 1}
        assert [e.item for e in app.service.store.history("ana")] == ["i01"]
        answer = asking(
            app,
            ("POST", "/v1/recommend", {"json": {"user": "ana", "k": 16}, "headers": {"x-api-key": other}}),
        )
        assert "i00" in {item["id"] for item in answer[0].json()["items"]}
        alone = asking(app, ("DELETE", "/v1/events/e", {"headers": {"x-api-key": shop}}))[0]
        assert alone.json() == {"id": "e", "user": "bob", "removed": 1}
        sent(shop)
        sent(shop, user="bob")
        several = asking(app, ("DELETE", "/v1/events/e", {"headers": {"x-api-key": shop}}))[0]
        assert several.status_code == 409


def test_two_people_erased_who_had_the_same_id_are_told_apart(tmp_path):
    event = {"id": "c1", "user": "carl", "item": "i00"}
    with running_app(tmp_path) as app:
        *_, again, dora = asking(
            app,
            post("/v1/events", {"events": [event]}),
            ("DELETE", "/v1/users/carl"),
            ("DELETE", "/v1/users/dora"),
            post("/v1/events", {"events": [event]}),
            post("/v1/events", {"events": [event | {"user": "dora"}]}),
        )
        assert again.json() == {"accepted": 0, "known": 1}  # a retry brings nothing back
        assert dora.json() == {"accepted": 1, "known": 0}
        assert len(app.service.store.history("dora")) == 1


@pytest.mark.parametrize(
    "path",
    ["//v1/users/ana/history", "/V1/users/ana", "/v1/Users/ana", "/v1/usersx/ana", "/x/ana",
     "/v1/items/../users/ana", "/v1/users/ana/history/", "/v1%2Fusers%2Fana", "/v1/events/ana",
     "/v1/items/%2e%2e/%75sers/ana", "/static/../v1/users/ana"],
)  # fmt: skip
def test_no_spelling_of_a_path_leaves_a_name_in_the_log(path):
    assert "ana" not in logged(path)


def test_utf_8_with_a_byte_order_mark_is_utf_8(tmp_path):
    with running_app(tmp_path) as app:
        keywords = {"content": b"\xef\xbb\xbf{}", "headers": {"content-type": "application/json"}}
        assert asking(app, ("POST", "/v1/recommend", keywords))[0].status_code == 200


@pytest.mark.parametrize("sign", ["(", "🎬", "( (", "\u0301", "!?"])
def test_a_search_for_signs_finds_what_has_them_or_nothing(sign):
    catalogue = small().catalogue
    found = [catalogue.titles[code] for code in catalogue.search(sign)]
    has = [title for title in catalogue.titles if all(part in title for part in sign.split())]
    assert set(found) <= set(has)
    assert len(found) == min(len(has), 10)
    assert len(catalogue.search("  ")) == 10


def test_the_noscript_names_pages_that_exist(tmp_path):
    with running_app(tmp_path) as app:
        for page in asking(app, ("GET", "/"), ("GET", "/state")):
            told = re.findall(r"<noscript>(.*?)</noscript>", page.text, flags=re.S)[0]
            for path in re.findall(r"(/[a-z0-9][\w/.]*\w)", re.sub(r"<[^>]*>", " ", told)):
                if path != "/v1":
                    assert asking(app, ("GET", path))[0].status_code == 200, path


def test_logged_lists_are_pruned_and_events_are_not(tmp_path):
    with running_app(tmp_path, keep_lists="1h") as app:
        store, now = app.service.store, int(time.time())
        store.log_recommendations(
            [
                Shown("old", "u", now - 7200, "m", None, "user", ("i00",)),
                Shown("new", "u", now, "m", None, "user", ("i00",)),
            ]
        )
        store.add([Event("e", "u", "i00", time=now - 7200)])
        app.service._prune_at = 0.0
        app.service._prune()
        with store._database.read() as connection:
            left = connection.exec_driver_sql("SELECT request_id FROM recommendations").scalars().all()
        assert left == ["new"]
        assert store.count() == 1
        metrics = asking(app, ("GET", "/metrics"))[0].text
        assert "butaca_pruned_lists_total 1.0" in metrics
