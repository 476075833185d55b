"""How callers ask for an output: a mapping as in the service's JSON, or `format=webp,size=200x200`.

The service judges the values; only the spelling is checked here, so that a slip is known before anything is sent.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from thumbnailer.errors import InvalidOutput

OutputAsked = str | Mapping[str, object]

NUMBERS = {"quality"}
TRUTHS = {"enlarge", "lossless"}
WITH_COMMA = {"size", "crop"}
FIELDS = ("preset", "format", "size", "fit", "crop", "quality", "lossless", "background", "enlarge")


def as_json(output: OutputAsked) -> dict[str, object]:
    """What the service is sent for an output; InvalidOutput."""
    return parse(output) if isinstance(output, str) else dict(output)


def parse(text: str) -> dict[str, object]:
    """Read `format=webp,size=200x200`; a size or crop may hold the comma itself (`crop=0.3,0.7`). InvalidOutput."""
    texts: dict[str, str] = {}
    name = ""
    for part in text.split(","):
        if "=" in part:
            name, value = (side.strip() for side in part.split("=", 1))
            if name in texts:
                raise InvalidOutput(f"Output {text!r} has {name!r} twice: say it once")
            texts[name] = value
        elif name in WITH_COMMA:
            texts[name] += "," + part.strip()
        else:
            raise InvalidOutput(f"{part!r} in output {text!r} has no '=': write it like format=webp,size=200x200")
    return {name: _value(name, value) for name, value in texts.items()}


def _value(name: str, value: str) -> object:
    if name not in FIELDS:
        near = difflib.get_close_matches(name, FIELDS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"an output has {', '.join(FIELDS)}."
        raise InvalidOutput(f"An output has no {name!r}: {hint}")
    if name in NUMBERS:
        if not value.isdecimal():
            raise InvalidOutput(f"{name} {value!r} is no whole number")
        return int(value)
    if name in TRUTHS:
        if value not in {"true", "false"}:
            raise InvalidOutput(f"{name} {value!r} is neither true nor false")
        return value == "true"
    return value
