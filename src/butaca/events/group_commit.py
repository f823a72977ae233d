"""This module lets callers that arrive while a commit is under way share the next one (group commit).

A durable commit costs a flush of the disk whatever its size, so sixteen callers of one event each need
two flushes instead of sixteen. (DeWitt et al. 1984, "Implementation techniques for main memory database
systems"; PostgreSQL and MySQL do the same between their sessions.)
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from butaca.errors import ButacaError, StoreError

Batch = TypeVar("Batch")
Result = TypeVar("Result")


@dataclass(slots=True)
class _Ticket(Generic[Batch, Result]):
    batch: Batch
    size: int
    taken: bool = False
    done: bool = False
    result: Result | None = None
    error: BaseException | None = None


class GroupCommit(Generic[Batch, Result]):
    """A GroupCommit runs `commit` on the batches of all callers that wait; the first of them leads.

    Args:
        commit: takes batches and returns a result for each, all or none of them durable.
        parallel: how many groups may be under way at once: one where the database has one writer.
        most: size that a group does not pass, unless one batch alone does.
    """

    def __init__(
        self, commit: Callable[[Sequence[Batch]], Sequence[Result]], *, parallel: int = 1, most: int = 20_000
    ) -> None:
        self._commit, self._parallel, self._most = commit, parallel, most
        self._changed = threading.Condition()
        self._waiting: list[_Ticket[Batch, Result]] = []
        self._leaders = 0

    def submit(self, batch: Batch, size: int) -> Result:
        """Returns the batch's result once it is durable, or raises the group's error."""
        ticket: _Ticket[Batch, Result] = _Ticket(batch, size)
        with self._changed:
            self._waiting.append(ticket)
        while True:  # more than once where the queue was long and others' batches went first
            with self._changed:
                while not ticket.done and (ticket.taken or self._leaders >= self._parallel):
                    self._changed.wait()
                if ticket.done:
                    return self._outcome(ticket)
                self._leaders += 1
                group = self._take()
            self._lead(group)

    def _take(self) -> list[_Ticket[Batch, Result]]:
        size = count = 0
        for ticket in self._waiting:
            if count and size + ticket.size > self._most:
                break
            ticket.taken = True
            size, count = size + ticket.size, count + 1
        group, self._waiting = self._waiting[:count], self._waiting[count:]
        return group

    def _lead(self, group: list[_Ticket[Batch, Result]]) -> None:
        error: BaseException | None = None
        results: Sequence[Result] = ()
        try:
            results = self._commit([ticket.batch for ticket in group])
        except BaseException as caught:
            error = caught
        with self._changed:
            self._leaders -= 1
            for at, ticket in enumerate(group):
                ticket.done, ticket.error = True, error
                ticket.result = results[at] if error is None else None
            self._changed.notify_all()
        if error is not None and not isinstance(error, Exception):
            raise error  # the leader's own interrupt

    @staticmethod
    def _outcome(ticket: _Ticket[Batch, Result]) -> Result:
        error = ticket.error
        if isinstance(error, ButacaError):  # a copy each: tracebacks of several threads don't mix
            raise type(error)(error.rule, error.received, error.cure) from error
        if error is not None:
            raise StoreError(
                "A batch is stored", f"{type(error).__name__} while storing", "Send it again"
            ) from error
        assert ticket.result is not None
        return ticket.result
