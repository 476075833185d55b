"""Who is told: the webhook that an owner's jobs have where they name none, and those of jobs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Select, Table, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from thumbnailer_storage.errors import WebhookNotFound
from thumbnailer_storage.jobs.batches import BATCH
from thumbnailer_storage.jobs.database import Database
from thumbnailer_storage.jobs.model import Webhook
from thumbnailer_storage.jobs.rows import hook_values, to_webhook
from thumbnailer_storage.jobs.tables import default_webhooks, webhooks


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

    def renew(self, again: Callable[[str], str]) -> int:
        """Put what `again` makes of it in the place of each secret, some at a time; returns how many there are."""
        return self._renew(webhooks, webhooks.c.job, again) + self._renew(
            default_webhooks, default_webhooks.c.owner, again
        )

    def _renew(self, table: Table, key: Column[Any], again: Callable[[str], str]) -> int:
        batch = select(key.label("key"), table.c.secret).where(table.c.secret.is_not(None)).order_by(key).limit(BATCH)
        done, rows = 0, self._renew_batch(batch, table, key, again)
        while rows:
            done += len(rows)
            rows = self._renew_batch(batch.where(key > rows[-1].key), table, key, again)
        return done

    def _renew_batch(self, batch: Select[Any], table: Table, key: Column[Any], again: Callable[[str], str]) -> Any:
        with self._database.write() as connection:
            rows = connection.execute(batch).all()
            for row in rows:
                as_it_was = (key == row.key, table.c.secret == row.secret)  # its owner may set another one meanwhile
                connection.execute(update(table).where(*as_it_was).values(secret=again(row.secret)))
        return rows
