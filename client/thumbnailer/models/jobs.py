"""Jobs, their outputs, and what they are made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from thumbnailer.models.times import moment, moment_if_any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

FINAL = frozenset({"complete", "failed", "cancelled", "expired"})


@dataclass(frozen=True)
class Output:
    """One picture, as asked: `size` is "WxH" in pixels, `crop` "centre" or the point to keep, "0.3,0.7".

    Once its job is complete it also has what was made: where (a path, never a host), `width` and `height` in pixels,
    `bytes`, `media_type`.
    """

    format: str | None = None
    size: str = "100x100"
    fit: str = "cover"
    quality: int | None = None
    background: str | None = None
    enlarge: bool | None = None
    lossless: bool | None = None
    crop: str | None = None
    preset: str | None = None
    location: str | None = None
    width: int | None = None
    height: int | None = None
    bytes: int | None = None
    media_type: str | None = None

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> Output:
        return cls(**{name: wire[name] for name in cls.__dataclass_fields__ if name in wire})


@dataclass(frozen=True)
class Webhook:
    """Who is told of a job's `events` ("complete", "failed", "cancelled", "expired").

    `signed` is whether it has a secret, None where the service does not say; the `secret` itself is shown by the answer
    that made one for an owner's default, and by no other.
    """

    url: str
    events: tuple[str, ...]
    template: str | None
    signed: bool | None
    secret: str | None = field(repr=False)
    wire: Mapping[str, Any] = field(repr=False, compare=False)

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> Webhook:
        return cls(
            url=wire["url"],
            events=tuple(wire["events"]),
            template=wire.get("template"),
            signed=wire.get("signed"),
            secret=wire.get("secret"),
            wire=MappingProxyType(dict(wire)),
        )


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
    `code` is 202 while it runs, 200 complete, 4xx or 5xx failed, 410 cancelled or expired. `expires_in` is what was
    asked for, in seconds; `request_id` is that of the request that sent the image.
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
    expires_in: int | None
    webhook: Webhook | None
    request_id: str | None
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
            start=moment(wire["start"]),
            claimed=moment_if_any(wire.get("claimed")),
            finish=moment_if_any(wire.get("finish")),
            expires=moment_if_any(wire.get("expires")),
            location=wire["location"],
            code=wire["code"],
            message=wire["message"],
            attempts=wire["attempts"],
            metadata=MappingProxyType(wire.get("metadata") or {}),
            filename=wire.get("filename"),
            source=Source(*(wire["source"].get(name) for name in ("bytes", "format", "width", "height"))),
            outputs=tuple(Output.from_wire(output) for output in wire["outputs"]),
            expires_in=wire.get("expires_in"),
            webhook=Webhook.from_wire(wire["webhook"]) if wire.get("webhook") else None,
            request_id=wire.get("request_id"),
            wire=MappingProxyType(dict(wire)),
        )


def _seconds(begin: datetime | None, end: datetime | None) -> float | None:
    return (end - begin).total_seconds() if begin and end else None
