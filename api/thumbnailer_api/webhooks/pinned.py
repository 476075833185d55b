"""Connections to addresses that were judged: looked up once, dialled by number, and over at a fixed time.

TLS still wants a certificate for the name. There is no proxy: it would look the name up for itself.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterable
from ipaddress import ip_address
from typing import Any

import httpcore
import structlog

from thumbnailer_api.webhooks.guard import Address, Forbidden, Rules, judge_address

CONNECT_SECONDS = 5.0
MOST_ADDRESSES = 8
"""Of one name that are tried; all of them are judged."""

log = structlog.get_logger()

Resolver = Callable[[str, int], list[Address]]


def look_up(host: str, port: int) -> list[Address]:
    """The addresses of a name, in the system's order; raises OSError where it has none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(ip_address(str(entry[4][0])) for entry in found))


class PinnedBackend(httpcore.NetworkBackend):
    """The network of one request, which has to be over at `ends`, in time.monotonic()'s seconds.

    Connecting raises Forbidden where one of the host's addresses is closed: a name that mixes open and closed
    ones is made to deceive.
    """

    def __init__(self, rules: Rules, resolve: Resolver, ends: float) -> None:
        self._rules = rules
        self._resolve = resolve
        self._ends = ends
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        addresses = self._judged(host, port)
        ends = min(self._ends, time.monotonic() + CONNECT_SECONDS)
        wrong: Exception = httpcore.ConnectTimeout("no time was left to connect")
        for n, address in enumerate(addresses):
            share = (ends - time.monotonic()) / (len(addresses) - n)
            if share <= 0:
                break
            try:
                return Timed(self._plain.connect_tcp(str(address), port, share, None, socket_options), self._ends)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                wrong = error
        raise wrong

    def _judged(self, host: str, port: int) -> list[Address]:
        """All of the host's addresses, where all of them are open.

        Callers read these errors: they must not learn what a name leads to in a network that they cannot see, nor
        whether there is such a name.
        """
        closed = f"{host} leads to no address that is open"
        try:
            addresses = self._resolve(host, port)
        except OSError as error:
            log.info("a webhook's host could not be looked up", host=host, reason=str(error))
            raise httpcore.ConnectError(closed) from error
        try:
            for address in addresses:
                judge_address(address, self._rules)
        except Forbidden as error:
            log.warning("a webhook's host is closed", host=host, reason=str(error))
            raise Forbidden(closed) from error
        if not addresses:
            raise Forbidden(closed)
        return addresses[:MOST_ADDRESSES]


class Timed(httpcore.NetworkStream):
    """A connection whose every wait ends at one time: a receiver that sends a byte now and then gains nothing."""

    def __init__(self, stream: httpcore.NetworkStream, ends: float) -> None:
        self._stream = stream
        self._ends = ends

    def _left(self, otherwise: type[Exception]) -> float:
        left = self._ends - time.monotonic()
        if left <= 0:
            raise otherwise("the time is up")
        return left

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._left(httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._left(httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = self._left(httpcore.ConnectTimeout)
        return Timed(self._stream.start_tls(ssl_context, server_hostname, left), self._ends)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
