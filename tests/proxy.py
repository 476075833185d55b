"""A TCP proxy that can be cut: what crosses a network is lost, and nobody is told."""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from urllib.parse import urlsplit


@contextmanager
def before(url: str) -> Iterator[tuple[Proxy, str]]:
    """A proxy before a database, and the database's address through it."""
    address = urlsplit(url)
    with closing(Proxy((str(address.hostname), int(address.port or 5432)))) as proxy:
        yield proxy, url.replace(f":{address.port}/", f":{proxy.port}/")


class Proxy:
    """Passes bytes on between callers and one address until it is closed.

    While it is `cut`, connections stay open and are made, and nothing passes, as where a router drops packets.
    """

    def __init__(self, to: tuple[str, int]) -> None:
        self._to = to
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._whole = threading.Event()
        self._whole.set()
        self._sockets = {self._listener}
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        self._whole.clear()

    def mend(self) -> None:
        self._whole.set()

    def close(self) -> None:
        for one in list(self._sockets):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._whole.set()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                caller, _ = self._listener.accept()
                try:
                    server = socket.create_connection(self._to)
                except OSError:  # nobody is there just now
                    caller.close()
                    continue
                self._sockets |= {caller, server}
                threading.Thread(target=self._pass_on, args=(caller, server), daemon=True).start()

    def _pass_on(self, caller: socket.socket, server: socket.socket) -> None:
        with suppress(OSError), selectors.DefaultSelector() as ready:
            ready.register(caller, selectors.EVENT_READ, server)
            ready.register(server, selectors.EVENT_READ, caller)
            passing = True
            while passing:
                for key, _ in ready.select():
                    self._whole.wait()
                    data = key.fileobj.recv(1 << 16)  # type: ignore[union-attr]
                    key.data.sendall(data)
                    passing = passing and bool(data)
        caller.close()
        server.close()
        self._sockets -= {caller, server}
