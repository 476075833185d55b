"""Who calls: keys, what they may use, and what was used."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from thumbnailer.models.times import moment, moment_if_any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


@dataclass(frozen=True)
class Key:
    """A key of an owner, with what it may do (`scopes`); `key` itself is known where it was just made, and never again.

    `state` is live, revoked or ended.
    """

    id: str
    name: str
    owner: str
    scopes: tuple[str, ...]
    state: str
    start: datetime
    end: datetime | None
    revoked: datetime | None
    last_used: datetime | None
    key: str | None = field(repr=False)
    wire: Mapping[str, Any] = field(repr=False, compare=False)

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> Key:
        return cls(
            id=wire["id"],
            name=wire["name"],
            owner=wire["owner"],
            scopes=tuple(wire["scopes"]),
            state=wire["state"],
            start=moment(wire["start"]),
            end=moment_if_any(wire.get("end")),
            revoked=moment_if_any(wire.get("revoked")),
            last_used=moment_if_any(wire.get("last_used")),
            key=wire.get("key"),
            wire=MappingProxyType(dict(wire)),
        )


@dataclass(frozen=True)
class UsedDay:
    """What an owner's jobs of one day (UTC) and priority came to: jobs, bytes sent, seconds of a worker's CPU."""

    day: date
    priority: str
    jobs: int
    bytes: int
    compute_seconds: float


@dataclass(frozen=True)
class Usage:
    """What an owner used, from the day `since` to the day `until`."""

    owner: str
    since: date
    until: date
    days: tuple[UsedDay, ...]
    wire: Mapping[str, Any] = field(repr=False, compare=False)

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> Usage:
        return cls(
            owner=wire["owner"],
            since=date.fromisoformat(wire["since"]),
            until=date.fromisoformat(wire["until"]),
            days=tuple(
                UsedDay(
                    date.fromisoformat(day["day"]), day["priority"], day["jobs"], day["bytes"], day["compute_seconds"]
                )
                for day in wire["days"]
            ),
            wire=MappingProxyType(dict(wire)),
        )


@dataclass(frozen=True)
class Limits:
    """What an owner may use (None: without a limit), and what is used of it (None: not counted)."""

    requests_per_minute: int | None
    jobs_waiting: int | None
    bytes_per_day: int | None
    used_requests: int | None
    used_jobs_waiting: int | None
    used_bytes: int | None
    wire: Mapping[str, Any] = field(repr=False, compare=False)

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> Limits:
        used = wire["used"]
        return cls(
            requests_per_minute=wire["requests_per_minute"],
            jobs_waiting=wire["jobs_waiting"],
            bytes_per_day=wire["bytes_per_day"],
            used_requests=used.get("requests"),
            used_jobs_waiting=used.get("jobs_waiting"),
            used_bytes=used.get("bytes"),
            wire=MappingProxyType(dict(wire)),
        )
