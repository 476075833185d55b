"""Send again what the queue lost, and what it never got.

Counts alone never choose what is sent: they are approximate, and duplicates hide losses. A message too many is
harmless, one too few is a job that waits for ever.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from uuid import UUID

import structlog

from thumbnailer_storage.errors import QueueUnavailable
from thumbnailer_storage.opening import Stores

BATCH = 500
UNSENT_SECONDS = 5.0
"""A job younger than this may still be on its way through the API."""

log = structlog.get_logger()


class Resend:
    """Knows since when each queue has been reading empty.

    `pause` is the while, in seconds, that an overtaken job waits and that an empty queue has to stay empty.
    """

    def __init__(self, stores: Stores, pause: float) -> None:
        self._stores = stores
        self._pause = pause
        self._empty_since: dict[str, float] = {}

    def __call__(self) -> int:
        """Send what is due in all queues; returns how many messages were sent."""
        return sum(self._queue(queue) for queue in self._stores.upkeep.queues())

    def _queue(self, queue: str) -> int:
        upkeep, retention = self._stores.upkeep, self._stores.queue.retention
        sent = self._batches(queue, lambda: upkeep.take_unsent(queue, older=UNSENT_SECONDS, most=BATCH))
        sent += self._batch(queue, lambda: upkeep.take_overtaken(queue, longer=self._pause, most=BATCH))
        if retention is not None:
            sent += self._batch(queue, lambda: upkeep.take_sent_before(queue, older=retention / 2, most=BATCH))
        empty = self._empty_seconds(queue)
        if empty >= self._pause:
            sent += self._batches(queue, lambda: upkeep.take_sent_before(queue, older=empty, most=BATCH))
        return sent

    def _empty_seconds(self, queue: str) -> float:
        """For how long every reading of the queue has been empty."""
        if not self._stores.queue.depth(queue).empty:
            self._empty_since.pop(queue, None)
            return 0.0
        return time.monotonic() - self._empty_since.setdefault(queue, time.monotonic())

    def _batches(self, queue: str, take: Callable[[], list[UUID]]) -> int:
        sent = 0
        while batch := self._batch(queue, take):
            sent += batch
        return sent

    def _batch(self, queue: str, take: Callable[[], list[UUID]]) -> int:
        """Take one batch and send it; where the queue is down the jobs count as unsent again."""
        with self._stores.together():
            batch = take()
            try:
                self._stores.queue.send(queue, batch)
            except QueueUnavailable:
                self._stores.upkeep.unsend(batch)
                raise
        if batch:
            log.info("messages sent again", queue=queue, messages=len(batch))
        return len(batch)
