"""This module wires, once, everything that one running service holds."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from butaca.catalogue.nouns import Noun, noun
from butaca.events.durations import seconds_of
from butaca.serve.health import StoreHealth
from butaca.serve.live import Live
from butaca.serve.pools import WaitPool
from butaca.serve.ports import Store
from butaca.serve.registry import Registry
from butaca.serve.settings import ServeSettings
from butaca.serve.shown import ShownLog
from butaca.serve.telemetry import Telemetry, log
from butaca.serve.watch import Loop, LoopWatch

#: Threads that wait for reads of the store, for writes, and for models.
READS, WRITES, MODELS = 8, 8, 2
#: Seconds between looks whether a service without keys should have some, and at lists that are too old.
SELDOM = 5.0
#: Seconds between two warnings that the service is open: where it has keys to need, and where it has none.
OFTEN, RARELY = 600.0, 3_600.0
#: Seconds between two looks for lists that are too old.
PRUNE_EVERY = 3_600.0
#: What a service without keys says.
OPEN = "open: no keys are needed, so whoever reaches it may read, write and erase"


class Service:
    """A Service holds what the routes share.

    Attributes:
        settings: as given.
        registry: the models.
        store: events, lists, keys.
        telemetry: metrics.
        reads, writes, models, probing: the threads that wait, each for its own kind.
        live: what people did since training.
        shown: lists on their way to the store.
        keys: gives the key that a text is, from memory, or None; None where no keys are needed.
        health: whether the store works.
        watch: the work behind the answers.
        experiment: the online comparison as last counted, and until when it holds.
        running: how many requests are in work.
    """

    def __init__(
        self, settings: ServeSettings, registry: Registry, *, store: Store, keys: bool = False
    ) -> None:
        self.settings, self.registry, self.store = settings, registry, store
        most = settings.max_in_flight
        self.reads = WaitPool("reads of the event store", threads=READS, most=most // 4)
        self.writes = WaitPool("writes to the event store", threads=WRITES, most=most // 2)
        self.models = WaitPool("models", threads=MODELS, most=16)
        self.probing = WaitPool("proofs of the event store", threads=1, most=64)
        self.telemetry = Telemetry()
        within = min(1.0, settings.timeout / 2)
        people = WaitPool("people", threads=READS, most=most + READS)
        self.live = Live(store, people, size=settings.cached_users, within=within)
        self.shown = ShownLog(store, self.telemetry, size=settings.log_queue, enabled=settings.log_lists)
        self.keys: Callable[[str], Any] | None = store.keys.known if keys else None
        self.health = StoreHealth(store, settings.timeout)
        self._tell_open_at = time.monotonic() + RARELY
        self._told_of_keys = False
        self._prune_at = 0.0
        self._kept_for = seconds_of(settings.keep_lists, "keep_lists")
        self._pools = (self.reads, self.writes, self.models, self.probing, people)
        self.watch = LoopWatch(self.telemetry)
        self.watch.loops += self._loops()
        self.experiment: tuple[float, dict[str, Any]] = (0.0, {})
        self.running: Callable[[], int] = lambda: 0
        self.count_models()
        if keys:
            store.keys.load()

    def _loops(self) -> list[Loop]:
        often = max(self.settings.staleness, 0.05)
        loops = [
            Loop("changes", self.live.notice, pause=often, failed="changes in the event store not seen"),
            Loop(
                "keys",
                self._read_keys,
                pause=SELDOM if self.keys is None else often / 2,
                failed="keys not read; those known stand",
            ),
        ]
        if self.settings.log_lists:
            loops.append(self.shown.loop)
        if self._kept_for:
            loops.append(Loop("old lists", self._prune, pause=1.0, failed="old lists not deleted"))
        return loops

    def _read_keys(self) -> None:
        """Reads the keys anew; a service without any says again and again that it is open."""
        self.store.keys.load()
        if self.keys is not None:
            return
        made = any(key.revoked is None for key in self.store.keys.list())
        if time.monotonic() > self._tell_open_at or (made and not self._told_of_keys):
            self._told_of_keys = made
            self._tell_open_at = time.monotonic() + (OFTEN if made else RARELY)
            log.warning(f"{OPEN}, though keys were made since: restart it to need them" if made else OPEN)

    def _prune(self) -> None:
        """Deletes logged lists that are older than they are kept."""
        if time.monotonic() > self._prune_at:
            gone = self.store.prune(int(time.time() - self._kept_for))
            self._prune_at = time.monotonic() + PRUNE_EVERY
            if gone:
                self.telemetry.pruned.inc(gone)

    @property
    def noun(self) -> Noun:
        """Returns what the items are called: as the settings say, else as the model that answers does."""
        said = self.settings.noun
        return noun(said) if said is not None else self.registry.serving.default.showcase.noun

    def count_models(self) -> None:
        """Tells the metrics which versions are in use."""
        self.telemetry.serve({m.name: m.version for m in self.registry.serving.active.values()})

    def start(self) -> None:
        """Begins the work behind the answers."""
        self.watch.start()

    def close(self, seconds: float = 10.0) -> bool:
        """Writes what waits, and lets go of the store; returns whether all of it ended within so long."""
        until = time.monotonic() + seconds
        ended = [self.watch.stop(seconds), self.shown.close(max(until - time.monotonic(), 1.0))]
        for pool in self._pools:
            pool.close()
        ended += [pool.join(until - time.monotonic()) for pool in self._pools]
        self.registry.close()
        if all(ended):
            self.store.close()
        return all(ended)
