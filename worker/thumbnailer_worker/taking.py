"""Take messages and claim their jobs: what a worker may work on, and what to do with every other message."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from thumbnailer_storage.errors import DatabaseUnavailable, JobNotFound, OutcomeUnknown, TransitionRefused
from thumbnailer_storage.jobs.model import Job, Status
from thumbnailer_storage.jobs.patience import Patience
from thumbnailer_storage.opening import Stores
from thumbnailer_storage.queues import Message
from thumbnailer_worker import metrics
from thumbnailer_worker.holds import Hold

BACK_SECONDS = 1.0
"""How long a message is put back for whose job somebody else holds."""

log = structlog.get_logger()


class Taker:
    """Receives and claims for one worker, whose name stands in the records."""

    def __init__(self, stores: Stores, queues: Sequence[str], *, worker: str, lease: float) -> None:
        self._stores = stores
        self.queues = queues
        self._worker = worker
        self._lease = lease
        self._patience = Patience(lease)
        self._idle = True

    def take(self, most: int) -> list[Hold]:
        """Up to so many jobs that are ours now; never more than there are free slots."""
        holds: list[Hold] = []
        try:
            if self._idle and self._stores.queue.quiet(self.queues):
                return []
            with self._stores.together():
                messages = self._stores.queue.receive(self.queues, most=most, visibility=self._lease)
                holds = [Hold(job, message) for message in messages if (job := self.claim(message)) is not None]
        except OutcomeUnknown:
            return [hold for hold in holds if self._is_ours(hold)]
        except DatabaseUnavailable:
            self._patience.trouble()
            raise
        self._idle = not messages
        return holds

    def _is_ours(self, hold: Hold) -> bool:
        """Whether the claim was committed, although the reply was lost."""
        found = self._stores.jobs.get(hold.job.id)
        return (found.status, found.attempt) == (Status.PROCESSING, hold.job.attempt)

    def claim(self, message: Message) -> Job | None:
        """The message's job, if we may have it; else the message is dealt with."""
        try:
            job = self._stores.jobs.claim(message.job, worker=self._worker, lease=self._lease)
        except JobNotFound:
            self._drop(message, "unknown")
        except TransitionRefused as refused:
            if refused.status is Status.PROCESSING:
                return self._take_over(message)
            if refused.status is Status.PENDING:  # its time has not come yet
                self._stores.queue.release(message, delay=BACK_SECONDS)
            else:
                self._drop(message, refused.status.value)
        else:
            if job.start and job.claimed and job.attempt == 1:
                metrics.queued.labels(job.priority.value).observe((job.claimed - job.start).total_seconds())
            return job
        return None

    def _take_over(self, message: Message) -> Job | None:
        """The job of a worker whose lease has ended; if it holds, the message is put back."""
        try:
            if self._patience.over:
                job = self._stores.jobs.take_over(message.job, worker=self._worker, lease=self._lease)
                metrics.rescues.inc()
                return job
        except (TransitionRefused, JobNotFound):
            pass
        metrics.duplicates.labels("held").inc()
        self._stores.queue.release(message, delay=BACK_SECONDS)
        return None

    def _drop(self, message: Message, because: str) -> None:
        metrics.duplicates.labels(because).inc()
        log.info("a message that needs no work was deleted", job=str(message.job), because=because)
        self._stores.queue.delete(message)
