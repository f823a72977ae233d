"""This module measures: Prometheus metrics with labels bound beforehand, latencies; and holds the log."""

from __future__ import annotations

import contextlib
import random
import time
from array import array
from collections.abc import Callable, MutableMapping
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest

#: Bounds of the latency histograms, in seconds.
BOUNDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 1, 5)

#: Latencies kept for /v1/state.
RECENT = 4096


class LatencyRing:
    """A LatencyRing holds the last latencies: writing one is two assignments."""

    def __init__(self, size: int = RECENT) -> None:
        self._values = array("d", [0.0]) * size
        self._size, self.count = size, 0

    def add(self, seconds: float) -> None:
        """Keeps one latency."""
        self._values[self.count % self._size] = seconds
        self.count += 1

    def percentiles(self) -> dict[str, float | int | None]:
        """Returns percentiles of the latencies kept, in milliseconds."""
        kept = sorted(self._values[: min(self.count, self._size)])
        figures: dict[str, float | int | None] = {"samples": len(kept)}
        for name, share in (("p50_ms", 0.5), ("p95_ms", 0.95), ("p99_ms", 0.99)):
            figures[name] = (
                round(kept[min(int(share * len(kept)), len(kept) - 1)] * 1000, 3) if kept else None
            )
        return figures


class Telemetry:
    """A Telemetry holds the metrics of one service."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.started = time.time()
        self.latency = LatencyRing()
        r = self.registry
        self.requests = Counter(
            "butaca_requests", "Requests by route and status.", ["route", "status"], registry=r
        )
        self.seconds = Histogram(
            "butaca_request_seconds", "Time to answer, by route.", ["route"], buckets=BOUNDS, registry=r
        )
        self.in_flight = Gauge("butaca_requests_in_flight", "Requests in work.", registry=r)
        refused = Counter(
            "butaca_refused", "Requests refused before any work, by reason.", ["reason"], registry=r
        )
        self.shed, self.limited = refused.labels("overload"), refused.labels("rate")
        self.denied, self.late = refused.labels("key"), refused.labels("timeout")
        self.cut_off, self.crowded = refused.labels("http"), refused.labels("connections")
        events = Counter("butaca_events", "Events by whether they were new.", ["outcome"], registry=r)
        self.accepted, self.known = events.labels("accepted"), events.labels("known")
        self.lists = Counter(
            "butaca_recommendations", "Lists by source and model.", ["source", "model"], registry=r
        )
        self.queue = Gauge("butaca_log_queue", "Lists waiting to be logged.", registry=r)
        logged = Counter("butaca_logged_lists", "Lists by what became of them.", ["outcome"], registry=r)
        self.logged, self.dropped, self.unlogged = (
            logged.labels(word) for word in ("logged", "dropped", "failed")
        )
        self.unread = Counter(
            "butaca_lists_without_events",
            "Lists made while what is known of the person was out of reach.",
            registry=r,
        )
        self.loop_up = Gauge("butaca_loop_up", "Whether background work works.", ["loop"], registry=r)
        self.loop_failures = Gauge(
            "butaca_loop_failures", "Turns that failed, by loop.", ["loop"], registry=r
        )
        self.loop_restarts = Gauge("butaca_loop_restarts", "Loops started anew.", ["loop"], registry=r)
        self.lines_lost = Gauge(
            "butaca_log_lines_lost", "Lines of the log that were not written.", registry=r
        )
        self.pruned = Counter("butaca_pruned_lists", "Logged lists deleted for their age.", registry=r)
        self.models = Gauge("butaca_model_info", "Models in use.", ["name", "version"], registry=r)
        self.total = 0
        self.errors = 0
        self._bound: dict[tuple[str, int], tuple[Callable[[], None], Callable[[float], None]]] = {}
        self._sources: dict[tuple[str, str], Callable[[], None]] = {}

    def observe(self, route: str, status: int, *, seconds: float) -> None:
        """Counts one answered request."""
        bound = self._bound.get((route, status))
        if bound is None:
            bound = self.requests.labels(route, str(status)).inc, self.seconds.labels(route).observe
            self._bound[route, status] = bound
        bound[0]()
        bound[1](seconds)
        self.total += 1
        if status >= 500 and status != 503:
            self.errors += 1

    def listed(self, source: str, model: str) -> None:
        """Counts one list that was made."""
        bound = self._sources.get((source, model))
        if bound is None:
            bound = self._sources[source, model] = self.lists.labels(source, model).inc
        bound()

    def serve(self, models: MutableMapping[str, str]) -> None:
        """Says which versions are in use, by name."""
        self.models.clear()
        for name, version in models.items():
            self.models.labels(name, version).set(1)

    def exposition(self) -> bytes:
        """Returns the text that Prometheus reads."""
        return generate_latest(self.registry)


class SafeLog:
    """A SafeLog is the log, but never raises into what it tells of."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def info(self, event: str, **facts: Any) -> None:
        """Tells what happened."""
        with contextlib.suppress(Exception):
            self._inner.info(event, **facts)

    def warning(self, event: str, **facts: Any) -> None:
        """Tells what somebody should look at."""
        with contextlib.suppress(Exception):
            self._inner.warning(event, **facts)

    def error(self, event: str, **facts: Any) -> None:
        """Tells what failed."""
        with contextlib.suppress(Exception):
            self._inner.error(event, **facts)


log = SafeLog(structlog.get_logger("butaca"))

#: Seeded by the system; an id need only be unlike the others.
_random = random.Random()  # noqa: S311


def uuid7() -> str:
    """Makes a request_id: a UUID of version 7, which sorts by time (RFC 9562)."""
    value = time.time_ns() // 1_000_000 << 80 | _random.getrandbits(80)
    value = value & ~(0xF << 76) & ~(0x3 << 62) | 0x7 << 76 | 0x2 << 62
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
