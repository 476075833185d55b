"""Who sends a new job's message: the API while the queue answers and has room, else the housekeeper."""

from __future__ import annotations

import time
from collections import defaultdict
from threading import Lock

from thumbnailer_api import metrics
from thumbnailer_api.room import room
from thumbnailer_storage.errors import QueueUnavailable
from thumbnailer_storage.jobs.model import Job
from thumbnailer_storage.opening import Stores
from thumbnailer_storage.queues import Outgoing

LOOK_SECONDS = 1.0
"""How often a full queue is looked at, and one that has room at the least."""
BACKLOG_SECONDS = 3.0
"""Jobs that were not sent for so long are a backlog, which younger jobs may not pass; the housekeeper keeps it younger
where it can."""
PAUSE_SECONDS = 2.0
"""How long a queue that failed is left alone, so that callers need not wait for it."""
TRY_SECONDS = 5.0
"""How long one try may take; meanwhile nobody else tries a queue that failed."""


class Door:
    """One queue, as the API's threads see it: whether it answers, and how many more messages it takes."""

    def __init__(self) -> None:
        self.look = Lock()
        self.looked = 0.0
        self.room = self.granted = 0
        self._lock = Lock()
        self._failed = False
        self.failed_at = 0.0
        self._next = 0.0

    def answers(self) -> bool:
        """Whether to try it; after a failure one caller does, when the pause is over."""
        with self._lock:
            if self._failed and time.monotonic() < self._next:
                return False
            self._next = time.monotonic() + TRY_SECONDS
            return True

    def tried(self, *, failed: bool) -> None:
        with self._lock:
            self._failed = failed
            self._next = time.monotonic() + PAUSE_SECONDS
            if failed:
                self.failed_at = time.monotonic()


class Sender:
    """Sends new jobs' messages; the housekeeper sends those that are left."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._doors: dict[str, Door] = defaultdict(Door)

    def send(self, job: Job) -> None:
        """Send the job's message and mark it as sent, or leave it. Raises StoreUnavailable, which leaves it too."""
        door = self._doors[job.queue]
        if not door.answers():
            metrics.unqueued.labels("trouble").inc()
            return
        try:
            if not self._has_room(door, job.queue):
                metrics.unqueued.labels("full").inc()
                return
            self._stores.queue.send(job.queue, [Outgoing(job.id, job.owner)])
        except QueueUnavailable:
            door.tried(failed=True)
            raise
        door.tried(failed=False)
        self._stores.jobs.mark_sent([job.id])

    def _has_room(self, door: Door, queue: str) -> bool:
        limit = self._stores.settings.queue_limit
        if not limit:
            return True
        began = time.monotonic()
        with door.look:
            if door.failed_at > began:  # for another caller, while this one waited
                raise QueueUnavailable(f"the queue {queue} failed a moment ago")
            used_up = door.room == 0 < door.granted
            if used_up or time.monotonic() - door.looked > LOOK_SECONDS:
                door.looked, door.room, door.granted = time.monotonic(), 0, 0
                if not self._stores.upkeep.has_unsent(queue, older=BACKLOG_SECONDS):
                    door.room = door.granted = self._room(door, queue, limit)
            if door.room == 0:
                return False
            door.room -= 1
            return True

    def _room(self, door: Door, queue: str, limit: int) -> int:
        try:
            return room(self._stores, queue, most=limit)
        except QueueUnavailable:
            door.tried(failed=True)  # before the next caller gets its turn
            raise
