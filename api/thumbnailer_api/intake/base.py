"""What all that callers send has in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Asked(BaseModel):
    """What a caller may ask for: a field that we do not know is refused, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)
