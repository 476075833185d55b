"""No authentication: all callers are one owner."""

from __future__ import annotations

from werkzeug.datastructures import Headers


class Nobody:
    """For a machine of one's own; the settings keep it on the loopback."""

    def owner(self, headers: Headers) -> str:
        return "nobody"
