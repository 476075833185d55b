"""The command `thumbnailer-worker`."""

from __future__ import annotations

import os
import signal
import sys

import click
import structlog

from thumbnailer_storage import logs
from thumbnailer_storage.errors import SettingError, StorageError
from thumbnailer_storage.health import Health
from thumbnailer_storage.opening import open_stores
from thumbnailer_worker import shutdown
from thumbnailer_worker.config import from_environment
from thumbnailer_worker.errors import LoopDied, WorkerError
from thumbnailer_worker.main import LOOK_SECONDS, Worker
from thumbnailer_worker.scratch import own_folder

log = structlog.get_logger()


@click.command(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="All settings are THUMBNAILER_... variables: docs/settings.md lists them.",
)
@click.version_option(package_name="thumbnailer-worker")
def main() -> None:
    """Take jobs from the queues and make their thumbnails, until SIGTERM or Ctrl-C.

    Finishes the jobs in hand before it ends; a second signal ends it at once.

    Example: THUMBNAILER_DATA=/var/lib/thumbnailer THUMBNAILER_CONCURRENCY=2 thumbnailer-worker
    """
    try:
        work()
    except SettingError as error:
        sys.exit(said(error, 2))
    except (StorageError, WorkerError) as error:
        sys.exit(said(error, 1))


def said(error: Exception, code: int) -> int:
    click.echo(f"thumbnailer-worker: {error}", err=True)
    return code


def work() -> None:
    """Run one worker from settings to a clean stop."""
    settings, storage, logging = from_environment()
    logs.configure(logging, "worker")
    with own_folder(settings.scratch) as scratch:
        stores = open_stores(storage)
        worker = Worker(stores, settings, scratch)
        stop_on_signals(worker)
        health = Health(
            "THUMBNAILER_WORKER_HEALTH_PORT",
            settings.host,
            settings.worker_health_port,
            alive={"worker": worker.not_well},
            ready={"worker": worker.not_ready},
        )
        health.start()
        log.info("starting", health_port=health.port)
        try:
            worker.prepare()
            run_until_told(worker)
        finally:
            shutdown.stop(worker, settings.grace_seconds)
            health.stop()
            stores.close()


def stop_on_signals(worker: Worker) -> None:
    """SIGTERM and Ctrl-C stop the worker; whoever sends a second one does not want to wait."""

    def told(number: int, _: object) -> None:
        if worker.stopping.is_set():
            os._exit(128 + number)  # the slots' threads would be waited for
        worker.stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, told)


def run_until_told(worker: Worker) -> None:
    """Run the loop in a thread of its own, so that signals are heard; raises LoopDied."""
    if worker.stopping.is_set():
        return
    worker.loop.start()
    while not worker.stopping.wait(LOOK_SECONDS):
        if not worker.loop.is_alive():
            raise LoopDied("the worker's loop has died: the log says why")
