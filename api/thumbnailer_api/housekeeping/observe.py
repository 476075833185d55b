"""Measure the queues for Prometheus and for KEDA: here and not in a worker, since there may be none."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from prometheus_client import Gauge

from thumbnailer_api.housekeeping.feed import OF_ONE_QUEUE, every_queue
from thumbnailer_api.housekeeping.scaling import Scaling
from thumbnailer_storage.errors import DatabaseUnavailable, StoreUnavailable
from thumbnailer_storage.opening import Stores
from thumbnailer_storage.queues import Depth

messages = Gauge("thumbnailer_queue_messages", "Messages in a queue", ["queue", "state"])
oldest = Gauge("thumbnailer_queue_oldest_seconds", "Age of a queue's oldest pending job; 0 where none waits", ["queue"])


class Looks:
    """Looks at the depth of queues. Resend's serves Observe too, which comes after it: SQS is paid by the request."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._seen: dict[str, Depth] = {}

    def anew(self, queue: str) -> Depth:
        self.forget(queue)
        self._seen[queue] = self._stores.queue.depth(queue)
        return self._seen[queue]

    def forget(self, queue: str) -> None:
        """Something was sent: what was seen holds no more."""
        self._seen.pop(queue, None)

    def once(self, queue: str) -> Depth:
        """What was seen since this was last asked, else a new look."""
        return self._seen.pop(queue, None) or self._stores.queue.depth(queue)


class Observe:
    """Sets the gauges of every queue, and what /scaling says of it."""

    def __init__(self, stores: Stores, looks: Looks, scaling: Scaling) -> None:
        self._stores = stores
        self._looks = looks
        self._scaling = scaling
        self._known: Sequence[str] = stores.settings.queues

    def __call__(self) -> int:
        """Returns how many queues were measured; raises what kept one from it, once all others are.

        What does not answer is no number: the depths are there without the database, and the ages without the queue.
        """
        troubles: list[StoreUnavailable] = []
        try:
            self._known = every_queue(self._stores)
        except DatabaseUnavailable as error:
            troubles.append(error)
        troubles = self._each(self._oldest, self._no_oldest, troubles) + self._each(self._depth, self._no_depth, [])
        if troubles:
            raise troubles[0]
        return len(self._known)

    def _each(
        self, measure: Callable[[str], None], give_up: Callable[[str], None], troubles: list[StoreUnavailable]
    ) -> list[StoreUnavailable]:
        """Measure each queue; returns `troubles` and what came to them."""
        for queue in self._known:
            try:
                if not troubles or isinstance(troubles[-1], OF_ONE_QUEUE):
                    measure(queue)
                else:  # it would wait as long, for nothing
                    give_up(queue)
            except StoreUnavailable as error:
                give_up(queue)
                troubles.append(error)
        return troubles

    def _depth(self, queue: str) -> None:
        depth = self._looks.once(queue)
        self._scaling.depths.set(queue, depth)
        self._set_depth(queue, depth.waiting, depth.in_flight, depth.delayed)

    def _no_depth(self, queue: str) -> None:
        self._set_depth(queue, math.nan, math.nan, math.nan)

    def _set_depth(self, queue: str, waiting: float, in_flight: float, delayed: float) -> None:
        messages.labels(queue, "waiting").set(waiting)
        messages.labels(queue, "in_flight").set(in_flight)
        messages.labels(queue, "delayed").set(delayed)

    def _oldest(self, queue: str) -> None:
        seconds = self._stores.jobs.oldest_seconds(queue) or 0.0
        self._scaling.oldest.set(queue, seconds)
        oldest.labels(queue).set(seconds)

    def _no_oldest(self, queue: str) -> None:
        oldest.labels(queue).set(math.nan)
