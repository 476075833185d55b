"""One claimed job, from its upload to its outcome."""

from __future__ import annotations

import shutil
import time
from collections.abc import Generator
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from threading import Event

import structlog

from thumbnailer_storage.errors import (
    ForeignStore,
    JobNotFound,
    ObjectExists,
    ObjectMissing,
    QueueUnavailable,
    StoreUnavailable,
    TransitionRefused,
)
from thumbnailer_storage.jobs.model import Change, Status
from thumbnailer_storage.jobs.pictures import Result
from thumbnailer_storage.objects import CHUNK
from thumbnailer_storage.opening import Stores
from thumbnailer_worker import metrics
from thumbnailer_worker.errors import ChildKilled, ChildNotStarted, Ended, ScratchFull
from thumbnailer_worker.holds import Hold, Holds
from thumbnailer_worker.imaging.errors import ImageRefused
from thumbnailer_worker.imaging.made import Made
from thumbnailer_worker.sandbox import Child
from thumbnailer_worker.slots import Slots
from thumbnailer_worker.trouble import Trouble, growing

KILLED_TWICE = (
    "The work on this image was killed twice, the second time alone on its worker: it probably needs more memory than "
    "there is; send a smaller one."
)
OUR_FAULT = "Something went wrong on our side with this image; the service's logs say what. Sending it again may help."
RESULTS = "results"
"""The folder of the workspace that the child writes to."""
STOPPED = "its worker was stopped"

log = structlog.get_logger()


