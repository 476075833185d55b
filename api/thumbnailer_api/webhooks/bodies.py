"""What receivers are sent: the job as GET shows it, or a message for people in a chat."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from thumbnailer_api.wire.base import rfc3339
from thumbnailer_api.wire.jobs import JobAnswer
from thumbnailer_storage.jobs.deliveries import Delivery
from thumbnailer_storage.jobs.model import Job, Status

HEADLINES: Mapping[Status, str] = {
    Status.COMPLETE: "Thumbnails are ready",
    Status.FAILED: "Thumbnails failed",
    Status.CANCELLED: "Thumbnails were cancelled",
    Status.EXPIRED: "Thumbnails have expired",
}
SLACK_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
"""Whatever Slack would take for a link, or for a call to everybody in the channel."""

Shape = Callable[[Delivery, Job], dict[str, Any]]


def ours(delivery: Delivery, job: Job) -> dict[str, Any]:
    """As Standard Webhooks would have it. The job is as it is now, which may be later than what is told of."""
    data = JobAnswer.of(job).model_dump(mode="json", by_alias=True)
    return {"type": f"job.{delivery.kind}", "timestamp": rfc3339(delivery.at), "data": data}


def slack(delivery: Delivery, job: Job) -> dict[str, Any]:
    return {"text": f"*{HEADLINES[delivery.kind]}*: {told(delivery, job).translate(SLACK_ESCAPES)}"}


def teams(delivery: Delivery, job: Job) -> dict[str, Any]:
    """A message for a workflow of Teams; the run of text is shown as it is, while a TextBlock is read as Markdown."""
    body = [
        {"type": "TextBlock", "text": HEADLINES[delivery.kind], "weight": "Bolder", "size": "Medium", "wrap": True},
        {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": told(delivery, job)}]},
    ]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
    }
    kind = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": kind, "contentUrl": None, "content": card}]}


TEMPLATES: Mapping[str | None, Shape] = {None: ours, "slack": slack, "teams": teams}


def told(delivery: Delivery, job: Job) -> str:
    """One sentence, and the job's path; why it ended is said while that is still what the job says of itself."""
    reason = job.message if job.status is delivery.kind else f"The job is {delivery.kind}."
    return f"{job.source.filename or 'An image'}: {reason} (/jobs/{job.id})"


def body_of(delivery: Delivery, job: Job, template: str | None) -> bytes:
    """JSON, in the shape that the receiver asked for."""
    return json.dumps(TEMPLATES[template](delivery, job), separators=(",", ":")).encode()
