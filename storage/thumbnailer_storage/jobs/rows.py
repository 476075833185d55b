"""From rows to jobs and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, bindparam, select

from thumbnailer_storage.jobs.clocks import seconds_since
from thumbnailer_storage.jobs.model import Change, Job, Priority, Source, Status, Webhook
from thumbnailer_storage.jobs.pictures import Fit, Output, Result
from thumbnailer_storage.jobs.tables import MESSAGE_LENGTH, jobs, outputs, webhooks

ENDS = (Status.COMPLETE, Status.FAILED, Status.CANCELLED)
"""What a job is when it is finished; its expiry counts from then."""
TIDY_SECONDS = {Status.COMPLETE: 0.0, Status.CANCELLED: 60.0, Status.EXPIRED: 0.0}
"""When there is data to remove: the upload once it is of no use, with a worker's time to notice; then everything."""

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
        "expires_in": job.expires_in,
        "request": job.request,
        "calls_back": job.webhook is not None,
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
            "lossless": output.lossless,
            "focus_x": output.focus[0] if output.focus else None,
            "focus_y": output.focus[1] if output.focus else None,
            "preset": output.preset,
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
    if change.to in ENDS:
        values |= {"finish": None, "expires": None}
    if change.to in TIDY_SECONDS:
        values["tidy_after"] = TIDY_SECONDS[change.to]
    if change.event == "deleted":
        values["expires"] = None
    if change.delay:
        values["not_before"] = change.delay
    if change.missing:
        values["missing_since"] = None
    if change.source:
        source = change.source
        values |= {"source_format": source.format, "source_width": source.width, "source_height": source.height}
    return values


def webhook_values(job: UUID, webhook: Webhook) -> dict[str, Any]:
    return {"job": job, **hook_values(webhook)}


def hook_values(webhook: Webhook) -> dict[str, Any]:
    kinds = ",".join(webhook.kinds)
    return {"url": webhook.url, "kinds": kinds, "secret": webhook.secret, "template": webhook.template}


def to_webhook(row: Row[Any]) -> Webhook:
    return Webhook(row.url, tuple(Status(kind) for kind in row.kinds.split(",")), row.secret, row.template)


WEBHOOKS = select(webhooks).where(webhooks.c.job.in_(bindparam("jobs", expanding=True)))
OUTPUTS = select(outputs).where(outputs.c.job.in_(bindparam("jobs", expanding=True))).order_by(outputs.c.n)


def to_jobs(connection: Connection, rows: Sequence[Row[Any]]) -> list[Job]:
    """The jobs of some rows, with their outputs, in the rows' order."""
    asked: dict[UUID, list[Output]] = {row.id: [] for row in rows}
    if asked:
        for row in connection.execute(OUTPUTS, {"jobs": list(asked)}):
            asked[row.job].append(to_output(row))
    calling = [row.id for row in rows if row.calls_back]
    hooks = {row.job: to_webhook(row) for row in connection.execute(WEBHOOKS, {"jobs": calling})} if calling else {}
    return [to_job(row, asked[row.id], hooks.get(row.id)) for row in rows]


def to_job(row: Row[Any], asked: Iterable[Output], webhook: Webhook | None = None) -> Job:
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
        expires_in=row.expires_in,
        request=row.request,
        webhook=webhook,
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
        lossless=row.lossless,
        focus=None if row.focus_x is None else (row.focus_x, row.focus_y),
        preset=row.preset,
        result=result,
    )
