"""Webhooks that are to be sent: written in the transaction of what they tell of."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from sqlalchemy import Connection, insert

from thumbnailer_storage.jobs.clocks import clock
from thumbnailer_storage.jobs.model import Status
from thumbnailer_storage.jobs.rows import WEBHOOKS, to_webhook
from thumbnailer_storage.jobs.tables import deliveries

TELL = insert(deliveries).values(at=clock(), due=clock(), state="waiting", tries=0, tries_before=0)


def announce(connection: Connection, jobs: Sequence[UUID], status: Status) -> None:
    """Have the receivers told that the jobs are in a status now, those that asked for it."""
    hooks = {row.job: to_webhook(row) for row in connection.execute(WEBHOOKS, {"jobs": list(jobs)})}
    new = [
        {"id": uuid4(), "job": job, "kind": status.value, "receiver": receiver_of(hook.url)}
        for job, hook in hooks.items()
        if status in hook.kinds
    ]
    if new:
        connection.execute(TELL, new)


def receiver_of(url: str) -> str:
    """Scheme, host and port: what is slow together is bounded together."""
    address = urlsplit(url)
    return f"{address.scheme}://{address.netloc.rpartition('@')[2].lower()}"[:300]
