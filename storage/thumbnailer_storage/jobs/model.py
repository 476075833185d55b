"""A job: what it holds, what is valid, and how it may change.

            ┌──────── released, or rescued after its lease ────────┐
            ▼                                                      │
  pending ──claim──▶ processing ──finish──▶ complete ──DELETE, expiry──▶ expired
     │                    │     └─────────▶ failed   ──DELETE, expiry──▶ expired
     └──DELETE──▶ cancelled ◀──DELETE──┘
                          └──expiry──▶ expired

A claim may also take a processing job whose lease has ended.

A transition is a method of `Job` and gives a `Change`; `JobStore.apply` writes it as one SQL statement that names the
states it starts from. Nothing else changes a status.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from thumbnailer_storage.errors import InvalidJob
from thumbnailer_storage.jobs.pictures import FORMATS, Output, Result

MAX_OUTPUTS = 20
MAX_OUTPUT_PIXELS = 64_000_000
"""Of all outputs of a job together: what fits into the CPU time that a job has by default, but for GIFs of noise."""
MAX_METADATA_BYTES = 4096
POISON_DEATHS = 5
"""A job fails as poison after this many deaths that it died alone; the first may have been a neighbour's doing."""


class Status(StrEnum):
    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETE = "complete"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    @property
    def final(self) -> bool:
        """Whether no worker will touch the job any more."""
        return self not in (Status.PENDING, Status.PROCESSING)


class Priority(StrEnum):
    EXPRESS = "express"
    STANDARD = "standard"
    ECONOMY = "economy"


@dataclass(frozen=True, slots=True)
class Source:
    """The image as it came; what it is, is known once a worker has looked into it."""

    bytes: int
    sha256: str
    filename: str | None = None
    format: str | None = None
    width: int | None = None
    height: int | None = None


TOLD = (Status.COMPLETE, Status.FAILED, Status.CANCELLED, Status.EXPIRED)
"""The statuses that a webhook can tell of."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """Who is told when the job reaches one of the statuses `kinds`; the secret is encrypted, and never shown."""

    url: str
    kinds: tuple[Status, ...] = TOLD[:3]
    secret: str | None = None
    template: str | None = None


OWNERS_DEFAULT = Webhook("", ())
"""Stands for the default of the job's owner until the job is recorded, and gets that, or none."""


@dataclass(frozen=True, slots=True)
class Act:
    """Who does something: the name of a key, a worker or a duty, the caller's address, and the id of the request."""

    by: str | None = None
    address: str | None = None
    request: str | None = None


NOBODY = Act()


@dataclass(frozen=True, slots=True)
class Change:
    """What one transition writes. Seconds count from the database's clock.

    `attempt` is the fence: only the claim of that number may make the change.
    `key` tells events of one kind apart: an event of the same kind and key is counted, not written again.
    """

    event: str
    starts_from: tuple[Status, ...]
    to: Status
    attempt: int
    code: int
    message: str
    key: str = ""
    delay: float = 0.0
    death: bool = False
    missing: bool = False
    source: Source | None = None
    results: tuple[Result, ...] = ()

    @property
    def ends_work(self) -> bool:
        """Whether a worker had the job until now, and nobody has it after."""
        return self.starts_from[0] is Status.PROCESSING and self.to.final


def cancelling(status: Status, attempt: int = 0) -> Change:
    """The end of a job in that status because its owner wants no more of it."""
    message = "The job was cancelled: nothing is made of the image."
    return Change("cancelled", (status,), Status.CANCELLED, attempt, 410, message)


def expiring(status: Status) -> Change:
    """The end of a finished job's data, which has been kept long enough."""
    message = "The job's data was kept as long as was asked for, and is removed."
    return Change("expired", (status,), Status.EXPIRED, 0, 410, message)


def upload_key(job: UUID) -> str:
    """Where the image lies as it came; it is put there before there is a job."""
    return f"uploads/{job}"


