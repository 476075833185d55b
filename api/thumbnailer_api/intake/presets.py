"""Presets as the settings spell them: `avatar: format=webp,size=128x128; card: size=400x300`."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, ValidationError

from thumbnailer_api.intake.asking import OutputAsked
from thumbnailer_api.intake.mistakes import what_is_wrong
from thumbnailer_api.intake.offer import Preset

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
"""A record has room for 40."""


def presets(value: object) -> object:
    """The presets of a text, each valid by itself; raises ValueError with the name of one that is not."""
    if not isinstance(value, str):
        return value
    found = [a_preset(text) for text in re.split(r"[;\n]", value) if text.strip()]
    names = [preset.name for preset in found]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"the preset {twice} is there twice: give one of them another name")
    return tuple(found)


def a_preset(text: str) -> Preset:
    name, colon, spelling = (part.strip() for part in text.partition(":"))
    if not (colon and NAME.fullmatch(name)):
        raise ValueError(
            f"{text.strip()[:60]!r} is no preset: write a name of up to 40 small letters, digits and -, a colon, "
            "and an output, such as avatar: format=webp,size=128x128"
        )
    preset = Preset(name, spelling)
    try:
        OutputAsked.model_validate(preset.fields)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = "".join(f"{step}: " for step in first["loc"])
        raise ValueError(f"preset {name}: {field}{what_is_wrong(first)}") from None
    except ValueError as error:
        raise ValueError(f"preset {name}: {error}") from None
    return preset


Presets = Annotated[tuple[Preset, ...], BeforeValidator(presets)]
