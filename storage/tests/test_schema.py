"""The tables' version: migrations, code and tables say the same."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from older_tables import at_revision
from sqlalchemy import text

from thumbnailer_storage.errors import SchemaTooNew, SchemaTooOld
from thumbnailer_storage.jobs import schema
from thumbnailer_storage.jobs.database import Database
from thumbnailer_storage.jobs.tables import metadata


@pytest.fixture
def database(tmp_path: Path):
    database = Database(f"sqlite:///{tmp_path / 'db'}")
    yield database
    database.close()


def test_the_migrations_make_exactly_the_tables_of_the_code(database: Database) -> None:
    schema.migrate(database)
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_every_migration_is_listed_in_order() -> None:
    files = sorted(Path(schema.__file__).parent.glob("migrations/versions/*.py"))
    assert tuple(file.name.split("_")[0] for file in files) == schema.REVISIONS


def test_an_empty_database_names_the_command_that_helps(database: Database) -> None:
    with pytest.raises(SchemaTooOld, match="thumbnailer-api migrate"):
        schema.check(database)


def later(database: Database, *more: str) -> None:
    """Bring the tables to a revision that nobody here knows."""
    schema.migrate(database)
    with database.write() as connection:
        for statement in ("UPDATE alembic_version SET version_num = '9999'", *more):
            connection.execute(text(statement))


def test_tables_of_a_later_release_are_worked_on_and_left_alone(database: Database) -> None:
    later(database)
    schema.check(database)
    assert schema.migrate(database) == "9999"


def test_tables_that_are_marked_as_too_new_are_refused(database: Database) -> None:
    later(database, "INSERT INTO facts (name, value) VALUES ('needed revision', '9998')")
    with pytest.raises(SchemaTooNew, match="9998"):
        schema.check(database)
    with pytest.raises(SchemaTooNew):
        schema.migrate(database)


def test_the_mark_of_a_revision_that_this_release_knows_is_no_hindrance(database: Database) -> None:
    later(database, "INSERT INTO facts (name, value) VALUES ('needed revision', '0002')")
    schema.check(database)


@pytest.mark.parametrize("older", schema.REVISIONS[:-1])
def test_older_tables_are_waited_for_and_brought_up_to_date_with_what_is_in_them(
    database: Database, monkeypatch: pytest.MonkeyPatch, older: str
) -> None:
    at_revision(database, older)
    with database.write() as connection:
        connection.execute(text("INSERT INTO facts (name, value) VALUES ('objects', 'marked')"))
    with pytest.raises(SchemaTooOld, match=f"at {older}"):
        schema.check(database)
    assert schema.migrate(database) == schema.REVISIONS[-1]
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        assert connection.execute(text("SELECT count(*) FROM facts")).scalar() == 2
    monkeypatch.setattr(schema, "REVISIONS", schema.REVISIONS[: schema.REVISIONS.index(older) + 1])
    schema.check(database)  # and the release before goes on


def test_a_commit_survives_a_power_cut_and_readers_do_not_wait(database: Database) -> None:
    with database.read() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2}
