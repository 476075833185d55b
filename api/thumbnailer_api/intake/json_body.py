"""Small bodies of JSON."""

from __future__ import annotations

from typing import TypeVar

from multipart import parse_options_header  # type: ignore[import-untyped]  # it brings no types
from pydantic import ValidationError
from werkzeug.datastructures import Headers

from thumbnailer_api.errors import TooLarge, WrongContentType
from thumbnailer_api.intake.arriving import refuse_a_coding
from thumbnailer_api.intake.base import Asked
from thumbnailer_api.intake.mistakes import in_our_words
from thumbnailer_api.server.bodies import Body

MAX_BYTES = 64 * 1024

A = TypeVar("A", bound=Asked)


def json_asked(kind: type[A], body: Body, headers: Headers) -> A:
    """What the body asks for. Raises WrongContentType, TooLarge, Malformed, Invalid, and what the body raises."""
    refuse_a_coding(headers.get("Content-Encoding", "identity"))
    if parse_options_header(headers.get("Content-Type", ""))[0] != "application/json":
        raise WrongContentType("This takes JSON: send it with Content-Type: application/json.")
    text = bytearray()
    for piece in body.pieces():
        text += piece
        if len(text) > MAX_BYTES:
            raise TooLarge(f"A body of JSON may have {MAX_BYTES} bytes at most.")
    try:
        return kind.model_validate_json(bytes(text))
    except ValidationError as error:
        raise in_our_words(error, "The body") from None
