"""The Python client on a real service: what it sends and gets, and what it tries again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from butaca.client import AsyncClient, Client, ServiceError, event
from butaca.client.answering import LONGEST_WAIT, Tries
from butaca.errors import SettingError
from tests.support.serving import listening, running_app, small


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    models = {"a": small(0), "b": small(1)}
    folder = tmp_path_factory.mktemp("client")
    with running_app(folder, models, {"a": 0.5, "b": 0.5}) as app, listening(app) as at:
        yield at


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits between tries, which no test sits out."""
    found: list[float] = []
    monkeypatch.setattr("butaca.client.one_by_one.sleep", found.append)

    async def noted(seconds: float) -> None:
        found.append(seconds)

    monkeypatch.setattr("butaca.client.together.sleep", noted)
    return found


def test_every_route_answers(url: str) -> None:
    with Client(url) as service:
        answer = service.recommend(history=["Film 0 (1950)"], k=3, explain=True)
        assert answer["source"] == "history"
        assert [len(answer["items"]), *answer["history"]] == [3, "Film 0 (1950)"]
        assert service.items("film 1", limit=2)["items"][0]["title"].startswith("Film 1")
        assert service.item("Film 3 (1953)")["features"]["year"] == 1953
        assert len(service.similar("i00", k=4)["items"]) == 4
        assert {c["name"] for c in service.filters()["columns"]} >= {"genres", "year"}
        assert service.values("genres", "od")["values"] == [{"value": "odd", "count": 8}]
        assert len(service.map()["items"]) == 16
        first = event("ana", "i01", kind="rate", value=5, time=1_700_000_000, request_id=answer["request_id"])
        assert service.send([first, event("ana", "i03")]) == {"accepted": 2, "known": 0}
        assert [e["id"] for e in service.history("ana")["items"]] == ["i03", "i01"]
        assert service.undo(first["id"], user="ana")["removed"] == 1
        assert service.erase("ana")["erased"]["events"] == 1
        version = service.models()["models"][0]["version"]
        assert service.activate(version)["version"] == version
        assert {arm["name"] for arm in service.experiments()["arms"]} == {"a", "b"}
        assert service.state()
        assert "butaca_requests_total" in service.metrics()
        assert [service.live()["status"], service.ready()["status"]] == ["live", "ready"]


def test_asyncio_asks_many_at_a_time(url: str) -> None:
    async def run() -> list[Any]:
        async with AsyncClient(url) as service:
            lists = await asyncio.gather(*(service.recommend(user=f"u{u:02d}", k=1) for u in range(8)))
            sent = await service.send([event("eva", "i02")])
            with pytest.raises(ServiceError, match="eva"):
                await service.item("eva")
            return [*(answer["user"] for answer in lists), sent["accepted"]]

    assert asyncio.run(run()) == [*(f"u{u:02d}" for u in range(8)), 1]


def test_an_id_in_a_path_may_hold_anything(url: str) -> None:
    with Client(url) as service:
        odd = event("a/b?c#d é", "i01", id="x/1")
        service.send([odd])
        assert service.history("a/b?c#d é")["user"] == "a/b?c#d é"
        assert service.undo("x/1")["removed"] == 1


class Losing(httpx.BaseTransport):
    """A transport that loses the first few answers, after the service gave them."""

    def __init__(self, lost: int) -> None:
        self.real, self.left = httpx.HTTPTransport(), lost

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self.real.handle_request(request)
        if self.left:
            self.left -= 1
            answer.read()
            raise httpx.ReadTimeout("lost", request=request)
        return answer

    def close(self) -> None:
        self.real.close()


def test_events_whose_answer_was_lost_are_sent_again_and_stored_once(url: str, waits: list[float]) -> None:
    sent = [event("leo", f"i{i:02d}") for i in range(4)]
    with Client(url, transport=Losing(2)) as service:
        assert service.send(sent) == {"accepted": 0, "known": 4}  # the first of three tries stored them
        assert len(service.history("leo")["items"]) == 4
    assert len(waits) == 2


