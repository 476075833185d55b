"""Who is told: the webhook that an owner's jobs have where they name none, and those of jobs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Row, Select, Table, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from thumbnailer_storage.errors import WebhookNotFound
from thumbnailer_storage.jobs.batches import BATCH
from thumbnailer_storage.jobs.database import Database
from thumbnailer_storage.jobs.model import Webhook
from thumbnailer_storage.jobs.rows import hook_values, to_webhook
from thumbnailer_storage.jobs.tables import default_webhooks, webhooks

MOST_PASSES = 20


@dataclass(frozen=True, slots=True)
class Renewed:
    """How many secrets were changed, and of how many nothing could be made."""

    done: int
    lost: int


class Callbacks:
    """The webhooks. Every method raises DatabaseUnavailable where the database does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def default(self, owner: str) -> Webhook | None:
        """What a job of the owner gets where it names no webhook."""
        with self._database.read() as connection:
            row = connection.execute(select(default_webhooks).where(default_webhooks.c.owner == owner)).one_or_none()
        return None if row is None else to_webhook(row)

    def set_default(self, owner: str, webhook: Webhook) -> None:
        """Replace the owner's default; jobs that were accepted before keep what they have."""
        upsert = (sqlite.insert if self._database.embedded else postgresql.insert)(default_webhooks)
        values = hook_values(webhook)
        statement = upsert.on_conflict_do_update(index_elements=["owner"], set_=values)
        with self._database.write() as connection:
            connection.execute(statement.values(owner=owner, **values))

    def remove_default(self, owner: str) -> Webhook:
        """Remove the owner's default and return it; raises WebhookNotFound."""
        removed = delete(default_webhooks).where(default_webhooks.c.owner == owner).returning(*default_webhooks.c)
        with self._database.write() as connection:
            row = connection.execute(removed).one_or_none()
        if row is None:
            raise WebhookNotFound("you have no default webhook: PUT /webhook sets one")
        return to_webhook(row)

    def of_job(self, job: UUID) -> Webhook | None:
        """The job's own webhook, also where its receiver has said that it is gone."""
        with self._database.read() as connection:
            row = connection.execute(select(webhooks).where(webhooks.c.job == job)).one_or_none()
        return None if row is None else to_webhook(row)

    def renew(self, again: Callable[[str], str | None]) -> Renewed:
        """Put what `again` makes of it in the place of each secret, some at a time; None where it makes nothing of it.

        The defaults are first, and jobs are gone through until nothing is left to do: those that are accepted
        meanwhile copy the default, as it was a moment before they are recorded.
        """
        done = self._renew(default_webhooks, default_webhooks.c.owner, again)
        for _ in range(MOST_PASSES):
            some = self._renew(webhooks, webhooks.c.job, again)
            done = Renewed(done.done + some.done, done.lost if some.done else done.lost + some.lost)
            if not some.done:
                break
        return done

    def _renew(self, table: Table, key: Column[Any], again: Callable[[str], str | None]) -> Renewed:
        batch = select(key.label("key"), table.c.secret).where(table.c.secret.is_not(None)).order_by(key).limit(BATCH)
        done, lost, rows = 0, 0, self._secrets(batch)
        while rows:
            renewed = {row.key: (row.secret, again(row.secret)) for row in rows}
            lost += sum(new is None for _, new in renewed.values())
            changed = {at: (old, new) for at, (old, new) in renewed.items() if new not in (None, old)}
            done += len(changed)
            with self._database.write() as connection:
                for at, (old, new) in changed.items():  # its owner may set another one meanwhile
                    connection.execute(update(table).where(key == at, table.c.secret == old).values(secret=new))
            rows = self._secrets(batch.where(key > rows[-1].key))
        return Renewed(done, lost)

    def _secrets(self, batch: Select[Any]) -> Sequence[Row[Any]]:
        with self._database.read() as connection:
            return connection.execute(batch).all()
