"""What jobs add up to: how many of an owner stand in each status, and what was used on each day.

Counting records would take the longer the more there are, and a counter in one row would make all writers of an owner
wait for each other. So each transition adds rows to the ledger, within its own transaction; the housekeeper folds them
into sums, and whoever asks adds up both.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, literal, select, union_all
from sqlalchemy.dialects import postgresql, sqlite

from thumbnailer_storage.jobs.database import Database
from thumbnailer_storage.jobs.model import Status
from thumbnailer_storage.jobs.tables import jobs, ledger, totals

STATUSES = [status.value for status in Status]
JOBS, BYTES, COMPUTE_MS = "jobs", "bytes", "compute_ms"
"""What usage counts: jobs accepted, bytes of their images, milliseconds from claim to finish."""
FOLD = 5000

ADD = insert(ledger)
COUNTING = select(func.pg_try_advisory_xact_lock(7462848))
BOTH = union_all(
    *(select(table.c.owner, table.c.what, table.c.day, table.c.priority, table.c.n) for table in (ledger, totals))
).subquery("both")


@dataclass(frozen=True, slots=True)
class Used:
    """What an owner used on one day (UTC) at one priority; `seconds` are of workers."""

    day: str
    priority: str
    jobs: int
    bytes: int
    seconds: float


def moved(owner: str, start: Status | None, to: Status | None, n: int = 1) -> list[dict[str, Any]]:
    """So many jobs changed their status; None is before the first and after the last one."""
    at = {"owner": owner, "day": "", "priority": ""}
    left = [] if start is None else [{**at, "what": start.value, "n": -n}]
    return left + ([] if to is None else [{**at, "what": to.value, "n": n}])


def used(owner: str, at: datetime, priority: str, amounts: dict[str, int]) -> list[dict[str, Any]]:
    day = f"{at.astimezone(UTC):%Y-%m-%d}"
    return [{"owner": owner, "day": day, "priority": priority, "what": what, "n": n} for what, n in amounts.items()]


def worked(owner: str, priority: str, claimed: datetime | None, finish: datetime | None) -> list[dict[str, Any]]:
    """The worker's time for a job, from its last claim to its finish."""
    if claimed is None or finish is None:
        return []
    return used(owner, finish, priority, {COMPUTE_MS: round((finish - claimed).total_seconds() * 1000)})


def note(connection: Connection, rows: list[dict[str, Any]]) -> None:
    """Add to the ledger, in the transaction of what it tells of."""
    if rows:
        connection.execute(ADD, rows)


class Ledger:
    """The sums, and what keeps them right. Every method raises DatabaseUnavailable where it does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def counts(self, owner: str) -> dict[Status, int]:
        """How many jobs of the owner stand in each status."""
        wanted = (BOTH.c.owner == owner, BOTH.c.what.in_(STATUSES), BOTH.c.day == "")
        summed = select(BOTH.c.what, func.sum(BOTH.c.n)).where(*wanted).group_by(BOTH.c.what)
        with self._database.read() as connection:
            found = {what: int(n) for what, n in connection.execute(summed)}
        return {status: max(0, found.get(status.value, 0)) for status in Status}

    def usage(self, owner: str, first: str, last: str) -> list[Used]:
        """What the owner used on each day from `first` to `last`, both as 2026-11-24, by priority."""
        wanted = (
            BOTH.c.owner == owner,
            BOTH.c.what.in_((JOBS, BYTES, COMPUTE_MS)),
            BOTH.c.day >= first,
            BOTH.c.day <= last,
        )
        by = (BOTH.c.day, BOTH.c.priority, BOTH.c.what)
        with self._database.read() as connection:
            rows = connection.execute(select(*by, func.sum(BOTH.c.n).label("n")).where(*wanted).group_by(*by)).all()
        sums: dict[tuple[str, str], dict[str, int]] = {}
        for row in rows:
            sums.setdefault((row.day, row.priority), {})[row.what] = int(row.n)
        return [
            Used(day, priority, n.get(JOBS, 0), n.get(BYTES, 0), n.get(COMPUTE_MS, 0) / 1000)
            for (day, priority), n in sorted(sums.items())
        ]

    def fold(self, most: int = FOLD) -> int:
        """Move rows of the ledger into the sums; returns how many."""
        with self._database.write() as connection:
            oldest = (
                select(ledger.c.id).order_by(ledger.c.id).limit(most).with_for_update(skip_locked=True).cte("oldest")
            )
            taken = delete(ledger).where(ledger.c.id.in_(select(oldest.c.id)))
            rows = connection.execute(
                taken.returning(ledger.c.owner, ledger.c.what, ledger.c.day, ledger.c.priority, ledger.c.n)
            ).all()
            sums: Counter[tuple[str, str, str, str]] = Counter()
            for owner, what, day, priority, n in rows:
                sums[owner, what, day, priority] += n
            # In one order, so that two housekeepers do not wait for each other in a circle.
            new = [
                {"owner": owner, "what": what, "day": day, "priority": priority, "n": n}
                for (owner, what, day, priority), n in sorted(sums.items())
            ]
            if new:
                upsert = (sqlite.insert if self._database.embedded else postgresql.insert)(totals).values(new)
                added = {"n": totals.c.n + upsert.excluded.n}
                connection.execute(
                    upsert.on_conflict_do_update(index_elements=["owner", "what", "day", "priority"], set_=added)
                )
        return len(rows)

    def recount(self) -> int:
        """Note where the sums differ from the records; returns in how many places.

        Programs of a release that knew no ledger change records too, while an upgrade is under way. One statement sees
        one state of records, ledger and sums.
        """
        counted = select(jobs.c.owner, jobs.c.status.label("what"), func.count().label("n")).group_by(
            jobs.c.owner, jobs.c.status
        )
        known = select(BOTH.c.owner, BOTH.c.what, -BOTH.c.n).where(BOTH.c.what.in_(STATUSES))
        both = union_all(counted, known).subquery("compared")
        empty = literal("")
        wrong = (
            select(both.c.owner, both.c.what, empty, empty, func.sum(both.c.n))
            .group_by(both.c.owner, both.c.what)
            .having(func.sum(both.c.n) != 0)
        )
        with self._database.write() as connection:
            # Two at once would both note the same difference.
            if not self._database.embedded and not connection.execute(COUNTING).scalar():
                return 0
            columns = ["owner", "what", "day", "priority", "n"]
            noted = insert(ledger).from_select(columns, wrong).returning(ledger.c.id)
            return len(connection.execute(noted).all())
