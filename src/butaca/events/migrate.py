"""This module brings a database to the newest schema, one process at a time, whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from butaca.errors import StoreError
from butaca.events.schema import HEAD, VERSION_TABLE

if TYPE_CHECKING:
    from alembic.config import Config

FOLDER = Path(__file__).parent / "migrations"


def revision(connection: Connection) -> str | None:
    """Returns the revision that a database is at, or None for one that no butaca has opened."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found: str | None = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608
    return found


def config(connection: Connection | None = None) -> Config:
    """Makes Alembic's configuration, so that there is no alembic.ini to ship or to find."""
    from alembic.config import Config

    made = Config()
    made.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    made.set_main_option("path_separator", "os")
    made.attributes["connection"] = connection
    return made


def upgrade(connection: Connection) -> None:
    """Runs the migrations that are missing, in the caller's transaction, which locks others out."""
    from alembic import command
    from alembic.script import ScriptDirectory

    at = revision(connection)
    if at == HEAD:
        return
    known = {script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()}
    if at is not None and at not in known:
        raise StoreError(
            "A database is opened by the butaca that wrote it, or by a newer one",
            f"schema {at!r}, while this butaca knows schemas up to {HEAD!r}",
            "Upgrade butaca, or open another database",
        )
    command.upgrade(config(connection), "head")