@dataclass(frozen=True, slots=True)
class Job:
    """One job, as it stands in the record; times are UTC, from the database's clock."""

    id: UUID
    owner: str
    source: Source
    outputs: tuple[Output, ...]
    priority: Priority = Priority.STANDARD
    job_class: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    status: Status = Status.PENDING
    code: int = 202
    message: str = "The job waits for a worker; ask again in a moment."
    start: datetime | None = None
    claimed: datetime | None = None
    finish: datetime | None = None
    expires: datetime | None = None
    attempt: int = 0
    deaths: int = 0
    missing_for: float | None = None
    """Seconds since a worker first found the upload missing."""
    expires_in: int | None = None
    """Seconds from its finish until its data is removed."""
    request: str | None = None
    """The id of the request that it came with."""
    webhook: Webhook | None = None

    def __post_init__(self) -> None:
        if not 1 <= len(self.outputs) <= MAX_OUTPUTS:
            raise InvalidJob(f"{len(self.outputs)} outputs asked for: a job makes 1 to {MAX_OUTPUTS}")
        if sum(output.width * output.height for output in self.outputs) > MAX_OUTPUT_PIXELS:
            raise InvalidJob(
                f"the outputs together have more than {MAX_OUTPUT_PIXELS} pixels: ask for smaller or fewer"
            )
        if not all(isinstance(k, str) and isinstance(v, str) for k, v in self.metadata.items()):
            raise InvalidJob("metadata holds text only: names and values are strings")
        try:
            length = sum(len(k.encode()) + len(v.encode()) for k, v in self.metadata.items())
        except UnicodeEncodeError:
            raise InvalidJob("metadata holds half of a surrogate pair, which is no text") from None
        if length > MAX_METADATA_BYTES:
            raise InvalidJob(f"metadata is larger than {MAX_METADATA_BYTES} bytes")

    @classmethod
    def new(
        cls,
        *,
        owner: str,
        source: Source,
        outputs: tuple[Output, ...] = (),
        priority: Priority = Priority.STANDARD,
        job_class: str | None = None,
        metadata: Mapping[str, str] | None = None,
        expires_in: int | None = None,
        webhook: Webhook | None = None,
        request: str | None = None,
        id: UUID | None = None,  # noqa: A002 - the field's name
    ) -> Job:
        """A job that nobody has recorded yet. Asked for nothing, it makes one output of 100x100."""
        return cls(
            id=id or uuid4(),
            owner=owner,
            source=source,
            outputs=outputs or (Output(),),
            priority=priority,
            job_class=job_class,
            metadata=metadata or {},
            expires_in=expires_in,
            webhook=webhook,
            request=request,
        )

    @property
    def queue(self) -> str:
        """The queue its message goes to: its class where it asks for a kind of machine, else its priority."""
        return self.job_class or self.priority

    @property
    def alone(self) -> bool:
        """Whether it runs with no other job beside it: it may be what killed its last worker."""
        return self.deaths > 0

    @property
    def upload_key(self) -> str:
        return upload_key(self.id)

    def result_key(self, result: Result) -> str:
        """Where an attempt puts a result: a name of its own for each attempt, so that no name is used twice."""
        return f"results/{self.id}/{self.attempt}/{result.n}.{FORMATS[result.format].extension}"

    def complete(self, source: Source, results: tuple[Result, ...]) -> Change:
        return self._finish("completed", Status.COMPLETE, 200, "The thumbnails are ready.", source, results)

    def fail(self, code: int, message: str) -> Change:
        return self._finish("failed", Status.FAILED, code, message)

    def delete(self) -> Change | None:
        """What its owner's DELETE does: it cancels what is not finished, and removes the data of what is.

        None where there is nothing left to do.
        """
        if not self.status.final:
            return cancelling(self.status, self.attempt)
        if self.status in (Status.COMPLETE, Status.FAILED):
            message = "The job's data was removed when its owner asked for it."
            return Change("deleted", (self.status,), Status.EXPIRED, self.attempt, 410, message)
        return None

    def release(self, reason: str, *, delay: float) -> Change:
        """Give it back without cost: our own trouble, or a worker that stops."""
        return self._back("released", reason, key=reason, delay=delay)

    def wait_for_upload(self, *, delay: float) -> Change:
        """Give it back because its upload is not visible yet; the first time is kept in the record."""
        reason = "the upload is not visible in the object store yet"
        return replace(self._back("released", reason, key=reason, delay=delay), missing=True)

    def rescue(self) -> Change:
        """Take it from a worker that died without a word; fails the job once it has died alone too often."""
        if self.deaths >= POISON_DEATHS:
            message = f"{self.deaths + 1} workers died while they held this job: the image is not tried again."
            return replace(self.fail(500, message), event="poisoned", death=True)
        return replace(self._back("rescued", "its worker died without a word", key=str(self.deaths + 1)), death=True)

    def _back(self, event: str, reason: str, *, key: str = "", delay: float = 0.0) -> Change:
        message = f"The job waits for a worker again: {reason}."
        return Change(event, (Status.PROCESSING,), Status.PENDING, self.attempt, 202, message, key=key, delay=delay)

    def _finish(
        self,
        event: str,
        to: Status,
        code: int,
        message: str,
        source: Source | None = None,
        results: tuple[Result, ...] = (),
    ) -> Change:
        start = (Status.PROCESSING,)
        return Change(event, start, to, self.attempt, code, message, source=source, results=results)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a job; `count` times between `at` and `last`."""

    at: datetime
    last: datetime
    kind: str
    attempt: int
    message: str
    count: int
    job: UUID | None = None
    owner: str | None = None
    by: str | None = None
    address: str | None = None
    request: str | None = None
