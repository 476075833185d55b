"""An image on its way from the network to the object store: measured, judged, never whole in memory."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from multipart import parse_options_header  # type: ignore[import-untyped]  # it brings no types
from werkzeug.datastructures import Headers

from thumbnailer_api import metrics
from thumbnailer_api.errors import Invalid, NoImage, TooLarge, WrongContentType
from thumbnailer_api.intake.asking import JobAsked, OutputAsked
from thumbnailer_api.intake.form import MAX_BETWEEN, MAX_JOB_BYTES, Form
from thumbnailer_api.intake.mistakes import shown
from thumbnailer_api.intake.offer import Offer
from thumbnailer_api.intake.queries import job_asked
from thumbnailer_api.intake.sniffing import judged
from thumbnailer_api.server.bodies import Body

BOTH_WAYS = "send multipart/form-data with the part `image`, or the image itself as the body"
IDEMPOTENCY_KEY = re.compile(r"[ -~]{1,255}")


class Sent(Protocol):
    """A body of one of the two kinds; what is beside the image is known once the image has passed."""

    asked: JobAsked
    filename: str | None

    def image(self) -> Iterator[bytes]:
        """The image's bytes."""


class Bare:
    """The image itself is the body, and the query says what is asked for."""

    def __init__(self, pieces: Iterator[bytes], query: str, offer: Offer) -> None:
        self.filename: str | None = None
        self.asked = job_asked(query, offer)
        self._pieces = pieces

    def image(self) -> Iterator[bytes]:
        return self._pieces


class Arrival:
    """One upload.

    Whatever can be refused by its head is refused when it is made: Invalid, WrongContentType, TooLarge, NoImage.
    """

    def __init__(self, body: Body, headers: Headers, query: str, offer: Offer) -> None:
        self._offer = offer
        self._most = most = offer.max_upload_bytes
        self._hash = hashlib.sha256()
        self.bytes = 0
        self.idempotency_key = key_of(headers.get("Idempotency-Key"))
        refuse_a_coding(headers.get("Content-Encoding", "identity"))
        kind, options = parse_options_header(headers.get("Content-Type", ""))
        beside = (MAX_JOB_BYTES + MAX_BETWEEN) * is_form(kind)
        refuse_by_length(headers.get("Content-Length"), most, beside)
        self.at_least = max(0, int(headers.get("Content-Length", 0)) - beside)
        """So many bytes the image has, by what its head declares."""
        self._sent = what_is_sent(body, kind, options, query, offer)

    def chunks(self) -> Iterator[bytes]:
        """The image, for the object store. Raises NoImage, TooLarge, and what the body and the form raise."""
        return judged(self._measured(self._sent.image()))

    def _measured(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self.bytes += len(chunk)
            metrics.upload_bytes.inc(len(chunk))
            if self.bytes > self._most:
                raise too_large(self._most)
            self._hash.update(chunk)
            yield chunk

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    @property
    def fingerprint(self) -> str:
        """The same for requests that ask for the same of the same image, in a form or in a query; SHA-256."""
        asked = self.asked.model_dump(mode="json")
        asked["outputs"] = asked["outputs"] or [OutputAsked().model_dump(mode="json")]
        # One that says nothing gets its owner's default, one that says none gets none.
        asked["webhook"] = asked["webhook"] or "webhook" in self.asked.model_fields_set
        return hashlib.sha256(json.dumps([self.sha256, asked], sort_keys=True).encode()).hexdigest()

    @property
    def asked(self) -> JobAsked:
        return self._sent.asked

    @property
    def filename(self) -> str | None:
        return self._sent.filename

    @property
    def expires_in(self) -> int:
        """Seconds from the job's finish."""
        return self.asked.expires_in or self._offer.keep_seconds


def is_form(kind: str) -> bool:
    return kind.startswith("multipart/")


def key_of(header: str | None) -> str | None:
    """The request's idempotency key, as it stands; None where there is none. Raises Invalid."""
    if header is None or IDEMPOTENCY_KEY.fullmatch(header):
        return header
    allowed = "it is 1 to 255 printable ASCII characters, such as a UUID"
    raise Invalid(f"The header Idempotency-Key is not as it should be: {allowed}.", [("Idempotency-Key", allowed)])


def refuse_a_coding(coding: str) -> None:
    if coding.lower() != "identity":
        raise WrongContentType(f"Content-Encoding {shown(coding)} is not read here: send the image as it is.")


def refuse_by_length(length: str | None, most: int, beside: int) -> None:
    """Refuse a body that cannot but hold an image of more than `most` bytes, with `beside` bytes of other things."""
    if length is not None and int(length) > most + beside:
        raise too_large(most)
    if length == "0":
        raise NoImage(f"There is no body: {BOTH_WAYS}.")


def too_large(most: int) -> TooLarge:
    return TooLarge(f"An image may have {most} bytes at most: send a smaller one.")


def what_is_sent(body: Body, kind: str, options: Mapping[str, str], query: str, offer: Offer) -> Sent:
    """The form or the bare image that the content type names."""
    if kind == "application/json":
        raise WrongContentType(f"JSON holds no image: {BOTH_WAYS}.")
    if not is_form(kind):
        return Bare(body.pieces(), query, offer)
    if kind != "multipart/form-data" or not 1 <= len(options.get("boundary", "")) <= 200:
        raise WrongContentType(f"{kind} cannot be read here, or it names no boundary: {BOTH_WAYS}.")
    if query:
        raise Invalid("Options of a form belong into its part `job`, and not into the query.", [("job", "is missing")])
    return Form(body.pieces(), options["boundary"], offer)
