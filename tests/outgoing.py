"""What tests send to a queue."""

from collections.abc import Iterable
from uuid import UUID

from thumbnailer_storage.queues import Outgoing


def of(owner: str, jobs: Iterable[UUID]) -> list[Outgoing]:
    return [Outgoing(job, owner) for job in jobs]
