"""What may be asked about usage and events."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, Field

from thumbnailer_api.intake.asking import a_time
from thumbnailer_api.intake.base import Asked


class UsageAsked(Asked):
    """Which days of usage."""

    since: date | None = Field(
        default=None, description="The first day (UTC), as 2026-11-24. Left out: 29 days before the last."
    )
    until: date | None = Field(default=None, description="The last day. Left out: today.")
    owner: str | None = Field(default=None, max_length=200, description="Whose, for administrators. Left out: yours.")


class EventsAsked(Asked):
    """Which events."""

    owner: str | None = Field(default=None, max_length=200, description="Whose. Left out: everybody's.")
    since: Annotated[AwareDatetime, AfterValidator(a_time)] | None = Field(
        default=None, description="Only what happened at this time or later (RFC 3339)."
    )
    limit: int = Field(default=50, ge=1, le=200, description="How many at most.")
    cursor: str | None = Field(default=None, max_length=200, description="`next` of the page before.")
