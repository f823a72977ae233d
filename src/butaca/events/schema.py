"""This module declares the tables, in SQLAlchemy Core; `migrations/` builds the same, which a test holds.

Ids are text compared byte by byte: SQLite's BINARY, PostgreSQL's collation "C".
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

#: The newest migration; a database at this revision is opened without loading Alembic.
HEAD = "0002"
#: Alembic's own table, under a name that another application's won't have.
VERSION_TABLE = "butaca_schema"

metadata = MetaData()

ID = Text().with_variant(Text(collation="C"), "postgresql")
SEQUENCE = BigInteger().with_variant(Integer(), "sqlite")

#: Columns of `events` and `erasures` count up in the order rows were written. `client` is the name of the key
#: that sent the event, empty without keys: an id counts per user and client.
events = Table(
    "events",
    metadata,
    Column("seq", SEQUENCE, primary_key=True, autoincrement=True),
    Column("id", ID, nullable=False),
    Column("user_id", ID, nullable=False),
    Column("item_id", ID, nullable=False),
    Column("kind", ID, nullable=False),
    Column("value", Double),
    Column("time", BigInteger, nullable=False),
    Column("request_id", ID),
    Column("client", ID, nullable=False, server_default=""),
    UniqueConstraint("user_id", "client", "id", name="events_user_client_id"),
    Index("events_user", "user_id", "time", "seq"),
    Index("events_request", "request_id"),
    sqlite_autoincrement=True,
)

#: `items` is a JSON list of ids, in the order shown.
recommendations = Table(
    "recommendations",
    metadata,
    Column("request_id", ID, primary_key=True),
    Column("user_id", ID),
    Column("time", BigInteger, nullable=False),
    Column("model", ID, nullable=False),
    Column("arm", ID),
    Column("source", ID, nullable=False),
    Column("items", Text, nullable=False),
    Index("recommendations_user", "user_id"),
    Index("recommendations_time", "time"),
)

#: Who was erased: a keyed hash of the id and when. No id is kept.
erasures = Table(
    "erasures",
    metadata,
    Column("seq", SEQUENCE, primary_key=True, autoincrement=True),
    Column("user_hash", LargeBinary, nullable=False),
    Column("time", BigInteger, nullable=False),
    UniqueConstraint("user_hash", name="erasures_user"),
    sqlite_autoincrement=True,
)

#: Keyed hashes of the ids of erased events, so that sending one again does not bring it back.
erased_events = Table(
    "erased_events",
    metadata,
    Column("event_hash", LargeBinary, primary_key=True),
)

#: `digest` is the SHA-256 of a 256-bit random secret; `scopes` are words with spaces between.
api_keys = Table(
    "api_keys",
    metadata,
    Column("id", ID, primary_key=True),
    Column("name", ID, nullable=False),
    Column("scopes", ID, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("last_used", BigInteger),
    Column("revoked", BigInteger),
    Column("expires", BigInteger),
)

#: Of whom an event was taken back lately, so that other processes forget what they remember of them.
removals = Table(
    "removals",
    metadata,
    Column("seq", SEQUENCE, primary_key=True, autoincrement=True),
    Column("user_id", ID, nullable=False),
    Column("time", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)

#: One row, which is written to prove that an event could be stored.
probes = Table(
    "probes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("time", BigInteger, nullable=False),
)

#: Random values made with the database: "erasures" keys the hashes of erased ids.
secrets = Table(
    "secrets",
    metadata,
    Column("name", ID, primary_key=True),
    Column("value", LargeBinary, nullable=False),
)
