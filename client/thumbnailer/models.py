"""The shapes that the service answers with.

Each is read from its JSON with what we know of it; what a newer service adds is ignored here and kept in `Job.wire`.
Statuses and kinds are strings, so that a newer service's do not break an older client.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

FINAL = frozenset({"complete", "failed", "cancelled", "expired"})


@dataclass(frozen=True)
class Output:
    """One picture, as asked: `size` is "WxH" in pixels.

    Once its job is complete it also has what was made: where (a path, never a host), `width` and `height` in pixels,
    `bytes`, `media_type`.
    """

    format: str | None = None
    size: str = "100x100"
    fit: str = "cover"
    quality: int | None = None
    background: str | None = None
    enlarge: bool | None = None
    location: str | None = None
    width: int | None = None
    height: int | None = None
    bytes: int | None = None
    media_type: str | None = None

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> Output:
        return cls(**{name: wire[name] for name in cls.__dataclass_fields__ if name in wire})


@dataclass(frozen=True)
class Source:
    """The image that was sent; format and pixels are known once a worker has looked at it."""

    bytes: int
    format: str | None
    width: int | None
    height: int | None


@dataclass(frozen=True)
class Job:
    """A job at the moment of the answer.

    `start`, `claimed` (when the latest attempt began), `finish` and `expires` are times in UTC by the service's clock.
    `code` is 202 while it runs, 200 complete, 4xx or 5xx failed, 410 cancelled or expired.
    """

    id: str
    status: str
    priority: str
    job_class: str | None
    start: datetime
    claimed: datetime | None
    finish: datetime | None
    expires: datetime | None
    location: str
    code: int
    message: str
    attempts: int
    metadata: Mapping[str, str]
    filename: str | None
    source: Source
    outputs: tuple[Output, ...]
    wire: Mapping[str, Any] = field(repr=False, compare=False)

    @property
    def finished(self) -> bool:
        return self.status in FINAL

    @property
    def complete(self) -> bool:
        return self.status == "complete"

    @property
    def queued_seconds(self) -> float | None:
        """From its start to its latest claim."""
        return _seconds(self.start, self.claimed)

    @property
    def working_seconds(self) -> float | None:
        """From its latest claim to its finish."""
        return _seconds(self.claimed, self.finish)

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> Job:
        return cls(
            id=wire["id"],
            status=wire["status"],
            priority=wire["priority"],
            job_class=wire.get("class"),
            start=datetime.fromisoformat(wire["start"]),
            claimed=_time(wire.get("claimed")),
            finish=_time(wire.get("finish")),
            expires=_time(wire.get("expires")),
            location=wire["location"],
            code=wire["code"],
            message=wire["message"],
            attempts=wire["attempts"],
            metadata=MappingProxyType(wire.get("metadata") or {}),
            filename=wire.get("filename"),
            source=Source(*(wire["source"].get(name) for name in ("bytes", "format", "width", "height"))),
            outputs=tuple(Output.from_wire(output) for output in wire["outputs"]),
            wire=MappingProxyType(dict(wire)),
        )


@dataclass(frozen=True)
class JobPage:
    """Some jobs, newest first, and the cursor of those that follow."""

    jobs: tuple[Job, ...]
    next: str | None

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> JobPage:
        return cls(tuple(Job.from_wire(job) for job in wire["jobs"]), wire.get("next"))


@dataclass(frozen=True)
class Event:
    """Something that happened to a job: `count` times, from `at` to `last`."""

    at: datetime
    last: datetime
    kind: str
    attempt: int
    message: str
    count: int
    wire: Mapping[str, Any] = field(repr=False, compare=False)

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> Event:
        return cls(
            at=datetime.fromisoformat(wire["at"]),
            last=datetime.fromisoformat(wire["last"]),
            kind=wire["kind"],
            attempt=wire["attempt"],
            message=wire["message"],
            count=wire["count"],
            wire=MappingProxyType(dict(wire)),
        )

    @classmethod
    def list_from_wire(cls, wire: Mapping[str, Any]) -> list[Event]:
        return [cls.from_wire(event) for event in wire["events"]]


@dataclass(frozen=True)
class Queue:
    """How many messages stand in a queue, and how old its oldest job is."""

    waiting: int
    in_flight: int
    delayed: int
    oldest_seconds: float | None


@dataclass(frozen=True)
class QueueState:
    """The caller's jobs by status, and each queue by name."""

    jobs: Mapping[str, int]
    queues: Mapping[str, Queue]
    wire: Mapping[str, Any] = field(repr=False, compare=False)

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> QueueState:
        return cls(
            jobs=MappingProxyType(dict(wire["jobs"])),
            queues={
                name: Queue(queue["waiting"], queue["in_flight"], queue["delayed"], queue["oldest_seconds"])
                for name, queue in wire["queues"].items()
            },
            wire=MappingProxyType(dict(wire)),
        )


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _seconds(begin: datetime | None, end: datetime | None) -> float | None:
    return (end - begin).total_seconds() if begin and end else None
