"""What KEDA reads of the housekeeper at /scaling: how deep and how old the queues are, and what computing costs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from threading import Lock
from typing import Generic, TypeVar

from thumbnailer_storage.queues import Depth

PRICE_SECONDS = 3600.0
"""How long a price counts after it was read."""

T = TypeVar("T")


class Fresh(Generic[T]):
    """Values by name, each for `seconds` after it was set; for all threads."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = Lock()
        self._values: dict[str, tuple[T, float]] = {}

    def set(self, name: str, value: T) -> None:
        with self._lock:
            self._values[name] = (value, time.monotonic())

    def __iter__(self) -> Iterator[tuple[str, T]]:
        """Names and values that are fresh."""
        with self._lock:
            held = tuple(self._values.items())
        oldest = time.monotonic() - self._seconds
        return iter([(name, value) for name, (value, at) in held if at >= oldest])


class Scaling:
    """The last values that duties read. What is older than `seconds` is left out, which KEDA takes for an error."""

    def __init__(self, seconds: float) -> None:
        self.depths: Fresh[Depth] = Fresh(seconds)
        self.oldest: Fresh[float] = Fresh(seconds)
        self.prices: Fresh[float] = Fresh(PRICE_SECONDS)

    def page(self) -> dict[str, object]:
        """Numbers and nothing else, from memory: it answers at once, whatever the stores do."""
        queues: dict[str, dict[str, float]] = {}
        for queue, depth in self.depths:
            parts = {"waiting": depth.waiting, "in_flight": depth.in_flight, "delayed": depth.delayed}
            queues[queue] = {"depth": sum(parts.values()), **parts}
        for queue, seconds in self.oldest:
            queues.setdefault(queue, {})["oldest"] = round(seconds, 3)
        return {"queues": queues, "prices": dict(self.prices)}
