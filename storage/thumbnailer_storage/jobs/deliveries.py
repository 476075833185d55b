"""What is to be told, to whom and when: every query about deliveries.

`announce` writes them in the transaction of what they tell of. A housekeeper takes one for a while, by moving its
`due` ahead: should it die, another one takes it then. `tries` grows with each taking and is the fence, so that only
the latest try can settle it.

Whoever changes a delivery locks its job first: its event refers to the job, and whoever removes the job goes on to its
deliveries.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, bindparam, case, func, literal, select, update

from thumbnailer_storage.errors import DeliveryNotFound
from thumbnailer_storage.jobs.clocks import clock
from thumbnailer_storage.jobs.database import Database
from thumbnailer_storage.jobs.model import Act, Job, Status
from thumbnailer_storage.jobs.statements import JOB_HELD
from thumbnailer_storage.jobs.store import write_event
from thumbnailer_storage.jobs.tables import deliveries, jobs

ERROR_LENGTH = 500
WAITING, DELIVERED, FAILED = "waiting", "delivered", "failed"
HOUSEKEEPER = Act(by="deliver")

FIRST = (
    select(func.min(deliveries.c.lane).label("lane"), literal(1).label("n"))
    .where(deliveries.c.due.is_not(None), deliveries.c.lane > bindparam("after"))
    .cte("each_lane", recursive=True)
)
NEXT = (
    select(func.min(deliveries.c.lane))
    .where(deliveries.c.due.is_not(None), deliveries.c.lane > FIRST.c.lane)
    .scalar_subquery()
)
EACH_LANE = FIRST.union_all(select(NEXT, FIRST.c.n + 1).where(FIRST.c.lane.is_not(None), FIRST.c.n < bindparam("most")))
LONGEST_DUE = select(deliveries.c.id).where(deliveries.c.due <= clock()).order_by(deliveries.c.due).limit(1)
OF_EACH = LONGEST_DUE.where(deliveries.c.lane == EACH_LANE.c.lane).scalar_subquery().label("id")
HEADS = select(EACH_LANE.c.lane, OF_EACH).where(EACH_LANE.c.lane.is_not(None)).order_by(EACH_LANE.c.lane)
"""For each receiver and owner that anything waits for, what has been due for longest: by two steps through an index for
each, so that a backlog of one costs the others nothing."""
HEAD_OF = LONGEST_DUE.where(deliveries.c.lane == bindparam("of_lane"))


@dataclass(frozen=True, slots=True)
class Delivery:
    """One thing that is told to a job's receiver; `kind` is the status that it tells of.

    `answer` and `error` are of the last try, `failures` counts those that failed since it was made or last asked for
    anew; `next` is None where there will be none.
    """

    id: UUID
    job: UUID
    lane: str
    kind: Status
    at: datetime
    state: str
    tries: int
    failures: int
    last: datetime | None
    next: datetime | None
    answer: int | None
    error: str | None


class Deliveries:
    """The outbox. Every method raises DatabaseUnavailable where the database does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def heads(self, *, after: str, most: int) -> list[tuple[str, UUID | None]]:
        """The next lanes, in the order of their names, and what each waits for longest; None where not yet due.

        Fewer than `most` are the last ones.
        """
        with self._database.read() as connection:
            return [(row.lane, row.id) for row in connection.execute(HEADS, {"after": after, "most": most})]

    def heads_of(self, lanes: Iterable[str]) -> list[tuple[str, UUID | None]]:
        """What each of these lanes waits for longest; None where nothing is due."""
        with self._database.read() as connection:
            return [(lane, connection.execute(HEAD_OF, {"of_lane": lane}).scalar()) for lane in lanes]

    def take(self, ids: Collection[UUID], *, lease: float) -> list[Delivery]:
        """Take those that are due still; nobody else takes them for `lease` seconds."""
        free = (
            select(deliveries.c.id)
            .where(deliveries.c.id.in_(list(ids)), deliveries.c.due <= clock())
            .with_for_update(skip_locked=True)
            .cte("free")
        )
        taking = {"due": clock(lease), "tries": deliveries.c.tries + 1, "last": clock()}
        taken = update(deliveries).where(deliveries.c.id.in_(select(free.c.id))).values(taking)
        with self._database.write() as connection:
            return [to_delivery(row) for row in connection.execute(taken.returning(*deliveries.c))]

    def delivered(self, delivery: Delivery, job: Job, answer: int) -> None:
        """The receiver has taken it."""
        message = f"The receiver was told that the job is {delivery.kind}."
        values = {"state": DELIVERED, "due": None, "answer": answer, "error": None}
        with self._database.write() as connection:
            settle(connection, delivery, job, "delivered", message, values)

    def put_off(self, delivery: Delivery, job: Job, error: str, *, answer: int | None, delay: float) -> None:
        """It is tried again, in so many seconds."""
        told = {"answer": answer, "error": error[:ERROR_LENGTH]}
        values = {"due": clock(delay), "failures": deliveries.c.failures + 1, **told}
        with self._database.write() as connection:
            settle(connection, delivery, job, "undelivered", undelivered(delivery, error), values)

    def give_up(self, delivery: Delivery, job: Job, error: str, *, answer: int | None) -> None:
        """It is not tried again, unless somebody asks for it."""
        with self._database.write() as connection:
            give_up(connection, delivery, job, error, answer)

    def receiver_gone(self, delivery: Delivery, job: Job, error: str, *, answer: int) -> None:
        """The receiver wants to hear no more of this job: what else waits is dropped, and nothing comes after."""
        others = update(deliveries).where(deliveries.c.job == job.id, deliveries.c.state == WAITING)
        with self._database.write() as connection:
            if not give_up(connection, delivery, job, error, answer):
                return
            connection.execute(others.values(state=FAILED, due=None, error=error[:ERROR_LENGTH]))
            connection.execute(update(jobs).where(jobs.c.id == job.id).values(calls_back=False))

    def of_job(self, job: UUID) -> list[Delivery]:
        """What was and is to be told of a job, in order."""
        wanted = select(deliveries).where(deliveries.c.job == job).order_by(deliveries.c.at, deliveries.c.id)
        with self._database.read() as connection:
            return [to_delivery(row) for row in connection.execute(wanted)]

    def again(self, delivery: UUID, job: Job, act: Act) -> Delivery:
        """Have it tried now, and as often as a new one. Raises DeliveryNotFound.

        A try that is under way settles nothing any more: it counts as one that came to nothing.
        """
        begun = case((deliveries.c.state == WAITING, 1), else_=0)
        anew = {"state": WAITING, "due": clock(), "tries": deliveries.c.tries + begun, "failures": 0}
        ours = update(deliveries).where(deliveries.c.id == delivery, deliveries.c.job == job.id)
        with self._database.write() as connection:
            connection.execute(JOB_HELD, {"job": job.id, "owner": job.owner})
            row = connection.execute(ours.values(anew).returning(*deliveries.c)).one_or_none()
            if row is None:
                raise DeliveryNotFound(f"there is no delivery {delivery} of this job: GET /jobs/{job.id}/deliveries")
            asked = to_delivery(row)
            message = f"The receiver is to be told again that the job is {asked.kind}."
            write_event(connection, job, "redelivery", act, str(asked.id), attempt=job.attempt, message=message)
            return asked


