"""Two services on one event store, SQLite and PostgreSQL: each sees what the other was told."""

from __future__ import annotations

import asyncio
import contextlib
import random

import pytest

from butaca.events.store import EventStore
from butaca.serve.app import create_app
from butaca.serve.registry import Registry
from butaca.serve.settings import ServeSettings
from tests.support.serving import client, small


@pytest.fixture
def apps(database):
    made = []
    for _ in range(2):
        registry = Registry.of({"a": small(0), "b": small(1)}, {"a": 0.5, "b": 0.5})
        made.append(create_app(registry, EventStore.open(database), settings=ServeSettings(staleness=0.05)))
        made[-1].service.start()
    yield made
    for app in made:
        app.service.close()


def together(apps, talk):
    """Runs a conversation with both, each following what the other writes."""

    async def run():
        async with contextlib.AsyncExitStack() as stack:
            both = [await stack.enter_async_context(client(app, timeout=30)) for app in apps]
            await talk(*both)

    asyncio.run(asyncio.wait_for(run(), 60))


async def soon(ask, wanted):
    """Asks until the answer is the wanted one."""
    for _ in range(200):
        if (found := await ask()) == wanted:
            return
        await asyncio.sleep(0.02)
    assert found == wanted


def test_the_same_ids_sent_to_both_at_once_are_stored_once(apps):
    batches = [
        [{"id": f"{b}-{n}", "user": f"u{n:02d}", "item": f"i{b:02d}", "time": b} for n in range(20)]
        for b in range(12)
    ]

    async def talk(*both):
        async def send(http, seed):
            taken = 0
            for batch in random.Random(seed).sample(batches, len(batches)):
                events = random.Random(seed).sample(batch, len(batch))
                answer = await http.post("/v1/events", json={"events": events})
                told = answer.json()
                assert told["accepted"] + told["known"] == len(batch)
                taken += told["accepted"]
            return taken

        taken = await asyncio.gather(*(send(http, seed) for seed, http in enumerate([*both, *both])))
        assert sum(taken) == 12 * 20
        one, other = [(await http.get("/v1/users/u07/history")).json() for http in both]
        assert one == other
        assert sum(entry["from"] == "events" for entry in one["items"]) == 12

    together(apps, talk)


def test_what_one_is_told_the_other_knows_soon(apps):
    """An event, a list and what came of it, an erasure."""

    async def talk(one, other):
        async def source(http=other):
            return (await http.post("/v1/recommend", json={"user": "ana", "k": 2})).json()["source"]

        assert [await source(one), await source()] == ["popularity"] * 2  # remembered by both
        shown = (await one.post("/v1/recommend", json={"user": "ana", "k": 2})).json()
        event = {
            "id": "e",
            "user": "ana",
            "item": shown["items"][0]["id"],
            "request_id": shown["request_id"],
        }
        assert (await other.post("/v1/events", json={"events": [event]})).json()["accepted"] == 1
        assert await source() == "user"  # whoever acknowledged it knows at once
        await soon(lambda: source(one), "user")

        async def counted(at):
            apps[at].service.experiment = (0.0, {})  # as some seconds later
            arms = (await (one, other)[at].get("/v1/experiments")).json()["arms"]
            return [arm["with_event"] for arm in arms if arm["name"] == shown["arm"]]

        for at in (0, 1):
            await soon(lambda at=at: counted(at), [1])
        assert (await one.delete("/v1/users/ana")).json()["erased"]["events"] == 1
        assert await source(one) == "popularity"
        await soon(source, "popularity")

        async def history():
            return (await other.get("/v1/users/ana/history")).json()

        await soon(history, {"user": "ana", "erased": True, "items": []})
        again = await other.post("/v1/events", json={"events": [event]})
        assert again.json() == {"accepted": 0, "known": 1}  # a retry brings nothing back

    together(apps, talk)
