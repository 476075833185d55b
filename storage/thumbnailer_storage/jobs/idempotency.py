"""Idempotency keys: of several requests with one key, one makes a job, and all others are shown that job.

A request reserves its key before it stores anything, holds it by a short lease while its body comes, and its job is
bound to it in the transaction that records the job. Whoever finds a lease that is over takes the key: its request is
dead, or can at least not record a job any more, since the token is not its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Connection, Insert, bindparam, delete, or_, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import ReturningInsert

from thumbnailer_storage.errors import SubmissionInFlight
from thumbnailer_storage.jobs.batches import BATCH
from thumbnailer_storage.jobs.clocks import clock
from thumbnailer_storage.jobs.database import Database
from thumbnailer_storage.jobs.tables import idempotency

LEASE_SECONDS = 20.0
"""How long a key is in flight without a sign of life; a body that stands still is given up in half of that."""
RENEW_SECONDS = 5.0
KEPT_SECONDS = 86400.0
"""How long a key stands for its job."""

ITS_KEY = (idempotency.c.owner == bindparam("of_owner"), idempotency.c.key == bindparam("of_key"))
HELD = (*ITS_KEY, idempotency.c.token == bindparam("held_by"), idempotency.c.job.is_(None))
STANDING = select(idempotency.c.job, idempotency.c.fingerprint).where(*ITS_KEY)
RENEW = update(idempotency).where(*HELD).values(lease=clock(LEASE_SECONDS))
FREE = delete(idempotency).where(*HELD)
BIND = (
    update(idempotency)
    .where(*HELD)
    .values(job=bindparam("its_job"), fingerprint=bindparam("its_fingerprint"), lease=None)
)
OLD = idempotency.c.start < clock(-KEPT_SECONDS)


@dataclass(frozen=True, slots=True)
class Reservation:
    """A key that one request has; `fingerprint` is of what it asks for, once that is known."""

    owner: str
    key: str
    token: UUID
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """A key that stands for a job, and the fingerprint of what was asked for."""

    job: UUID
    fingerprint: str


class IdempotencyStore:
    """The keys of callers' requests. Every method raises DatabaseUnavailable where the database does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reserve = reserving(sqlite.insert if database.embedded else postgresql.insert)

    def reserve(self, owner: str, key: str) -> Reservation | Known:
        """Have a key, or learn what it stands for. Raises SubmissionInFlight where another request has it."""
        wanted = Reservation(owner, key, uuid4())
        with self._database.write() as connection:
            if connection.execute(self._reserve, {"owner": owner, "key": key, "token": wanted.token}).first():
                return wanted
            found = connection.execute(STANDING, {"of_owner": owner, "of_key": key}).one_or_none()
        if found is None or found.job is None:
            raise SubmissionInFlight("another request with this Idempotency-Key is under way: ask again in a moment")
        return Known(found.job, found.fingerprint)

    def renew(self, reservation: Reservation) -> None:
        """Hold a key for longer; raises SubmissionInFlight where another request has it now."""
        with self._database.write() as connection:
            refuse_lost(connection.execute(RENEW, its(reservation)).rowcount)

    def free(self, reservation: Reservation) -> None:
        """Let a key go, unless another request has it now, or it stands for a job."""
        with self._database.write() as connection:
            connection.execute(FREE, its(reservation))

    def forget(self, most: int = BATCH) -> int:
        """Remove so many keys at most that were kept for long enough; returns how many."""
        key = tuple_(idempotency.c.owner, idempotency.c.key)
        oldest = (
            select(idempotency.c.owner, idempotency.c.key)
            .where(OLD)
            .order_by(idempotency.c.start)
            .limit(most)
            .with_for_update(skip_locked=True)
            .cte("oldest")  # as in upkeep: a subquery may be run more than once
        )
        with self._database.write() as connection:
            gone = delete(idempotency).where(key.in_(select(oldest.c.owner, oldest.c.key)))
            return len(connection.execute(gone.returning(idempotency.c.start)).all())


def reserving(insert: Any) -> ReturningInsert[tuple[UUID]]:
    """One statement, so that of two requests one wins: add the key, or take it where its lease or its time is over."""
    new = insert(idempotency).values(start=clock(), lease=clock(LEASE_SECONDS), job=None, fingerprint=None)
    taken = {name: new.excluded[name] for name in ("token", "start", "lease", "job", "fingerprint")}
    over = or_(idempotency.c.lease < clock(), OLD)
    upsert: Insert = new.on_conflict_do_update(index_elements=["owner", "key"], set_=taken, where=over)
    return upsert.returning(idempotency.c.token)


def bind(connection: Connection, reservation: Reservation, job: UUID) -> None:
    """Have a key stand for a job, in the transaction that records it; raises SubmissionInFlight, which undoes that."""
    values = {"its_job": job, "its_fingerprint": reservation.fingerprint}
    refuse_lost(connection.execute(BIND, its(reservation) | values).rowcount)


def its(reservation: Reservation) -> dict[str, object]:
    return {"of_owner": reservation.owner, "of_key": reservation.key, "held_by": reservation.token}


def refuse_lost(rows: int) -> None:
    if not rows:
        raise SubmissionInFlight("this request took too long, and another one with its Idempotency-Key goes on instead")