def settle(
    connection: Connection,
    delivery: Delivery,
    job: Job,
    event: str,
    message: str,
    values: dict[str, Any],
) -> bool:
    """Write how a try ended, and its event; False where a later try has begun, or its receiver is gone."""
    connection.execute(JOB_HELD, {"job": job.id, "owner": job.owner})
    ours = (
        deliveries.c.id == delivery.id,
        deliveries.c.tries == delivery.tries,
        deliveries.c.state == WAITING,
    )
    settled = bool(connection.execute(update(deliveries).where(*ours).values(values)).rowcount)
    if settled:
        write_event(connection, job, event, HOUSEKEEPER, str(delivery.id), attempt=job.attempt, message=message)
    return settled


def give_up(connection: Connection, delivery: Delivery, job: Job, error: str, answer: int | None) -> bool:
    message = f"{undelivered(delivery, error)} It is not tried again."
    values = {"state": FAILED, "due": None, "answer": answer, "error": error[:ERROR_LENGTH]}
    return settle(connection, delivery, job, "undelivered", message, values)


def undelivered(delivery: Delivery, error: str) -> str:
    return f"The receiver could not be told that the job is {delivery.kind}: {error}."


def to_delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        id=row.id,
        job=row.job,
        lane=row.lane,
        kind=Status(row.kind),
        at=row.at,
        state=row.state,
        tries=row.tries,
        failures=row.failures,
        last=row.last,
        next=row.due,
        answer=row.answer,
        error=row.error,
    )
