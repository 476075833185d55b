"""Measure the queues for Prometheus: here and not in a worker, since there may be none."""

from __future__ import annotations

from prometheus_client import Gauge

from thumbnailer_storage.opening import Stores

messages = Gauge("thumbnailer_queue_messages", "Messages in a queue", ["queue", "state"])
oldest = Gauge("thumbnailer_queue_oldest_seconds", "Age of a queue's oldest pending job; 0 where none waits", ["queue"])


class Observe:
    """Sets the gauges of every queue."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    def __call__(self) -> int:
        queues = self._stores.upkeep.queues()
        for queue in queues:
            depth = self._stores.queue.depth(queue)
            messages.labels(queue, "waiting").set(depth.waiting)
            messages.labels(queue, "in_flight").set(depth.in_flight)
            messages.labels(queue, "delayed").set(depth.delayed)
            oldest.labels(queue).set(self._stores.jobs.oldest_seconds(queue) or 0.0)
        return len(queues)
