"""Give back what a dead worker held: the lease has ended and nobody extends it."""

from __future__ import annotations

import structlog
from prometheus_client import Counter

from thumbnailer_storage.errors import DatabaseUnavailable, TransitionRefused
from thumbnailer_storage.jobs.patience import Patience
from thumbnailer_storage.opening import Stores

BATCH = 100

poisoned = Counter("thumbnailer_poisoned_jobs_total", "Jobs that failed because worker after worker died with them")

log = structlog.get_logger()


class Rescue:
    """`lease` is how long a worker's claim holds, in seconds."""

    def __init__(self, stores: Stores, lease: float) -> None:
        self._stores = stores
        self._patience = Patience(lease)

    def __call__(self) -> int:
        """Rescue one batch of jobs; returns how many."""
        try:
            return self._rescue() if self._patience.over else 0
        except DatabaseUnavailable:
            self._patience.trouble()
            raise

    def _rescue(self) -> int:
        rescued = 0
        for job in self._stores.upkeep.lapsed(most=BATCH):
            try:
                change = job.rescue()
                self._stores.jobs.apply(job, change)
            except TransitionRefused:  # its worker lives after all, or another housekeeper was first
                continue
            log.warning(change.event, job=str(job.id), attempt=job.attempt, deaths=job.deaths + 1)
            poisoned.inc(change.event == "poisoned")
            rescued += 1
        return rescued
