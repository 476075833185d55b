"""Measure the queues for Prometheus: here and not in a worker, since there may be none."""

from __future__ import annotations

import math

from prometheus_client import Gauge

from thumbnailer_api.housekeeping.feed import for_each_queue
from thumbnailer_storage.errors import StoreUnavailable
from thumbnailer_storage.opening import Stores

messages = Gauge("thumbnailer_queue_messages", "Messages in a queue", ["queue", "state"])
oldest = Gauge("thumbnailer_queue_oldest_seconds", "Age of a queue's oldest pending job; 0 where none waits", ["queue"])


class Observe:
    """Sets the gauges of every queue."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    def __call__(self) -> int:
        """Returns how many queues were measured. While one does not answer, its messages are not a number."""
        return for_each_queue(self._stores, self._queue)

    def _queue(self, queue: str) -> int:
        oldest.labels(queue).set(self._stores.jobs.oldest_seconds(queue) or 0.0)
        try:
            depth = self._stores.queue.depth(queue)
        except StoreUnavailable:
            self._set(queue, math.nan, math.nan, math.nan)
            raise
        self._set(queue, depth.waiting, depth.in_flight, depth.delayed)
        return 1

    def _set(self, queue: str, waiting: float, in_flight: float, delayed: float) -> None:
        messages.labels(queue, "waiting").set(waiting)
        messages.labels(queue, "in_flight").set(in_flight)
        messages.labels(queue, "delayed").set(delayed)
