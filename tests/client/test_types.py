"""The types of both clients are those of the OpenAPI document, and every route of it has a call."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest
from clients.generate import PYTHON, TYPESCRIPT, as_python, as_typescript, document

from butaca.client import AsyncClient, Client, calls

WRITE = "run: python -m clients.generate"


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    return document()


def test_python_has_the_types_of_the_document(made: dict[str, Any]) -> None:
    assert PYTHON.read_text(encoding="utf-8") == as_python(made), WRITE


def test_typescript_has_the_types_of_the_document(made: dict[str, Any]) -> None:
    assert TYPESCRIPT.read_text(encoding="utf-8") == as_typescript(made), WRITE


def test_a_field_more_is_noticed(made: dict[str, Any]) -> None:
    schemas = made["components"]["schemas"]
    more = {**schemas["Moved"], "properties": {**schemas["Moved"]["properties"], "why": {"type": "string"}}}
    changed = {**made, "components": {"schemas": {**schemas, "Moved": more}}}
    assert '"why": NotRequired[str],' in as_python(changed)
    assert "  why?: string;" in as_typescript(changed)


def routes(made: dict[str, Any]) -> set[str]:
    return {f"{method.upper()} {path}" for path, methods in made["paths"].items() for method in methods}


def test_python_calls_every_route(made: dict[str, Any]) -> None:
    said: list[calls.Call[Any]] = [
        calls.recommend({}),
        calls.items("", limit=1, model=None),
        calls.item("{id}", model=None),
        calls.similar("{id}", k=1, model=None),
        calls.filters(None),
        calls.values("{column}", query="", limit=1, model=None),
        calls.catalogue_map(None),
        *calls.send([{"id": "1", "user": "u", "item": "i"}]),
        calls.undo("{id}", user=None),
        calls.history("{id}"),
        calls.erase("{id}"),
        calls.models(),
        calls.activate("{version}"),
        calls.experiments(),
        calls.state(),
        calls.metrics(),
        calls.health(ready=True),
        calls.health(ready=False),
    ]
    assert {f"{one.method} {one.path.replace('%7B', '{').replace('%7D', '}')}" for one in said} == routes(
        made
    )
    for one in said:
        path = one.path.replace("%7B", "{").replace("%7D", "}")
        known = made["paths"][path][one.method.lower()].get("parameters", ())
        assert set(one.params) == {p["name"] for p in known if p["in"] == "query"}, path


def test_typescript_calls_every_route(made: dict[str, Any]) -> None:
    text = (TYPESCRIPT.parent / "client.ts").read_text(encoding="utf-8")
    found = re.findall(r'this\.ask(?:<\w+>)?\("(\w+)", [`"]([^`"]+)[`"]', text)
    said = {" ".join((method, re.sub(r"\$\{part\(\w+\)\}", "{}", path))) for method, path in found}
    assert said == {re.sub(r"\{\w+\}", "{}", route) for route in routes(made)}


def test_both_python_clients_have_the_same_methods() -> None:
    def methods(kind: type) -> dict[str, str]:
        found = inspect.getmembers(kind, inspect.isfunction)
        return {name: str(inspect.signature(f)) for name, f in found if not name.startswith("_")}

    assert methods(Client) == methods(AsyncClient)
    assert len(methods(Client)) == 19  # the routes, and close
    same = {n for n in methods(Client) if getattr(Client, n).__doc__ == getattr(AsyncClient, n).__doc__}
    assert same == set(methods(Client))
