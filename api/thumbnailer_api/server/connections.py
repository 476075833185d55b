"""Connections, and the thread that watches all of those that no thread works for."""

from __future__ import annotations

import errno
import os
import selectors
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cheroot.connections import ConnectionManager
from cheroot.server import HTTPConnection

from thumbnailer_api.admission import Admission
from thumbnailer_api.errors import Busy
from thumbnailer_api.server.reader import SILENCE_SECONDS, Gathered, Reader
from thumbnailer_api.server.requests import Request

if TYPE_CHECKING:
    from thumbnailer_api.server.server import Server

LINGER_SECONDS = 2.0
LINGER_BYTES = 64 * 1024 * 1024
"""How long, and how much, a refused caller may go on sending: closing on it would take its answer away."""


class Writer:
    """The sending side. cheroot's keeps what it could not send, and tries again when it is forgotten.

    A thread that has to wait for a caller to read counts as a transfer, and waits until `deadline` at most; where it
    may not wait, as outside of an answer, the connection is cut.
    """

    def __init__(self, sock: socket.socket, transfers: Admission) -> None:
        self._socket = sock
        self._transfers = transfers
        self.deadline = 0.0

    def write(self, data: bytes) -> int:
        """Send all of it; ConnectionAbortedError where the caller does not take it in time."""
        left = memoryview(data)[self._sent_at_once(data) :]
        if left:
            try:
                with self._transfers.one():
                    self._send(left)
            except (Busy, TimeoutError):
                raise ConnectionAbortedError(errno.ECONNABORTED, "the caller does not read its answer") from None
        return len(data)

    def _sent_at_once(self, data: bytes) -> int:
        try:
            return os.write(self._socket.fileno(), data)
        except BlockingIOError:
            return 0

    def _send(self, left: memoryview) -> None:
        while left:
            seconds = min(SILENCE_SECONDS, self.deadline - time.monotonic())
            if seconds <= 0:
                raise TimeoutError
            self._socket.settimeout(seconds)
            left = left[self._socket.send(left) :]


class Connection(HTTPConnection):
    """A caller's connection."""

    RequestHandlerClass = Request
    rfile: Reader
    wfile: Writer
    server: Server

    def __init__(self, server: Server, sock: socket.socket, _: Any) -> None:
        super().__init__(server, sock, self._file)
        self.caller_still_sends = False
        self._to_discard = 0

    def _file(self, sock: socket.socket, mode: str, _: int) -> Reader | Writer:
        return Reader(sock) if mode == "rb" else Writer(sock, self.server.transfers)

    def look(self) -> Gathered:
        """Take what has arrived; one that lingers ends with its caller, or when that has sent too much."""
        if not self._to_discard:
            return self.rfile.gather()
        discarded = self.rfile.discard()
        self._to_discard = max(0, self._to_discard - discarded) if discarded else 0
        return Gathered.NOTHING if self._to_discard else Gathered.END

    def close(self) -> None:
        """Close, at once or after lingering: then the watching thread does."""
        if self.caller_still_sends and self.server.ready:
            self.caller_still_sends = False
            self._to_discard = LINGER_BYTES
            with suppress(OSError):
                self.socket.shutdown(socket.SHUT_WR)
                self.last_used = time.time() - self.server.timeout + LINGER_SECONDS
                self.server.watch(self)
                return
        self._close_at_once()

    def expire(self) -> None:
        """Close after too long a silence; in the middle of a head it is worth a word."""
        if self.rfile.begun and not self._to_discard:
            with suppress(OSError):
                Request(self.server, self).simple_response(
                    "408 Request Timeout", "The request's head did not end in time."
                )
        self._close_at_once()

    def _close_at_once(self) -> None:
        with suppress(OSError):  # the caller was first
            super().close()


class Connections(ConnectionManager):
    """Watches the connections that have nothing for a thread: new ones, idle ones, unfinished heads, lingering ones."""

    _selector: Any
    server: Server

    def watch(self, connection: Connection) -> None:
        self._selector.register(connection.socket.fileno(), selectors.EVENT_READ, data=connection)

    def count(self) -> int:
        return len(self._selector)

    def _expire(self, threshold: float) -> None:
        watched = list(self._selector.connections)
        for descriptor, connection in watched:
            if connection is not self.server and connection.last_used < threshold:
                self._selector.unregister(descriptor)
                connection.expire()
