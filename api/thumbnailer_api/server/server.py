"""The server: cheroot's, with our connections."""

from __future__ import annotations

import logging
import resource
import socket
import time
from contextlib import suppress
from typing import Any

import structlog
from cheroot import wsgi

from thumbnailer_api.admission import Admission
from thumbnailer_api.server.connections import Connection, Connections
from thumbnailer_api.server.reader import MAX_HEAD, SILENCE_SECONDS, Gathered

BACKLOG = 1024
MAX_CONNECTIONS = 8192
SPARE_FILES = 128
"""Open files that are neither connections nor what a thread writes or reads: the stores' and our own."""

log = structlog.get_logger()


class Server(wsgi.Server):
    """Serves one WSGI app with a fixed number of threads.

    `body_seconds` is the longest time of one body, and of one answer; `transfers` bounds how many threads wait for
    callers who do not read.
    """

    ConnectionClass = Connection
    max_request_header_size = MAX_HEAD
    _connections: Connections
    _refused: OSError | None = None

    def __init__(
        self,
        address: tuple[str, int],
        app: Any,
        *,
        threads: int,
        transfers: Admission,
        body_seconds: float,
        grace: float,
    ) -> None:
        super().__init__(
            address,
            app,
            numthreads=threads,
            max=threads,
            server_name="thumbnailer",
            request_queue_size=BACKLOG,
            timeout=int(SILENCE_SECONDS),
            shutdown_timeout=int(grace),
        )
        self.requests._force_close = cut  # cheroot's leaves a caller who does not read, and waits for it for ever
        self.transfers = transfers
        self.body_seconds = body_seconds
        self.most_connections = min(MAX_CONNECTIONS, open_files() - 2 * threads - SPARE_FILES)
        self.keep_alive_conn_limit = self.most_connections // 2

    def prepare(self) -> None:
        """Bind and start the threads; raises OSError, the system's own, where the address cannot be had."""
        try:
            super().prepare()
        except OSError as error:
            raise self._refused or error from None
        self._connections._selector.close()  # cheroot's own, made a moment ago
        self._connections = Connections(self)

    def bind(self, family: int, type: int, proto: int = 0) -> None:  # noqa: A002 - cheroot's name
        """Bind to one of the host's addresses; cheroot puts what the system says into words, we keep it."""
        try:
            super().bind(family, type, proto)
        except OSError as error:
            self._refused = error
            raise

    def process_conn(self, connection: Connection) -> None:
        """Give a connection to a thread if the head of its request is whole, else go on watching it."""
        found = connection.look()
        if found is Gathered.REQUEST:
            self.requests.put(connection)
        elif found is Gathered.END or self._connections.count() > self.most_connections:
            connection.close()
        else:
            if connection.last_used is None or found is Gathered.PART:
                connection.last_used = time.time()
            self.watch(connection)

    def watch(self, connection: Connection) -> None:
        self._connections.watch(connection)

    @property
    def port(self) -> int:
        return int(self.bind_addr[1])

    @property
    def url(self) -> str:
        host = str(self.bind_addr[0])
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def threads_alive(self) -> bool:
        threads = self.requests._threads
        return bool(threads) and all(thread.is_alive() for thread in threads)

    def error_log(self, msg: str = "", level: int = logging.INFO, traceback: bool = False) -> None:
        """Cheroot's complaints; callers that went away are not worth more than a debug line."""
        log.log(max(level, logging.DEBUG) if traceback else logging.DEBUG, "server", reason=msg, exc_info=traceback)


def cut(connection: Connection | None) -> None:
    """End a connection whose thread has not come to its end within the grace."""
    if connection is not None:
        with suppress(OSError):
            connection.socket.shutdown(socket.SHUT_RDWR)


def open_files() -> int:
    """How many files this process may have open, raised as far as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * MAX_CONNECTIONS
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return soft
