"""Options in the query of a request."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from pydantic import ValidationError

from thumbnailer_api.errors import Invalid
from thumbnailer_api.intake.asking import JobAsked
from thumbnailer_api.intake.base import Asked
from thumbnailer_api.intake.mistakes import in_our_words
from thumbnailer_api.intake.offer import Offer
from thumbnailer_api.intake.spelling import spelled

MOST_PAIRS = 100

A = TypeVar("A", bound=Asked)


def job_asked(query: str, offer: Offer) -> JobAsked:
    """Read `output=format=webp,size=200x200&priority=express`; raises Invalid."""
    given = pairs(query)
    outputs = [fields(value) for name, value in given if name == "output"]
    others = once((name, value) for name, value in given if name != "output")
    return judged(JobAsked, others | ({"output": outputs} if outputs else {}), offer)


def options(kind: type[A], query: str) -> A:
    """Read a query of options that come once each; raises Invalid."""
    return judged(kind, once(pairs(query)))


def nothing_asked(query: str) -> None:
    """Where there are no options, raises Invalid for each."""
    judged(Asked, once(pairs(query)))


def once(given: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Options that come once; raises Invalid."""
    found: dict[str, Any] = {}
    for name, value in given:
        if name in found:
            raise Invalid(f"The query names {name[:100]} twice.", [(name[:100], "is there twice")])
        found[name] = value
    return found


def fields(text: str) -> dict[str, str]:
    try:
        return spelled(text)
    except ValueError as error:
        raise Invalid(f"The query is not as it should be: output: {error}.", [("output", str(error))]) from None


def pairs(query: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query, keep_blank_values=True, max_num_fields=MOST_PAIRS)
    except ValueError:
        raise Invalid(f"The query has more than {MOST_PAIRS} parts.") from None


def judged(kind: type[A], given: dict[str, Any], offer: Offer | None = None) -> A:
    try:
        return kind.model_validate(given, context=offer)
    except ValidationError as error:
        raise in_our_words(error, "The query") from None
