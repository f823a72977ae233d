"""This module ends what waits for a database that no longer answers, such as one that is stopped or cut off.

The driver waits for ever where the network says nothing. Here a thread closes the sockets of connections
that were taken too long ago; whoever waits for them then gets an error, and the pool makes others.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from typing import Any

#: Seconds between two looks.
PAUSE = 0.25


class Watchdog:
    """A Watchdog closes connections that were not given back in time.

    Args:
        patience: seconds that one may be kept.

    Attributes:
        patience: as given; what is set later holds for what is taken later.
    """

    def __init__(self, patience: float) -> None:
        self.patience = patience
        self._taken: dict[int, tuple[float, Any]] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def take(self, raw: Any) -> None:
        """Starts the clock of a connection of the driver's."""
        with self._lock:
            self._taken.setdefault(id(raw), (time.monotonic() + self.patience, raw))
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="butaca-hung", daemon=True)
                self._thread.start()

    def give_back(self, raw: Any) -> None:
        """Stops its clock."""
        with self._lock:
            self._taken.pop(id(raw), None)

    def close(self) -> None:
        """Stops looking."""
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.wait(PAUSE):
            now = time.monotonic()
            with self._lock:
                late = [(key, raw) for key, (until, raw) in self._taken.items() if until < now]
                for key, _ in late:
                    del self._taken[key]
            for _, raw in late:
                with contextlib.suppress(Exception):
                    hang_up(raw.fileno())


def hang_up(descriptor: int) -> None:
    """Shuts a socket down under whoever waits for it; the descriptor stays its owner's to close."""
    with socket.socket(fileno=os.dup(descriptor)) as link:
        link.shutdown(socket.SHUT_RDWR)
