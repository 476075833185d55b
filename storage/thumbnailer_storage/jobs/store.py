"""Every query of API and worker about jobs. A transition is one statement that names the state it starts from."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, Update, select, tuple_, update

from thumbnailer_storage.errors import DatabaseUnavailable, JobNotFound, TransitionRefused
from thumbnailer_storage.jobs import ledger, statements
from thumbnailer_storage.jobs.batches import BATCH, move
from thumbnailer_storage.jobs.clocks import clock, seconds_since
from thumbnailer_storage.jobs.cursors import cursor_after, older_than
from thumbnailer_storage.jobs.database import ANSWER_SECONDS, Database
from thumbnailer_storage.jobs.events import event_values
from thumbnailer_storage.jobs.idempotency import Reservation, bind
from thumbnailer_storage.jobs.model import (
    NOBODY,
    OWNERS_DEFAULT,
    TOLD,
    Act,
    Change,
    Job,
    Priority,
    Status,
    Webhook,
    cancelling,
)
from thumbnailer_storage.jobs.outbox import announce
from thumbnailer_storage.jobs.rows import (
    JOB_COLUMNS,
    changed_values,
    job_values,
    output_values,
    result_values,
    to_job,
    to_jobs,
    to_webhook,
    webhook_values,
)
from thumbnailer_storage.jobs.tables import jobs

HELD_SECONDS = 0.05
"""How long whoever cancels many waits for those that somebody else is just changing."""


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

    def add(self, job: Job, act: Act = NOBODY, reservation: Reservation | None = None) -> Job:
        """Record a new job, that it was accepted, and what key stands for it; returns it as recorded.

        Raises SubmissionInFlight where another request has the key now.
        """
        with self._database.write() as connection:
            by_default = job.webhook is OWNERS_DEFAULT
            adding = statements.ADD_JOB_BY_DEFAULT if by_default else statements.ADD_JOB
            start, calls_back = connection.execute(adding, {**job_values(job), "its_owner": job.owner}).one()
            connection.execute(statements.ADD_OUTPUT, output_values(job))
            job = replace(job, start=start, webhook=self._webhook(connection, job) if calls_back else None)
            write_event(connection, job, "accepted", act, attempt=0, message="The image is stored.")
            amounts = {ledger.JOBS: 1, ledger.BYTES: job.source.bytes}
            used = ledger.used(job.owner, start, job.priority.value, amounts)
            ledger.note(connection, ledger.moved(job.owner, None, Status.PENDING) + used)
            if reservation is not None:
                bind(connection, reservation, job.id)
        return job

    def _webhook(self, connection: Connection, job: Job) -> Webhook | None:
        """Record the job's webhook, a copy of its owner's default where that is meant."""
        if job.webhook is not None and job.webhook is not OWNERS_DEFAULT:
            connection.execute(statements.ADD_WEBHOOK, webhook_values(job.id, job.webhook))
            return job.webhook
        copied = {"its_id": job.id, "its_owner": job.owner}
        row = connection.execute(statements.ADD_DEFAULT_WEBHOOK, copied).one_or_none()
        return None if row is None else to_webhook(row)

    def get(self, job: UUID, owner: str | None = None) -> Job:
        """One job; of anybody's where no owner is named. Raises JobNotFound."""
        anybodys = owner is None
        statement = statements.JOB if anybodys else statements.JOB_OF_OWNER
        with self._database.read() as connection:
            rows = connection.execute(statement, {"job": job} if anybodys else {"job": job, "owner": owner}).all()
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
        """The owner's jobs, newest first; raises InvalidCursor."""
        wanted = narrowed(owner, status=status, priority=priority, since=since)
        wanted += [] if cursor is None else [older_than(cursor, jobs.c.start, jobs.c.id)]
        newest = select(*JOB_COLUMNS).where(*wanted).order_by(jobs.c.start.desc(), jobs.c.id.desc()).limit(limit + 1)
        with self._database.read() as connection:
            rows = connection.execute(newest).all()
            found = to_jobs(connection, rows[:limit])
        last = rows[limit - 1] if len(rows) > limit else None
        return Page(found, None if last is None else cursor_after(last.start, last.id))

    def finished(self, ids: Collection[UUID]) -> set[UUID]:
        """Those of the jobs that are final; one query for all waiting callers."""
        with self._database.read() as connection:
            return set(connection.execute(statements.FINISHED, {"ids": list(ids)}).scalars())

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
            connection.execute(statements.MARK_SENT, {"ids": list(ids)})

    def claim(self, job: UUID, *, worker: str, lease: float) -> Job:
        """Take a pending job for `lease` seconds. Raises JobNotFound, or TransitionRefused with what it is instead."""
        with self._database.write() as connection:
            found = self._claim(connection, statements.CLAIM, job, worker, lease)
            ledger.note(connection, ledger.moved(found.owner, Status.PENDING, Status.PROCESSING))
            return found

    def take_over(self, job: UUID, *, worker: str, lease: float) -> Job:
        """Take a processing job whose lease has ended: a rescue and a claim in one. Raises as `claim` does.

        One that has died too often is left to the housekeeper, who fails it.
        """
        with self._database.write() as connection:
            found = self._claim(connection, statements.TAKE_OVER, job, worker, lease)
            why, key, act = "its worker died without a word", str(found.deaths), Act(worker)
            write_event(connection, found, "rescued", act, key, attempt=found.attempt - 1, message=why)
            return found

    def _claim(self, connection: Connection, statement: Update, job: UUID, worker: str, lease: float) -> Job:
        row = self._changed(connection, statement, {"job": job, "by": worker, "seconds": lease})
        found = to_jobs(connection, [row])[0]
        by, key = f"claimed by {worker}", str(found.deaths)
        write_event(connection, found, "claimed", Act(worker), key, attempt=found.attempt, message=by)
        return found

    def extend(self, holds: Sequence[tuple[UUID, int]], lease: float) -> set[UUID]:
        """Hold the (job, attempt) pairs for `lease` seconds from now; returns the jobs that are still held."""
        held = tuple_(jobs.c.id, jobs.c.attempt).in_(list(holds))
        with self._database.write() as connection:
            change = update(jobs).where(jobs.c.status == Status.PROCESSING.value, held).values(lease=clock(lease))
            return set(connection.execute(change.returning(jobs.c.id)).scalars())

    def claimed_by(self, worker: str, ids: Collection[UUID]) -> list[Job]:
        """Those of the jobs that the worker holds."""
        held = (jobs.c.id.in_(ids), jobs.c.status == Status.PROCESSING.value, jobs.c.worker == worker)
        with self._database.read() as connection:
            return to_jobs(connection, connection.execute(select(*JOB_COLUMNS).where(*held)).all())

    def apply(self, job: Job, change: Change, act: Act = NOBODY) -> Job:
        """Make one transition and its event; raises TransitionRefused where another writer won."""
        with self._database.write() as connection:
            return self._apply(connection, job, change, act)

    def delete(self, job: UUID, owner: str, act: Act = NOBODY) -> Job:
        """Cancel a job, or have its data removed; returns it as it now is. Raises JobNotFound.

        It is locked from the look to the change, so that no claim and no finish comes in between.
        """
        with self._database.write() as connection:
            rows = connection.execute(statements.JOB_HELD, {"job": job, "owner": owner}).all()
            if not rows:
                raise JobNotFound(f"there is no job {job}")
            found = to_jobs(connection, rows)[0]
            change = found.delete()
            return found if change is None else self._apply(connection, found, change, act)

    def cancel_all(
        self,
        owner: str,
        status: Status,
        act: Act,
        *,
        priority: Priority | None = None,
        since: datetime | None = None,
        most: int,
    ) -> int:
        """Cancel the owner's jobs in a status that is not final, one batch after the other; returns how many.

        None is left where fewer than `most` were. Raises DatabaseUnavailable where others hold the rest for too long.
        """
        wanted = narrowed(owner, priority=priority, since=since)
        done, ends = 0, time.monotonic() + ANSWER_SECONDS
        while done < most:
            with self._database.write() as connection:
                batch = move(connection, wanted, cancelling(status), act, most=min(BATCH, most - done))
            if batch:
                done, ends = done + batch, time.monotonic() + ANSWER_SECONDS
                continue
            if not self._any([*wanted, jobs.c.status == status.value]):
                break
            if time.monotonic() > ends:
                raise DatabaseUnavailable(f"{done} were cancelled, and others are held by somebody else")
            time.sleep(HELD_SECONDS)  # somebody has those that are left, for a moment
        return done

    def _any(self, wanted: Collection[ColumnElement[bool]]) -> bool:
        with self._database.read() as connection:
            return connection.execute(select(jobs.c.id).where(*wanted).limit(1)).first() is not None

    def _apply(self, connection: Connection, job: Job, change: Change, act: Act) -> Job:
        values = changed_values(change)
        statement = statements.transition(frozenset(values), change.starts_from, death=change.death)
        parameters = {f"new_{name}": value for name, value in values.items()}
        parameters |= {"job": job.id, "fence": change.attempt}
        row = self._changed(connection, statement, parameters)
        if change.results:
            made = [result_values(job.id, result) for result in change.results]
            connection.execute(statements.RECORD_RESULT, made)
        results = {result.n: result for result in change.results}
        outputs = [replace(asked, result=results.get(n, asked.result)) for n, asked in enumerate(job.outputs)]
        changed = to_job(row, outputs, job.webhook)
        write_event(connection, changed, change.event, act, change.key, attempt=change.attempt, message=change.message)
        ledger.note(connection, moved_by(changed, change))
        if row.calls_back and change.to in TOLD:
            announce(connection, [job.id], change.to)
        return changed

    def _changed(self, connection: Connection, statement: Update, parameters: dict[str, Any]) -> Row[Any]:
        row = connection.execute(statement, parameters).one_or_none()
        if row is not None:
            return row
        won = connection.execute(statements.STANDING, {"job": parameters["job"]}).one_or_none()
        if won is None:
            raise JobNotFound(f"there is no job {parameters['job']}")
        raise TransitionRefused(Status(won.status), won.attempt)


def moved_by(job: Job, change: Change) -> list[dict[str, Any]]:
    """What a transition adds to the ledger."""
    rows = ledger.moved(job.owner, change.starts_from[0], change.to)
    return rows + (ledger.worked(job.owner, job.priority.value, job.claimed, job.finish) if change.ends_work else [])


def write_event(
    connection: Connection, job: Job, kind: str, act: Act, key: str = "", *, attempt: int, message: str
) -> None:
    """Tell what happened and who did it, in the transaction of what it tells of."""
    act = Act(act.by, act.address, act.request or job.request)
    values = event_values(job=job.id, owner=job.owner, kind=kind, act=act, key=key, attempt=attempt, message=message)
    connection.execute(statements.event(connection.dialect.name), values)


def narrowed(
    owner: str, *, status: Status | None = None, priority: Priority | None = None, since: datetime | None = None
) -> list[ColumnElement[bool]]:
    """What holds for those jobs of the owner that are asked for."""
    wanted: list[ColumnElement[bool]] = [jobs.c.owner == owner]
    wanted += [] if status is None else [jobs.c.status == status.value]
    wanted += [] if priority is None else [jobs.c.priority == priority.value]
    return wanted + ([] if since is None else [jobs.c.start >= since])
