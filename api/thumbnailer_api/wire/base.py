"""What all answers have in common."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, PlainSerializer, WithJsonSchema


def rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Moment = Annotated[
    datetime,
    PlainSerializer(rfc3339, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-11-24T07:07:42.123Z"]}),
]
"""RFC 3339, UTC, milliseconds."""


def is_none(value: object) -> bool:
    return value is None


class Answer(BaseModel):
    """What all answers have in common."""

    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=False)
