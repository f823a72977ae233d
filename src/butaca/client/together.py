"""This module asks a service from asyncio, many requests together."""

from __future__ import annotations

from asyncio import sleep
from collections.abc import Sequence
from time import monotonic
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

import httpx

from butaca.client import calls
from butaca.client.answering import Tries, check_address, headers_of, passes, request_of, value_of
from butaca.client.calls import AnyId, Call
from butaca.client.types import (
    Activated,
    ErasedAnswer,
    EventIn,
    EventsAnswer,
    ExperimentsAnswer,
    FiltersAnswer,
    Health,
    HistoryAnswer,
    ItemFull,
    ItemList,
    MapAnswer,
    ModelsAnswer,
    RecommendAnswer,
    RecommendRequest,
    SimilarAnswer,
    UndoneAnswer,
    ValuesAnswer,
)

Answer = TypeVar("Answer")


class AsyncClient:
    """An AsyncClient asks a service from asyncio, and tries again where that is safe, which here is always.

    A read changes nothing, an event has its id, and what is taken back, erased or activated is so only once.

    >>> AsyncClient("localhost")
    Traceback (most recent call last):
        ...
    butaca.errors.SettingError: An address begins with http:// or https://. Received: 'localhost'. \
Write http://127.0.0.1:8000.

    Args:
        url: where the service is, with the prefix that a proxy gives it.
        key: an API key, where the service needs one.
        timeout: seconds for one try.
        patience: seconds for all tries of a request; 0 tries once.
        transport: of httpx, such as an application in this process.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        *,
        key: str | None = None,
        timeout: float = 10.0,
        patience: float = 30.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        check_address(url)
        self._tries = Tries(timeout, patience)
        self._http = httpx.AsyncClient(
            base_url=url, headers=headers_of(key), timeout=timeout, transport=transport
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes its connections."""
        await self._http.aclose()

    async def _ask(self, call: Call[Answer]) -> Answer:
        """Asks until there is an answer that will not pass, or no time is left."""
        begun, tries = monotonic(), 0
        while True:
            tries += 1
            try:
                answer: httpx.Response | httpx.TransportError = await self._http.send(
                    request_of(call, self._http)
                )
            except httpx.TransportError as error:
                answer = error
            asked = passes(answer)
            wait = None
            if asked is not None:
                wait = self._tries.wait(tries, passed=monotonic() - begun, asked=asked)
            if wait is None:
                return value_of(call, answer)
            await sleep(wait)

    async def recommend(self, **asked: Unpack[RecommendRequest]) -> RecommendAnswer:
        """Returns a list for anyone: `user=`, `history=`, both or neither, and what else the route takes."""
        return await self._ask(calls.recommend(asked))

    async def items(self, query: str = "", *, limit: int = 20, model: str | None = None) -> ItemList:
        """Returns items by how a title begins; without a query the popular ones."""
        return await self._ask(calls.items(query, limit=limit, model=model))

    async def item(self, item: AnyId, *, model: str | None = None) -> ItemFull:
        """Returns an item with its features, by id or title."""
        return await self._ask(calls.item(item, model=model))

    async def similar(self, item: AnyId, *, k: int = 10, model: str | None = None) -> SimilarAnswer:
        """Returns the items most like one."""
        return await self._ask(calls.similar(item, k=k, model=model))

    async def filters(self, *, model: str | None = None) -> FiltersAnswer:
        """Returns the columns that `where` takes."""
        return await self._ask(calls.filters(model))

    async def values(
        self, column: str, query: str = "", *, limit: int = 20, model: str | None = None
    ) -> ValuesAnswer:
        """Returns labels of a column, those of the most items first."""
        return await self._ask(calls.values(column, query=query, limit=limit, model=model))

    async def map(self, *, model: str | None = None) -> MapAnswer:
        """Returns every item's place on the map."""
        return await self._ask(calls.catalogue_map(model))

    async def send(self, events: Sequence[EventIn]) -> EventsAnswer:
        """Stores what people did, any number of events; `event` makes one.

        What got its answer is on disk. A batch that is sent again, here or by you, is stored once.
        """
        total: EventsAnswer = {"accepted": 0, "known": 0}
        for call in calls.send(events):
            answer = await self._ask(call)
            total["accepted"] += answer["accepted"]
            total["known"] += answer["known"]
        return total

    async def undo(self, event_id: str, *, user: AnyId | None = None) -> UndoneAnswer:
        """Takes back an event that this client sent; `user` says whose, where several have this id."""
        return await self._ask(calls.undo(event_id, user=user))

    async def history(self, user: AnyId) -> HistoryAnswer:
        """Returns what is known of a person, latest first."""
        return await self._ask(calls.history(user))

    async def erase(self, user: AnyId) -> ErasedAnswer:
        """Erases a person."""
        return await self._ask(calls.erase(user))

    async def models(self) -> ModelsAnswer:
        """Returns the versions that are loaded, or could be."""
        return await self._ask(calls.models())

    async def activate(self, version: str) -> Activated:
        """Lets a version answer."""
        return await self._ask(calls.activate(version))

    async def experiments(self) -> ExperimentsAnswer:
        """Returns the online comparison, with intervals."""
        return await self._ask(calls.experiments())

    async def state(self) -> dict[str, Any]:
        """Returns what the state page shows."""
        return await self._ask(calls.state())

    async def metrics(self) -> str:
        """Returns the metrics, as Prometheus reads them."""
        return await self._ask(calls.metrics())

    async def live(self) -> Health:
        """Says that the process answers."""
        return await self._ask(calls.health(ready=False))

    async def ready(self) -> Health:
        """Says that an event could be stored now."""
        return await self._ask(calls.health(ready=True))
