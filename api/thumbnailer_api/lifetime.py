"""What the API and the housekeeper wait for: the stores before they begin, and then their end."""

from __future__ import annotations

import threading
import time

import structlog

from thumbnailer_api.errors import ServerDied
from thumbnailer_storage.errors import DatabaseUnavailable
from thumbnailer_storage.jobs import schema
from thumbnailer_storage.opening import Stores
from thumbnailer_storage.starting import Start

RETRY_SECONDS = 1.0
WATCH_SECONDS = 1.0

log = structlog.get_logger()


def prepare(stores: Stores, stop: threading.Event) -> None:
    """Wait, not ready, until the tables are up to date and all stores answer, or it is time to stop.

    Raises SchemaTooNew, ForeignStore, and SettingError where a store will not have us.
    """
    start, said = Start(stores), ""
    while not stop.is_set() and (lacks := start.lacks(stores.settings.queues, stores.claim_objects)):
        said = say(lacks, said)
        stop.wait(RETRY_SECONDS)


def migrate(stores: Stores) -> str:
    """Bring the tables up to date, once the database answers; returns their revision. Raises as `prepare` does."""
    start, said = Start(stores), ""
    while True:
        try:
            return schema.migrate(stores.database)
        except DatabaseUnavailable as error:
            said = say(start.excused(error), said)
            time.sleep(RETRY_SECONDS)


def say(lacks: str, said: str) -> str:
    """Tell once what is waited for."""
    if lacks != said:
        log.warning("waiting for the stores", reason=lacks)
    return lacks


def watch(thread: threading.Thread, stop: threading.Event) -> None:
    """Stay until it is time to end; raises ServerDied where the thread that does the work has died before."""
    while not stop.wait(WATCH_SECONDS):
        if not thread.is_alive():
            raise ServerDied(f"the thread {thread.name!r} has died: the log says why")
