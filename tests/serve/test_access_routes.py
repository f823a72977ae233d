"""Who may call what: every route there is, with every kind of key, over HTTP."""

from __future__ import annotations

import pytest

from butaca.events.store import EventStore
from tests.support.serving import asking, running_app, small

#: Of every route in the OpenAPI document the scope that it needs; None: open to all. A new route fails
#: the tests until somebody has decided, and written it here and in docs/service.md.
ROUTES = {
    "POST /v1/recommend": "read",
    "GET /v1/items": "read",
    "GET /v1/items/{id}": "read",
    "GET /v1/items/{id}/similar": "read",
    "GET /v1/filters": "read",
    "GET /v1/filters/{column}": "read",
    "GET /v1/map": "read",
    "POST /v1/events": "write",
    "DELETE /v1/events/{id}": "write",
    "GET /v1/users/{id}/history": "read",
    "DELETE /v1/users/{id}": "admin",
    "GET /v1/models": "read",
    "POST /v1/models/{version}/activate": "admin",
    "GET /v1/experiments": "read",
    "GET /v1/state": "read",
    "GET /metrics": "read",
    "GET /health/live": None,
    "GET /health/ready": None,
}

#: And of those that are not in it, all of them open.
PAGE = {"/", "/state", "/static/{path:path}", "/openapi.json"}

BODIES = {"POST /v1/events": {"events": [{"id": "1", "user": "u", "item": "i00"}]}}
VALUES = {"{column}": "genres", "{id}": "i00", "{version}": "memory-small"}

#: Which keys open what needs a scope.
OPENS = {
    "read": {"read", "read and write", "admin"},
    "write": {"write", "read and write", "admin"},
    "admin": {"admin"},
    None: {"none", "wrong", "revoked", "read", "write", "read and write", "admin"},
}


@pytest.fixture(scope="module")
def keys():
    return {}


@pytest.fixture(scope="module")
def app(tmp_path_factory, keys):
    folder = tmp_path_factory.mktemp("keys")
    with EventStore.open(str(folder / "events.db")) as store:
        for scope in ("read", "write", "admin"):
            keys[scope] = store.keys.create(scope, [scope])
        keys["read and write"] = store.keys.create("both", ["read", "write"])
        keys["revoked"] = store.keys.create("revoked", ["read", "write", "admin"])
        store.keys.revoke(keys["revoked"].split("_")[1])
    last = keys["admin"][-1]
    keys["wrong"] = keys["admin"][:-1] + ("1" if last == "0" else "0")
    with running_app(folder, {"small": small()}, keys=True, rate=0.0) as made:
        yield made


def asked(route, key, **more):
    method, path = route.split()
    for name, value in VALUES.items():
        path = path.replace(name, value)
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    if method in {"POST", "PUT", "PATCH"}:
        more["json"] = BODIES.get(route, {})
    if path.startswith("/v1/events/"):
        more["params"] = {"user": "u"}
    return method, path, {"headers": headers, **more}


def test_every_route_of_the_document_has_a_scope_here(app):
    (answer,) = asking(app, ("GET", "/openapi.json"))
    found = {
        f"{method.upper()} {path}"
        for path, operations in answer.json()["paths"].items()
        for method in operations
    }
    assert found == set(ROUTES)


def test_every_route_that_is_not_in_the_document_is_of_the_page(app):
    documented = {route.split()[1] for route in ROUTES}
    found = {route.path_format if "path:" not in route.path else route.path for route in every_route(app)}
    assert found - {path.replace(":segment", "") for path in documented} == PAGE


def every_route(app):
    """Routes of the router, those within included routers too."""
    waiting, found = [*app.app.routes], []
    while waiting:
        route = waiting.pop()
        inner = getattr(route, "original_router", None) or getattr(route, "router", None)
        if inner is not None:
            waiting += inner.routes
        else:
            found.append(route)
    return found


@pytest.mark.parametrize("route", ROUTES)
def test_a_route_opens_to_the_keys_with_its_scope_and_to_no_other(app, keys, route):
    kinds = ["none", *keys]
    answers = asking(app, *(asked(route, keys.get(kind)) for kind in kinds))
    opened = OPENS[ROUTES[route]]
    expected = {
        kind: 200 if kind in opened else 401 if kind in {"none", "wrong", "revoked"} else 403
        for kind in kinds
    }
    assert {kind: answer.status_code for kind, answer in zip(kinds, answers, strict=True)} == expected
    for answer in answers:
        if answer.status_code != 200:
            assert answer.headers["content-type"] == "application/problem+json"
        if answer.status_code == 403:
            assert f"--scope {ROUTES[route]}" in answer.json()["cure"]


@pytest.mark.parametrize("path", sorted(PAGE))
def test_the_page_is_open(app, path):
    (answer,) = asking(app, ("GET", path.replace("{path:path}", "base.css")))
    assert answer.status_code == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "X"])
def test_no_method_that_a_path_does_not_have_opens_it(app, keys, method):
    """Without a key nothing that needs one is done; a read key reads and does nothing else."""
    paths = {route.split()[1] for route, scope in ROUTES.items() if scope is not None}
    tried = [f"{method} {path}" for path in sorted(paths)]
    without = asking(app, *(asked(route, None) for route in tried))
    assert {answer.status_code for answer in without} <= {401, 405}
    reading = asking(app, *(asked(route, keys["read"]) for route in tried))
    for route, answer in zip(tried, reading, strict=True):
        known = route.replace("HEAD", "GET")  # HEAD works where GET does
        assert (answer.status_code == 200) == (ROUTES.get(known) == "read"), route


@pytest.mark.parametrize(
    "path",
    [
        "//v1/models", "/v1/models/", "/V1/models", "/v1//models", "/./v1/models", "/static/../v1/models",
        "/static/..%2F..%2Fv1%2Fmodels", "/health/..%2Fv1%2Fmodels", "/health/live/../../v1/models",
        "/v1%2Fmodels", "/%76%31/models", "/v1/models;/health/", "/v1/models%00", "/v1/models%3F",
        "/state/../v1/models", "/openapi.json/../v1/models", "/static/v1/models", "/metrics/", "/%6Detrics",
    ],
)  # fmt: skip
def test_no_spelling_of_a_path_goes_around_its_key(app, keys, path):
    open_one, keyed = asking(
        app, ("GET", path), ("GET", path, {"headers": {"authorization": f"Bearer {keys['admin']}"}})
    )
    assert open_one.status_code in {401, 404, 405}
    assert "butaca_requests_total" not in open_one.text
    assert '"version"' not in open_one.text
    assert keyed.status_code in {404, 405, 422} or open_one.status_code == 401


def test_the_key_may_come_in_either_header_and_in_no_other_place(app, keys):
    key = keys["read"]
    given = [
        {"headers": {"authorization": f"Bearer {key}"}},
        {"headers": {"authorization": f"bearer {key}"}},
        {"headers": {"x-api-key": key}},
        {"headers": {"authorization": f"Basic {key}"}},
        {"headers": {"authorization": key}},
        {"headers": {"cookie": f"x-api-key={key}"}},
        {"params": {"x-api-key": key, "key": key, "authorization": f"Bearer {key}"}},
    ]
    answers = asking(app, *(("GET", "/v1/map", one) for one in given))
    assert [answer.status_code for answer in answers] == [200] * 3 + [401] * 4
