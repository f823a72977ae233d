"""This module keeps background work alive: loops that outlive whatever their step does, counted and told."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable

from butaca.errors import ButacaError
from butaca.serve.telemetry import Telemetry, log

#: Seconds that a loop may be late before it counts as down.
LATE = 10.0


class Loop:
    """A Loop calls a step again and again in a thread of its own, whatever becomes of a call.

    Args:
        name: of what it does, for logs and metrics.
        step: one turn.
        pause: seconds between two turns.
        failed: said in the log when a turn fails after one that did not.
    """

    def __init__(self, name: str, step: Callable[[], None], *, pause: float, failed: str) -> None:
        self.name, self._step, self._pause, self._failed = name, step, pause, failed
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.failures = self.restarts = 0
        self.failing = False
        self._done_at = time.monotonic()

    @property
    def alive(self) -> bool:
        """Says whether its thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Starts its thread, or another one where that ended."""
        if self.alive or self._stop.is_set():
            return
        if self._thread is None:
            self._done_at = time.monotonic()
        else:
            self.restarts += 1
        self._thread = threading.Thread(target=self._run, name=f"butaca-{self.name}", daemon=True)
        self._thread.start()

    def stop(self, seconds: float = 10.0) -> bool:
        """Ends it after its turn; returns whether it has ended within so many seconds."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(seconds)
        return not self.alive

    def late(self) -> float:
        """Returns for how many seconds no turn has ended well, beyond the pause."""
        return max(time.monotonic() - self._done_at - self._pause, 0.0)

    def turn(self) -> None:
        """Makes one turn; whatever it raises is counted and told, once until it works again."""
        try:
            self._step()
        except BaseException as error:
            self.failures += 1
            if not self.failing:
                self.failing = True
                cause = None if isinstance(error, ButacaError) else error
                log.error(self._failed, loop=self.name, error=str(error), exc_info=cause)
        else:
            if self.failing:
                log.info("works again", loop=self.name, seconds=round(self.late(), 1))
            self._done_at, self.failing = time.monotonic(), False

    def _run(self) -> None:
        while not self._stop.is_set():
            self.turn()
            self._stop.wait(self._pause)


class LoopWatch:
    """A LoopWatch starts loops, restarts those whose thread ended, and says which are down."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self.loops: list[Loop] = []
        self._guard = Loop("watch", self.revive, pause=1.0, failed="background work not watched")

    def start(self) -> None:
        """Begins the loops."""
        for loop in (*self.loops, self._guard):
            loop.start()

    def revive(self) -> None:
        """Makes the loops go on whose thread ended."""
        for loop in self.loops:
            if not loop.alive:
                loop.start()

    def stop(self, seconds: float = 10.0) -> bool:
        """Ends the loops; returns whether all have."""
        until = time.monotonic() + seconds
        ended = [loop.stop(max(until - time.monotonic(), 0.05)) for loop in (self._guard, *self.loops)]
        return all(ended)

    def down(self) -> list[str]:
        """Says which loops have not worked for a while, in words; restarts what ended."""
        with contextlib.suppress(RuntimeError):  # no thread can be started now
            self.revive()
        return [f"{loop.name} for {late:.0f} s" for loop in self.loops if (late := loop.late()) > LATE]

    def count(self) -> None:
        """Tells the metrics."""
        for loop in self.loops:
            self._telemetry.loop_up.labels(loop.name).set(loop.alive and loop.late() <= LATE)
            self._telemetry.loop_failures.labels(loop.name).set(loop.failures)
            self._telemetry.loop_restarts.labels(loop.name).set(loop.restarts)
