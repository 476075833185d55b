"""No authentication: all callers are one owner, who may do everything."""

from __future__ import annotations

from werkzeug.datastructures import Headers

from thumbnailer_api.auth import Caller
from thumbnailer_storage.jobs.keys import Scope

NOBODY = Caller("nobody", frozenset(Scope))


class Nobody:
    """For a machine of one's own; the settings keep it on the loopback."""

    healthy = True

    def caller(self, headers: Headers) -> Caller:
        return NOBODY

    def start(self) -> None:
        """There is nothing to do beside requests."""

    def stop(self) -> None:
        """Likewise."""
