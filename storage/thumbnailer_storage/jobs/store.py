"""Every query of API and worker about jobs. A transition is one statement that names the state it starts from."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Update,
    and_,
    bindparam,
    case,
    func,
    insert,
    literal,
    or_,
    select,
    tuple_,
    update,
)

from thumbnailer_storage.errors import InvalidJob, JobNotFound, TransitionRefused
from thumbnailer_storage.jobs.database import Database
from thumbnailer_storage.jobs.events import write_event
from thumbnailer_storage.jobs.model import POISON_DEATHS, Change, Event, Job, Priority, Result, Status
from thumbnailer_storage.jobs.rows import JOB_COLUMNS, job_values, output_values, to_event, to_jobs
from thumbnailer_storage.jobs.tables import MESSAGE_LENGTH, clock, events, jobs, outputs, seconds_since

FIRST_PAUSE = 60
"""Seconds before a message may be sent again; each sending doubles the pause, six times at most."""
FINAL = [status.value for status in Status if status.final]


@dataclass(frozen=True, slots=True)
class Page:
    """Some jobs, newest first, and where the next page starts; None after the last."""

    jobs: list[Job]
    next: str | None


class JobStore:
    """The records, as API and worker use them; `Upkeep` has the housekeeper's queries.

    Every method raises DatabaseUnavailable where the database does not answer.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, job: Job) -> Job:
        """Record a new job and that it was accepted; returns it as recorded."""
        with self._database.write() as connection:
            new = insert(jobs).values(**job_values(job), start=clock()).returning(*JOB_COLUMNS)
            row = connection.execute(new).one()
            connection.execute(insert(outputs), output_values(job))
            write_event(connection, job.id, "accepted", key="", attempt=0, message="The image is stored.")
            return to_jobs(connection, [row])[0]

    def get(self, job: UUID, owner: str | None = None) -> Job:
        """One job; of anybody's where no owner is named. Raises JobNotFound."""
        wanted = jobs.c.id == job if owner is None else and_(jobs.c.id == job, jobs.c.owner == owner)
        with self._database.read() as connection:
            rows = connection.execute(select(*JOB_COLUMNS).where(wanted)).all()
            if not rows:
                raise JobNotFound(f"there is no job {job}")
            return to_jobs(connection, rows)[0]

    def newest(
        self,
        owner: str,
        *,
        status: Status | None = None,
        priority: Priority | None = None,
        since: datetime | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page:
        """The owner's jobs, newest first; raises InvalidJob where the cursor is none of ours."""
        wanted: list[ColumnElement[bool]] = [jobs.c.owner == owner]
        wanted += [] if status is None else [jobs.c.status == status.value]
        wanted += [] if priority is None else [jobs.c.priority == priority.value]
        wanted += [] if since is None else [jobs.c.start >= since]
        wanted += [] if cursor is None else [older_than(cursor)]
        newest = select(*JOB_COLUMNS).where(*wanted).order_by(jobs.c.start.desc(), jobs.c.id.desc()).limit(limit + 1)
        with self._database.read() as connection:
            rows = connection.execute(newest).all()
            found = to_jobs(connection, rows[:limit])
        return Page(found, cursor_after(found[-1]) if len(rows) > limit else None)

    def events(self, job: UUID) -> list[Event]:
        """What happened to a job, in order."""
        with self._database.read() as connection:
            rows = connection.execute(select(events).where(events.c.job == job).order_by(events.c.id))
            return [to_event(row) for row in rows]

    def counts(self, owner: str) -> dict[Status, int]:
        """How many jobs of the owner stand in each status."""
        grouped = select(jobs.c.status, func.count()).where(jobs.c.owner == owner).group_by(jobs.c.status)
        with self._database.read() as connection:
            found = {Status(status): int(count) for status, count in connection.execute(grouped)}
        return {status: found.get(status, 0) for status in Status}

    def finished(self, ids: Collection[UUID]) -> set[UUID]:
        """Those of the jobs that are final; one query for all waiting callers."""
        with self._database.read() as connection:
            wanted = select(jobs.c.id).where(jobs.c.id.in_(ids), jobs.c.status.in_(FINAL))
            return set(connection.execute(wanted).scalars())

    def oldest_seconds(self, queue: str) -> float | None:
        """The age of the queue's oldest pending job in seconds; None where nothing waits."""
        waiting = (jobs.c.queue == queue, jobs.c.status == Status.PENDING.value)
        oldest = select(seconds_since(jobs.c.start)).where(*waiting).order_by(jobs.c.start).limit(1)
        with self._database.read() as connection:
            age = connection.execute(oldest).scalar()
            return None if age is None else max(0.0, float(age))

    def mark_sent(self, ids: Iterable[UUID]) -> None:
        """Remember that the jobs' messages were sent just now."""
        with self._database.write() as connection:
            connection.execute(update(jobs).where(jobs.c.id.in_(list(ids))).values(sending()))

    def claim(self, job: UUID, *, worker: str, lease: float) -> Job:
        """Take a pending job for `lease` seconds. Raises JobNotFound, or TransitionRefused with what it is instead."""
        due = or_(jobs.c.not_before.is_(None), jobs.c.not_before <= clock())
        with self._database.write() as connection:
            taken = and_(jobs.c.status == Status.PENDING.value, due)
            return self._claim(connection, job, taken, {}, worker=worker, lease=lease)

    def take_over(self, job: UUID, *, worker: str, lease: float) -> Job:
        """Take a processing job whose lease has ended: a rescue and a claim in one. Raises as `claim` does.

        One that has died too often is left to the housekeeper, who fails it.
        """
        lapsed = and_(jobs.c.status == Status.PROCESSING.value, jobs.c.lease < clock(), jobs.c.deaths < POISON_DEATHS)
        with self._database.write() as connection:
            found = self._claim(connection, job, lapsed, {"deaths": jobs.c.deaths + 1}, worker=worker, lease=lease)
            message = "its worker died without a word"
            key = str(found.deaths - 1)
            write_event(connection, job, "rescued", key=key, attempt=found.attempt - 1, message=message)
            return found

    def _claim(
        self,
        connection: Connection,
        job: UUID,
        taken: ColumnElement[bool],
        more: dict[str, Any],
        *,
        worker: str,
        lease: float,
    ) -> Job:
        values = {
            "status": Status.PROCESSING.value,
            "message": "A worker makes the thumbnails.",
            "attempt": jobs.c.attempt + 1,
            "claimed": clock(),
            "lease": clock(lease),
            "not_before": None,
            "worker": worker,
            **more,
        }
        row = self._changed(connection, job, update(jobs).where(jobs.c.id == job, taken).values(values))
        found = to_jobs(connection, [row])[0]
        message = f"claimed by {worker}"
        key = str(found.deaths)
        write_event(connection, job, "claimed", key=key, attempt=found.attempt, message=message)
        return found

    def extend(self, holds: Sequence[tuple[UUID, int]], lease: float) -> set[UUID]:
        """Hold the (job, attempt) pairs for `lease` seconds from now; returns the jobs that are still held."""
        held = tuple_(jobs.c.id, jobs.c.attempt).in_(list(holds))
        with self._database.write() as connection:
            change = update(jobs).where(jobs.c.status == Status.PROCESSING.value, held).values(lease=clock(lease))
            return set(connection.execute(change.returning(jobs.c.id)).scalars())

    def apply(self, job: Job, change: Change) -> Job:
        """Make one transition and its event; raises TransitionRefused where another writer won."""
        with self._database.write() as connection:
            starts = and_(
                jobs.c.id == job.id,
                jobs.c.status.in_([status.value for status in change.starts_from]),
                jobs.c.attempt == change.attempt,
            )
            if change.death:  # a rescue: the lease may have been extended since it was found lapsed
                starts = and_(starts, jobs.c.lease < clock())
            row = self._changed(connection, job.id, update(jobs).where(starts).values(changed_values(change)))
            if change.results:
                connection.execute(RECORD_RESULT, [result_values(job.id, result) for result in change.results])
            write_event(
                connection, job.id, change.event, key=change.key, attempt=change.attempt, message=change.message
            )
            return to_jobs(connection, [row])[0]

    def _changed(self, connection: Connection, job: UUID, change: Update) -> Row[Any]:
        row = connection.execute(change.returning(*JOB_COLUMNS)).one_or_none()
        if row is not None:
            return row
        won = connection.execute(select(jobs.c.status, jobs.c.attempt).where(jobs.c.id == job)).one_or_none()
        if won is None:
            raise JobNotFound(f"there is no job {job}")
        raise TransitionRefused(Status(won.status), won.attempt)


RECORD_RESULT = (
    update(outputs)
    .where(outputs.c.job == bindparam("of_job"), outputs.c.n == bindparam("of_n"))
    .values(
        made_format=bindparam("its_format"),
        made_width=bindparam("its_width"),
        made_height=bindparam("its_height"),
        made_bytes=bindparam("its_bytes"),
    )
)


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
    """The columns that a transition sets."""
    values: dict[str, Any] = {
        "status": change.to.value,
        "code": change.code,
        "message": change.message[:MESSAGE_LENGTH],
        "lease": None,
        "worker": None,
    }
    if change.to.final:
        values["finish"] = clock()
    if change.delay:
        values["not_before"] = clock(change.delay)
    if change.death:
        values["deaths"] = jobs.c.deaths + 1
    if change.missing:
        values["missing_since"] = func.coalesce(jobs.c.missing_since, clock())
    if change.source:
        source = change.source
        values |= {"source_format": source.format, "source_width": source.width, "source_height": source.height}
    return values


def sending() -> dict[str, Any]:
    """What sending a message sets: when, how often, and a pause that grows with it."""
    doublings = case((jobs.c.sends < 6, jobs.c.sends), else_=6)
    pause = literal(FIRST_PAUSE).bitwise_lshift(doublings)
    return {"sent": clock(), "sends": jobs.c.sends + 1, "resend_after": clock(pause)}


def cursor_after(job: Job) -> str:
    assert job.start is not None  # noqa: S101 - a recorded job has one
    return base64.urlsafe_b64encode(json.dumps([job.start.isoformat(), str(job.id)]).encode()).decode()


def older_than(cursor: str) -> ColumnElement[bool]:
    try:
        start, job = json.loads(base64.urlsafe_b64decode(cursor))
        last = datetime.fromisoformat(start), UUID(job)
    except (ValueError, TypeError, AttributeError, binascii.Error):
        raise InvalidJob("the cursor is none of ours: take it from `next` of the page before") from None
    return or_(jobs.c.start < last[0], and_(jobs.c.start == last[0], jobs.c.id < last[1]))