def test_more_events_than_a_service_takes_at_once_go_in_batches() -> None:
    sizes = []

    def take(request: httpx.Request) -> httpx.Response:
        import json

        ids = [e["id"] for e in json.loads(request.content)["events"]]
        sizes.append(len(set(ids)))
        return httpx.Response(200, json={"accepted": len(ids), "known": 0})

    with Client(transport=httpx.MockTransport(take)) as service:
        assert service.send([event("u", "i") for _ in range(2_500)])["accepted"] == 2_500
    assert sizes == [1_000, 1_000, 500]


def failing(
    *answers: httpx.Response | Exception,
) -> tuple[Callable[[httpx.Request], httpx.Response], list[str]]:
    """A service that answers so, then well; and what it was asked."""
    asked: list[str] = []
    left = list(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        one = left.pop(0) if left else httpx.Response(200, json={"status": "live"})
        if isinstance(one, Exception):
            raise one
        return one

    return answer, asked


PROBLEM = {
    "type": "urn:butaca:problem:unknown-entity",
    "rule": "An item is known",
    "received": "x",
    "cure": "Look",
    "request_id": "r1",
    "errors": [{"loc": ["body"]}],
}


@pytest.mark.parametrize(
    ("status", "after"),
    [(429, "3"), (503, "3"), (502, None), ("refused", None), ("late", None)],
)
def test_what_passes_is_tried_again(status: int | str, after: str | None, waits: list[float]) -> None:
    def passing() -> httpx.Response | Exception:
        if isinstance(status, str):
            return httpx.ConnectError(status) if status == "refused" else httpx.ReadTimeout(status)
        return httpx.Response(status, headers={} if after is None else {"retry-after": after})

    answer, asked = failing(passing(), passing())
    with Client(transport=httpx.MockTransport(answer)) as service:
        assert service.live() == {"status": "live"}
    assert len(asked) == 3
    least = float(after or 0)
    assert all(least + 0.05 <= wait <= least + LONGEST_WAIT for wait in waits)

    answer, asked = failing(passing(), passing())

    async def run() -> None:
        async with AsyncClient(transport=httpx.MockTransport(answer)) as service:
            await service.live()

    asyncio.run(run())
    assert len(asked) == 3


def test_what_does_not_pass_is_told_at_once(waits: list[float]) -> None:
    answer, asked = failing(httpx.Response(404, json=PROBLEM))
    with (
        Client(transport=httpx.MockTransport(answer)) as service,
        pytest.raises(ServiceError, match=r"An item is known\. Received: x\. Look\.") as caught,
    ):
        service.live()
    error = caught.value
    assert (error.status, error.kind, error.request_id, len(error.errors)) == (404, "unknown-entity", "r1", 1)
    assert (len(asked), waits) == (1, [])


def test_a_wait_that_is_too_long_is_not_begun(waits: list[float]) -> None:
    answer, asked = failing(httpx.Response(429, headers={"retry-after": "60"}, text="a proxy's words"))
    with (
        Client(transport=httpx.MockTransport(answer), patience=30) as service,
        pytest.raises(ServiceError, match="429") as caught,
    ):
        service.live()
    assert (caught.value.status, len(asked), waits) == (429, 1, [])


def test_nobody_at_the_address(waits: list[float]) -> None:
    with (
        Client("http://127.0.0.1:9", patience=0) as service,
        pytest.raises(ServiceError, match="butaca serve") as caught,
    ):
        service.live()
    assert (caught.value.status, waits) == (0, [])


def test_waits_grow_and_end() -> None:
    tries = Tries(timeout=1, total=100)
    waits = [tries.wait(n, passed=0, asked=0) for n in (1, 3, 50)]
    for wait, (low, high) in zip(waits, [(0.05, 0.1), (0.2, 0.4), (2.5, 5.0)], strict=True):
        assert wait is not None
        assert low <= wait <= high
    assert tries.wait(1, passed=100, asked=0) is None


def test_a_key_goes_with_every_request_and_settings_are_checked() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, text=request.headers["authorization"])

    with Client(key="word", transport=httpx.MockTransport(answer)) as service:
        assert service.metrics() == "Bearer word"
    with pytest.raises(SettingError, match="timeout=0"):
        Client(timeout=0)
