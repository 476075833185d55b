"""Receivers on the loopback, and a housekeeper that may send there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import ip_network
from typing import Any

import pytest
from cryptography.fernet import Fernet
from receivers import SECRET, Receiver, receiver, until
from sqlalchemy import update

from thumbnailer_api.housekeeping.deliver import Deliver
from thumbnailer_api.webhooks.guard import Rules
from thumbnailer_api.webhooks.posting import Postman
from thumbnailer_api.webhooks.secret_keys import SecretKeys
from thumbnailer_storage.jobs.clocks import clock
from thumbnailer_storage.jobs.deliveries import Delivery
from thumbnailer_storage.jobs.model import Job, Source, Webhook
from thumbnailer_storage.jobs.pictures import Result
from thumbnailer_storage.jobs.tables import deliveries
from thumbnailer_storage.opening import Stores

LOOPBACK = (ip_network("127.0.0.0/8"),)
ALL_PORTS = tuple(range(1, 65536))


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


@pytest.fixture
def another() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


@dataclass
class Told:
    """Jobs with webhooks, and the duty that delivers."""

    stores: Stores
    postman: Postman
    keys: SecretKeys

    def __post_init__(self) -> None:
        self.deliver = Deliver(self.stores, self.postman, self.keys)

    def wait_no_longer_than(self, seconds: float) -> None:
        """For an answer."""
        self.postman = replace(self.postman, whole_seconds=seconds)
        self.deliver = Deliver(self.stores, self.postman, self.keys)

    def job(self, url: str, owner: str = "ada", **webhook: Any) -> Job:
        hook = Webhook(url, **{"secret": self.keys.encrypt(SECRET), **webhook})
        job = Job.new(owner=owner, source=Source(bytes=1, sha256="0" * 64, filename="cat.jpg"), webhook=hook)
        self.stores.objects.put(job.upload_key, [b"x"])
        self.stores.jobs.add(job)
        return job

    def completed(self, url: str, owner: str = "ada", **webhook: Any) -> Job:
        """A job that is complete, which nobody was told yet."""
        job = self.stores.jobs.claim(self.job(url, owner, **webhook).id, worker="w", lease=30)
        return self.stores.jobs.apply(job, job.complete(job.source, (Result(0, "png", 100, 100, 1),)))

    def deliveries(self, job: Job) -> list[Delivery]:
        return self.stores.deliveries.of_job(job.id)

    def settled(self, job: Job) -> Delivery:
        """Its one delivery, once a try has ended."""
        until(lambda: (d := self.deliveries(job)[0]).answer or d.error)
        return self.deliveries(job)[0]

    def is_idle(self) -> bool:
        return self.deliver.idle

    def due_now(self, job: Job) -> None:
        """As if the time of the next try had come."""
        with self.stores.database.write() as connection:
            connection.execute(
                update(deliveries)
                .where(deliveries.c.job == job.id, deliveries.c.due.is_not(None))
                .values(due=clock(-1))
            )


@pytest.fixture
def told(stores: Stores) -> Iterator[Told]:
    rules = Rules(ports=ALL_PORTS, networks=LOOPBACK, http=True)
    keys = SecretKeys((Fernet.generate_key().decode(),), stores.settings)
    made = Told(stores, Postman(rules), keys)
    yield made
    made.deliver.stop(10)
