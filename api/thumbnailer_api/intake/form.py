"""A multipart body with an image and perhaps what is asked for, in any order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from multipart import MultipartError, MultipartSegment, PushMultipartParser  # type: ignore[import-untyped]  # it brings none

from thumbnailer_api.errors import Invalid, Malformed
from thumbnailer_api.intake.asking import JobAsked
from thumbnailer_api.intake.offer import Offer
from thumbnailer_storage.jobs.model import MAX_METADATA_BYTES, MAX_OUTPUTS

PARTS = ("image", "job")
MAX_JOB_BYTES = 64 * 1024
MAX_BETWEEN = 64 * 1024
"""Bytes that may stand outside of the parts: their headers, and what is before, between and after them."""
MAX_NAME = 255
LIMITS = f"it names {MAX_OUTPUTS} outputs and holds {MAX_METADATA_BYTES} bytes of metadata at most"


class Form:
    """Takes a body apart as it comes; the image passes through and is never whole in memory.

    `asked` and `filename` are there once `image` has come to its end.
    """

    def __init__(self, pieces: Iterable[bytes], boundary: str, offer: Offer) -> None:
        self._pieces = pieces
        self._offer = offer
        self._parser = PushMultipartParser(boundary)
        self._seen: list[str] = []
        self._job = bytearray()
        self.asked = JobAsked()
        self.filename: str | None = None

    def image(self) -> Iterator[bytes]:
        """The image's bytes. Raises Malformed, Invalid, and what the body raises."""
        for event in self._events():
            if isinstance(event, MultipartSegment):
                self._begin(event)
            elif self._seen[-1] == "job":
                self._add_to_job(event)
            elif event is not None:
                yield event
        if "image" not in self._seen:
            raise Invalid("The form has no part named image: send the picture as `image`.", [("image", "is missing")])

    def _begin(self, part: MultipartSegment) -> None:
        name = part.name[:100]
        if name not in PARTS:
            allowed = "a form has the parts `image` and `job`"
            raise Invalid(f"The form has a part named {name!r}: {allowed}.", [(name, allowed)])
        if name in self._seen:
            once = "a job takes one; send several images as several jobs"
            raise Invalid(f"The form has two parts named {name}: {once}.", [(name, once)])
        self._seen.append(name)
        if name == "image":
            self.filename = plain_name(part.filename)

    def _add_to_job(self, event: bytes | None) -> None:
        """Collect the job's JSON, and judge it at its end: before the image, where it comes first."""
        if event is None:
            self.asked = JobAsked.from_json(bytes(self._job), self._offer)
            return
        self._job += event
        if len(self._job) > MAX_JOB_BYTES:
            raise Invalid(f"The part `job` is larger than {MAX_JOB_BYTES} bytes: {LIMITS}.", [("job", "is too large")])

    def _events(self) -> Iterator[MultipartSegment | bytes | None]:
        """A segment where a part begins, its bytes, None where it ends."""
        between = 0
        try:
            for piece in self._pieces:
                between += len(piece)
                for event in self._parser.parse(piece):
                    between -= len(event) if isinstance(event, bytes) else 0
                    yield event
                if between > MAX_BETWEEN:
                    raise Malformed("The form is not multipart as it should be: too much of it is in no part.")
            self._parser.close()
        except MultipartError as error:
            raise Malformed(f"The form is not multipart as it should be: {error}.") from None


def plain_name(name: str | None) -> str | None:
    """A file's name without folders and without what would not print; None where nothing is left."""
    last = re.split(r"[/\\]", name or "")[-1]
    return "".join(letter for letter in last if letter.isprintable())[:MAX_NAME] or None
