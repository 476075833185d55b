"""Callers that wait until a job is finished: one poll serves all of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import structlog

from thumbnailer_api.admission import Admission
from thumbnailer_api.errors import Busy
from thumbnailer_storage.errors import StoreUnavailable
from thumbnailer_storage.jobs.store import JobStore

POLL_SECONDS = 0.2
TROUBLE_SECONDS = 2.0
"""Pause after the database did not answer."""
STALLED_SECONDS = 30.0

log = structlog.get_logger()


class Waiting:
    """Asks the records about all awaited jobs at once, a few times a second, while somebody waits."""

    def __init__(self, jobs: JobStore, admission: Admission) -> None:
        self._jobs = jobs
        self._admission = admission
        self._changed = threading.Condition()
        self._awaited: dict[UUID, set[threading.Event]] = {}
        self._stopped = False
        self._round = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="waiting", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End: whoever waits is answered at once, with the job as it is."""
        with self._changed:
            self._stopped = True
            for events in self._awaited.values():
                for event in events:
                    event.set()
            self._changed.notify_all()
        self._thread.join()

    @property
    def healthy(self) -> bool:
        """Whether the poll lives, and has come round lately where somebody waits."""
        stalled = bool(self._awaited) and time.monotonic() - self._round > STALLED_SECONDS
        return self._thread.is_alive() and not stalled

    def until_finished(self, job: UUID, seconds: float) -> bool:
        """Hold the caller until the job is finished or the time is up; False at once where too many wait already."""
        if not self.healthy:
            return False
        event = threading.Event()
        try:
            with self._admission.one(), self._awaited_by(job, event):
                event.wait(seconds)
        except Busy:
            return False
        return True

    @contextmanager
    def _awaited_by(self, job: UUID, event: threading.Event) -> Iterator[None]:
        with self._changed:
            if self._stopped:
                event.set()
            elif not self._awaited:
                self._round = time.monotonic()
            self._awaited.setdefault(job, set()).add(event)
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                events = self._awaited[job]
                events.discard(event)
                if not events:
                    del self._awaited[job]

    def _run(self) -> None:
        while awaited := self._somebody():
            pause = POLL_SECONDS
            try:
                self._tell(self._jobs.finished(awaited))
            except StoreUnavailable as error:
                pause = TROUBLE_SECONDS
                log.warning("waiting callers cannot be told", reason=str(error))
            self._round = time.monotonic()
            self._pause(pause)

    def _somebody(self) -> list[UUID]:
        """The jobs that are awaited, once there are some; none when it is time to end."""
        with self._changed:
            self._changed.wait_for(lambda: self._awaited or self._stopped)
            return [] if self._stopped else list(self._awaited)

    def _tell(self, finished: set[UUID]) -> None:
        with self._changed:
            for job in finished:
                for event in self._awaited.get(job, ()):
                    event.set()

    def _pause(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._stopped, timeout=seconds)
