"""The housekeeper's queries. Each batch is taken by one statement, so that several housekeepers share the work."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from thumbnailer_storage.jobs.by_owner import MOST_OWNERS, PENDING, in_turn, overtaken, owners
from thumbnailer_storage.jobs.clocks import clock
from thumbnailer_storage.jobs.database import Database
from thumbnailer_storage.jobs.model import Job, Status
from thumbnailer_storage.jobs.rows import JOB_COLUMNS, to_jobs
from thumbnailer_storage.jobs.statements import SENDING
from thumbnailer_storage.jobs.tables import facts, jobs
from thumbnailer_storage.queues import Outgoing

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
    return [jobs.c.queue == queue, PENDING, due]


class Upkeep:
    """The records, as the housekeeper uses them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def has_unsent(self, queue: str, *, older: float) -> bool:
        """Whether a job that `take_unsent` would take waits."""
        unsent = select(jobs.c.id).where(*pending(queue), jobs.c.sent.is_(None), jobs.c.start < clock(-older)).limit(1)
        with self._database.read() as connection:
            return connection.execute(unsent).first() is not None

    def take_unsent(self, queue: str, *, older: float, most: int, after: str = "") -> list[Outgoing]:
        """Pending jobs whose message was never sent, accepted `older` seconds ago or before; marked as sent.

        Owners share them alike, and each one's oldest are first; the turn begins with the owner `after` the named one.
        """
        wanted = [jobs.c.sent.is_(None), jobs.c.start < clock(-older)]
        with self._database.write() as connection:
            turn = self._turn(connection, queue, [*pending(queue), *wanted], min(most, MOST_OWNERS), after)
            share = most // max(1, len(turn))
            return in_turn(
                take(connection, queue, [jobs.c.owner == owner, *wanted], share, jobs.c.start) for owner in turn
            )

    def _turn(
        self, connection: Connection, queue: str, of_jobs: list[ColumnElement[bool]], most: int, after: str
    ) -> list[str]:
        """The owners of such jobs, from one of them on and round to it again.

        Of jobs that may be taken now: an owner with none would take up a share of the batch and leave it empty.
        """
        found = list(connection.execute(owners(queue, *of_jobs, after=after).limit(most)).scalars())
        if after and len(found) < most:
            first = connection.execute(owners(queue, *of_jobs).limit(most - len(found))).scalars()
            found += [owner for owner in first if owner not in found]
        return found

    def take_overtaken(self, queue: str, *, longer: float, most: int) -> list[Outgoing]:
        """Pending jobs that younger ones of their owner overtook `longer` seconds ago or before; marked as sent."""
        with self._database.read() as connection:
            waiting = connection.execute(overtaken(queue, longer=longer)).all()
        taken: list[Outgoing] = []
        for row in waiting:
            passed = [jobs.c.owner == row.owner, jobs.c.sent < row.sent, jobs.c.resend_after < clock()]
            with self._database.write() as connection:
                taken += take(connection, queue, passed, most - len(taken), jobs.c.sent)
        return taken

    def take_sent_before(self, queue: str, *, older: float, most: int) -> list[Outgoing]:
        """Pending jobs whose message was sent `older` seconds ago or before; marked as sent.

        For a queue that reads empty, and for messages that their queue is about to forget.
        """
        with self._database.write() as connection:
            return take(connection, queue, [jobs.c.sent < clock(-older)], most, jobs.c.sent, jobs.c.start)

    def unsend(self, ids: Collection[UUID]) -> None:
        """Take back the mark of jobs whose messages could not be sent after all."""
        with self._database.write() as connection:
            connection.execute(update(jobs).where(jobs.c.id.in_(ids)).values(sent=None, sends=jobs.c.sends - 1))

    def lapsed(self, *, most: int) -> list[Job]:
        """Processing jobs whose lease has ended, but for those that a transaction holds, be it one that was cut off."""
        wanted = (jobs.c.status == Status.PROCESSING.value, jobs.c.lease < clock())
        free = select(*JOB_COLUMNS).where(*wanted).order_by(jobs.c.lease).limit(most).with_for_update(skip_locked=True)
        with self._database.write() as connection:
            return to_jobs(connection, connection.execute(free).all())

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


def take(
    connection: Connection,
    queue: str,
    wanted: list[ColumnElement[bool]],
    most: int,
    *order: ColumnElement[Any],
) -> list[Outgoing]:
    """Mark the first pending jobs of an order as sent, and return them; those that another one takes are passed over.

    The order is that of an index that finds them: the rest of a backlog is not read.
    """
    batch = (
        select(jobs.c.id)
        .where(*pending(queue), *wanted)
        .order_by(*order)
        .limit(most)
        .with_for_update(skip_locked=True)
        .cte("batch")  # a subquery may be run more than once, and would then take more than it was asked for
    )
    taken = update(jobs).where(jobs.c.id.in_(select(batch.c.id))).values(SENDING)
    rows = connection.execute(taken.returning(jobs.c.start, jobs.c.id, jobs.c.owner)).all()
    return [Outgoing(row.id, row.owner) for row in sorted(rows, key=lambda row: row.start)]  # they come in any order
