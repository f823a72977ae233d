"""This module wires, once, everything that one running service holds."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from butaca.catalogue.nouns import Noun, noun
from butaca.serve.http.access import KeyCheck
from butaca.serve.live import Live
from butaca.serve.ports import Store
from butaca.serve.registry import Registry
from butaca.serve.settings import ServeSettings
from butaca.serve.shown import ShownLog
from butaca.serve.telemetry import Telemetry

T = TypeVar("T")

#: Threads that wait for the store.
THREADS = 8


class Service:
    """A Service holds what the routes share.

    Attributes:
        settings: as given.
        registry: the models.
        store: events, lists, keys.
        telemetry: metrics.
        live: what people did since training.
        shown: lists on their way to the store.
        keys: the check of keys; None where none are needed.
        experiment: the online comparison as last counted, and until when it holds.
        running: how many requests are in work.
    """

    def __init__(
        self, settings: ServeSettings, registry: Registry, *, store: Store, keys: bool = False
    ) -> None:
        self.settings, self.registry, self.store = settings, registry, store
        self.threads = ThreadPoolExecutor(THREADS, thread_name_prefix="butaca-store")
        self.telemetry = Telemetry()
        self.live = Live(store, self.threads, size=settings.cached_users, staleness=settings.staleness)
        self.shown = ShownLog(store, self.telemetry, size=settings.log_queue, enabled=settings.log_lists)
        self.keys = KeyCheck(store.keys.verify, self.threads, staleness=settings.staleness) if keys else None
        self.experiment: tuple[float, dict[str, Any]] = (0.0, {})
        self.running: Callable[[], int] = lambda: 0
        self.count_models()

    @property
    def noun(self) -> Noun:
        """Returns what the items are called: as the settings say, else as the model that answers does."""
        said = self.settings.noun
        return noun(said) if said is not None else self.registry.serving.default.showcase.noun

    def count_models(self) -> None:
        """Tells the metrics which versions are in use."""
        self.telemetry.serve({m.name: m.version for m in self.registry.serving.active.values()})

    async def in_thread(self, function: Callable[..., T], *args: Any, **keywords: Any) -> T:
        """Waits for the store without holding up the others."""
        call = functools.partial(function, *args, **keywords)
        return await asyncio.get_running_loop().run_in_executor(self.threads, call)

    def start(self) -> None:
        """Begins the work behind the answers."""
        self.shown.start()

    def close(self) -> None:
        """Writes what waits, and lets go of the store."""
        self.shown.close()
        self.threads.shutdown(wait=True)
        self.registry.close()
        self.store.close()
