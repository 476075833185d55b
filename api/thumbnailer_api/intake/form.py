"""A multipart body with an image and perhaps what is asked for, in any order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio.multipart import Data, Epilogue, Event, Field, File, MultipartDecoder, NeedData

from thumbnailer_api.errors import Invalid, Malformed
from thumbnailer_api.intake.asking import JobAsked
from thumbnailer_storage.jobs.model import MAX_METADATA_BYTES, MAX_OUTPUTS

PARTS = ("image", "job")
MAX_JOB_BYTES = 64 * 1024
MAX_BETWEEN = 256 * 1024
"""Bytes that the decoder may hold: headers of a part, and what stands before, between and after them."""
MAX_NAME = 255
LIMITS = f"it names {MAX_OUTPUTS} outputs and holds {MAX_METADATA_BYTES} bytes of metadata at most"


class Form:
    """Takes a body apart as it comes; the image passes through and is never whole in memory.

    `asked` and `filename` are there once `image` has come to its end.
    """

    def __init__(self, pieces: Iterable[bytes], boundary: str) -> None:
        self._pieces = pieces
        self._decoder = MultipartDecoder(boundary.encode("latin-1"), MAX_BETWEEN)
        self._seen: list[str] = []
        self._job = bytearray()
        self.asked = JobAsked()
        self.filename: str | None = None

    def image(self) -> Iterator[bytes]:
        """The image's bytes. Raises Malformed, Invalid, and what the body raises."""
        for event in self._events():
            if isinstance(event, Field | File):
                self._begin(event)
            elif isinstance(event, Data) and self._seen[-1] == "image":
                yield event.data
            elif isinstance(event, Data):
                self._add_to_job(event)
        if "image" not in self._seen:
            raise Invalid("The form has no part named image: send the picture as `image`.", [("image", "is missing")])

    def _begin(self, part: Field | File) -> None:
        name = part.name or ""
        if name not in PARTS:
            allowed = "a form has the parts `image` and `job`"
            raise Invalid(f"The form has a part named {name[:100]!r}: {allowed}.", [(name[:100], allowed)])
        if name in self._seen:
            once = "a job takes one; send several images as several jobs"
            raise Invalid(f"The form has two parts named {name}: {once}.", [(name, once)])
        self._seen.append(name)
        if name == "image" and isinstance(part, File):
            self.filename = plain_name(part.filename)

    def _add_to_job(self, event: Data) -> None:
        """Collect the job's JSON, and judge it at its end: before the image, where it comes first."""
        self._job += event.data
        if len(self._job) > MAX_JOB_BYTES:
            raise Invalid(f"The part `job` is larger than {MAX_JOB_BYTES} bytes: {LIMITS}.", [("job", "is too large")])
        if not event.more_data:
            self.asked = JobAsked.from_json(bytes(self._job))

    def _events(self) -> Iterator[Event]:
        for piece in self._pieces:
            self._receive(piece)
            while not isinstance(event := self._next(), NeedData):
                yield event
        self._receive(None)
        while not isinstance(event := self._next(), Epilogue):
            yield event

    def _receive(self, piece: bytes | None) -> None:
        try:
            self._decoder.receive_data(piece)
        except RequestEntityTooLarge:
            raise Malformed("The form is not multipart as it should be: a part's headers have no end.") from None

    def _next(self) -> Event:
        try:
            return self._decoder.next_event()
        except ValueError as error:
            raise Malformed(f"The form is not multipart as it should be: {error}.") from None


def plain_name(name: str | None) -> str | None:
    """A file's name without folders and without what would not print; None where nothing is left."""
    last = re.split(r"[/\\]", name or "")[-1]
    return "".join(letter for letter in last if letter.isprintable())[:MAX_NAME] or None
