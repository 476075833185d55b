"""One transition for many jobs: in small batches, so that nobody waits long for what they lock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, select, update

from thumbnailer_storage.jobs import ledger, statements
from thumbnailer_storage.jobs.events import event_values
from thumbnailer_storage.jobs.model import TOLD, Act, Change
from thumbnailer_storage.jobs.outbox import announce
from thumbnailer_storage.jobs.rows import changed_values
from thumbnailer_storage.jobs.tables import jobs

BATCH = 500
WORKED = (jobs.c.priority, jobs.c.claimed, jobs.c.finish)
CHANGED = (jobs.c.id, jobs.c.owner, jobs.c.attempt, jobs.c.request, jobs.c.calls_back, *WORKED)


def move(
    connection: Connection, wanted: Sequence[ColumnElement[bool]], change: Change, act: Act, *, most: int = BATCH
) -> int:
    """Make the change with up to `most` jobs, each at its own attempt, with its event, its webhook and its share of the
    ledger; returns how many. Those that somebody else is about to change are passed over.
    """
    start = change.starts_from[0]
    batch = (
        select(jobs.c.id)
        .where(jobs.c.status == start.value, *wanted)
        .limit(most)
        .with_for_update(skip_locked=True)
        .cte("batch")  # a subquery may be run more than once, and would then take more than it was asked for
    )
    values = changed_values(change)
    setting = statements.setting(frozenset(values))
    moved = update(jobs).where(jobs.c.id.in_(select(batch.c.id)), jobs.c.status == start.value).values(setting)
    rows = connection.execute(moved.returning(*CHANGED), {f"new_{name}": value for name, value in values.items()}).all()
    if rows:
        tell(connection, rows, change, act)
    return len(rows)


def tell(connection: Connection, rows: Sequence[Row[Any]], change: Change, act: Act) -> None:
    told = [
        event_values(
            job=row.id,
            owner=row.owner,
            kind=change.event,
            key=change.key,
            attempt=row.attempt,
            message=change.message,
            act=Act(act.by, act.address, act.request or row.request),
        )
        for row in rows
    ]
    connection.execute(statements.event(connection.dialect.name), told)
    owners = Counter(row.owner for row in rows)
    start = change.starts_from[0]
    noted = [new for owner, n in owners.items() for new in ledger.moved(owner, start, change.to, n)]
    if change.ends_work:
        noted += [new for row in rows for new in ledger.worked(row.owner, row.priority, row.claimed, row.finish)]
    ledger.note(connection, noted)
    calling = [row.id for row in rows if row.calls_back]
    if calling and change.to in TOLD:
        announce(connection, calling, change.to)
