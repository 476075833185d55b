"""From rows to jobs and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, bindparam, select

from thumbnailer_storage.jobs.model import Change, Event, Fit, Job, Output, Priority, Result, Source, Status
from thumbnailer_storage.jobs.tables import MESSAGE_LENGTH, jobs, outputs, seconds_since

JOB_COLUMNS = [*jobs.c, seconds_since(jobs.c.missing_since).label("missing_for")]


def job_values(job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "owner": job.owner,
        "status": job.status.value,
        "priority": job.priority.value,
        "job_class": job.job_class,
        "queue": job.queue,
        "code": job.code,
        "message": job.message,
        "metadata": dict(job.metadata),
        "filename": job.source.filename,
        "source_bytes": job.source.bytes,
        "source_sha256": job.source.sha256,
        "attempt": 0,
        "deaths": 0,
        "sends": 0,
    }


def output_values(job: Job) -> list[dict[str, Any]]:
    return [
        {
            "job": job.id,
            "n": n,
            "format": output.format,
            "width": output.width,
            "height": output.height,
            "fit": output.fit.value,
            "quality": output.quality,
            "background": output.background,
            "enlarge": output.enlarge,
        }
        for n, output in enumerate(job.outputs)
    ]


def result_values(job: UUID, result: Result) -> dict[str, Any]:
    return {
        "of_job": job,
        "of_n": result.n,
        "its_format": result.format,
        "its_width": result.width,
        "its_height": result.height,
        "its_bytes": result.bytes,
    }


def changed_values(change: Change) -> dict[str, Any]:
    """The columns that a transition sets; those that the clock sets have no value, or seconds from now."""
    values: dict[str, Any] = {
        "status": change.to.value,
        "code": change.code,
        "message": change.message[:MESSAGE_LENGTH],
    }
    if change.to.final:
        values["finish"] = None
    if change.delay:
        values["not_before"] = change.delay
    if change.missing:
        values["missing_since"] = None
    if change.source:
        source = change.source
        values |= {"source_format": source.format, "source_width": source.width, "source_height": source.height}
    return values


OUTPUTS = select(outputs).where(outputs.c.job.in_(bindparam("jobs", expanding=True))).order_by(outputs.c.n)


def to_jobs(connection: Connection, rows: Sequence[Row[Any]]) -> list[Job]:
    """The jobs of some rows, with their outputs, in the rows' order."""
    asked: dict[UUID, list[Output]] = {row.id: [] for row in rows}
    if asked:
        for row in connection.execute(OUTPUTS, {"jobs": list(asked)}):
            asked[row.job].append(to_output(row))
    return [to_job(row, asked[row.id]) for row in rows]


def to_job(row: Row[Any], asked: Iterable[Output]) -> Job:
    return Job(
        id=row.id,
        owner=row.owner,
        source=Source(
            bytes=row.source_bytes,
            sha256=row.source_sha256,
            filename=row.filename,
            format=row.source_format,
            width=row.source_width,
            height=row.source_height,
        ),
        outputs=tuple(asked),
        priority=Priority(row.priority),
        job_class=row.job_class,
        metadata=row.metadata,
        status=Status(row.status),
        code=row.code,
        message=row.message,
        start=row.start,
        claimed=row.claimed,
        finish=row.finish,
        expires=row.expires,
        attempt=row.attempt,
        deaths=row.deaths,
        missing_for=row.missing_for,
    )


def to_output(row: Row[Any]) -> Output:
    made = row.made_format is not None
    result = Result(row.n, row.made_format, row.made_width, row.made_height, row.made_bytes) if made else None
    return Output(
        format=row.format,
        width=row.width,
        height=row.height,
        fit=Fit(row.fit),
        quality=row.quality,
        background=row.background,
        enlarge=row.enlarge,
        result=result,
    )


def to_event(row: Row[Any]) -> Event:
    return Event(
        at=row.at, last=row.last, kind=row.kind, attempt=row.attempt, message=row.message, count=row._mapping["count"]
    )
