"""Send the messages that were never sent: owners take turns, and each one's jobs go in the order of their acceptance.

The API leaves a job to the housekeeper while the queue is down, or full, and while others wait for that: nobody passes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import structlog

from thumbnailer_api.room import room
from thumbnailer_storage.errors import QueueMissing, QueueRefused, QueueUnavailable
from thumbnailer_storage.opening import Stores
from thumbnailer_storage.queues import Outgoing

FEED_SECONDS = 0.25
"""How often a queue with a backlog is fed: a small one must not run dry in between."""
BATCH = 500
BATCHES = 10
"""In one round, so that the other duties have their turn."""
UNSENT_SECONDS = 5.0
"""A job younger than this may still be on its way through the API."""
BACKLOG_SECONDS = 1.0
"""The same while there is a backlog, which the API leaves to us; a message too many is harmless."""
KEEP_SECONDS = 10.0
"""A backlog is over when nothing was left for so long."""
OF_ONE_QUEUE = (QueueMissing, QueueRefused)
"""What is wrong with one queue, and says nothing of the others."""

log = structlog.get_logger()


class Feed:
    """Knows which queues have a backlog, from `catch_up`; only those are looked at in between."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._behind: dict[str, float] = {}
        self._served: dict[str, str] = {}
        """The owner of each queue who was served last, so that the next batch begins with the one after him."""

    def __call__(self) -> int:
        """Feed the queues that have a backlog; returns how many messages were sent."""
        return sum(self.catch_up(queue) for queue in tuple(self._behind))

    def catch_up(self, queue: str) -> int:
        """Send what one queue never got while it has room; returns how many messages were sent."""
        limited = self._stores.settings.queue_limit > 0
        older = BACKLOG_SECONDS if limited and queue in self._behind else UNSENT_SECONDS
        if not self._stores.upkeep.has_unsent(queue, older=older):
            if self._behind.get(queue, math.inf) < time.monotonic() - KEEP_SECONDS:
                del self._behind[queue]
                log.info("every job's message is sent", queue=queue)
            return 0
        if queue not in self._behind:
            log.info("jobs wait for their messages", queue=queue)
        self._behind[queue] = time.monotonic()
        try:
            return self._batches(queue, older)
        except QueueUnavailable:
            del self._behind[queue]  # the next round of resending looks again
            raise

    def _batches(self, queue: str, older: float) -> int:
        sent = 0
        for _ in range(BATCHES):
            most = room(self._stores, queue, most=BATCH)
            batch = send(self._stores, queue, lambda: self._take(queue, older, most)) if most else 0  # noqa: B023
            sent += batch
            if not batch:
                break
        return sent

    def _take(self, queue: str, older: float, most: int) -> list[Outgoing]:
        after = self._served.get(queue, "")
        batch = self._stores.upkeep.take_unsent(queue, older=older, most=most, after=after)
        if batch:
            *_, self._served[queue] = dict.fromkeys(out.owner for out in batch)
        return batch


def send(stores: Stores, queue: str, take: Callable[[], list[Outgoing]]) -> int:
    """Take one batch and send it; where the queue is down the jobs count as unsent again. Returns how many."""
    with stores.together():
        batch = take()
        if not batch:
            return 0
        try:
            stores.queue.send(queue, batch)
        except QueueUnavailable:
            stores.upkeep.unsend([out.job for out in batch])
            raise
    return len(batch)


def every_queue(stores: Stores) -> list[str]:
    """The queues that the settings name, and those that jobs wait in although no setting names them any more."""
    return sorted({*stores.settings.queues, *stores.upkeep.queues()})


def for_each_queue(stores: Stores, do: Callable[[str], int]) -> int:
    """The sum of what is done for each queue; one that is not there holds up no other, and is raised in the end."""
    done, trouble = 0, None
    for queue in every_queue(stores):
        try:
            done += do(queue)
        except OF_ONE_QUEUE as error:
            trouble = error
    if trouble is not None:
        raise trouble
    return done
