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
        if not _is_address(self.url):
            raise InvalidSetting(f"{self.url!r} is no address of a service: write it like {Settings.url}")
        if self.key is not None and not (self.key.isascii() and self.key.isprintable() and " " not in self.key):
            raise InvalidSetting("THUMBNAILER_KEY holds characters that no key has: copy it again, without line breaks")

    @property
    def loopback(self) -> bool:
        return httpx.URL(self.url).host in {"127.0.0.1", "::1", "localhost"}


def load(url: str | None = None, key: str | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """What the caller gives, else what the environment says, else the defaults; InvalidSetting."""
    set_url = environ.get("THUMBNAILER_URL") or Settings.url
    if not url and not _is_address(set_url):
        raise InvalidSetting(f"THUMBNAILER_URL is {set_url!r}, which is no address: write it like {Settings.url}")
    return Settings(url=url or set_url, key=key or environ.get("THUMBNAILER_KEY") or None)


def _is_address(url: str) -> bool:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return False
    return parsed.scheme in {"http", "https"} and bool(parsed.host)
