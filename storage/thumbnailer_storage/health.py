"""Health, readiness and metrics, on a listener of their own: it answers while all other threads are busy."""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ParamSpec
from urllib.parse import parse_qs

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest

from thumbnailer_storage.config import blaming
from thumbnailer_storage.errors import StorageError

P = ParamSpec("P")
MOST = 32
"""Threads of the listener: probes and scrapes are few, and end at once."""
Check = Callable[[], str | None]
"""Says in words what is wrong; None where all is well."""
Page = Callable[[], object]
"""Gives what is shown as JSON."""


class Health:
    """Answers /healthz (restart me if it fails), /readyz (send me nothing while it fails) and /metrics; and `pages`.

    Each check and page is asked anew for each request. `?exclude=NAME` leaves one
    out, as Kubernetes' own servers do.
    Raises SettingError, naming `setting`, where the port cannot be had.
    """

    def __init__(
        self,
        setting: str,
        host: str,
        port: int,
        *,
        alive: Mapping[str, Check],
        ready: Mapping[str, Check],
        pages: Mapping[str, Page] | None = None,
    ) -> None:
        checks = {"/healthz": alive, "/readyz": ready}
        with blaming(setting, port):
            self._server = Listener((host, port), handler_for(checks, pages or {}))
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Listener(ThreadingHTTPServer):
    """A thread for each connection, `MOST` at a time: then the oldest is cut, so that the idle keep no probe out."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 32

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self._free = threading.Semaphore(MOST)
        self._open: list[socket.socket] = []
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if len(self._open) >= MOST:
            with suppress(OSError, IndexError):
                self._open[0].shutdown(socket.SHUT_RDWR)
        if not self._free.acquire(timeout=1.0):
            self.shutdown_request(request)
            return
        self._open.append(request)
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._open.remove(request)
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A prober that hangs up early is no news."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


def handler_for(checks: Mapping[str, Mapping[str, Check]], pages: Mapping[str, Page]) -> type[BaseHTTPRequestHandler]:
    known = ", ".join((*checks, "/metrics", *pages)).encode() + b"\n"

    class Handler(BaseHTTPRequestHandler):
        timeout = 5.0

        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            if path == "/metrics":
                self._send(HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(REGISTRY))
            elif path in checks:
                left_out = parse_qs(query).get("exclude", [])
                self._send(*judgement({name: look for name, look in checks[path].items() if name not in left_out}))
            elif path in pages:
                self._send(HTTPStatus.OK, "application/json", json.dumps(pages[path]()).encode() + b"\n")
            else:
                self._send(HTTPStatus.NOT_FOUND, "text/plain", known)

        def _send(self, status: HTTPStatus, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            """Probes come every few seconds: nobody wants to read that."""

    return Handler


def judgement(checks: Mapping[str, Check]) -> tuple[HTTPStatus, str, bytes]:
    """200 and "ok" for each check, or 503 and what is wrong."""
    found = {name: check() or "ok" for name, check in checks.items()}
    well = all(words == "ok" for words in found.values())
    status = HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE
    return status, "application/json", json.dumps(found).encode() + b"\n"


def trouble(look: Callable[P, None], *given: P.args, **named: P.kwargs) -> str | None:
    """What a store says is wrong when it is looked at."""
    try:
        look(*given, **named)
    except StorageError as error:
        return str(error)
    return None
