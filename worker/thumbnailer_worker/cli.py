"""The command `thumbnailer-worker`."""

from __future__ import annotations

import signal
import sys

import click
import structlog

from thumbnailer_storage import logs
from thumbnailer_storage.errors import StorageError
from thumbnailer_storage.opening import open_stores
from thumbnailer_worker import shutdown
from thumbnailer_worker.config import from_environment
from thumbnailer_worker.health import Health
from thumbnailer_worker.main import Worker
from thumbnailer_worker.scratch import own_folder

log = structlog.get_logger()


@click.command(epilog="All settings are THUMBNAILER_... variables: docs/settings.md lists them.")
@click.version_option(package_name="thumbnailer-worker")
def main() -> None:
    """Take jobs from the queues and make their thumbnails, until SIGTERM or Ctrl-C.

    Example: THUMBNAILER_DATA=/var/lib/thumbnailer THUMBNAILER_CONCURRENCY=2 thumbnailer-worker
    """
    try:
        work()
    except StorageError as error:
        click.echo(f"thumbnailer-worker: {error}", err=True)
        sys.exit(2)


def work() -> None:
    """Run one worker from settings to a clean stop."""
    settings, storage, logging = from_environment()
    logs.configure(logging, "worker")
    with own_folder(settings.scratch) as scratch:
        stores = open_stores(storage)
        worker = Worker(stores, settings, scratch)
        health = Health(worker, settings.host, settings.worker_health_port)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: worker.stopping.set())
        worker.loop.start()
        while worker.loop.is_alive() and not worker.stopping.wait(1.0):
            pass
        died = not worker.stopping.is_set()
        shutdown.stop(worker, settings.grace_seconds)
        health.close()
        stores.close()
    if died:
        log.critical("the loop died")
        sys.exit(1)
