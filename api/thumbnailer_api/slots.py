"""Bounds on how many threads may do one slow kind of thing, so that some are always left for quick answers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Gauge

from thumbnailer_api.errors import Busy


class Slots:
    """`most` threads at a time; the gauge shows how many are taken."""

    def __init__(self, most: int, gauge: Gauge) -> None:
        self._free = threading.Semaphore(most)
        self._gauge = gauge

    @contextmanager
    def one(self) -> Iterator[None]:
        """Hold a slot; raises Busy at once where none is free."""
        if not self.take():
            raise Busy("As many transfers as this server takes at a time are under way: try again in a moment.")
        try:
            yield
        finally:
            self.give_back()

    def take(self) -> bool:
        """Take a slot if one is free; the taker gives it back."""
        if not self._free.acquire(blocking=False):
            return False
        self._gauge.inc()
        return True

    def give_back(self) -> None:
        self._gauge.dec()
        self._free.release()
