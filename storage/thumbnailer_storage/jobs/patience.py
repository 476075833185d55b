"""When a lapsed lease is evidence of a dead worker, and when it is not."""

from __future__ import annotations

import time


class Patience:
    """While the database could not be reached, nobody could extend a lease: a rescuer then waits one whole lease.

    So does one that has just started, since it cannot know what was before.
    """

    def __init__(self, lease: float) -> None:
        self._lease = lease
        self._trouble = time.monotonic()

    def trouble(self) -> None:
        """The database could not be reached just now."""
        self._trouble = time.monotonic()

    @property
    def over(self) -> bool:
        """Whether every living worker has had the time to extend its leases."""
        return time.monotonic() - self._trouble > self._lease
