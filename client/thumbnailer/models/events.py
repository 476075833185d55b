"""What happened to jobs."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from thumbnailer.models.times import moment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


@dataclass(frozen=True)
class Event:
    """Something that happened to a job: `count` times, from `at` to `last`.

    `by` is the name of the key that did it, `address` where its request came from and `request_id` that request; None
    where the service did it by itself. `job` and `owner` are told in the events of all jobs alone.
    """

    at: datetime
    last: datetime
    kind: str
    attempt: int
    message: str
    count: int
    by: str | None
    address: str | None
    request_id: str | None
    job: str | None
    owner: str | None
    wire: Mapping[str, Any] = field(repr=False, compare=False)

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> Event:
        return cls(
            at=moment(wire["at"]),
            last=moment(wire["last"]),
            kind=wire["kind"],
            attempt=wire["attempt"],
            message=wire["message"],
            count=wire["count"],
            by=wire.get("by"),
            address=wire.get("address"),
            request_id=wire.get("request_id"),
            job=wire.get("job"),
            owner=wire.get("owner"),
            wire=MappingProxyType(dict(wire)),
        )

    @classmethod
    def list_from_wire(cls, wire: Mapping[str, Any]) -> list[Event]:
        return [cls.from_wire(event) for event in wire["events"]]
