"""Remove what has been kept long enough: first a job's data, in the end its record; and uploads once they are used."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from thumbnailer_storage.jobs.batches import BATCH
from thumbnailer_storage.opening import Stores

ROUND_SECONDS = 10.0
"""How long one round of one duty goes on where there is more to do; the others have their turn then."""

log = structlog.get_logger()


class Expire:
    """Ends the keeping of jobs whose time is over; `kept` is what a job without a time of its own gets, in seconds."""

    def __init__(self, stores: Stores, kept: float) -> None:
        self._stores = stores
        self._kept = kept

    def __call__(self) -> int:
        """Returns how many jobs expired."""
        in_batches(lambda: self._stores.removal.give_expiry(self._kept))
        expired = in_batches(self._stores.removal.expire)
        if expired:
            log.info("jobs expired", jobs=expired)
        return expired


class Tidy:
    """Deletes objects that nobody needs any more: uploads of complete jobs, all of expired and cancelled ones."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    def __call__(self) -> int:
        """Returns of how many jobs."""
        return in_batches(self._batch)

    def _batch(self) -> int:
        found = self._stores.removal.untidy()
        if found:
            self._stores.objects.delete([key for one in found for key in one.keys])
            self._stores.removal.tidied(found)
        return len(found)


class Forget:
    """Removes records `kept` seconds after their jobs expired."""

    def __init__(self, stores: Stores, kept: float) -> None:
        self._stores = stores
        self._kept = kept

    def __call__(self) -> int:
        """Returns how many records."""
        forgotten = in_batches(lambda: self._stores.removal.forget(self._kept))
        if forgotten:
            log.info("records removed", jobs=forgotten)
        return forgotten


class Lapse:
    """Removes idempotency keys that were kept for a day."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    def __call__(self) -> int:
        """Returns how many keys."""
        return in_batches(self._stores.idempotency.forget)


class Fold:
    """Adds up the ledger."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    def __call__(self) -> int:
        """Returns how many rows."""
        return in_batches(self._stores.ledger.fold)


def in_batches(do: Callable[[], int]) -> int:
    """Do it again as long as there is plenty left and the round lasts; returns the sum."""
    ends = time.monotonic() + ROUND_SECONDS
    done = batch = do()
    while batch >= BATCH and time.monotonic() < ends:
        done += (batch := do())
    return done
