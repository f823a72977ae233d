"""This module reads the address of an event store: a file, or a PostgreSQL server with known options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, quote_plus

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from butaca.errors import StoreError

POSTGRES = ("postgresql", "postgres", "postgresql+psycopg")

#: Options of libpq that an address may carry, beside `prepare`, which is ours.
OPTIONS = frozenset(
    """application_name channel_binding client_encoding connect_timeout gssencmode host hostaddr keepalives
    keepalives_count keepalives_idle keepalives_interval load_balance_hosts options passfile port require_auth
    service sslcert sslcompression sslcrl sslkey sslmode sslrootcert sslsni ssl_max_protocol_version
    ssl_min_protocol_version target_session_attrs tcp_user_timeout""".split()  # noqa: SIM905
)


@dataclass(frozen=True)
class Address:
    """An Address says where events are kept, and how that is spoken to.

    Attributes:
        url: as SQLAlchemy takes it.
        prepare: whether statements are prepared on the server: not behind PgBouncer in transaction mode.
        name: the address for logs and messages, without password and options.
        secrets: texts that no message may hold.
    """

    url: URL
    prepare: bool
    name: str
    secrets: tuple[str, ...]

    @property
    def sqlite(self) -> bool:
        """Says whether it is a file."""
        return self.url.drivername == "sqlite"

    def without_secrets(self, text: str) -> str:
        """Returns a text with the password blotted out, in whatever spelling it is there."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text


def address(url: str) -> Address:
    """Returns an address, read and checked.

    >>> address("events.db").name, address("postgresql://me:word@host/films?sslmode=require").name
    ('sqlite:///events.db', 'postgresql+psycopg://me:***@host/films')

    Raises:
        StoreError: neither a file nor a PostgreSQL server, or an option that is not known. No part of what
            could be a password is in it.
    """
    if "://" not in url:
        made = URL.create("sqlite", database=url)
    else:
        scheme, _, rest = url.partition("://")
        if rest.count("@") > 1 or "@" in rest.partition("/")[2] + rest.partition("?")[2]:
            raise _not_an_address(
                f"{scheme}://... with an @, / or ? in its password that is not encoded as %40, %2F or %3F"
            )
        try:
            made = make_url(url)
        except (ArgumentError, ValueError):
            raise _not_an_address(f"{scheme}://... that does not parse") from None
    if made.drivername in POSTGRES:
        return _postgres(made.set(drivername="postgresql+psycopg"))
    shown = made.set(query={}).render_as_string(hide_password=True)
    if made.drivername != "sqlite" or not made.database or made.database == ":memory:" or made.host:
        raise _not_an_address(shown)
    if made.query:
        raise _not_an_address(f"{shown} with options, which a file has none of")
    return Address(made, True, shown, ())


def _postgres(made: URL) -> Address:
    if set(made.query) - OPTIONS - {"prepare"}:
        raise _unknown(made, ", ".join(sorted(OPTIONS | {"prepare"})))
    prepare = made.query.get("prepare", "on")
    if prepare not in {"on", "off"}:
        raise StoreError(
            "The option prepare of an address is on or off",
            "another word",
            "Write ?prepare=off for PgBouncer",
        )
    word = made.password
    secrets = () if not word else tuple({str(word), quote(str(word), safe=""), quote_plus(str(word))})
    name = made.set(query={}).render_as_string(hide_password=True)
    return Address(made.difference_update_query(["prepare"]), prepare == "on", name, secrets)


def _unknown(made: URL, known: str) -> StoreError:
    """Names the options that are not known, unless they look like a piece of something else."""
    names = [name for name in made.query if name not in OPTIONS and name != "prepare"]
    shown = [name if name.isidentifier() and name.islower() and len(name) < 32 else "..." for name in names]
    if made.password is None:
        shown = ["..." for _ in names]  # perhaps the end of a password with a question mark
    return StoreError(
        f"The options of an address are known ones: {known}",
        ", ".join(shown),
        "Correct the name or leave it out; in a password, ? is written %3F",
    )


def _not_an_address(received: str) -> StoreError:
    return StoreError(
        "Events are kept in a file or on a PostgreSQL server",
        received,
        "Pass a path, sqlite:///path.db (four slashes for an absolute path) or "
        "postgresql://user@host/database; in a password, @ : / ? and % are percent-encoded",
    )


def connect_arguments(at: Address, patience: float) -> dict[str, Any]:
    """Returns what psycopg is told beside the address."""
    told: dict[str, Any] = {}
    if "connect_timeout" not in at.url.query:
        told["connect_timeout"] = max(2, min(10, int(patience)))
    if "application_name" not in at.url.query:
        told["application_name"] = "butaca"
    if "client_encoding" not in at.url.query:
        told["client_encoding"] = "utf8"  # of SQL_ASCII psycopg gives bytes unless it is told
    if not at.prepare:
        told["prepare_threshold"] = None
    return told
