"""This module keeps what people did since training in memory, so that it counts in the next request.

What this process acknowledged is seen by the very next request. What another process wrote is seen when the
store is asked, every `staleness` seconds, whose events changed; only those people are read again.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass

from butaca.errors import StoreError
from butaca.events.changes import Mark
from butaca.events.records import NEGATIVE_KINDS, Event
from butaca.recommend.person import Given
from butaca.serve.http.problems import Problem
from butaca.serve.pools import WaitPool
from butaca.serve.ports import Store

#: Events of one person that count, the latest.
HISTORY_MAX = 1_000

#: Events remembered for each person that may be, taken together: few have many. One is about 200 bytes.
EACH = 10

#: Seconds that a list waits for its person's events, and while the store does not answer.
WITHIN, MOMENT = 1.0, 0.02
#: Seconds without any read's end after which those that come wait but a moment.
STALLED = 0.1


@dataclass(frozen=True, slots=True)
class LivePerson:
    """A LivePerson holds what the store knows of one person.

    Attributes:
        had: items of events that say yes, with value and time, oldest first, each item once.
        less: items that the person said no to.
        said: both in their order, each with whether it is a yes; only where there is a no.
        erased: whether what the models learned of the person must not be used.
        unread: whether the store could not be asked: what the person did since training is not in here.
    """

    had: tuple[Given, ...] = ()
    less: tuple[str, ...] = ()
    said: tuple[tuple[Given, bool], ...] = ()
    erased: bool = False
    unread: bool = False

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
    """A Live is a bounded memory of people's events, in front of the store; it is safe from many threads.

    Args:
        store: what is remembered of.
        reads: the threads that read it.
        size: people remembered, with `EACH` events for each of them taken together; the longest remembered
            are forgotten first.
        within: seconds that a person's list waits for their events; without them, it is made of what the
            model knows.

    Attributes:
        events: remembered, of all people.
    """

    def __init__(self, store: Store, reads: WaitPool, *, size: int, within: float = WITHIN) -> None:
        self._store, self._reads, self._within = store, reads, within
        self._size = size
        self._most_events = max(size * EACH, HISTORY_MAX)
        self._people: OrderedDict[str, LivePerson] = OrderedDict()
        self.events = 0
        self._reading: dict[str, Future[LivePerson]] = {}
        self._lock = threading.Lock()
        self._slow = False  # the last read was late or failed: the next ones wait but a moment
        self._moved = 0.0  # when a read ended, or the first of those under way began
        self._mark: Mark | None = None
        self._behind = False

    def __len__(self) -> int:
        return len(self._people)

    def at_hand(self, user: str) -> LivePerson | None:
        """Returns what is remembered of a person, without waiting; None where nothing is."""
        return self._people.get(user)

    async def of(self, user: str) -> LivePerson:
        """Returns what the store holds of a person; one thread reads it, however many ask.

        Where the store does not answer in time, or not at all, the person is `unread`.
        """
        found = self.at_hand(user)
        if found is not None:
            return found
        within = MOMENT if self._slow or self._stalled() else self._within
        try:
            reading = asyncio.wrap_future(self._begun(user))
            reading.add_done_callback(lambda done: done.cancelled() or done.exception())  # told, if late
            return await asyncio.wait_for(asyncio.shield(reading), within)
        except (TimeoutError, StoreError, Problem):
            self._slow = True
            return LivePerson(erased=self._store.known_erased(user), unread=True)

    def _stalled(self) -> bool:
        """Says whether reads wait, and none has ended for a while."""
        return bool(self._reading) and time.monotonic() - self._moved > STALLED

    def _begun(self, user: str) -> Future[LivePerson]:
        with self._lock:
            reading = self._reading.get(user)
            if reading is not None:
                return reading
            if not self._reading:
                self._moved = time.monotonic()
            reading = self._reading[user] = self._reads.submit(lambda: self._read(user))
        reading.add_done_callback(lambda done: self._read_done(user, done))
        return reading

    def _read(self, user: str) -> LivePerson:
        return person_of(self._store.history(user, HISTORY_MAX), self._store.erased(user))

    def _read_done(self, user: str, done: Future[LivePerson]) -> None:
        self._moved = time.monotonic()
        with self._lock:
            if self._reading.get(user) is not done:  # something was written meanwhile: it may be old
                return
            del self._reading[user]
            if done.cancelled() or done.exception() is not None:
                return
            self._slow = False
            self._keep(user, done.result())

    def _keep(self, user: str, person: LivePerson) -> None:
        self._drop(user)
        self._people[user] = person
        self.events += _events_of(person)
        while len(self._people) > self._size or self.events > self._most_events:
            self._drop(next(iter(self._people)))

    def _drop(self, user: str) -> None:
        person = self._people.pop(user, None)
        if person is not None:
            self.events -= _events_of(person)

    def forget(self, users: Iterable[str] | None) -> None:
        """Forgets these people, or everyone, so that they are read again: something of theirs was written."""
        with self._lock:
            for user in (*self._people, *self._reading) if users is None else users:
                self._drop(user)
                self._reading.pop(user, None)

    def notice(self) -> None:
        """Forgets whoever another process wrote about since it was last asked.

        While that can't be told, what is remembered stands; once it can again, everyone is read anew.
        """
        try:
            changes = self._store.changes(self._mark)
        except BaseException:
            self._behind = True
            raise
        # What was read before the first mark, or before a failure, may be old.
        self.forget(None if self._mark is None or self._behind else changes.users)
        self._mark, self._behind = changes.mark, False