class Handler:
    """Does the work on jobs; one call of `handle` for each, from the slots' threads.

    `give_up` is set when the worker can wait no longer for a store that is down.
    """

    def __init__(
        self, stores: Stores, slots: Slots, holds: Holds, trouble: Trouble, *, missing_seconds: float, give_up: Event
    ) -> None:
        self._stores = stores
        self._slots = slots
        self._holds = holds
        self._trouble = trouble
        self._missing_seconds = missing_seconds
        self._give_up = give_up

    def handle(self, hold: Hold, child: Child) -> None:
        """Work on the job, then record what came out of it."""
        began = time.monotonic()
        about = {"job": str(hold.job.id), "attempt": hold.job.attempt, "request_id": hold.job.request}
        with structlog.contextvars.bound_contextvars(**about):
            change = self._work(hold, child)
            self._holds.judged(hold)
            self._record(hold, change)
            metrics.working.labels(hold.job.priority.value).observe(time.monotonic() - began)

    def give_back(self, hold: Hold, reason: str) -> None:
        """Release a job that has no outcome, without cost."""
        self._record(hold, hold.job.release(reason, delay=0.0))
        self._holds.remove(hold)

    def _company(self, hold: Hold) -> AbstractContextManager[None]:
        return self._alone(hold) if hold.job.alone else nullcontext()

    def _alone(self, hold: Hold) -> AbstractContextManager[None]:
        """No other job runs beside it; a wait for that ends where the job is cancelled meanwhile."""
        self._holds.started(hold, self._slots.wake)
        return self._slots.alone(unless=lambda: hold.lost)

    def _work(self, hold: Hold, child: Child) -> Change:
        """The steps of the work, and what each kind of failure means for the job."""
        job = hold.job
        try:
            with self._company(hold), child.workspace() as folder:
                self._holds.started(hold, child.end)
                source = self.fetch(hold, folder)
                made = self.make(hold, child, source, folder)
                self.put(hold, child, made, folder)
        except ImageRefused as refused:
            return job.fail(refused.code, refused.message)
        except ChildKilled:
            return job.fail(422, KILLED_TWICE)
        except ObjectMissing:
            return self._missing(hold)
        except ObjectExists:  # of this attempt's number: the database is older than its objects; the next has its own
            return job.release("a result of that name is there already", delay=0.0)
        except (StoreUnavailable, ChildNotStarted, ScratchFull, OSError) as error:
            return self._in_trouble(hold, error)
        except Ended:
            return job.release(STOPPED, delay=0.0)
        except Exception:
            log.exception("a mistake of ours failed the job")
            return job.fail(500, OUR_FAULT)
        known = replace(job.source, format=made.source.format, width=made.source.width, height=made.source.height)
        return job.complete(known, made.results)

    @metrics.steps.labels("fetch").time()
    def fetch(self, hold: Hold, folder: Path) -> Path:
        """Copy the upload into the workspace."""
        path = folder / "source"
        chunks = self._stores.objects.read(hold.job.upload_key)
        with path.open("xb") as file:
            for chunk in chunks:
                file.write(chunk)
        metrics.source_bytes.inc(path.stat().st_size)
        return path

    @metrics.steps.labels("make").time()
    def make(self, hold: Hold, child: Child, source: Path, folder: Path) -> Made:
        """Make the pictures in the child; once more, alone, where somebody else killed it."""
        results = folder / RESULTS
        results.mkdir()
        try:
            return child.make(source, hold.job.outputs, results)
        except ChildKilled:
            log.warning("the child was killed by somebody else: the job runs once more, alone")
        with nullcontext() if hold.job.alone else self._alone(hold):
            self._holds.started(hold, child.end)
            shutil.rmtree(results)
            results.mkdir()
            return child.make(source, hold.job.outputs, results)

    @metrics.steps.labels("put").time()
    def put(self, hold: Hold, child: Child, made: Made, folder: Path) -> None:
        """Store the results under this attempt's names; nobody sees them before the outcome is recorded."""
        for result in made.results:
            self._stores.objects.put(hold.job.result_key(result), read_result(child, folder / RESULTS, result))
            metrics.result_bytes.inc(result.bytes)
        metrics.decoding.observe(made.decode_seconds)
        metrics.encoding.observe(made.encode_seconds)

    def _in_trouble(self, hold: Hold, error: Exception) -> Change:
        """Our own trouble never counts against a job."""
        self._trouble.begin(error)
        return hold.job.release("a part of the service is down", delay=growing(hold.job.attempt))

    def _missing(self, hold: Hold) -> Change:
        """The upload cannot be seen: wait for it during the grace period, which the record remembers.

        Unless the whole store is another one than it was: that is our trouble.
        """
        try:
            self._stores.recognise_objects()
        except (StoreUnavailable, ForeignStore) as error:
            return self._in_trouble(hold, error)
        waited = hold.job.missing_for
        if waited is not None and waited >= self._missing_seconds:
            return hold.job.fail(404, "The image that was uploaded is gone from the object store: send it again.")
        return hold.job.wait_for_upload(delay=growing(hold.job.attempt, longest=5.0))

    def _record(self, hold: Hold, change: Change) -> None:
        """Record the outcome and remove the message, or put both back; tried for as long as it takes."""
        tries = 0
        won = self._status(hold) if hold.lost else None
        while not hold.lost:
            try:
                self.finish(hold, change)
            except TransitionRefused as refused:
                if refused.status is change.to and refused.attempt == change.attempt:
                    break  # an earlier try of ours was committed and its reply was lost
                hold.lost, won = True, refused.status
            except StoreUnavailable as error:
                self._trouble.begin(error)
                if self._give_up.wait(growing(tries)):
                    log.error("the outcome could not be recorded: the job is rescued after its lease")
                    return
                tries += 1
            else:
                break
        if hold.lost:
            self._leave(hold, won)
        else:
            self._count(hold, change)

    @metrics.steps.labels("finish").time()
    def finish(self, hold: Hold, change: Change) -> None:
        """The commit point: the outcome becomes visible, and only with or after it goes the message."""
        with self._stores.together():
            self._stores.jobs.apply(hold.job, change)
            self._acknowledge(hold, change)

    def _acknowledge(self, hold: Hold, change: Change) -> None:
        """Remove the message, or put it back. One that stays is harmless: it is dropped when it is seen again."""
        queue = self._stores.queue
        try:
            if change.to is Status.PENDING:
                queue.release(hold.message, delay=change.delay)
            else:
                queue.delete(hold.message)
        except QueueUnavailable as error:
            self._trouble.begin(error)

    def _status(self, hold: Hold) -> Status | None:
        """What the record says of a job that is not ours any more; None where that cannot be read."""
        with suppress(StoreUnavailable, JobNotFound):
            return self._stores.jobs.get(hold.job.id).status
        return None

    def _leave(self, hold: Hold, won: Status | None) -> None:
        """What was done here does not count. The message of a job that is over goes: nobody has to see it again."""
        if won and won.final:
            with suppress(StoreUnavailable):
                self._stores.queue.delete(hold.message)
        if won is Status.CANCELLED:
            log.info("cancelled: what was done here does not count")
        else:
            metrics.lost_leases.inc()
            log.warning("the job was lost to somebody else: what was done here does not count")

    def _count(self, hold: Hold, change: Change) -> None:
        job = hold.job
        if change.to is Status.PENDING:
            metrics.released.labels(change.key).inc()
            log.info("released", reason=change.message)
        else:
            kind = change.source.format if change.source and change.source.format else "unknown"
            metrics.jobs.labels(change.to.value, kind, job.priority.value).inc()
            log.info(change.event, code=change.code, reason=change.message)


def read_result(child: Child, folder: Path, result: Result) -> Generator[bytes]:
    with child.open_result(folder, result) as file:
        while chunk := file.read(CHUNK):
            yield chunk
