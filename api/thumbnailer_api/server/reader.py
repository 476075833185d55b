"""The receiving side of a connection."""

from __future__ import annotations

import os
import socket
import time
from enum import Enum

from thumbnailer_api.errors import BodyCut, Malformed, TooSlow

PIECE = 64 * 1024
"""Bytes that are taken from the network at a time."""
MAX_HEAD = 16 * 1024
"""Largest request line and headers, in bytes."""
MAX_LINE = 1024
"""Longest line between the chunks of a body, in bytes."""
SILENCE_SECONDS = 10.0
"""A body that sends nothing for so long has ended."""
HEAD_END = b"\r\n\r\n"


class Gathered(Enum):
    """What a look at a connection found."""

    NOTHING = "nothing"
    PART = "the first bytes of a head"
    REQUEST = "a whole head, or one that has to be refused"
    END = "nothing, and nothing will come"


class Reader:
    """What has arrived on a connection and was not read yet.

    The watching thread gathers the head of a request, which never waits; then a thread reads the head from memory and
    the body from the network, until its deadline.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._arrived = bytearray()
        self._searched = 0
        self._ended = False
        self.deadline = 0.0
        self.closed = False

    def gather(self) -> Gathered:
        """Take what is there up to a whole head; one that is too long or cut short counts: a thread refuses it."""
        if self._arrived and self.has_data():
            return Gathered.REQUEST
        before = len(self._arrived)
        try:
            self._arrived += (data := os.read(self._socket.fileno(), PIECE))
            self._ended = not data
        except BlockingIOError:
            pass
        except OSError:
            self._ended = True
        if not self._arrived:
            return Gathered.END if self._ended else Gathered.NOTHING
        if self.has_data():
            return Gathered.REQUEST
        return Gathered.NOTHING if before else Gathered.PART

    def has_data(self) -> bool:
        """Whether a thread would find a whole head here; cheroot asks it between two requests."""
        found = self._arrived.find(HEAD_END, self._searched) >= 0
        self._searched = 0 if found else max(0, len(self._arrived) - len(HEAD_END))
        return found or self._ended or len(self._arrived) > MAX_HEAD

    @property
    def begun(self) -> bool:
        """Whether some of a request has arrived."""
        return bool(self._arrived)

    def discard(self) -> int:
        """Throw away what is there and return how many bytes; 0 where nothing will come any more."""
        self._arrived.clear()
        try:
            return len(os.read(self._socket.fileno(), PIECE))
        except BlockingIOError:
            return 1
        except OSError:
            return 0

    def readline(self, size: int) -> bytes:
        """A line of the head, or its first `size` bytes; the head has been gathered, so this never waits."""
        end = self._arrived.find(b"\n", 0, size) + 1
        return self._take(end or size)

    def some(self, most: int) -> bytes:
        """Up to `most` bytes of the body, at least one. Raises BodyCut, TooSlow."""
        return self._take(most) if self._arrived else self._receive(min(most, PIECE))

    def line(self) -> bytes:
        """A line of the body, without the CRLF that ends it. Raises BodyCut, TooSlow, Malformed."""
        while (end := self._arrived.find(b"\r\n", 0, MAX_LINE)) < 0:
            if len(self._arrived) >= MAX_LINE:
                raise Malformed("The body is not chunked as HTTP wants it: a line between two chunks is too long.")
            self._arrived += self._receive(PIECE)
        line = self._take(end + 2)[:-2]
        if b"\n" in line or b"\r" in line:
            raise Malformed("The body is not chunked as HTTP wants it: its lines end with CRLF.")
        return line

    def at_line_end(self) -> bool:
        """Take the end of a line; False where something else stands there. Raises BodyCut, TooSlow."""
        while len(self._arrived) < 2:
            self._arrived += self._receive(PIECE)
        return self._take(2) == b"\r\n"

    def _receive(self, most: int) -> bytes:
        left = self.deadline - time.monotonic()
        try:
            if left <= 0:
                raise TimeoutError
            self._socket.settimeout(min(SILENCE_SECONDS, left))
            data = self._socket.recv(most)
        except TimeoutError:
            slow = "sent nothing for ten seconds" if left > SILENCE_SECONDS else "did not end in the time allowed"
            raise TooSlow(f"The body {slow}: send it again over a faster connection.") from None
        except OSError:
            data = b""
        if not data:
            raise BodyCut("The body ended too early: send it again, whole.")
        return data

    def _take(self, most: int) -> bytes:
        taken = bytes(self._arrived[:most])
        del self._arrived[:most]
        return taken

    def close(self) -> None:
        self.closed = True
