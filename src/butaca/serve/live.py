"""This module keeps what people did since training in memory, so that it counts in the next request.

What this process acknowledged is seen by the very next request. What another process wrote is seen when the
store is asked, every `staleness` seconds, whose events changed; only those people are read again.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass

from butaca.errors import ButacaError
from butaca.events.changes import Mark
from butaca.events.records import NEGATIVE_KINDS, Event
from butaca.recommend.person import Given
from butaca.serve.ports import Store
from butaca.serve.telemetry import log

#: Events of one person that count, the latest.
HISTORY_MAX = 1_000

#: Events remembered for each person that may be, taken together: few have many. One is about 200 bytes.
EACH = 10


@dataclass(frozen=True, slots=True)
class LivePerson:
    """A LivePerson holds what the store knows of one person.

    Attributes:
        had: items of events that say yes, with value and time, oldest first, each item once.
        less: items that the person said no to.
        said: both in their order, each with whether it is a yes; only where there is a no.
        erased: whether what the models learned of the person must not be used.
    """

    had: tuple[Given, ...] = ()
    less: tuple[str, ...] = ()
    said: tuple[tuple[Given, bool], ...] = ()
    erased: bool = False

    def in_catalogue(self, code_of: Callable[[str], int | None]) -> tuple[tuple[Given, ...], tuple[str, ...]]:
        """Returns what was had and what is unwanted: the last word on each item, by id or title, counts."""
        if not self.less:
            return self.had, ()
        last: dict[int | str, tuple[Given, bool]] = {}
        for given, yes in self.said:
            code = code_of(given.item)
            key = given.item if code is None else code
            last.pop(key, None)
            last[key] = given, yes
        words = last.values()
        return tuple(g for g, yes in words if yes), tuple(g.item for g, yes in words if not yes)


def person_of(events: Iterable[Event], erased: bool) -> LivePerson:
    """Sums up events as a person: the last word on each item counts."""
    last: dict[str, tuple[Given, bool]] = {}
    for event in events:
        last.pop(event.item, None)
        given = Given(event.item, event.value, event.time)
        last[event.item] = given, event.kind not in NEGATIVE_KINDS
    words = tuple(last.values())
    had = tuple(given for given, yes in words if yes)
    less = tuple(given.item for given, yes in words if not yes)
    return LivePerson(had, less, words if less else (), erased)


def _events_of(person: LivePerson) -> int:
    return len(person.had) + len(person.less)


class Live:
    """A Live is a bounded memory of people's events, in front of the store.

    Args:
        store: what is remembered of.
        threads: where it is read, if that takes long.
        size: people remembered, with `EACH` events for each of them taken together; the longest remembered
            are forgotten first.
        staleness: seconds until what another process wrote is seen.

    Attributes:
        events: remembered, of all people.
    """

    def __init__(self, store: Store, threads: Executor, *, size: int, staleness: float) -> None:
        self._store, self._threads = store, threads
        self._local = store.local  # a fifth of a millisecond in a file; a thread would wait for its turn
        self._size, self._staleness = size, max(staleness, 0.05)
        self._most_events = max(size * EACH, HISTORY_MAX)
        self._people: OrderedDict[str, LivePerson] = OrderedDict()
        self.events = 0
        self._reading: dict[str, asyncio.Future[LivePerson]] = {}

    def __len__(self) -> int:
        return len(self._people)

    def at_hand(self, user: str) -> LivePerson | None:
        """Returns what is remembered of a person, without waiting; None where nothing is."""
        return self._people.get(user)

    async def of(self, user: str) -> LivePerson:
        """Returns what the store holds of a person; one task reads it, however many ask."""
        found = self.at_hand(user)
        if found is not None:
            return found
        if self._local:
            return self._keep(user, self._read(user))
        reading = self._reading.get(user)
        if reading is None:
            loop = asyncio.get_running_loop()
            reading = loop.run_in_executor(self._threads, self._read, user)
            self._reading[user] = reading
            reading.add_done_callback(lambda done: self._read_done(user, done))
        return await asyncio.shield(reading)

    def _read(self, user: str) -> LivePerson:
        return person_of(self._store.history(user, HISTORY_MAX), self._store.erased(user))

    def _read_done(self, user: str, done: asyncio.Future[LivePerson]) -> None:
        if self._reading.get(user) is not done:  # something was written meanwhile: what it read may be old
            return
        del self._reading[user]
        if done.cancelled() or done.exception() is not None:
            return
        self._keep(user, done.result())

    def _keep(self, user: str, person: LivePerson) -> LivePerson:
        self._drop(user)
        self._people[user] = person
        self.events += _events_of(person)
        while len(self._people) > self._size or self.events > self._most_events:
            self._drop(next(iter(self._people)))
        return person

    def _drop(self, user: str) -> None:
        person = self._people.pop(user, None)
        if person is not None:
            self.events -= _events_of(person)

    def forget(self, users: Iterable[str] | None) -> None:
        """Forgets these people, or everyone, so that they are read again: something of theirs was written."""
        for user in (*self._people, *self._reading) if users is None else users:
            self._drop(user)
            self._reading.pop(user, None)

    async def follow(self) -> None:
        """Forgets, for as long as the service runs, whoever another process wrote about."""
        loop = asyncio.get_running_loop()
        mark: Mark | None = None
        failing = False
        while True:
            try:
                changes = await loop.run_in_executor(self._threads, self._store.changes, mark)
                if mark is None or failing:  # what was read before the mark may be old
                    self.forget(None)
                else:
                    self.forget(changes.users)
                mark, failing = changes.mark, False
            except ButacaError as error:  # what is remembered stands until the store is back
                if not failing:
                    log.error("changes in the event store not seen", error=str(error))
                failing = True
            except Exception:  # whatever it was, others' events must not stay unseen until a restart
                if not failing:
                    log.exception("changes in the event store not seen")
                failing = True
            await asyncio.sleep(self._staleness)
