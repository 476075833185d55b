"""The housekeeper program: its loop, and a listener for its health."""

from __future__ import annotations

import threading

import structlog

from thumbnailer_api.config import HousekeeperSettings
from thumbnailer_api.housekeeping.loop import Housekeeper
from thumbnailer_api.lifetime import prepare, watch
from thumbnailer_storage.health import Health, trouble
from thumbnailer_storage.jobs.schema import check
from thumbnailer_storage.opening import Stores

STOP_SECONDS = 20.0
"""How long a duty that has begun may take to end; all of them can be cut short without harm."""

log = structlog.get_logger()


def keep_house(settings: HousekeeperSettings, stores: Stores, stop: threading.Event) -> None:
    """Go through the duties until `stop` is set. Raises SchemaTooNew, ForeignStore, SettingError."""
    housekeeper = Housekeeper(stores, settings)
    loop = threading.Thread(target=housekeeper.run, args=(stop,), name="housekeeper", daemon=True)

    def stalled() -> str | None:
        works = loop.is_alive() and housekeeper.healthy
        return None if works or loop.ident is None else "the loop has stalled"

    def not_working() -> str | None:
        if stop.is_set():
            return "stopping"
        if loop.ident is None:
            return "waiting for the stores"
        return None if loop.is_alive() else "the loop has died"

    health = Health(
        "THUMBNAILER_HOUSEKEEPER_HEALTH_PORT",
        settings.host,
        settings.housekeeper_health_port,
        alive={"loop": stalled},
        ready={
            "loop": not_working,
            "database": lambda: trouble(check, stores.database),
            "objects": lambda: trouble(stores.objects.check),
        },
        pages={"/scaling": housekeeper.scaling.page},
    )
    health.start()
    prepare(stores, stop)
    if not stop.is_set():
        loop.start()
        log.info("keeping house", health_port=health.port)
        watch(loop, stop)
        loop.join(STOP_SECONDS)
    stores.close()
    health.stop()
    log.info("stopped")
