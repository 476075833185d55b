"""The tables' version: migrations, code and tables say the same."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
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


def test_a_database_of_a_later_release_is_refused(database: Database) -> None:
    schema.migrate(database)
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaTooNew, match="9999"):
        schema.check(database)
    with pytest.raises(SchemaTooNew):
        schema.migrate(database)


def test_a_commit_survives_a_power_cut_and_readers_do_not_wait(database: Database) -> None:
    with database.read() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2}
