"""Events of an owner that belong to no job: keys that are made and revoked."""

from __future__ import annotations

from sqlalchemy import Connection, insert

from thumbnailer_storage.jobs.clocks import clock
from thumbnailer_storage.jobs.model import Act
from thumbnailer_storage.jobs.tables import KEY_LENGTH, MESSAGE_LENGTH, events

HAPPENED = insert(events).values(job=None, at=clock(), last=clock(), count=1, attempt=0)


def write_owner_event(connection: Connection, owner: str, kind: str, act: Act, key: str, message: str) -> None:
    """Tell what happened to something of an owner that is called `key`, and who did it, in that transaction."""
    values = {"owner": owner, "kind": kind, "key": key[:KEY_LENGTH], "message": message[:MESSAGE_LENGTH]}
    who = {"by": act.by, "address": act.address, "request": act.request}
    connection.execute(HAPPENED, values | who)
