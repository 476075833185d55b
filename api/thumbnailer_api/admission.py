"""Bounds on how many threads may do one slow kind of thing, so that some are always left for quick answers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Gauge

from thumbnailer_api.errors import Busy


class Admission:
    """Lets `most` threads in at a time; the gauge shows how many are in, and `busy` is what all others are told."""

    def __init__(self, most: int, gauge: Gauge, busy: str) -> None:
        self._free = threading.Semaphore(most)
        self._here = threading.local()
        self._gauge = gauge
        self._busy = busy

    @contextmanager
    def one(self) -> Iterator[None]:
        """Be one of those who are in; raises Busy at once where there is no room. A thread that is in stays in."""
        if getattr(self._here, "is_in", False):
            yield
            return
        if not self._free.acquire(blocking=False):
            raise Busy(self._busy)
        self._gauge.inc()
        self._here.is_in = True
        try:
            yield
        finally:
            self._here.is_in = False
            self._gauge.dec()
            self._free.release()
