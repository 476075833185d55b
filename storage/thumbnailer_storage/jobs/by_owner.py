"""Queries that treat owners alike, by a few steps through an index for each, however many jobs he has."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import chain, zip_longest

from sqlalchemy import ColumnElement, Select, func, literal, select

from thumbnailer_storage.jobs.clocks import clock
from thumbnailer_storage.jobs.model import Status
from thumbnailer_storage.jobs.tables import jobs
from thumbnailer_storage.queues import Outgoing

LATEST_CLAIMS = 10
"""How many of an owner's claims are looked at to see how far he has come."""
MOST_OWNERS = 25
"""So many at most have a share in one batch; those after them in the next one."""

PENDING = jobs.c.status == literal(Status.PENDING.value, literal_execute=True)
"""Written out, since an index of pending jobs alone is of no use to a prepared statement that may ask for others."""
SENT = (PENDING, jobs.c.sent.is_not(None))


def owners(queue: str, *of_jobs: ColumnElement[bool], after: str = "") -> Select[str]:
    """Those who have such jobs in a queue, by name: `DISTINCT` would read every record."""
    wanted = (jobs.c.queue == queue, *of_jobs)
    each = select(func.min(jobs.c.owner).label("owner")).where(*wanted, jobs.c.owner > after)
    each_owner = each.cte("each_owner", recursive=True)
    further = select(func.min(jobs.c.owner)).where(*wanted, jobs.c.owner > each_owner.c.owner).scalar_subquery()
    every = each_owner.union_all(select(further).where(each_owner.c.owner.is_not(None)))
    return select(every.c.owner).where(every.c.owner.is_not(None))


def overtaken(queue: str, *, longer: float) -> Select[str, datetime]:
    """Those whose oldest pending job was sent before one of theirs that was claimed `longer` seconds ago or before.

    With each, when the latest of the jobs was sent that overtook it. Others' jobs do not count: owners take turns.
    """
    owner = owners(queue, *SENT).subquery("with_sent")
    of_owner = (jobs.c.queue == queue, jobs.c.owner == owner.c.owner)
    claims = select(jobs.c.sent).where(*of_owner, jobs.c.claimed < clock(-longer)).correlate(owner)
    latest = claims.order_by(jobs.c.claimed.desc()).limit(LATEST_CLAIMS).subquery("latest")
    progress = select(func.max(latest.c.sent)).scalar_subquery()
    oldest = select(func.min(jobs.c.sent)).where(*of_owner, *SENT).correlate(owner).scalar_subquery()
    return select(owner.c.owner, progress.label("sent")).where(oldest < progress)


def in_turn(batches: Iterable[list[Outgoing]]) -> list[Outgoing]:
    """One of each owner's, then another one of each owner's, and so on."""
    return [out for out in chain.from_iterable(zip_longest(*batches)) if out is not None]
