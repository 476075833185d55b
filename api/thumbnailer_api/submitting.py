"""Take an upload in: the steps between a request and its 202, in order.

Killed after any of them, the API leaves a whole job that will be done, or no job and an upload that the sweep removes.
A request whose idempotency key stands for a job already takes none of the steps that store something: its body is read,
and what it asks for compared.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from uuid import UUID, uuid4

import structlog

from thumbnailer_api import metrics
from thumbnailer_api.admission import Admission
from thumbnailer_api.errors import IdempotencyMismatch
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
    SubmissionInFlight,
)
from thumbnailer_storage.jobs.idempotency import RENEW_SECONDS, Known, Reservation
from thumbnailer_storage.jobs.model import OWNERS_DEFAULT, Act, Job, Source, Webhook, upload_key
from thumbnailer_storage.opening import Stores

ASKING_SECONDS = 0.5
"""A reply that was lost sooner than that leaves the time to ask for the record, and to answer within five seconds."""

log = structlog.get_logger()


class Submission:
    """One upload on its way to becoming a job. `arrive` opens the request's body, once its owner may send one.

    `reservation` is there while the request has an idempotency key, `known` where that key stands for a job already.
    """

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
        self.reservation: Reservation | None = None
        self.known: Known | None = None
        self.arrival: Arrival
        self.job: Job

    @property
    def upload_key(self) -> str:
        return upload_key(self.id)


def authorise(submission: Submission) -> None:
    """Whether the owner may send this: what the request's head gives away is refused before the body comes."""
    submission.arrival = submission.arrive()


def pace(submission: Submission) -> None:
    """Refuse it where its owner has sent too many requests, also such as were accepted before."""
    submission.limiter.count()


def reserve(submission: Submission) -> None:
    """Have the request's idempotency key, or learn that it stands for a job; else refuse it before its body comes."""
    if submission.arrival.idempotency_key is None:
        return
    found = submission.stores.idempotency.reserve(submission.owner, submission.arrival.idempotency_key)
    if isinstance(found, Known):
        submission.known = found
    else:
        submission.reservation = found


def limit(submission: Submission) -> None:
    """Refuse it where its owner has used up what may wait or come in a day, before anything of the body is read."""
    submission.limiter.before_body(submission.arrival.at_least)


def store(submission: Submission) -> None:
    """Let the image pass into the object store, where it is durable."""
    with submission.transfers.one():
        submission.stores.objects.put(submission.upload_key, arriving(submission))


def arriving(submission: Submission) -> Iterator[bytes]:
    """The image as it comes; its key is held meanwhile. Raises SubmissionInFlight where another request has it now."""
    due = time.monotonic() + RENEW_SECONDS
    for chunk in submission.arrival.chunks():
        if submission.reservation and time.monotonic() > due:
            with suppress(StoreUnavailable):  # recording will tell
                submission.stores.idempotency.renew(submission.reservation)
            due = time.monotonic() + RENEW_SECONDS
        yield chunk


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
    if submission.reservation:
        submission.reservation = replace(submission.reservation, fingerprint=arrival.fingerprint)


def webhook_of(submission: Submission) -> Webhook | None:
    """What the job asks for, or its owner's default where it says nothing. Raises Invalid."""
    asked, owner = submission.arrival.asked, submission.owner
    if "webhook" not in asked.model_fields_set:
        return OWNERS_DEFAULT
    return submission.hooks.for_job(owner, asked.webhook) if asked.webhook else None


def begin(submission: Submission) -> None:
    """Open the one transaction of record and message, where the queue is a table of the database."""
    submission.transaction.enter_context(submission.stores.together())


def record(submission: Submission) -> None:
    submission.record_tried = time.monotonic()
    submission.job = submission.stores.jobs.add(submission.job, submission.act, submission.reservation)


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
STEPS: list[Step] = [authorise, pace, reserve, limit, store, limit_bytes, describe, begin, record, enqueue, commit]


def submit(submission: Submission) -> Job:
    """Take the steps; returns the job as it is recorded. Raises what a step raises, after which there is no job.

    Where the key stands for a job already, that is returned as it now is; raises IdempotencyMismatch where something
    else was asked for.
    """
    try:
        with submission.transaction:
            for step in STEPS:
                step(submission)
                if submission.known:
                    break
    except OutcomeUnknown as unknown:
        return as_recorded(submission, unknown)
    except BaseException as error:
        abandon(submission, error)
        raise
    return replayed(submission, submission.known) if submission.known else submission.job


def replayed(submission: Submission, known: Known) -> Job:
    """The job that the key stands for. Nothing is stored of this request, but all of it is read, to be compared."""
    with submission.transfers.one():
        for _ in submission.arrival.chunks():
            pass
    if submission.arrival.fingerprint != known.fingerprint:
        raise IdempotencyMismatch(
            "This Idempotency-Key came with another image or other options before: a key stands for one request, so "
            "send a new one with each."
        )
    try:
        return submission.stores.jobs.get(known.job, submission.owner)
    except JobNotFound:
        raise SubmissionInFlight("the record of this key's job was removed just now: send the request again") from None


def as_recorded(submission: Submission, unknown: OutcomeUnknown) -> Job:
    """The job, where its commit did happen although the reply was lost.

    Nobody asks a database that has kept the caller waiting already: the job is done, or was never there.
    """
    if submission.record_tried is None or time.monotonic() - submission.record_tried > ASKING_SECONDS:
        raise unknown
    try:
        return submission.stores.jobs.get(submission.id)
    except JobNotFound:
        free(submission)
        raise DatabaseUnavailable("the job was not recorded") from unknown


def abandon(submission: Submission, error: BaseException) -> None:
    """Let go of the key, and remove the upload, but never once a record was tried: the job may be there after all.

    A store that has failed is not asked again, since the caller waits: the lease ends, and the sweep removes what there
    is.
    """
    if not isinstance(error, DatabaseUnavailable):
        free(submission)
    if submission.record_tried is None and not isinstance(error, ObjectsUnavailable):
        with suppress(StorageError):
            submission.stores.objects.delete([submission.upload_key])


def free(submission: Submission) -> None:
    if submission.reservation:
        with suppress(StorageError):
            submission.stores.idempotency.free(submission.reservation)
