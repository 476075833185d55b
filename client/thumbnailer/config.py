"""Where the service is and who asks: the only place of the client that reads the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx

from thumbnailer.errors import InvalidSetting

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Settings:
    """THUMBNAILER_URL (http or https, a path in front of ours is kept) and THUMBNAILER_KEY (sent as a Bearer token)."""

    url: str = "http://127.0.0.1:8080"
    key: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        try:
            parsed = httpx.URL(self.url)
        except httpx.InvalidURL:
            parsed = httpx.URL()
        if parsed.scheme not in {"http", "https"} or not parsed.host:
            raise InvalidSetting(f"THUMBNAILER_URL {self.url!r} is no address: write it like http://127.0.0.1:8080")
        if self.key is not None and not (self.key.isascii() and self.key.isprintable() and " " not in self.key):
            raise InvalidSetting("THUMBNAILER_KEY holds characters that no key has: copy it again, without line breaks")

    @property
    def loopback(self) -> bool:
        return httpx.URL(self.url).host in {"127.0.0.1", "::1", "localhost"}


def load(url: str | None = None, key: str | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """What the caller gives, else what the environment says, else the defaults; InvalidSetting."""
    return Settings(
        url=url or environ.get("THUMBNAILER_URL") or Settings.url,
        key=key or environ.get("THUMBNAILER_KEY") or None,
    )
