"""This benchmark counts durable events a second: group commit beside a commit for every call.

    python -m benchmarks.serving.event_store                                    SQLite, in the working folder
    python tests/support/postgres.py python -m benchmarks.serving.event_store   and a PostgreSQL of one's own
    python -m benchmarks.serving.event_store postgresql://user@host/database    and one that is there

One event or a hundred to a call, one thread or sixteen; then the reads that a request makes.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from uuid import uuid4

from butaca.events.batches import EventBatch
from butaca.events.records import Event, checked_event
from butaca.events.store import EventStore

SLICES, SECONDS = 9, 0.4


def batch(size: int) -> list[Event]:
    """Makes new events of new ids."""
    return [Event(uuid4().hex, f"user {n}", f"film {n}", time=1) for n in range(size)]


def checked(events: list[Event]) -> list[Event]:
    """Checks events as `add` does before it commits."""
    return [checked_event(event) for event in events]


def rate(add: Callable[[list[Event]], object], threads: int, *, size: int) -> float:
    """Returns events a second, over one slice of time."""
    counts, until = [0] * threads, time.perf_counter() + SECONDS

    def work(at: int) -> None:
        while time.perf_counter() < until:
            add(batch(size))
            counts[at] += size

    workers = [threading.Thread(target=work, args=(at,)) for at in range(threads)]
    start = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(counts) / (time.perf_counter() - start)


def micros(call: Callable[[], object], times: int = 2000) -> float:
    """Returns the microseconds of a call."""
    call()
    start = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - start) / times * 1e6


def measure(address: str) -> None:
    """Prints a table for one database."""
    with EventStore.open(address) as store:
        print(f"{'PostgreSQL' if '://' in address else 'SQLite'}: events/s")
        for size in (1, 100):
            for threads in (1, 16):
                slices = [
                    (
                        rate(
                            lambda events: store._commit([EventBatch("", checked(events))]),
                            threads,
                            size=size,
                        ),
                        rate(store.add, threads, size=size),
                    )
                    for _ in range(SLICES)  # by turns: what else the machine does hits both
                ]
                alone, group = (median(column) for column in zip(*slices, strict=True))
                ratio = median(b / a for a, b in slices)
                print(
                    f"  {size:3} a call, {threads:2} threads: a commit each {alone:8,.0f}, "
                    f"grouped {group:8,.0f}, ratio {ratio:.2f}"
                )
        key = store.keys.create("benchmark")
        store.erase("somebody")
        store.add([Event(uuid4().hex, "reader", f"film {n}", time=n) for n in range(100)])
        print(f"  history of 100 events {micros(lambda: store.history('reader'), 500):.0f} µs, ", end="")
        print(f"erased() {micros(lambda: store.erased('reader')):.1f} µs, ", end="")
        print(f"verify() {micros(lambda: store.keys.verify(key)):.1f} µs")
        start = time.perf_counter()
        rows = sum(len(chunk) for chunk in store.interactions())
        print(f"  interactions: {rows / (time.perf_counter() - start):,.0f} events/s of {rows:,}")


def main() -> None:
    """Measures SQLite beside the working folder, then the addresses given."""
    with tempfile.TemporaryDirectory(dir=".", prefix="event-store-") as folder:  # a disk, not a tmpfs
        for address in (str(Path(folder) / "events.db"), *sys.argv[1:]):
            measure(address)


if __name__ == "__main__":
    main()
