"""Send again what the queue lost.

Counts alone never choose what is sent: they are approximate, and duplicates hide losses. A message too many is
harmless, one too few is a job that waits for ever.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from thumbnailer_api.housekeeping.feed import BATCH, Feed, for_each_queue, send
from thumbnailer_api.housekeeping.observe import Looks
from thumbnailer_api.room import room
from thumbnailer_storage.opening import Stores
from thumbnailer_storage.queues import Outgoing

log = structlog.get_logger()


class Resend:
    """Knows since when each queue has been reading empty, by `looks`, and tells `feed` of queues that have a backlog.

    `pause` is the while, in seconds, that an overtaken job waits and that an empty queue has to stay empty.
    """

    def __init__(self, stores: Stores, pause: float, feed: Feed, looks: Looks) -> None:
        self._stores = stores
        self._pause = pause
        self._feed = feed
        self._looks = looks
        self._empty_since: dict[str, float] = {}

    def __call__(self) -> int:
        """Send what is due in all queues; returns how many messages were sent."""
        return for_each_queue(self._stores, self._queue)

    def _queue(self, queue: str) -> int:
        upkeep, retention = self._stores.upkeep, self._stores.queue.retention
        sent = self._feed.catch_up(queue)
        sent += self._batch(queue, lambda most: upkeep.take_overtaken(queue, longer=self._pause, most=most))
        if retention is not None:
            sent += self._batch(queue, lambda most: upkeep.take_sent_before(queue, older=retention / 2, most=most))
        empty = self._empty_seconds(queue)
        if empty >= self._pause:
            sent += self._batches(queue, lambda most: upkeep.take_sent_before(queue, older=empty, most=most))
        return sent

    def _empty_seconds(self, queue: str) -> float:
        """For how long every reading of the queue has been empty."""
        if not self._looks.anew(queue).empty:
            self._empty_since.pop(queue, None)
            return 0.0
        return time.monotonic() - self._empty_since.setdefault(queue, time.monotonic())

    def _batches(self, queue: str, take: Callable[[int], list[Outgoing]]) -> int:
        sent = 0
        while batch := self._batch(queue, take):
            sent += batch
        if sent:
            self._looks.forget(queue)
        return sent

    def _batch(self, queue: str, take: Callable[[int], list[Outgoing]]) -> int:
        most = room(self._stores, queue, most=BATCH, again=True)
        sent = send(self._stores, queue, lambda: take(most)) if most else 0
        if sent:
            log.info("messages sent again", queue=queue, messages=sent)
        return sent
