"""Take an upload in: the steps between a request and its 202, in order.

Killed after any of them, the API leaves a whole job that will be done, or no job and an upload that the sweep removes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from uuid import UUID, uuid4

import structlog

from thumbnailer_api import metrics
from thumbnailer_api.admission import Admission
from thumbnailer_api.intake.arriving import Arrival
from thumbnailer_api.limiting import Limiter
from thumbnailer_api.sending import Sender
from thumbnailer_api.webhooks.hooks import Hooks
from thumbnailer_storage.errors import (
    DatabaseUnavailable,
    JobNotFound,
    ObjectsUnavailable,
    OutcomeUnknown,
    StorageError,
    StoreUnavailable,
)
from thumbnailer_storage.jobs.model import Act, Job, Source, Webhook, upload_key
from thumbnailer_storage.opening import Stores

ASKING_SECONDS = 0.5
"""A reply that was lost sooner than that leaves the time to ask for the record, and to answer within five seconds."""

log = structlog.get_logger()


class Submission:
    """One upload on its way to becoming a job. `arrive` opens the request's body, once its owner may send one."""

    def __init__(
        self,
        stores: Stores,
        transfers: Admission,
        sender: Sender,
        limiter: Limiter,
        hooks: Hooks,
        owner: str,
        act: Act,
        arrive: Callable[[], Arrival],
    ) -> None:
        self.stores = stores
        self.transfers = transfers
        self.sender = sender
        self.limiter = limiter
        self.hooks = hooks
        self.owner = owner
        self.act = act
        self.arrive = arrive
        self.id: UUID = uuid4()
        self.transaction = ExitStack()
        self.record_tried: float | None = None
        self.arrival: Arrival
        self.job: Job

    @property
    def upload_key(self) -> str:
        return upload_key(self.id)


def authorise(submission: Submission) -> None:
    """Whether the owner may send this: what the request's head gives away is refused before the body comes."""
    submission.arrival = submission.arrive()


def limit(submission: Submission) -> None:
    """Refuse it where its owner has reached a limit, before anything of the body is read."""
    submission.limiter.before_body(submission.arrival.at_least)


def store(submission: Submission) -> None:
    """Let the image pass into the object store, where it is durable."""
    with submission.transfers.one():
        submission.stores.objects.put(submission.upload_key, submission.arrival.chunks())


def limit_bytes(submission: Submission) -> None:
    """The same for what its head did not declare."""
    submission.limiter.after_body(submission.arrival.bytes)


def describe(submission: Submission) -> None:
    """Make the job of what was asked; only now is all of that known."""
    arrival = submission.arrival
    submission.job = Job.new(
        id=submission.id,
        owner=submission.owner,
        source=Source(bytes=arrival.bytes, sha256=arrival.sha256, filename=arrival.filename),
        outputs=tuple(output.output() for output in arrival.asked.outputs),
        priority=arrival.asked.priority,
        job_class=arrival.asked.job_class,
        metadata=arrival.asked.metadata,
        request=submission.act.request,
        expires_in=arrival.expires_in,
        webhook=webhook_of(submission),
    )


def webhook_of(submission: Submission) -> Webhook | None:
    """What the job asks for, or its owner's default where it says nothing. Raises Invalid."""
    asked, owner = submission.arrival.asked, submission.owner
    if "webhook" not in asked.model_fields_set:
        return submission.hooks.default(owner)
    return submission.hooks.for_job(owner, asked.webhook) if asked.webhook else None


def begin(submission: Submission) -> None:
    """Open the one transaction of record and message, where the queue is a table of the database."""
    submission.transaction.enter_context(submission.stores.together())


def record(submission: Submission) -> None:
    submission.record_tried = time.monotonic()
    submission.job = submission.stores.jobs.add(submission.job, submission.act)


def enqueue(submission: Submission) -> None:
    """Send the job's message. The queue may be down: the job counts all the same, and the housekeeper sends it."""
    try:
        submission.sender.send(submission.job)
    except StoreUnavailable as error:
        metrics.unqueued.labels("trouble").inc()
        log.warning("a job's message is sent later", job=str(submission.job.id), reason=str(error))


def commit(submission: Submission) -> None:
    submission.transaction.close()


Step = Callable[[Submission], None]
STEPS: list[Step] = [authorise, limit, store, limit_bytes, describe, begin, record, enqueue, commit]


def submit(submission: Submission) -> Job:
    """Take the steps; returns the job as it is recorded. Raises what a step raises, after which there is no job."""
    try:
        with submission.transaction:
            for step in STEPS:
                step(submission)
    except OutcomeUnknown as unknown:
        return as_recorded(submission, unknown)
    except ObjectsUnavailable:
        raise  # the store would hardly delete now, and the caller waits: the sweep removes what there is
    except BaseException:
        abandon(submission)
        raise
    return submission.job


def as_recorded(submission: Submission, unknown: OutcomeUnknown) -> Job:
    """The job, where its commit did happen although the reply was lost.

    Nobody asks a database that has kept the caller waiting already: the job is done, or was never there.
    """
    if submission.record_tried is None or time.monotonic() - submission.record_tried > ASKING_SECONDS:
        raise unknown
    try:
        return submission.stores.jobs.get(submission.id)
    except JobNotFound:
        raise DatabaseUnavailable("the job was not recorded") from unknown


def abandon(submission: Submission) -> None:
    """Remove the upload, but never once a record was tried: the job may be there after all, and the sweep knows."""
    if submission.record_tried is None:
        with suppress(StorageError):
            submission.stores.objects.delete([submission.upload_key])
