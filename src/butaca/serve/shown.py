"""This module logs lists that were shown: a bounded queue and one thread that empties it into the store.

Answering never waits for it. What the store can't take now waits; when the queue is full, because the store
is slow or away, the newest lists are dropped and counted.
"""

from __future__ import annotations

import time
from collections import deque

from butaca.errors import ButacaError, SettingError, StoreError
from butaca.events.records import Shown
from butaca.serve.ports import Store
from butaca.serve.telemetry import Telemetry, log
from butaca.serve.watch import Loop

#: Lists written at once; and seconds between looks at the queue.
BATCH, PAUSE = 250, 0.1


class ShownLog:
    """A ShownLog takes lists and writes them behind.

    Args:
        store: where they go.
        telemetry: counts them.
        size: lists that may wait.
        enabled: false drops them silently, where nothing is to be logged.
    """

    def __init__(self, store: Store, telemetry: Telemetry, *, size: int, enabled: bool = True) -> None:
        self._store, self._telemetry, self._size = store, telemetry, size
        self._queue: deque[Shown] = deque()
        self.loop = Loop("lists", self.drain, pause=PAUSE, failed="lists not logged")
        self.enabled = enabled

    def start(self) -> None:
        """Begins to write."""
        if self.enabled:
            self.loop.start()

    def put(self, row: Shown) -> None:
        """Takes a list; never waits."""
        if len(self._queue) >= self._size:
            self._telemetry.dropped.inc()
        else:
            self._queue.append(row)

    def __len__(self) -> int:
        return len(self._queue)

    def close(self, seconds: float = 10.0) -> bool:
        """Writes what waits, and stops; returns whether it could within so many seconds."""
        if not self.enabled:
            return True
        until = time.monotonic() + seconds
        if not self.loop.stop(seconds):
            return False
        last = Loop("lists", self.drain, pause=0.01, failed="lists not logged")
        last.start()
        while self._queue and time.monotonic() < until:
            time.sleep(0.01)
        return last.stop(max(until - time.monotonic(), 0.05))

    def drain(self) -> None:
        """Writes what waits."""
        while self._queue:
            rows = [self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))]
            try:
                self._write(rows)
            except SettingError:  # a row that no store takes, as of an item whose id is too long
                for row in rows:
                    try:
                        self._write([row])
                    except SettingError as error:
                        self._lost([row], error)

    def _write(self, rows: list[Shown]) -> None:
        try:
            self._store.log_recommendations(rows)
            self._telemetry.logged.inc(len(rows))
        except SettingError:
            raise
        except StoreError:  # locked, full or away: they wait until it is not; the loop tells
            self._queue.extendleft(reversed(rows))
            raise
        except Exception as error:
            self._lost(rows, error)

    def _lost(self, rows: list[Shown], error: Exception) -> None:
        self._telemetry.unlogged.inc(len(rows))
        cause = None if isinstance(error, ButacaError) else error
        log.error("lists not logged", lists=len(rows), error=str(error), exc_info=cause)
