"""The command `thumbnailer-api`."""

from __future__ import annotations

import signal
import sys
import threading

import click
import structlog

from thumbnailer_api import lifetime
from thumbnailer_api.cli_keys import keys
from thumbnailer_api.cli_secrets import secrets
from thumbnailer_api.config import ApiSettings, HousekeeperSettings, from_environment, of_every_program
from thumbnailer_api.errors import ApiError
from thumbnailer_storage import logs
from thumbnailer_storage.errors import SettingError, StorageError
from thumbnailer_storage.opening import Stores, open_stores

WRONG_SETTING = 2

log = structlog.get_logger()


def main(arguments: list[str] | None = None) -> None:
    """Run a command; what is wrong is one line on standard error, with code 2 for a setting and 1 for anything else."""
    try:
        commands(arguments, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except SettingError as error:
        sys.exit(said(error, WRONG_SETTING))
    except (StorageError, ApiError, OSError) as error:
        sys.exit(said(error, 1))


def said(error: Exception, code: int) -> int:
    click.echo(f"thumbnailer-api: {error}", err=True)
    return code


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="thumbnailer-api")
def commands() -> None:
    """The thumbnailer's service: its API, its housekeeper, its tables, its keys.

    All settings are THUMBNAILER_... variables: docs/settings.md lists them. Where none is set, everything is kept in
    the folder `data`, and the API listens on http://127.0.0.1:8080.
    """


@commands.command()
def serve() -> None:
    """Answer callers, until SIGTERM or Ctrl-C.

    Waits, not ready, while the database's tables are older than this release: `thumbnailer-api migrate` helps.

    Example: THUMBNAILER_PORT=9000 THUMBNAILER_DATA=/var/lib/thumbnailer thumbnailer-api serve
    """
    from thumbnailer_api import api_program  # noqa: PLC0415 - a program shows the metrics of what it imports

    settings = from_environment(ApiSettings)
    api_program.serve(settings, opened("api"), told_to_stop())


@commands.command()
def housekeeper() -> None:
    """Keep the promise that no job is lost, until SIGTERM or Ctrl-C.

    Sends messages again, rescues what dead workers held, sweeps what nobody needs. Any number of copies may run.
    """
    from thumbnailer_api import housekeeper_program  # noqa: PLC0415 - as above

    settings = from_environment(HousekeeperSettings)
    housekeeper_program.keep_house(settings, opened("housekeeper"), told_to_stop())


@commands.command()
def migrate() -> None:
    """Make the database's tables, or bring them up to date. Any number of copies may run at a time."""
    stores = opened("migrate")
    log.info("the tables are up to date", revision=lifetime.migrate(stores))
    stores.close()


commands.add_command(keys)
commands.add_command(secrets)


def opened(program: str) -> Stores:
    """Start to log, and open the stores."""
    storage, logging = of_every_program()
    logs.configure(logging, program)
    return open_stores(storage)


def told_to_stop() -> threading.Event:
    """What SIGTERM and Ctrl-C set; whoever sends a second one does not want to wait."""
    stop = threading.Event()

    def told(number: int, _: object) -> None:
        if stop.is_set():
            sys.exit(128 + number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, told)
    return stop
