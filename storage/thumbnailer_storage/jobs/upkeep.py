"""The housekeeper's queries. Each batch is taken by one statement, so that several housekeepers share the work."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from thumbnailer_storage.jobs.database import Database
from thumbnailer_storage.jobs.model import Job, Status
from thumbnailer_storage.jobs.rows import JOB_COLUMNS, to_jobs
from thumbnailer_storage.jobs.statements import SENDING
from thumbnailer_storage.jobs.tables import clock, facts, jobs

LATEST_CLAIMS = 100
"""How many of a queue's claims are looked at to see how far it has come."""
FIRST_QUEUE = select(func.min(jobs.c.queue).label("queue")).cte("each_queue", recursive=True)
EACH_QUEUE = FIRST_QUEUE.union_all(
    select(select(func.min(jobs.c.queue)).where(jobs.c.queue > FIRST_QUEUE.c.queue).scalar_subquery()).where(
        FIRST_QUEUE.c.queue.is_not(None)
    )
)
"""Each queue that a record names, by one step through an index for each: `DISTINCT` would read every record."""
MARKED = select(facts.c.value).where(facts.c.name == "objects")


@dataclass(frozen=True, slots=True)
class Standing:
    """What the sweep has to know of a job before it touches an object."""

    status: Status
    attempt: int


def pending(queue: str) -> list[ColumnElement[bool]]:
    """What holds for a job of the queue that a worker may claim now."""
    due = or_(jobs.c.not_before.is_(None), jobs.c.not_before <= clock())
    return [jobs.c.queue == queue, jobs.c.status == Status.PENDING.value, due]


class Upkeep:
    """The records, as the housekeeper uses them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def has_unsent(self, queue: str, *, older: float) -> bool:
        """Whether a job that `take_unsent` would take waits."""
        unsent = select(jobs.c.id).where(*pending(queue), jobs.c.sent.is_(None), jobs.c.start < clock(-older)).limit(1)
        with self._database.read() as connection:
            return connection.execute(unsent).first() is not None

    def take_unsent(self, queue: str, *, older: float, most: int) -> list[UUID]:
        """Pending jobs whose message was never sent, accepted `older` seconds ago or before; marked as sent."""
        return self._take(queue, [jobs.c.sent.is_(None), jobs.c.start < clock(-older)], most)

    def take_overtaken(self, queue: str, *, longer: float, most: int) -> list[UUID]:
        """Pending jobs that younger ones of their queue overtook `longer` seconds ago or before; marked as sent."""
        latest = (
            select(jobs.c.sent)
            .where(jobs.c.queue == queue, jobs.c.claimed < clock(-longer))
            .order_by(jobs.c.claimed.desc())
            .limit(LATEST_CLAIMS)
            .subquery()
        )
        progress = select(func.max(latest.c.sent)).scalar_subquery()
        return self._take(queue, [jobs.c.sent < progress, jobs.c.resend_after < clock()], most)

    def take_sent_before(self, queue: str, *, older: float, most: int) -> list[UUID]:
        """Pending jobs whose message was sent `older` seconds ago or before; marked as sent.

        For a queue that reads empty, and for messages that their queue is about to forget.
        """
        return self._take(queue, [jobs.c.sent < clock(-older)], most)

    def _take(self, queue: str, wanted: list[ColumnElement[bool]], most: int) -> list[UUID]:
        batch = (
            select(jobs.c.id)
            .where(*pending(queue), *wanted)
            .order_by(jobs.c.sent, jobs.c.start)
            .limit(most)
            .with_for_update(skip_locked=True)
            .cte("batch")  # a subquery may be run more than once, and would then take more than it was asked for
        )
        taken = update(jobs).where(jobs.c.id.in_(select(batch.c.id))).values(SENDING)
        with self._database.write() as connection:
            rows = connection.execute(taken.returning(jobs.c.start, jobs.c.id)).all()
        return [row.id for row in sorted(rows, key=lambda row: row.start)]  # they come back in any order

    def unsend(self, ids: Collection[UUID]) -> None:
        """Take back the mark of jobs whose messages could not be sent after all."""
        with self._database.write() as connection:
            connection.execute(update(jobs).where(jobs.c.id.in_(ids)).values(sent=None, sends=jobs.c.sends - 1))

    def lapsed(self, *, most: int) -> list[Job]:
        """Processing jobs whose lease has ended."""
        wanted = (jobs.c.status == Status.PROCESSING.value, jobs.c.lease < clock())
        with self._database.read() as connection:
            rows = connection.execute(select(*JOB_COLUMNS).where(*wanted).order_by(jobs.c.lease).limit(most)).all()
            return to_jobs(connection, rows)

    def standing(self, ids: Collection[UUID]) -> dict[UUID, Standing]:
        """The status and attempt of those of the jobs that are known."""
        with self._database.read() as connection:
            rows = connection.execute(select(jobs.c.id, jobs.c.status, jobs.c.attempt).where(jobs.c.id.in_(ids)))
            return {row.id: Standing(Status(row.status), row.attempt) for row in rows}

    def queues(self) -> list[str]:
        """Every queue that jobs belong to, also one that no setting names any more."""
        with self._database.read() as connection:
            found = connection.execute(select(EACH_QUEUE.c.queue).where(EACH_QUEUE.c.queue.is_not(None)))
            return list(found.scalars())

    def identity(self) -> str:
        """The database's own id, made when its tables were."""
        with self._database.read() as connection:
            return str(connection.execute(select(facts.c.value).where(facts.c.name == "id")).scalar_one())

    def objects_are_marked(self) -> bool:
        """Whether an object store was ever marked as this database's."""
        with self._database.read() as connection:
            return connection.execute(MARKED).first() is not None

    def note_objects_marked(self) -> None:
        """Remember that an object store is marked as this database's; another program may have done so meanwhile."""
        with self._database.write() as connection:
            upsert = sqlite.insert if self._database.embedded else postgresql.insert
            connection.execute(upsert(facts).values(name="objects", value="marked").on_conflict_do_nothing())

    def now(self) -> datetime:
        """The database's clock."""
        with self._database.read() as connection:
            moment: datetime = connection.execute(select(clock())).scalar_one()
            return moment
