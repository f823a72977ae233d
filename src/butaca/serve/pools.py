"""This module holds the threads that wait: a few for each kind of wait, so that none waits for another."""

from __future__ import annotations

import asyncio
import functools
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from butaca.serve.http.problems import Problem

T = TypeVar("T")

_Work = tuple["Future[Any]", Callable[[], Any]]


class WaitPool:
    """A WaitPool is a few threads that wait for one kind of thing, such as writes, for so many at once.

    They are daemons: what hangs for ever does not keep the process from ending.

    Args:
        name: of what it does.
        threads: how many.
        most: calls in work or waiting at once; more are refused.
    """

    def __init__(self, name: str, *, threads: int, most: int) -> None:
        self.name, self.most = name, max(most, 1)
        self._size = threads
        self._queue: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._in_work = 0

    def __len__(self) -> int:
        return self._in_work

    def submit(self, call: Callable[[], T]) -> Future[T]:
        """Takes a call, to be made by one of the threads.

        Raises:
            Problem: 503, too many are in work.
        """
        with self._lock:
            if self._in_work >= self.most:
                raise Problem(
                    503,
                    "busy",
                    f"At most {self.most} requests wait for {self.name} at once",
                    "one more",
                    "Try again in a second; an event that is sent again under its id is stored once",
                    retry_after=1,
                )
            self._in_work += 1
            if len(self._threads) < min(self._size, self._in_work):
                self._threads.append(
                    threading.Thread(target=self._run, name=f"butaca-{self.name}", daemon=True)
                )
                self._threads[-1].start()
        future: Future[T] = Future()
        future.add_done_callback(self._done)
        self._queue.put((future, call))
        return future

    async def run(self, function: Callable[..., T], *args: Any, **keywords: Any) -> T:
        """Returns what a function does in one of the threads; others are answered meanwhile."""
        return await asyncio.wrap_future(self.submit(functools.partial(function, *args, **keywords)))

    def close(self) -> None:
        """Ends the threads once they have done what they have."""
        for _ in self._threads:
            self._queue.put(None)

    def join(self, seconds: float) -> bool:
        """Waits until the threads have ended; returns whether they have."""
        for thread in self._threads:
            thread.join(max(seconds, 0) / max(len(self._threads), 1))
        return not any(thread.is_alive() for thread in self._threads)

    def _done(self, _: Future[Any]) -> None:
        with self._lock:
            self._in_work -= 1

    def _run(self) -> None:
        while (work := self._queue.get()) is not None:
            future, call = work
            if not future.set_running_or_notify_cancel():  # whoever asked has gone
                continue
            try:
                future.set_result(call())
            except BaseException as error:
                future.set_exception(error)
            del future, call, work
