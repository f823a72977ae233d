"""This module proves that the event store works: it can be read, and an event could be stored now."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from butaca.errors import StoreError
from butaca.serve.ports import Store

#: Seconds for which an answer holds, and that a proof may take.
FRESH, WITHIN = 1.0, 3.0


@dataclass(frozen=True)
class Half:
    """A Half says whether one half of the store works, reading or writing, and why not.

    Attributes:
        works: whether it does.
        reason: why not, in words that anybody may read.
        error: what was raised, for the log.
    """

    works: bool
    reason: str = ""
    error: Exception | None = None


class StoreHealth:
    """A StoreHealth asks the store in a thread for each half, which may hang.

    Args:
        store: to ask.
        patience: seconds of a request.
    """

    def __init__(self, store: Store, patience: float) -> None:
        self._store, self._within = store, min(WITHIN, patience * 0.8)
        self._lock = threading.Lock()
        self._asked_at = float("-inf")
        self._found = Half(True), Half(True)
        self._under_way: dict[str, float] = {}

    def check(self) -> tuple[Half, Half]:
        """Returns how reading and writing are, as they were at most `FRESH` seconds ago; waits for it."""
        with self._lock:
            if time.monotonic() - self._asked_at > FRESH:
                self._found = self._ask()
                self._asked_at = time.monotonic()
            return self._found

    def _ask(self) -> tuple[Half, Half]:
        answers: dict[str, Half] = {}
        threads = []
        for name, ask in (("read", self._read), ("write", self._store.probe)):
            if name in self._under_way:  # it hangs
                continue
            self._under_way[name] = time.monotonic()
            thread = threading.Thread(target=self._try, args=(name, ask, answers), daemon=True)
            thread.start()
            threads.append(thread)
        until = time.monotonic() + self._within
        for thread in threads:
            thread.join(max(until - time.monotonic(), 0))
        read, write = (answers.get(name) or self._hung(name) for name in ("read", "write"))
        return read, write

    def _read(self) -> None:
        if not self._store.ready():
            raise StoreError("The event store can be read", "one that can't")

    def _try(self, name: str, ask: object, answers: dict[str, Half]) -> None:
        assert callable(ask)
        try:
            ask()
            answers[name] = Half(True)
        except StoreError as error:
            answers[name] = Half(False, error.reason or "the log says why", error)
        except Exception as error:
            answers[name] = Half(False, "the log says why", error)
        finally:
            self._under_way.pop(name, None)

    def _hung(self, name: str) -> Half:
        for_seconds = time.monotonic() - self._under_way.get(name, time.monotonic())
        reason = f"it has not answered for {for_seconds:.0f} s"
        return Half(False, reason, StoreError("The event store answers", reason))
