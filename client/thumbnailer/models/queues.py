"""The queues, and the caller's jobs in numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


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
