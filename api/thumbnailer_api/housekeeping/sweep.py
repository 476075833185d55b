"""Remove objects that no job needs: uploads that nobody recorded, results of attempts that lost.

The objects are listed first and the records asked after: a job that is recorded in between is known by then.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain, islice
from uuid import UUID

import structlog

from thumbnailer_storage.errors import ForeignStore
from thumbnailer_storage.jobs.model import Status
from thumbnailer_storage.jobs.upkeep import Standing
from thumbnailer_storage.objects import Stored
from thumbnailer_storage.opening import Stores

BATCH = 1000
SAFETY_SECONDS = 3600.0
"""Added to the longest allowed request: an upload of that age cannot be waiting for its record any more."""
MANY = 100
"""From this many on, a batch of which most belongs to no job is taken for a database that lost its jobs."""

log = structlog.get_logger()


ID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
OURS = re.compile(rf"(uploads/(?P<of>{ID})|results/(?P<by>{ID})/(?P<attempt>\d+)/\d+\.[a-z]+)")


@dataclass(frozen=True, slots=True)
class Found:
    """An object of a job: its upload, or a result of an attempt."""

    key: str
    job: UUID
    attempt: int | None

    @classmethod
    def of(cls, key: str) -> Found | None:
        """What a key says; None for one that is none of ours, which is left alone."""
        match = OURS.fullmatch(key)
        if match is None:
            return None
        return cls(key, UUID(match["of"] or match["by"]), int(match["attempt"]) if match["attempt"] else None)


class Sweep:
    """`longest` is how long a request may take, in seconds."""

    def __init__(self, stores: Stores, longest: float) -> None:
        self._stores = stores
        self._age = longest + SAFETY_SECONDS

    def __call__(self) -> int:
        """Delete what is old enough and needed by nobody; returns how many objects.

        Raises ForeignStore where the objects seem to belong to another database than this.
        """
        self._stores.claim_objects()
        before = self._stores.upkeep.now() - timedelta(seconds=self._age)
        objects = self._stores.objects
        old = (
            stored for stored in chain(objects.list("uploads/"), objects.list("results/")) if stored.modified < before
        )
        deleted = objects.clear_unfinished(self._age)
        while batch := list(islice(old, BATCH)):
            deleted += self._batch(batch)
        return deleted

    def _batch(self, batch: Sequence[Stored]) -> int:
        found = [ours for stored in batch if (ours := Found.of(stored.key))]
        standing = self._stores.upkeep.standing({ours.job for ours in found})
        unknown = sum(ours.job not in standing for ours in found)
        if unknown >= MANY and unknown > len(batch) / 2:
            raise ForeignStore(
                f"{unknown} of {len(batch)} objects belong to no job: nothing more is swept. Was the database restored "
                "from a backup, or emptied? If it only failed while many images came, remove these by hand"
            )
        useless = [ours.key for ours in found if is_useless(ours, standing.get(ours.job))]
        self._stores.objects.delete(useless)
        if useless:
            log.info("objects swept", objects=len(useless))
        return len(useless)


def is_useless(found: Found, standing: Standing | None) -> bool:
    """Whether no job needs the object now or later; never the current attempt of an unfinished job."""
    if standing is None or standing.status in (Status.CANCELLED, Status.EXPIRED):
        return True
    if standing.status is Status.COMPLETE:
        return found.attempt != standing.attempt
    if found.attempt is None:
        return False
    return standing.status is Status.FAILED or found.attempt < standing.attempt
