"""The API program: from its settings to its end."""

from __future__ import annotations

import threading

import structlog

from thumbnailer_api.app import create_app
from thumbnailer_api.config import ApiSettings
from thumbnailer_api.lifetime import prepare, watch
from thumbnailer_api.server.server import Server
from thumbnailer_api.shutdown import shut_down
from thumbnailer_api.wiring import Wiring
from thumbnailer_storage.config import blaming
from thumbnailer_storage.health import Health, trouble
from thumbnailer_storage.jobs.schema import check
from thumbnailer_storage.opening import Stores

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
            transfers=self.wiring.transfers,
            body_seconds=settings.body_seconds,
            grace=settings.grace_seconds,
        )
        self.serving = threading.Thread(target=self.server.serve, name="server", daemon=True)
        self.state = "starting"
        self.health = Health(
            "THUMBNAILER_API_HEALTH_PORT",
            settings.host,
            settings.api_health_port,
            alive={"threads": self.dead_threads},
            ready={"state": self.not_serving, "database": self.no_database, "objects": self.no_objects},
        )

    def start(self) -> None:
        """Listen and serve; raises SettingError where the port cannot be had."""
        self.wiring.waiting.start()
        self.wiring.authenticator.start()
        with blaming("THUMBNAILER_PORT", self.settings.port):
            self.server.prepare()
        self.serving.start()
        self.state = "serving"

    def dead_threads(self) -> str | None:
        if self.state != "serving":
            return None
        beside = self.wiring.waiting.healthy and self.wiring.authenticator.healthy
        alive = self.serving.is_alive() and self.server.threads_alive and beside
        return None if alive else "a thread of the server has died"

    def not_serving(self) -> str | None:
        return None if self.state == "serving" else self.state

    def no_database(self) -> str | None:
        return trouble(check, self.stores.database)

    def no_objects(self) -> str | None:
        return trouble(self.stores.objects.check)


def serve(settings: ApiSettings, stores: Stores, stop: threading.Event) -> None:
    """Serve until `stop` is set. Raises SchemaTooNew, ForeignStore, and SettingError where a port cannot be had."""
    api = Api(settings, stores)
    api.health.start()
    prepare(stores, stop)
    if not stop.is_set():
        api.start()
        log.info("listening", url=api.server.url, auth=settings.auth, health_port=api.health.port)
    try:
        watch(api.serving, stop)
    finally:
        shut_down(api)
