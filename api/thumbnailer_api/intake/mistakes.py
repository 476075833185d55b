"""What a caller got wrong, in words that name the field and say what is allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from thumbnailer_api.errors import ApiError, Invalid, Malformed

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

SAID = 5
"""How many mistakes the answer's sentence names; its `errors` lists more."""
LISTED = 20
LONGEST_NAME = 100
"""Letters of a field's name that are repeated: it may be the caller's own."""
SHOWN = 60
"""Letters of a wrong value that are repeated."""
OURS = {
    "extra_forbidden": "there is no such field",
    "missing": "is missing",
    "timezone_aware": "write it with its zone, such as 2027-01-01T00:00:00Z",
}
"""What pydantic's kinds of mistakes are called, where that does not depend on what was sent."""


def in_our_words(error: ValidationError, where: str) -> ApiError:
    """The error to raise for what pydantic found in `where`."""
    found = error.errors(include_url=False, include_context=False)[:LISTED]
    if found[0]["type"] == "json_invalid":
        return Malformed(f"{where} is no JSON: {found[0]['msg'].removeprefix('Invalid JSON: ')}.")
    fields = [
        (".".join(str(step) for step in mistake["loc"])[:LONGEST_NAME], what_is_wrong(mistake)) for mistake in found
    ]
    said = "; ".join(f"{field}: {wrong}" if field else wrong for field, wrong in fields[:SAID])
    return Invalid(f"{where} is not as it should be: {said}.", fields)


def what_is_wrong(mistake: ErrorDetails) -> str:
    if mistake["type"] == "value_error":
        return mistake["msg"].removeprefix("Value error, ")
    if mistake["type"] in OURS:
        return OURS[mistake["type"]]
    if mistake["type"] == "too_short" and not mistake["input"]:
        return "is empty: leave it out, or name at least one"
    given = shown(mistake["input"])
    return mistake["msg"].replace("Input should be", f"{given} is not", 1).replace("is not a valid", "is no valid", 1)


def shown(given: object) -> str:
    """What a caller sent, as far as it is worth repeating."""
    text = repr(given)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
