"""An end to waiting for PostgreSQL.

Its client library waits for ever for a server that is frozen, or that a network cut off: `statement_timeout` is the
server's own clock, and the kernel's time-outs see a connection that is in order. Here a thread shuts the socket of a
transaction that takes too long; the library then tells of a lost connection.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from typing import Any

import psycopg

LOOK_SECONDS = 0.25


class Deadlines:
    """The connections that have to be free again by a certain time. Ends with `close`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ends: dict[Any, float] = {}
        self._closed = threading.Event()
        threading.Thread(target=self._run, name="deadlines", daemon=True).start()

    def set(self, connection: Any, ends: float) -> None:
        """Shut the psycopg connection at `ends`, in time.monotonic()'s seconds, unless `forget` comes first."""
        with self._lock:
            self._ends[connection] = ends

    def forget(self, connection: Any) -> None:
        with self._lock:
            self._ends.pop(connection, None)

    def close(self) -> None:
        self._closed.set()

    def _run(self) -> None:
        while not self._closed.wait(LOOK_SECONDS):
            with self._lock:
                now = time.monotonic()
                for connection in [connection for connection, ends in self._ends.items() if ends < now]:
                    del self._ends[connection]
                    shut(connection)


def shut(connection: Any) -> None:
    """End both directions at once; whoever waits on it sees the server gone."""
    try:
        with socket.socket(fileno=os.dup(connection.pgconn.socket)) as shared:
            shared.shutdown(socket.SHUT_RDWR)
    except (OSError, psycopg.Error):
        return  # it ended by itself meanwhile
