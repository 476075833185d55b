"""Who calls: one protocol, and one file for each way to tell."""

from __future__ import annotations

from typing import Protocol

from werkzeug.datastructures import Headers

from thumbnailer_api.auth.nobody import Nobody

AUTHENTICATORS = {"nobody": Nobody}
"""The values of THUMBNAILER_AUTH."""


class Authenticator(Protocol):
    """Tells callers apart."""

    def owner(self, headers: Headers) -> str:
        """Whom the jobs of this request belong to, by its headers."""
