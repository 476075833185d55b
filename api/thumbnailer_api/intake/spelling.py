"""An output on one line: `format=webp,size=200,200`, as queries and presets have it."""

from __future__ import annotations

WITH_COMMA = ("size", "crop")
"""Fields whose values may hold a comma themselves."""


def spelled(text: str) -> dict[str, str]:
    """The fields of `format=webp,size=200,200`: a part without `=` belongs to the one before. Raises ValueError."""
    fields: dict[str, str] = {}
    name = ""
    for part in text.split(","):
        key, equals, value = part.partition("=")
        if equals:
            name = key.strip()
            if name in fields:
                raise ValueError(f"{text[:100]!r} has {name[:50]!r} twice: say it once")
            fields[name] = value.strip()
        elif name in WITH_COMMA:
            fields[name] += f",{part.strip()}"
        else:
            raise ValueError(f"{text[:100]!r} has a part without `=`: write it like format=webp,size=200x200")
    return fields
