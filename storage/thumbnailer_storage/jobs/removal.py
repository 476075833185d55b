"""What is removed as time passes: data that was kept long enough, uploads of no more use, and at last the records.

Each batch is a transaction of its own and takes what nobody else has locked, so that several housekeepers share the
work and nobody waits long.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, delete, exists, select, tuple_, update

from thumbnailer_storage.jobs import ledger
from thumbnailer_storage.jobs.batches import BATCH, move
from thumbnailer_storage.jobs.clocks import clock
from thumbnailer_storage.jobs.database import Database
from thumbnailer_storage.jobs.model import Act, Job, Status, expiring
from thumbnailer_storage.jobs.rows import ENDS, JOB_COLUMNS, to_jobs
from thumbnailer_storage.jobs.tables import deliveries, jobs

EXPIRY = Act("expiry")


@dataclass(frozen=True, slots=True)
class Untidy:
    """A job with objects that nobody needs any more; `since` is the mark that says so."""

    job: Job
    since: datetime

    @property
    def keys(self) -> list[str]:
        """Its upload; its pictures too, once they are no longer to be had. What lost attempts left, the sweep finds."""
        kept = self.job.status is Status.COMPLETE
        made = [output.result for output in self.job.outputs if output.result]
        return [self.job.upload_key, *([] if kept else map(self.job.result_key, made))]


class Removal:
    """The records, as the duties that remove things use them. Raises DatabaseUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def give_expiry(self, seconds: float, most: int = BATCH) -> int:
        """Let finished jobs expire that a release accepted which knew no expiry, so many seconds from now."""
        batch = (
            select(jobs.c.id)
            .where(jobs.c.finish.is_not(None), jobs.c.expires.is_(None))
            .limit(most)
            .with_for_update(skip_locked=True)
            .cte("batch")
        )
        given = update(jobs).where(jobs.c.id.in_(select(batch.c.id))).values(expires=clock(seconds))
        with self._database.write() as connection:
            return len(connection.execute(given.returning(jobs.c.id)).all())

    def expire(self, most: int = BATCH) -> int:
        """Make finished jobs expired whose time is over; returns how many, 0 once there are no more."""
        done = 0
        for status in ENDS:
            with self._database.write() as connection:
                done += move(connection, [jobs.c.expires < clock()], expiring(status), EXPIRY, most=most)
        return done

    def untidy(self, most: int = BATCH) -> list[Untidy]:
        """Jobs that have objects which can go."""
        wanted = select(*JOB_COLUMNS).where(jobs.c.tidy_after <= clock()).order_by(jobs.c.tidy_after).limit(most)
        with self._database.read() as connection:
            rows = connection.execute(wanted).all()
            return [Untidy(job, row.tidy_after) for job, row in zip(to_jobs(connection, rows), rows, strict=True)]

    def tidied(self, done: Sequence[Untidy]) -> None:
        """The objects are gone; whatever has become of a job meanwhile stays marked."""
        as_seen = tuple_(jobs.c.id, jobs.c.tidy_after).in_([(one.job.id, one.since) for one in done])
        with self._database.write() as connection:
            connection.execute(update(jobs).where(as_seen).values(tidy_after=None))

    def forget(self, seconds: float, most: int = BATCH) -> int:
        """Remove records that expired so long ago, with all that belongs to them; returns how many.

        Not before their objects are gone and their webhooks are settled.
        """
        told = ~exists().where(deliveries.c.job == jobs.c.id, deliveries.c.due.is_not(None))
        over = and_(jobs.c.status == Status.EXPIRED.value, jobs.c.expires < clock(-seconds))
        batch = (
            select(jobs.c.id)
            .where(over, jobs.c.tidy_after.is_(None), told)
            .limit(most)
            .with_for_update(skip_locked=True)
            .cte("batch")
        )
        removed = delete(jobs).where(jobs.c.id.in_(select(batch.c.id))).returning(jobs.c.owner)
        with self._database.write() as connection:
            owners = Counter(connection.execute(removed).scalars())
            gone = [new for owner, n in owners.items() for new in ledger.moved(owner, Status.EXPIRED, None, n)]
            ledger.note(connection, gone)
        return owners.total()
