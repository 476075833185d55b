"""What may be asked about usage and events."""

from __future__ import annotations

from pydantic import Field

from thumbnailer_api.intake.base import Asked
from thumbnailer_api.intake.keys import Owner
from thumbnailer_api.intake.times import Day, Moment


class UsageAsked(Asked):
    """Which days of usage."""

    since: Day | None = Field(
        default=None, description="The first day (UTC), as 2026-11-24. Left out: 29 days before the last."
    )
    until: Day | None = Field(default=None, description="The last day. Left out: today.")
    owner: Owner | None = Field(default=None, description="Whose, for administrators. Left out: yours.")


class EventsAsked(Asked):
    """Which events."""

    owner: Owner | None = Field(default=None, description="Whose. Left out: everybody's.")
    since: Moment | None = Field(default=None, description="Only what happened at this time or later (RFC 3339).")
    limit: int = Field(default=50, ge=1, le=200, description="How many at most.")
    cursor: str | None = Field(default=None, max_length=200, description="`next` of the page before.")
