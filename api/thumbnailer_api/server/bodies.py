"""The body of a request as it arrives: `wsgi.input` of our server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from thumbnailer_api.errors import Malformed
from thumbnailer_api.server.reader import PIECE, Reader

MAX_TRAILERS = 32


class Body(Protocol):
    """One request's body."""

    @property
    def finished(self) -> bool:
        """Whether all of it was read: nothing more of it is on the connection."""

    def pieces(self) -> Iterator[bytes]:
        """The bytes, in pieces of up to 64 KiB as they come. Raises Malformed, BodyCut, TooSlow."""


class MeasuredBody:
    """A body whose length was declared.

    `welcome` tells the caller to begin to send: one that asked first is refused before it has sent everything.
    """

    def __init__(self, reader: Reader, length: int, welcome: Callable[[], None]) -> None:
        self._reader = reader
        self._left = length
        self._welcome = welcome

    @property
    def finished(self) -> bool:
        return self._left == 0

    def pieces(self) -> Iterator[bytes]:
        self._welcome()
        while self._left:
            piece = self._reader.some(min(PIECE, self._left))
            self._left -= len(piece)
            yield piece


class ChunkedBody:
    """A body in chunks, whose length nobody knows before its end."""

    def __init__(self, reader: Reader, welcome: Callable[[], None]) -> None:
        self._reader = reader
        self._welcome = welcome
        self.finished = False

    def pieces(self) -> Iterator[bytes]:
        self._welcome()
        while left := self._size():
            while left:
                piece = self._reader.some(min(PIECE, left))
                left -= len(piece)
                yield piece
            if not self._reader.at_line_end():
                raise Malformed("The body is not chunked as HTTP wants it: a chunk is longer than it says.")
        self._pass_trailers()
        self.finished = True

    def _size(self) -> int:
        digits = self._reader.line().partition(b";")[0].rstrip(b" \t")
        if not digits or len(digits) > 8 or digits.strip(b"0123456789abcdefABCDEF"):
            raise Malformed("The body is not chunked as HTTP wants it: a chunk's size is no hexadecimal number.")
        return int(digits, 16)

    def _pass_trailers(self) -> None:
        for _ in range(MAX_TRAILERS):
            if not self._reader.line():
                return
        raise Malformed("The body has too many trailers.")
