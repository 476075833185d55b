"""Objects: what a backend has to do. Keys are names of ours, such as `uploads/<job>`; a key is never used twice."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

CHUNK = 256 * 1024
"""Bytes that are read or written at a time."""
ADDRESS_SECONDS = 120
"""How long an address that is handed out can be used: it needs no key."""
PROBE_BYTES = 64 * 1024
"""What a check stores: an empty object may still be made on a full disk."""
KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
"""No part of a key begins with a dot: none can climb out of its place, or meet unfinished files."""


def checked(key: str) -> str:
    """The key; raises ValueError where it is none of ours."""
    if not KEY.fullmatch(key):
        raise ValueError(f"{key!r} is no key of ours")
    return key


@dataclass(frozen=True, slots=True)
class Stored:
    """An object as it is listed."""

    key: str
    bytes: int
    modified: datetime


class Reading(Protocol):
    """An object's bytes, in chunks, once. What it holds open is let go after the last chunk, or by `close`."""

    def __iter__(self) -> Iterator[bytes]: ...

    def close(self) -> None: ...


class Objects(Protocol):
    """One backend. Every method raises ObjectsUnavailable where the store does not answer or refuses us."""

    def put(self, key: str, chunks: Iterable[bytes]) -> int:
        """Store an object and return its length in bytes: whole, durable and visible at once, or not at all.

        Raises ObjectExists, leaving what is there, where the key is taken; what `chunks` raises passes through.
        """

    def size(self, key: str) -> int:
        """Length in bytes; raises ObjectMissing."""

    def read(self, key: str, start: int = 0, length: int | None = None) -> Reading:
        """The bytes from `start` on, in chunks; raises ObjectMissing at the call."""

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects; those that are gone already are no error."""

    def list(self, prefix: str) -> Iterator[Stored]:
        """Every object whose key begins with the prefix, a folder such as `uploads/`, in no order."""

    def clear_unfinished(self, older: float) -> int:
        """Remove what puts that never ended left behind `older` seconds ago or before; returns how many."""

    def check(self) -> None:
        """Raise ObjectsUnavailable where objects could not be stored now, ObjectsRefused where settings are why."""

    def address(self, key: str, media_type: str, *, base: str = "") -> str | None:
        """Where a caller can get the object from the store itself for ADDRESS_SECONDS, as what it is said to be.

        `base` is the store's address as callers reach it, by default ours. None where callers cannot reach the store.
        """

    def close(self) -> None:
        """Let connections go."""
