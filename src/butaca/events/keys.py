"""This module keeps API keys: shown once, stored as the SHA-256 of their secret, compared in constant time.

A secret of 256 random bits needs no slow hash: there is nothing to guess. The id in the key finds its
row, so that no secret is ever looked up, and a key whose id is unknown costs the same comparison.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import secrets
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import insert, select, update

from butaca.errors import SettingError, StoreError, UnknownEntityError
from butaca.events.database import Database
from butaca.events.records import checked_text, now
from butaca.events.schema import api_keys

#: read: recommend, search, histories. write: events. admin: erase, activate, and all of the others.
SCOPES = ("read", "write", "admin")
PREFIX = "butaca"
#: Seconds after which a key made or revoked by another process is seen here.
STALE = 2.0
#: Seconds until a key may expire at most.
LONGEST = 100 * 366 * 86_400
_NOBODY = hashlib.sha256(b"").digest()


@dataclass(frozen=True, slots=True)
class Key:
    """A Key describes an API key without its secret.

    Attributes:
        id: the part of the key that may be shown.
        name: what its owner calls it.
        scopes: some of `SCOPES`.
        created, last_used, revoked: seconds since 1970-01-01 UTC; last_used to the minute.
        expires: from when on it is refused, or None.
    """

    id: str
    name: str
    scopes: tuple[str, ...]
    created: int
    last_used: int | None = None
    revoked: int | None = None
    expires: int | None = None

    def valid(self, at: float) -> bool:
        """Says whether the key is neither revoked nor expired at a time.

        >>> Key("1", "page", ("read",), 0, expires=100).valid(99), Key("2", "ops", (), 0, revoked=5).valid(99)
        (True, False)
        """
        return self.revoked is None and (self.expires is None or at < self.expires)

    def may(self, scope: str) -> bool:
        """Says whether the key's scopes allow what needs `scope`; admin allows everything.

        >>> Key("1", "page", ("read",), 0).may("write"), Key("2", "ops", ("admin",), 0).may("write")
        (False, True)
        """
        return scope in self.scopes or "admin" in self.scopes


class Keys:
    """A Keys holds the keys of a store; verifying costs microseconds, from a copy of a bounded age."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, tuple[Key, bytes]] = {}
        self._used: dict[str, int] = {}
        self._read_at: float | None = None  # when the copy was read, or last tried to be
        self._noted = 0.0
        self._refreshing = threading.Lock()

    def create(self, name: str, scopes: Iterable[str] = ("read",), *, expires: float | None = None) -> str:
        """Makes a key and returns it as text. It can't be shown again: only its hash is kept.

        Args:
            name: what its owner calls it. Events count as of the client that this names: a key that takes
                another one's place has its name.
            scopes: some of `SCOPES`.
            expires: seconds from now until it is refused; None never.

        Raises:
            SettingError: an unknown scope, or none; a name that is no text.
        """
        checked_text(name, "name of a key")
        if expires is not None and not 0 < expires <= LONGEST:
            raise SettingError(
                "A key expires after a time above 0, of a hundred years at most",
                f"{expires:g} seconds",
                "Leave it out for a key that does not expire",
            )
        asked = set(scopes.split() if isinstance(scopes, str) else scopes)
        if not asked or asked - set(SCOPES):
            raise SettingError(
                f"The scopes of a key are some of {', '.join(SCOPES)}",
                ", ".join(sorted(map(repr, asked - set(SCOPES)))) or "none",
                "Name at least one of them",
            )
        key, secret = secrets.token_hex(6), secrets.token_hex(32)
        row = {
            "id": key,
            "name": name,
            "scopes": " ".join(scope for scope in SCOPES if scope in asked),
            "digest": _digest(secret),
            "created": now(),
            "expires": None if expires is None else now() + math.ceil(expires),
        }
        with self._database.write() as connection:
            connection.execute(insert(api_keys), row)
        self.load()
        return f"{PREFIX}_{key}_{secret}"

    def verify(self, plaintext: str, within: float | None = None) -> Key | None:
        """Returns the key that a text is, or None: unknown, wrong, revoked or no key at all.

        A key revoked by another process passes for up to `within` seconds more, `STALE` if not given. While
        the database can't be read, the copy in memory stands; before it was ever read, the StoreError is
        raised.
        """
        self._refresh(STALE if within is None else within)
        return self.known(plaintext)

    def known(self, plaintext: str) -> Key | None:
        """Returns what `verify` does, from the copy in memory as it is, without waiting for the database."""
        prefix, _, rest = plaintext.partition("_")
        key_id, _, secret = rest.partition("_")
        key, digest = self._known.get(key_id, (None, _NOBODY))
        same = hmac.compare_digest(_digest(secret), digest)
        if key is None or not same or prefix != PREFIX or not key.valid(time.time()):
            return None
        self._used[key.id] = now()
        return key

    def list(self) -> tuple[Key, ...]:
        """Returns every key, revoked ones too, oldest first."""
        self.note_uses()
        self.load()
        return tuple(key for key, _ in self._known.values())

    def revoke(self, key_id: str) -> Key:
        """Ends a key, by its id: at once here, within `STALE` seconds in other processes.

        Raises:
            UnknownEntityError: no key has this id.
        """
        with self._database.write() as connection:
            live = (api_keys.c.id == key_id) & api_keys.c.revoked.is_(None)
            connection.execute(update(api_keys).where(live).values(revoked=now()))
        self.load()
        if key_id not in self._known:
            raise UnknownEntityError(
                "A key is revoked by its id", ascii(key_id)[:80], "List the keys and take an id"
            )
        return self._known[key_id][0]

    def note_uses(self, due: float = 0.0) -> None:
        """Writes when keys were last used; with `due`, not if it did so within that many seconds.

        `verify` never writes: the store calls this with the recommendations it logs, and when it closes.
        """
        if not self._used or time.monotonic() < self._noted + due:
            return
        used, self._used = self._used, {}
        self._noted = time.monotonic()
        with self._database.write(durable=False) as connection:
            for key, at in sorted(used.items()):
                connection.execute(update(api_keys).where(api_keys.c.id == key).values(last_used=at))

    def _refresh(self, within: float) -> None:
        first = self._read_at is None
        if not self._older_than(within) or not self._refreshing.acquire(blocking=first):
            return
        try:
            if first and self._read_at is not None:
                return  # another thread read them while this one waited
            if not first:
                self._read_at = time.monotonic()
            self.load()
        except StoreError:
            if first:
                raise
        finally:
            self._refreshing.release()

    def _older_than(self, seconds: float) -> bool:
        return self._read_at is None or time.monotonic() > self._read_at + seconds

    def load(self) -> None:
        """Reads the keys anew."""
        at = time.monotonic()
        with self._database.read() as connection:
            rows = connection.execute(select(api_keys).order_by(api_keys.c.created, api_keys.c.id)).all()
        self._known = {
            row.id: (
                Key(
                    row.id,
                    row.name,
                    tuple(row.scopes.split()),
                    row.created,
                    row.last_used,
                    row.revoked,
                    row.expires,
                ),
                row.digest,
            )
            for row in rows
        }
        self._read_at = at


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
