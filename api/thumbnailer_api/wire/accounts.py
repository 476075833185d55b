"""What an owner used, and what happened to all that is theirs."""

from __future__ import annotations

from datetime import date
from typing import Self

from pydantic import Field

from thumbnailer_api.wire.base import Answer
from thumbnailer_api.wire.jobs import EventAnswer
from thumbnailer_storage.jobs.ledger import Used
from thumbnailer_storage.jobs.model import Event


class DayAnswer(Answer):
    """What was used on one day at one priority."""

    day: date
    priority: str
    jobs: int = Field(description="Jobs accepted.")
    bytes: int = Field(description="Of the images that they came with.")
    compute_seconds: float = Field(description="Of workers, from a job's last claim to its finish.")

    @classmethod
    def of(cls, used: Used) -> Self:
        day = date.fromisoformat(used.day)
        return cls(day=day, priority=used.priority, jobs=used.jobs, bytes=used.bytes, compute_seconds=used.seconds)


class UsageAnswer(Answer):
    """What an owner used, by day and priority."""

    owner: str
    since: date
    until: date
    days: list[DayAnswer]


class OwnersEventAnswer(EventAnswer):
    """Something that happened, with whose it was."""

    job: str | None = Field(description="Null: it concerns no job.")
    owner: str | None = Field(description="Null: an earlier release did not write it down.")

    @classmethod
    def of(cls, event: Event) -> Self:
        told = EventAnswer.of(event).model_dump()
        return cls(**told, job=None if event.job is None else str(event.job), owner=event.owner)


class EventPageAnswer(Answer):
    """A page of events, newest first."""

    events: list[OwnersEventAnswer]
    next: str | None = Field(description="`cursor` of the next page; null after the last.")
