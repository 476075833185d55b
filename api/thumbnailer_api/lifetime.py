"""What the API and the housekeeper wait for: the tables before they begin, and then their end."""

from __future__ import annotations

import threading

import structlog

from thumbnailer_api.errors import ServerDied
from thumbnailer_storage.errors import SchemaTooOld, StoreUnavailable
from thumbnailer_storage.jobs.schema import check
from thumbnailer_storage.opening import Stores

RETRY_SECONDS = 1.0
WATCH_SECONDS = 1.0

log = structlog.get_logger()


def wait_for_tables(stores: Stores, stop: threading.Event) -> None:
    """Wait, not ready, until somebody has migrated the database; raises SchemaTooNew."""
    said = ""
    while not stop.is_set():
        try:
            check(stores.database)
        except (SchemaTooOld, StoreUnavailable) as error:
            if str(error) != said:
                log.warning("waiting for the database", reason=(said := str(error)))
            stop.wait(RETRY_SECONDS)
        else:
            return


def watch(thread: threading.Thread, stop: threading.Event) -> None:
    """Stay until it is time to end; raises ServerDied where the thread that does the work has died before."""
    while not stop.wait(WATCH_SECONDS):
        if not thread.is_alive():
            raise ServerDied(f"the thread {thread.name!r} has died: the log says why")
