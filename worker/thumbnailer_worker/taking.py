"""Take messages and claim their jobs: what a worker may work on, and what to do with every other message."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from threading import Event
from uuid import UUID

import structlog

from thumbnailer_storage.errors import (
    DatabaseUnavailable,
    JobNotFound,
    OutcomeUnknown,
    QueueUnavailable,
    StoreUnavailable,
    TransitionRefused,
)
from thumbnailer_storage.jobs.model import Job, Status
from thumbnailer_storage.jobs.patience import Patience
from thumbnailer_storage.opening import Stores
from thumbnailer_storage.queues import Message
from thumbnailer_worker import metrics
from thumbnailer_worker.holds import Hold, Holds
from thumbnailer_worker.turns import Turns

BACK_SECONDS = 1.0
"""How long a message is put back for whose job somebody else holds."""
WAIT_SECONDS = 5.0
"""How long a queue that can wait for a message does so."""
NO_BORROWING_SECONDS = 30.0
"""For how long nothing is borrowed after trouble: what is not the worker's own must not hold up what is."""

log = structlog.get_logger()


class Taker:
    """Receives and claims for one worker, whose name stands in the records, until `stopping` is set.

    It asks its own queues by turns, and those that it `borrows` while they are empty. It has so many `slots`.

    Where the queue is a table of the database, receiving and claiming are one transaction; elsewhere each claim stands
    by itself, and trouble in one of them undoes none of the others.
    """

    def __init__(
        self,
        stores: Stores,
        queues: Sequence[str],
        holds: Holds,
        *,
        worker: str,
        lease: float,
        stopping: Event,
        borrows: Sequence[str] = (),
        slots: int = 1,
    ) -> None:
        self._stores = stores
        self._holds = holds
        self.queues = (*queues, *borrows)
        self._turns = Turns(queues)
        self._borrows = borrows
        self._borrowing_from = 0.0
        self._slots = slots
        self._worker = worker
        self._lease = lease
        self._stopping = stopping
        self._patience = Patience(lease)
        self.idle = True
        """Whether the last look at the queues brought nothing, not even a message that needs no work."""
        self._unsure: list[Message] = []
        """Their claims may have been committed: the reply was lost, and so was the answer when we asked."""

    def take(self, most: int) -> list[Hold]:
        """Up to so many jobs that are ours now; never more than there are free slots."""
        holds: list[Hold] = []
        try:
            if self._unsure:
                return self._claimed_unseen()
            if self.idle and self._stores.queue.quiet(self.queues):
                return []
            with self._stores.together():
                messages = self._receive(most)
                self.idle = not messages
                self._claim_all(messages, holds)
        except OutcomeUnknown:
            self._patience.trouble()
            self._unsure += [hold.message for hold in holds]
            return self._claimed_unseen()
        except DatabaseUnavailable:
            self._patience.trouble()
            raise
        return holds

    def _receive(self, most: int) -> list[Message]:
        """Messages for the free slots; one that a poll brings to a worker that stops is for others."""
        messages: list[Message] = []
        empty: list[str] = []
        while (free := most - len(messages)) > 0:
            queues, wanted = self._turns.order(empty), self._turns.most(free, empty)
            if not messages and self._may_borrow(free):
                queues, wanted = [*queues, *self._borrows], 1
            found = self._look(queues, wanted, messages)
            messages += found
            if len(found) < wanted or (last := found[-1].queue) in self._borrows:
                break
            empty += queues[: queues.index(last)]
        if self._stopping.is_set():
            self._put_back(messages)
            return []
        return messages

    def _may_borrow(self, free: int) -> bool:
        """The last free slot of several is for the worker's own."""
        room = free > 1 or self._slots == 1
        return bool(self._borrows) and room and time.monotonic() >= self._borrowing_from

    def _look(self, queues: Sequence[str], most: int, before: Sequence[Message]) -> list[Message]:
        """One look; only the first may wait, and trouble in a later one costs none of the messages from before.

        Trouble where something may be borrowed is the own queues' only if they have it by themselves too.
        """
        wait = 0.0 if before else WAIT_SECONDS
        try:
            found = self._stores.queue.receive(queues, most=most, visibility=self._lease, wait=wait)
        except QueueUnavailable as error:
            if before:
                return []
            own = [queue for queue in queues if queue not in self._borrows]
            if len(own) == len(queues):
                raise
            log.warning("nothing is borrowed for a while", reason=str(error))
            self._borrowing_from = time.monotonic() + NO_BORROWING_SECONDS
            return self._look(own, most, before)
        for message in found:
            if message.queue not in self._borrows:
                self._turns.took(message.queue)
        return found

    def _claim_all(self, messages: Sequence[Message], holds: list[Hold]) -> None:
        """Claim the messages' jobs one by one; in trouble, the rest is put back and what is ours is kept."""
        for n, message in enumerate(messages):
            try:
                job = self.claim(message)
            except StoreUnavailable as error:
                if isinstance(error, OutcomeUnknown):
                    self._unsure.append(message)
                self._put_back(messages[n + 1 :])
                if not holds:
                    raise
                log.warning("messages were put back", reason=str(error))
                return
            if job is not None:
                holds.append(Hold(job, message))

    def _put_back(self, messages: Sequence[Message]) -> None:
        with suppress(StoreUnavailable):  # then they come back by themselves
            for message in messages:
                self._stores.queue.release(message, delay=0.0)

    def _claimed_unseen(self) -> list[Hold]:
        """The holds of claims that were committed, although the reply was lost; asked again where this fails too."""
        unsure = [message for message in self._unsure if message.job]
        ours = {job.id: job for job in self._stores.jobs.claimed_by(self._worker, [m.job for m in unsure if m.job])}
        self._unsure = []
        claimed = [message for message in unsure if message.job in ours and not self._holds.has(message.job)]
        self._put_back([message for message in unsure if message not in claimed])
        return [Hold(ours[message.job], message) for message in claimed if message.job]

    @metrics.steps.labels("claim").time()
    def claim(self, message: Message) -> Job | None:
        """The message's job, if we may have it; else the message is dealt with."""
        if message.job is None:
            metrics.foreign.inc()
            log.warning("a message that is none of ours was deleted", queue=message.queue)
            self._stores.queue.delete(message)
            return None
        try:
            job = self._stores.jobs.claim(message.job, worker=self._worker, lease=self._lease)
        except JobNotFound:
            self._drop(message, "unknown")
        except TransitionRefused as refused:
            if refused.status is Status.PROCESSING:
                return self._take_over(message, message.job)
            if refused.status is Status.PENDING:  # its time has not come yet
                self._stores.queue.release(message, delay=BACK_SECONDS)
            else:
                self._drop(message, refused.status.value)
        else:
            if job.start and job.claimed and job.attempt == 1:
                metrics.queued.labels(job.priority.value).observe((job.claimed - job.start).total_seconds())
            return job
        return None

    def _take_over(self, message: Message, wanted: UUID) -> Job | None:
        """The job of a worker whose lease has ended; if it holds, the message is put back."""
        try:
            if self._patience.over:
                job = self._stores.jobs.take_over(wanted, worker=self._worker, lease=self._lease)
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
