"""What all that callers send has in common."""

from __future__ import annotations

from pydantic import BaseModel, BeforeValidator, ConfigDict


def no_truth(given: object) -> object:
    """`true` would be 1."""
    if isinstance(given, bool):
        raise ValueError("true and false are no numbers")
    return given


NO_TRUTH = BeforeValidator(no_truth)
"""Comes last, after the limits: they would not be in the description otherwise."""


class Asked(BaseModel):
    """What a caller may ask for: a field that we do not know is refused, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)
