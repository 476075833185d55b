"""What an owner may use, and has used of it."""

from __future__ import annotations

from pydantic import Field

from thumbnailer_api.wire.base import Answer


class UsedAnswer(Answer):
    """What counts against the limits now."""

    requests: int | None = Field(description="Jobs sent that are not paid off yet; null: they are not counted.")
    jobs_waiting: int = Field(description="Jobs that wait for a worker.")
    bytes: int = Field(description="Bytes of images sent on this day (UTC).")


class LimitsAnswer(Answer):
    """What the caller's owner may use; null is without a limit."""

    requests_per_minute: int | None = Field(description="Jobs sent in a minute.", examples=[60])
    jobs_waiting: int | None = Field(description="Jobs that may wait for a worker.", examples=[1000])
    bytes_per_day: int | None = Field(description="Bytes of images in a day (UTC).", examples=[1073741824])
    used: UsedAnswer
