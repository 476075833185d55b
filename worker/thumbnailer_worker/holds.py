"""The jobs that this worker has claimed, and the heartbeat that keeps them its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Lock, Thread
from uuid import UUID

import structlog

from thumbnailer_storage.errors import StorageError
from thumbnailer_storage.jobs.model import Job
from thumbnailer_storage.opening import Stores
from thumbnailer_storage.queues import Message

BEAT_SECONDS = 1.0
STALLED_SECONDS = 30.0

log = structlog.get_logger()


@dataclass(eq=False)
class Hold:
    """One claimed job, with the message that brought it."""

    job: Job
    message: Message
    lost: bool = False
    """Somebody else has it: nothing that is done here counts any more."""
    end: Callable[[], None] | None = None
    """Ends its child, or its wait to be alone; there while the job is in a slot and has no outcome yet."""


class Holds:
    """All of a worker's holds; safe from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._holds: set[Hold] = set()
        self._ended = False

    def add(self, hold: Hold) -> None:
        with self._lock:
            self._holds.add(hold)

    def remove(self, hold: Hold) -> None:
        with self._lock:
            self._holds.discard(hold)

    def has(self, job: UUID) -> bool:
        with self._lock:
            return any(hold.job.id == job for hold in self._holds)

    def all(self) -> list[Hold]:
        with self._lock:
            return list(self._holds)

    def started(self, hold: Hold, end: Callable[[], None]) -> None:
        """From now on the job can be ended."""
        with self._lock:
            hold.end = end
            if hold.lost or self._ended:
                end()

    def judged(self, hold: Hold) -> None:
        """There is an outcome to record: from now on the child has nothing to do with this job."""
        with self._lock:
            hold.end = None

    def lose(self, hold: Hold) -> None:
        """Somebody else has the job: stop working on it, unless it has an outcome, which the record will judge."""
        with self._lock:
            if hold.end is not None:
                hold.lost = True
                hold.end()

    def end_all(self) -> None:
        """End the work on every job, and on those that start from now on: the worker stops."""
        with self._lock:
            self._ended = True
            for hold in self._holds:
                if hold.end is not None:
                    hold.end()


class Heartbeat:
    """Keeps what is held: the leases with one statement a second for all jobs, and the messages' invisibility.

    Each has a thread of its own, since a queue that does not answer must cost no lease.
    """

    def __init__(self, stores: Stores, holds: Holds, lease: float) -> None:
        self._stores = stores
        self._holds = holds
        self._lease = lease
        self._stop = Event()
        self._beat = time.monotonic()
        self._threads = [
            Thread(target=self._run, args=(BEAT_SECONDS, self._keep_leases), name="heartbeat", daemon=True),
            Thread(target=self._run, args=(lease / 3, self._keep_hidden), name="hiding", daemon=True),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout=5)

    @property
    def healthy(self) -> bool:
        """Whether it comes round, once it was started."""
        if self._threads[-1].ident is None:
            return True
        return all(thread.is_alive() for thread in self._threads) and time.monotonic() - self._beat < STALLED_SECONDS

    def _run(self, every: float, keep: Callable[[list[Hold]], None]) -> None:
        while not self._stop.wait(every):
            try:
                keep(self._holds.all())
            except StorageError as error:  # the lease outlasts several beats
                log.warning("what is held could not be extended", reason=str(error))

    def _keep_leases(self, holds: list[Hold]) -> None:
        self._beat = time.monotonic()
        if not holds:
            return
        held = self._stores.jobs.extend([(hold.job.id, hold.job.attempt) for hold in holds], self._lease)
        for hold in holds:
            if hold.job.id not in held:
                self._holds.lose(hold)

    def _keep_hidden(self, holds: list[Hold]) -> None:
        self._stores.queue.extend([hold.message for hold in holds], visibility=self._lease)
