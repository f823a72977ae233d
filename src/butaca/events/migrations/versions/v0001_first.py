"""This migration makes the first tables.

A migration is history: it is written out in full and never follows later changes of `schema.py`.
"""

from __future__ import annotations

from secrets import token_bytes

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Creates every table, and the random key of the erasures."""
    op.create_table(
        "events",
        sa.Column("seq", SEQUENCE, primary_key=True, autoincrement=True),
        sa.Column("id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("item_id", ID, nullable=False),
        sa.Column("kind", ID, nullable=False),
        sa.Column("value", sa.Double()),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("request_id", ID),
        sa.UniqueConstraint("id", name="events_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("events_user", "events", ["user_id", "time", "seq"])
    op.create_index("events_request", "events", ["request_id"])
    op.create_table(
        "recommendations",
        sa.Column("request_id", ID, primary_key=True),
        sa.Column("user_id", ID),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("model", ID, nullable=False),
        sa.Column("arm", ID),
        sa.Column("source", ID, nullable=False),
        sa.Column("items", sa.Text(), nullable=False),
    )
    op.create_index("recommendations_user", "recommendations", ["user_id"])
    op.create_index("recommendations_time", "recommendations", ["time"])
    op.create_table(
        "erasures",
        sa.Column("seq", SEQUENCE, primary_key=True, autoincrement=True),
        sa.Column("user_hash", sa.LargeBinary(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("user_hash", name="erasures_user"),
        sqlite_autoincrement=True,
    )
    op.create_table("erased_events", sa.Column("event_hash", sa.LargeBinary(), primary_key=True))
    op.create_table(
        "api_keys",
        sa.Column("id", ID, primary_key=True),
        sa.Column("name", ID, nullable=False),
        sa.Column("scopes", ID, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("last_used", sa.BigInteger()),
        sa.Column("revoked", sa.BigInteger()),
    )
    secrets = op.create_table(
        "secrets",
        sa.Column("name", ID, primary_key=True),
        sa.Column("value", sa.LargeBinary(), nullable=False),
    )
    op.bulk_insert(secrets, [{"name": "erasures", "value": token_bytes(32)}])


def downgrade() -> None:
    """Drops every table."""
    for table in ("secrets", "api_keys", "erased_events", "erasures", "recommendations", "events"):
        op.drop_table(table)
