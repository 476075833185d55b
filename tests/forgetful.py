"""A TCP proxy that loses one reply: the server did what it was asked, and the caller does not hear of it."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self


class Forgetful:
    """Passes on all requests, and drops the connection instead of the reply to the first one like this.

    `begins` is the beginning of its first line, `holds` what the line has in it. Where there is an answer `instead`,
    that request is given it and does not reach the server.
    """

    def __init__(self, to: tuple[str, int], begins: bytes, holds: bytes = b"", instead: bytes = b"") -> None:
        self._to = to
        self._instead = instead
        self._begins = begins
        self._holds = holds
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.lost = False
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                threading.Thread(target=self._serve, args=(self._listener.accept()[0],)).start()

    def _serve(self, caller: socket.socket) -> None:
        doomed = threading.Event()
        with suppress(OSError), caller, socket.create_connection(self._to) as server:
            threading.Thread(target=self._answer, args=(caller, server, doomed)).start()
            while data := caller.recv(1 << 16):
                line = data.partition(b"\r\n")[0]
                if not self.lost and line.startswith(self._begins) and self._holds in line:
                    self.lost = True
                    doomed.set()
                    if self._instead:
                        caller.sendall(self._instead)
                        return
                server.sendall(data)

    def _answer(self, caller: socket.socket, server: socket.socket, doomed: threading.Event) -> None:
        with suppress(OSError):
            while (data := server.recv(1 << 16)) and not doomed.is_set():
                caller.sendall(data)
            caller.shutdown(socket.SHUT_RDWR)
