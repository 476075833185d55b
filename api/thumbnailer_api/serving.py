"""The API program: from its settings to its end."""

from __future__ import annotations

import threading

import structlog

from thumbnailer_api.app import create_app
from thumbnailer_api.config import ApiSettings
from thumbnailer_api.errors import ServerDied
from thumbnailer_api.health import Health, trouble
from thumbnailer_api.server.server import Server
from thumbnailer_api.shutdown import shut_down
from thumbnailer_api.wiring import Wiring
from thumbnailer_storage.errors import SchemaTooOld, StoreUnavailable
from thumbnailer_storage.jobs.schema import check
from thumbnailer_storage.opening import Stores

RETRY_SECONDS = 1.0
WATCH_SECONDS = 1.0

log = structlog.get_logger()


class Api:
    """The running parts of one API process."""

    def __init__(self, settings: ApiSettings, stores: Stores) -> None:
        self.settings = settings
        self.stores = stores
        self.wiring = Wiring.of(settings, stores)
        self.server = Server(
            (settings.host, settings.port),
            create_app(self.wiring),
            threads=settings.threads,
            body_seconds=settings.body_seconds,
            grace=settings.grace_seconds,
        )
        self.serving = threading.Thread(target=self.server.serve, name="server", daemon=True)
        self.state = "starting"
        self.health = Health(
            settings.host,
            settings.api_health_port,
            alive={"threads": self.dead_threads},
            ready={"state": self.not_serving, "database": self.no_database, "objects": self.no_objects},
        )

    def start(self) -> None:
        """Listen and serve; raises OSError where the address is taken."""
        self.wiring.waiting.start()
        self.server.prepare()
        self.serving.start()
        self.state = "serving"

    def dead_threads(self) -> str | None:
        if self.state != "serving":
            return None
        alive = self.serving.is_alive() and self.server.threads_alive and self.wiring.waiting.healthy
        return None if alive else "a thread of the server has died"

    def not_serving(self) -> str | None:
        return None if self.state == "serving" else self.state

    def no_database(self) -> str | None:
        return trouble(check, self.stores.database)

    def no_objects(self) -> str | None:
        return trouble(self.stores.objects.check)


def serve(settings: ApiSettings, stores: Stores, stop: threading.Event) -> None:
    """Serve until `stop` is set. Raises SchemaTooNew, ForeignStore, and OSError where an address is taken."""
    api = Api(settings, stores)
    api.health.start()
    wait_for_tables(stores, stop)
    if not stop.is_set():
        stores.claim_objects()
        api.start()
        log.info("listening", url=f"http://{settings.host}:{api.server.port}", health_port=api.health.port)
    try:
        watch(api, stop)
    finally:
        shut_down(api)


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


def watch(api: Api, stop: threading.Event) -> None:
    """Stay until it is time to end; raises ServerDied where there is nothing left to stay for."""
    while not stop.wait(WATCH_SECONDS):
        if not api.serving.is_alive():
            raise ServerDied("the server's thread has died: the log says why")
