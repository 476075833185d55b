"""Tables of earlier releases."""

from pathlib import Path

from alembic import command
from alembic.config import Config

from thumbnailer_storage.jobs import schema
from thumbnailer_storage.jobs.database import Database


def at_revision(database: Database, revision: str) -> None:
    """The tables as an earlier release left them."""
    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).parent / "migrations"))
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
