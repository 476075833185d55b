"""What was sent to webhooks, and what they answered."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from thumbnailer.models.times import moment, moment_if_any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


@dataclass(frozen=True)
class Delivery:
    """One message to a webhook: `state` is waiting, delivered or failed.

    `last` and `next` are the times of the latest and of the next try, `answer` is the status that the receiver gave,
    `error` why the latest try failed.
    """

    id: str
    event: str
    at: datetime
    state: str
    tries: int
    last: datetime | None
    next: datetime | None
    answer: int | None
    error: str | None
    wire: Mapping[str, Any] = field(repr=False, compare=False)

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> Delivery:
        return cls(
            id=wire["id"],
            event=wire["event"],
            at=moment(wire["at"]),
            state=wire["state"],
            tries=wire["tries"],
            last=moment_if_any(wire.get("last")),
            next=moment_if_any(wire.get("next")),
            answer=wire.get("answer"),
            error=wire.get("error"),
            wire=MappingProxyType(dict(wire)),
        )

    @classmethod
    def list_from_wire(cls, wire: Mapping[str, Any]) -> list[Delivery]:
        return [cls.from_wire(delivery) for delivery in wire["deliveries"]]
