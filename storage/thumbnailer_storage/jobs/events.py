"""What happened to a job, written in the same transaction as what it tells of."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from thumbnailer_storage.jobs.tables import KEY_LENGTH, MESSAGE_LENGTH, clock, events


def write_event(connection: Connection, job: UUID, kind: str, *, key: str, attempt: int, message: str) -> None:
    """Add an event; one of the same kind and key is counted instead, so that repetition cannot fill the table."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    text = {"key": key[:KEY_LENGTH], "message": message[:MESSAGE_LENGTH]}
    new = dialect.insert(events).values(job=job, kind=kind, at=clock(), last=clock(), count=1, attempt=attempt, **text)
    again = {"count": events.c.count + 1, "last": new.excluded.last, "attempt": new.excluded.attempt}
    connection.execute(new.on_conflict_do_update(index_elements=["job", "kind", "key"], set_=again))
