"""The worker's own listener: /healthz, /readyz and /metrics, in threads of their own."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from thumbnailer_storage.errors import SettingError
from thumbnailer_worker.main import Worker

TEXT = "text/plain; charset=utf-8"


class Health:
    """A started listener; `close` ends it. Port 0 takes a free one, which is then `port`."""

    def __init__(self, worker: Worker, host: str, port: int) -> None:
        try:
            self._server = ThreadingHTTPServer((host, port), handler_for(worker))
        except OSError as error:
            raise SettingError(
                f"THUMBNAILER_WORKER_HEALTH_PORT is {port}: it cannot be used: {error.strerror}"
            ) from error
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self._thread = Thread(target=self._server.serve_forever, name="health", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def answer(worker: Worker, path: str) -> tuple[int, str, bytes]:
    """Status, media type and body for a path."""
    if path == "/healthz":
        return (200, TEXT, b"ok\n") if worker.healthy else (503, TEXT, b"the loop or the heartbeat has stalled\n")
    if path == "/readyz":
        why = worker.not_ready
        return (200, TEXT, b"ok\n") if why is None else (503, TEXT, f"no jobs are taken now: {why}\n".encode())
    if path == "/metrics":
        return 200, CONTENT_TYPE_LATEST, generate_latest()
    return 404, TEXT, b"there is /healthz, /readyz and /metrics\n"


def handler_for(worker: Worker) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            status, media_type, body = answer(worker, self.path)
            self.send_response(status)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            """Probes every second are no news."""

    return Handler
