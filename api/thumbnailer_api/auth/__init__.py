"""Who calls: one protocol, and one file for each way to tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from werkzeug.datastructures import Headers

from thumbnailer_storage.jobs.keys import Scope


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom the jobs of a request belong to, what it may do, and the name of the key that was shown, if one was."""

    owner: str
    scopes: frozenset[Scope]
    key: str | None = None


class Authenticator(Protocol):
    """Tells callers apart."""

    def caller(self, headers: Headers) -> Caller:
        """Who calls, by the headers of the request; raises Unauthenticated, StoreUnavailable."""

    def start(self) -> None:
        """Begin what it does beside requests."""

    def stop(self) -> None:
        """End that; after the last request."""

    @property
    def healthy(self) -> bool:
        """Whether that still runs."""
