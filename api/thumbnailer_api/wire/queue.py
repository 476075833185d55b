"""The queues."""

from __future__ import annotations

from typing import Self

from thumbnailer_api.wire.base import Answer
from thumbnailer_storage.jobs.model import Status
from thumbnailer_storage.queues import Depth


class DepthAnswer(Answer):
    """How many messages stand in a queue, and the age of its oldest waiting job; numbers are approximate."""

    waiting: int
    in_flight: int
    delayed: int
    oldest_seconds: float | None

    @classmethod
    def of(cls, depth: Depth, oldest: float | None) -> Self:
        return cls(
            waiting=depth.waiting,
            in_flight=depth.in_flight,
            delayed=depth.delayed,
            oldest_seconds=None if oldest is None else round(oldest, 3),
        )


class QueueAnswer(Answer):
    """The caller's jobs by status, and the state of each queue."""

    jobs: dict[Status, int]
    queues: dict[str, DepthAnswer]
