"""One request, from its head to the end of its answer."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from cheroot.server import HTTPRequest

from thumbnailer_api.server.bodies import Body, ChunkedBody, MeasuredBody

FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([^\r\n\0]*+)\r\n")
LENGTH = re.compile(rb"[0-9]{1,18}")
ONCE = (b"Content-Length", b"Transfer-Encoding", b"Host", b"Idempotency-Key")
"""Headers that say where a request ends, whom it is for and whether it came before: two readers must not disagree."""


def read_headers(lines: Any) -> dict[bytes, bytes]:
    """Read them as RFC 9112 has them, and no looser; raises ValueError.

    Those with an underscore are left out, since WSGI would mistake them for others.
    """
    headers: dict[bytes, bytes] = {}
    while (line := lines.readline()) != b"\r\n":
        field = FIELD.fullmatch(line)
        if field is None:
            raise ValueError("A line of the head is no header: write `Name: value`, and end it with CRLF.")
        name, value = field[1].title(), field[2].strip(b" \t")
        if name in ONCE and name in headers:
            raise ValueError(f"The header {name.decode('ascii')} came twice.")
        if b"_" not in name:
            headers[name] = headers[name] + b", " + value if name in headers else value
    return headers


def refuse_unclear_framing(headers: Mapping[bytes, bytes], protocol: str) -> None:
    """Raise ValueError where two readers could disagree about where the request ends."""
    coding, length = headers.get(b"Transfer-Encoding"), headers.get(b"Content-Length")
    if coding is not None and (protocol != "HTTP/1.1" or coding.lower() != b"chunked"):
        raise ValueError("Transfer-Encoding has to be `chunked`, in HTTP/1.1.")
    if length is not None and (coding is not None or not LENGTH.fullmatch(length)):
        raise ValueError("Content-Length has to be a number of at most 18 digits, and alone.")
    if protocol == "HTTP/1.1" and b"Host" not in headers:
        raise ValueError("HTTP/1.1 has to name a Host.")


class Request(HTTPRequest):
    """A request whose head has arrived."""

    rfile: Any

    def read_request_line(self) -> bool:
        """Cheroot's; False where a refusal was sent. Its parser of addresses raises what cheroot does not expect."""
        try:
            return bool(super().read_request_line())  # type: ignore[no-untyped-call]
        except ValueError:
            self.simple_response("400 Bad Request", "The address is none.")
            return False

    def read_request_headers(self) -> bool:
        """Read the headers; False where a refusal was sent. All of cheroot's, which takes more than HTTP allows."""
        try:
            self.inheaders = read_headers(self.rfile)
            refuse_unclear_framing(self.inheaders, self.response_protocol)
        except ValueError as error:
            self.simple_response("400 Bad Request", str(error))
            return False
        self.chunked_read = b"Transfer-Encoding" in self.inheaders
        options = [option.strip() for option in self.inheaders.get(b"Connection", b"").lower().split(b",")]
        self.close_connection = b"close" in options or (
            self.response_protocol == "HTTP/1.0" and b"keep-alive" not in options
        )
        return True

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
        if self.inheaders.get(b"Expect", b"").lower() == b"100-continue":
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
