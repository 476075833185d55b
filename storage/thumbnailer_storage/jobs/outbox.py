"""Webhooks that are to be sent: written in the transaction of what they tell of."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from sqlalchemy import Connection, bindparam, insert, select

from thumbnailer_storage.jobs.clocks import clock
from thumbnailer_storage.jobs.model import Status
from thumbnailer_storage.jobs.rows import to_webhook
from thumbnailer_storage.jobs.tables import deliveries, jobs, webhooks

HOOKS = (
    select(webhooks, jobs.c.owner)
    .join(jobs, jobs.c.id == webhooks.c.job)
    .where(webhooks.c.job.in_(bindparam("jobs", expanding=True)))
)
TELL = insert(deliveries).values(at=clock(), due=clock(), state="waiting", tries=0, failures=0)


def announce(connection: Connection, told: Sequence[UUID], status: Status) -> None:
    """Have the receivers told that the jobs are in a status now, those that asked for it."""
    hooks = [(row.owner, to_webhook(row), row.job) for row in connection.execute(HOOKS, {"jobs": list(told)})]
    new = [
        {"id": uuid4(), "job": job, "kind": status.value, "lane": lane_of(hook.url, owner)}
        for owner, hook, job in hooks
        if status in hook.kinds
    ]
    if new:
        connection.execute(TELL, new)


def lane_of(url: str, owner: str) -> str:
    """Scheme, host and port, each spelled in one way, and the owner: what is slow together is bounded together."""
    address = urlsplit(url)
    port = address.port or {"http": 80}.get(address.scheme, 443)
    return f"{address.scheme}://{address.hostname}:{port} {owner}"
