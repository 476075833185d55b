"""Jobs, their outputs, and what happened to them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Self

from pydantic import Field

from thumbnailer_api.wire.base import Answer, Moment, is_none
from thumbnailer_api.wire.webhooks import WebhookAnswer
from thumbnailer_storage.jobs.model import Event, Job, Priority, Source, Status
from thumbnailer_storage.jobs.pictures import Fit, Output


class SourceAnswer(Answer):
    """The image that was sent; what it is, is known once a worker has looked into it."""

    bytes: int
    format: str | None
    width: int | None
    height: int | None

    @classmethod
    def of(cls, source: Source) -> Self:
        return cls(bytes=source.bytes, format=source.format, width=source.width, height=source.height)


class OutputAnswer(Answer):
    """A picture as it was asked for; once the job is complete also what was made."""

    format: Literal["jpeg", "png", "webp", "avif", "gif"] | None = Field(
        description="As asked; null: PNG where the source has transparency, else JPEG."
    )
    size: str = Field(examples=["100x100"])
    fit: Fit
    quality: int | None
    background: str | None
    enlarge: bool | None
    lossless: bool | None
    crop: str = Field(examples=["centre", "0.3,0.7"], description="`centre`, or a point as shares of width and height.")
    preset: str | None = Field(description="The preset that it was asked for by; what that stands for is beside it.")
    location: str | None = Field(default=None, exclude_if=is_none, description="The path of its bytes.")
    width: int | None = Field(default=None, exclude_if=is_none)
    height: int | None = Field(default=None, exclude_if=is_none)
    bytes: int | None = Field(default=None, exclude_if=is_none)
    media_type: str | None = Field(default=None, exclude_if=is_none)

    @classmethod
    def of(cls, output: Output, location: str, *, complete: bool) -> Self:
        size = f"{output.width}x{output.height}"
        made = output.result if complete else None
        return cls(
            format=output.format,  # type: ignore[arg-type]  # the record's formats are these
            size=size,
            fit=output.fit,
            quality=output.quality,
            background=output.background,
            enlarge=output.enlarge,
            lossless=output.lossless,
            crop=",".join(f"{share:g}" for share in output.focus) if output.focus else "centre",
            preset=output.preset,
            location=location if made else None,
            width=made.width if made else None,
            height=made.height if made else None,
            bytes=made.bytes if made else None,
            media_type=made.media_type if made else None,
        )


class JobAnswer(Answer):
    """A job as it now is."""

    id: str = Field(json_schema_extra={"format": "uuid"})
    status: Status
    priority: Priority
    job_class: str | None = Field(serialization_alias="class", description="The kind of machine it asks for.")
    start: Moment = Field(description="When it was accepted, by the service's clock.")
    claimed: Moment | None = Field(description="When a worker last took it.")
    finish: Moment | None
    location: str = Field(description="Its own path while it runs; the first output's once complete.")
    code: int = Field(description="202 while it runs, 200 complete, 4xx or 5xx failed, 410 cancelled or expired.")
    message: str = Field(description="What happened, and what to do about it.")
    attempts: int = Field(description="How often a worker has taken it.")
    expires: Moment | None = Field(description="When its data will be removed, or was; null: not finished yet.")
    expires_in: int | None = Field(description="For how many seconds after its finish its data is kept.")
    request_id: str | None = Field(description="The id of the request that it came with.")
    webhook: WebhookAnswer | None = Field(description="Who is told what becomes of it; null: nobody.")
    metadata: dict[str, str]
    filename: str | None
    source: SourceAnswer
    outputs: list[OutputAnswer]

    @classmethod
    def of(cls, job: Job) -> Self:
        complete = job.status is Status.COMPLETE
        own = f"/jobs/{job.id}"
        return cls(
            id=str(job.id),
            status=job.status,
            priority=job.priority,
            job_class=job.job_class,
            start=recorded(job.start),
            claimed=job.claimed,
            finish=job.finish,
            location=f"{own}/outputs/0" if complete else own,
            code=job.code,
            message=job.message,
            attempts=job.attempt,
            expires=job.expires,
            expires_in=job.expires_in,
            request_id=job.request,
            webhook=WebhookAnswer.of(job.webhook) if job.webhook else None,
            metadata=dict(job.metadata),
            filename=job.source.filename,
            source=SourceAnswer.of(job.source),
            outputs=[
                OutputAnswer.of(output, f"{own}/outputs/{n}", complete=complete) for n, output in enumerate(job.outputs)
            ],
        )


class JobsAnswer(Answer):
    """A page of jobs, newest first."""

    jobs: list[JobAnswer]
    next: str | None = Field(description="`cursor` of the next page; null after the last.")


class CancelledAnswer(Answer):
    """How many jobs were cancelled."""

    cancelled: int


class EventAnswer(Answer):
    """Something that happened to a job, `count` times from `at` to `last`."""

    at: Moment
    last: Moment
    kind: str = Field(
        examples=[
            "accepted",
            "claimed",
            "completed",
            "failed",
            "released",
            "rescued",
            "cancelled",
            "deleted",
            "expired",
            "delivered",
            "undelivered",
        ]
    )
    attempt: int
    message: str
    count: int
    by: str | None = Field(description="The name of the key, the worker or the duty that did it.")
    address: str | None = Field(description="Where the request came from.")
    request_id: str | None = Field(description="The id of the request that did it, or that the job came with.")

    @classmethod
    def of(cls, event: Event) -> Self:
        return cls(
            at=event.at,
            last=event.last,
            kind=event.kind,
            attempt=event.attempt,
            message=event.message,
            count=event.count,
            by=event.by,
            address=event.address,
            request_id=event.request,
        )


class EventsAnswer(Answer):
    """What happened to a job, in order."""

    events: list[EventAnswer]


def recorded(moment: datetime | None) -> datetime:
    """The start of a job that is in the records: there it always has one."""
    if moment is None:
        raise ValueError("the job was not recorded yet")
    return moment
