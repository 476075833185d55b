"""One request, from its head to the end of its answer."""

from __future__ import annotations

import json
import time
from typing import Any
from uuid import uuid4

from cheroot.server import HeaderReader, HTTPRequest

from thumbnailer_api.server.bodies import Body, ChunkedBody, MeasuredBody

ASKS_FIRST = b"100-Continue"
"""Not spelled as callers do, for cheroot would answer that at once; we do when the body is first read."""


class OnceHeaders(dict[bytes, bytes]):
    """Headers of which those that say where a request ends come once: two readers must not disagree about it."""

    def __setitem__(self, name: bytes, value: bytes) -> None:
        if name in (b"Content-Length", b"Transfer-Encoding", b"Host") and name in self:
            raise ValueError(f"The header {name.decode('ascii')} came twice.")
        super().__setitem__(name, value)


class Headers(HeaderReader):
    """Reads headers; those with an underscore are left out, since WSGI would mistake them for others."""

    def __call__(self, rfile: Any, hdict: dict[bytes, bytes] | None = None) -> dict[bytes, bytes]:
        found = OnceHeaders()
        super().__call__(rfile, found)
        if found.get(b"Expect", b"").lower() == b"100-continue":
            dict.__setitem__(found, b"Expect", ASKS_FIRST)
        hdict = {} if hdict is None else hdict
        hdict.update(found)
        return hdict

    def _allow_header(self, key_name: bytes) -> bool:
        return b"_" not in key_name


class Request(HTTPRequest):
    """A request whose head has arrived."""

    header_reader = Headers()
    rfile: Any

    def read_request_headers(self) -> bool:
        """Read the headers; False where a refusal was sent, as for a length that two readers could take for two."""
        if not super().read_request_headers():  # type: ignore[no-untyped-call]
            return False
        length = self.inheaders.get(b"Content-Length")
        if length is None or (length.isdigit() and not self.chunked_read):
            return True
        self.simple_response("400 Bad Request", "Content-Length has to be a number, and alone.")
        return False

    def respond(self) -> None:
        self.rfile = self._body()
        self.conn.rfile.deadline = time.monotonic() + self.server.body_seconds
        self.server.gateway(self).respond()
        self.ensure_headers_sent()
        if self.chunked_write:
            self.conn.wfile.write(b"0\r\n\r\n")
        self.conn.wfile.deadline = 0.0

    def _body(self) -> Body:
        if self.chunked_read:
            return ChunkedBody(self.conn.rfile, self._welcome)
        return MeasuredBody(self.conn.rfile, int(self.inheaders.get(b"Content-Length", 0)), self._welcome)

    def _welcome(self) -> None:
        if self.inheaders.get(b"Expect") == ASKS_FIRST:
            self.conn.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def send_headers(self) -> None:
        self.conn.wfile.deadline = time.monotonic() + self.server.body_seconds
        if not self.rfile.finished:
            self._end_connection()
        super().send_headers()

    def simple_response(self, status: str, msg: str = "") -> None:
        """Cheroot's own refusals, before the app is reached: in the shape of all others."""
        self._end_connection()
        code, _, title = status.partition(" ")
        name = {"408": "too-slow", "500": "internal-error"}.get(code, "malformed-request")
        request_id = uuid4().hex
        problem = {
            "type": f"/problems/{name}",
            "title": title,
            "status": int(code),
            "detail": msg or title,
            "request_id": request_id,
        }
        body = json.dumps(problem)
        self.conn.wfile.write(
            f"HTTP/1.1 {status}\r\nContent-Type: application/problem+json\r\nContent-Length: {len(body)}\r\n"
            f"X-Request-Id: {request_id}\r\nConnection: close\r\n\r\n{body}".encode("ascii", "replace")
        )

    def _end_connection(self) -> None:
        """What is left of the request could be taken for another one: the connection ends after the answer."""
        self.close_connection = True
        self.conn.caller_still_sends = True
