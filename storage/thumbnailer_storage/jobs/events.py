"""What happened: written in the transaction of what it tells of, read by job or by owner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, insert, select

from thumbnailer_storage.jobs import statements
from thumbnailer_storage.jobs.clocks import clock
from thumbnailer_storage.jobs.cursors import cursor_at, number_in
from thumbnailer_storage.jobs.database import Database
from thumbnailer_storage.jobs.model import Act, Event
from thumbnailer_storage.jobs.tables import KEY_LENGTH, MESSAGE_LENGTH, events

MOMENT = timedelta(minutes=1)
OF_OWNER = insert(events).values(at=clock(), last=clock(), count=1)


@dataclass(frozen=True, slots=True)
class EventPage:
    """Some events, newest first, and where the next page starts; None after the last."""

    events: list[Event]
    next: str | None


def event_values(
    *, job: UUID | None, owner: str, kind: str, act: Act, key: str = "", attempt: int = 0, message: str
) -> dict[str, Any]:
    return {
        "job": job,
        "owner": owner,
        "kind": kind,
        "key": key[:KEY_LENGTH],
        "attempt": attempt,
        "message": message[:MESSAGE_LENGTH],
        "by": act.by,
        "address": act.address,
        "request": act.request,
    }


def write_owner_event(connection: Connection, owner: str, kind: str, act: Act, key: str, message: str) -> None:
    """Tell what happened to something of an owner that is called `key`, and who did it, in that transaction."""
    values = event_values(job=None, owner=owner, kind=kind, key=key, act=act, message=message)
    connection.execute(OF_OWNER, values)


class EventLog:
    """The events. Every method raises DatabaseUnavailable where the database does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_job(self, job: UUID) -> list[Event]:
        """What happened to a job, in order."""
        with self._database.read() as connection:
            return [to_event(row) for row in connection.execute(statements.EVENTS, {"of_job": job})]

    def newest(
        self, owner: str | None = None, *, since: datetime | None = None, limit: int = 50, cursor: str | None = None
    ) -> EventPage:
        """What happened to an owner's jobs and keys, or to everybody's, newest first.

        A page may hold fewer than `limit` although others follow. Raises InvalidCursor.
        """
        wanted = select(events).order_by(events.c.id.desc()).limit(limit + 1)
        if owner is not None:
            wanted = wanted.where(events.c.owner == owner)
        if cursor is not None:
            wanted = wanted.where(events.c.id < number_in(cursor))
        with self._database.read() as connection:
            rows: Sequence[Row[Any]] = connection.execute(wanted).all()
        # Their numbers are in the order of time, but for those of one moment. So what is too old ends the list, without
        # an index for it, which each event would have to be entered into.
        more = len(rows) > limit and (since is None or rows[limit - 1].at > since - MOMENT)
        found = [to_event(row) for row in rows[:limit] if since is None or row.at >= since]
        return EventPage(found, cursor_at(rows[limit - 1].id) if more else None)


def to_event(row: Row[Any]) -> Event:
    return Event(
        at=row.at,
        last=row.last,
        kind=row.kind,
        attempt=row.attempt,
        message=row.message,
        count=row._mapping["count"],
        job=row.job,
        owner=row.owner,
        by=row.by,
        address=row.address,
        request=row.request,
    )
