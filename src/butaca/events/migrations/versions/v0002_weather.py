"""This migration lets an event's id count per user and client, keys expire, and events be taken back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Adds the columns and tables; SQLite's table of events is written anew."""
    with op.batch_alter_table("events", table_kwargs={"sqlite_autoincrement": True}) as events:
        events.add_column(sa.Column("client", ID, nullable=False, server_default=""))
        events.drop_constraint("events_id", type_="unique")
        events.create_unique_constraint("events_user_client_id", ["user_id", "client", "id"])
    op.add_column("api_keys", sa.Column("expires", sa.BigInteger()))
    op.create_table(
        "removals",
        sa.Column("seq", SEQUENCE, primary_key=True, autoincrement=True),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sqlite_autoincrement=True,
    )
    probes = op.create_table(
        "probes",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("time", sa.BigInteger(), nullable=False),
    )
    op.bulk_insert(probes, [{"id": 1, "time": 0}])


def downgrade() -> None:
    """Takes them away again; fails where two users have an event of the same id."""
    op.drop_table("probes")
    op.drop_table("removals")
    op.drop_column("api_keys", "expires")
    with op.batch_alter_table("events", table_kwargs={"sqlite_autoincrement": True}) as events:
        events.drop_constraint("events_user_client_id", type_="unique")
        events.create_unique_constraint("events_id", ["id"])
        events.drop_column("client")
