"""The tables' version: made and brought up to date by `migrate`, looked at by every program when it starts."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from thumbnailer_storage.errors import SchemaTooNew, SchemaTooOld
from thumbnailer_storage.jobs.database import Database

REVISIONS = ("0001", "0002", "0003", "0004")
"""Every revision in order; the last is the one that this release needs. A test holds it to migrations/versions."""

NEEDED = text("SELECT value FROM facts WHERE name = 'needed revision'")
"""The mark of a migration that takes something away: the revision that a program has to know to go on.

A migration that only adds leaves it alone: programs of the release before work on, and one can go back to them.
"""

MIGRATION_SECONDS = 3600.0


def migrate(database: Database) -> str:
    """Bring the tables up to date and return their revision; raises SchemaTooNew as `check` does.

    Safe from several copies at a time: one works, the others wait and find it done.
    """
    from alembic import command  # noqa: PLC0415 - every program imports this file, and only one of them migrates
    from alembic.config import Config  # noqa: PLC0415

    with database.write(MIGRATION_SECONDS) as connection:  # SQLite: BEGIN IMMEDIATE is the lock
        if not database.embedded:
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.execute(text("SELECT pg_advisory_xact_lock(7462847)"))
        found = revision(connection)
        older = found in (*REVISIONS[:-1], None)
        if older:
            config = Config()
            config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    check(database)
    return REVISIONS[-1] if older else str(found)


def check(database: Database) -> None:
    """Raise SchemaTooOld, or SchemaTooNew where the tables are marked as too new for this release."""
    with database.read() as connection:
        found = revision(connection)
        if found == REVISIONS[-1]:
            return
        needed = None if found in (*REVISIONS, None) else connection.execute(NEEDED).scalar()
    if found is None or found in REVISIONS:
        raise SchemaTooOld(
            f"the tables of {database.address} are at {found or 'nothing'}, {REVISIONS[-1]} is needed: "
            "run `thumbnailer-api migrate`"
        )
    if needed is not None and needed not in REVISIONS:
        raise SchemaTooNew(
            f"the database's tables are at {found} and need a program that knows {needed}: start a newer release"
        )


def revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if found is None else str(found)
