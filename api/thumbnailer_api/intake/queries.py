"""Options in the query of a request."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from pydantic import ValidationError

from thumbnailer_api.errors import Invalid
from thumbnailer_api.intake.asking import Asked, JobAsked, ListAsked
from thumbnailer_api.intake.mistakes import in_our_words

MOST_PAIRS = 100

A = TypeVar("A", bound=Asked)


def job_asked(query: str, classes: Sequence[str]) -> JobAsked:
    """Read `output=format=webp,size=200x200&priority=express` for a service with these classes; raises Invalid."""
    given = pairs(query)
    outputs = [spelled(value) for name, value in given if name == "output"]
    others = once((name, value) for name, value in given if name != "output")
    return judged(JobAsked, others | ({"output": outputs} if outputs else {}), classes)


def list_asked(query: str) -> ListAsked:
    """Read the query of a list; raises Invalid."""
    return judged(ListAsked, once(pairs(query)))


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


def spelled(text: str) -> dict[str, str]:
    """The fields of `format=webp,size=200,200`: a part without `=` belongs to the one before."""
    fields: dict[str, str] = {}
    name = ""
    for part in text.split(","):
        key, equals, value = part.partition("=")
        if equals:
            name = key.strip()
            fields[name] = value.strip()
        elif name == "size":
            fields[name] += f",{part.strip()}"
        else:
            wrong = f"{text[:100]!r} has a part without `=`: write it like format=webp,size=200x200"
            raise Invalid(f"The query is not as it should be: output: {wrong}.", [("output", wrong)])
    return fields


def pairs(query: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query, keep_blank_values=True, max_num_fields=MOST_PAIRS)
    except ValueError:
        raise Invalid(f"The query has more than {MOST_PAIRS} parts.") from None


def judged(kind: type[A], given: dict[str, Any], classes: Sequence[str] = ()) -> A:
    try:
        return kind.model_validate(given, context={"classes": classes})
    except ValidationError as error:
        raise in_our_words(error, "The query") from None
