"""This module says what the service asks of an event store: events/store.py fits, as do stand-ins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from butaca.events.attribution import ArmCounts, Names
from butaca.events.changes import Changes, Mark
from butaca.events.records import Added, Erased, Event, Shown


class Store(Protocol):
    """A Store keeps events, erasures, logged lists and keys durably; it is safe to use from many threads."""

    @property
    def keys(self) -> Any:
        """Returns the API keys: `load` reads them, and `known` gives a key that may do things, or None."""
        ...

    def add(self, batch: Sequence[Event], client: str = ...) -> Added:
        """Stores a client's batch in one transaction; it is on disk when this returns."""
        ...

    def undo(self, event: str, user: str | None = ..., *, client: str = ...) -> str | None:
        """Takes back one event that a client sent; returns whose it was, or None."""
        ...

    def history(self, user: str, limit: int = ...) -> list[Event]:
        """Returns the latest events of a user, oldest first."""
        ...

    def changes(self, since: Mark | None = None) -> Changes:
        """Returns whose events any process has written since a mark; without one, only where to begin."""
        ...

    def experiment(
        self,
        since: int | None = None,
        *,
        models: Mapping[str, str] | None = None,
        names: Names | None = None,
    ) -> Mapping[str, ArmCounts]:
        """Returns what each arm showed, and what came of it."""
        ...

    def erase(self, user: str) -> Erased:
        """Removes what is stored of a user, and remembers that."""
        ...

    def erased(self, user: str) -> bool:
        """Says whether a user was erased."""
        ...

    def known_erased(self, user: str) -> bool:
        """Says the same from memory, without waiting."""
        ...

    def log_recommendations(self, rows: Sequence[Shown]) -> Any:
        """Keeps the lists that were shown."""
        ...

    def prune(self, before: int) -> int:
        """Deletes the lists that were shown before a time; returns how many."""
        ...

    def ready(self) -> Any:
        """Says whether the store can be read; raises or is false if not."""
        ...

    def probe(self) -> None:
        """Writes something durably, or raises: an event could be stored now."""
        ...

    def close(self) -> None:
        """Closes every connection."""
        ...
