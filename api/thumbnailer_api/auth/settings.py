"""Settings of who may call, and how much each may ask for; config.py reads them."""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from thumbnailer_storage.config import Listed, Settings
from thumbnailer_storage.jobs.keys import Scope

SCOPE_NAMES = {scope.value for scope in Scope}


class OidcSettings(Settings):
    """Whose tokens are taken beside keys, and what their claims mean here."""

    oidc_issuer: str = Field(
        "",
        description="`https://` address of an OIDC issuer whose tokens are taken beside keys, as its tokens name it.",
    )
    oidc_audience: str = Field(
        "", description="What tokens name as their audience, where they are meant for this service."
    )
    oidc_jwks_url: str = Field(
        "", description="`https://` address of the issuer's keys; by default the issuer is asked where they are."
    )
    oidc_owner_claim: str = Field("sub", description="The claim that says whom the jobs of a token belong to.")
    oidc_owner_prefix: str = Field(
        "oidc:",
        max_length=50,
        description="Stands before that claim, so that no token has an owner of keys by chance; `-`: nothing does, and "
        "a token that claims `ada` is the owner `ada`.",
    )
    oidc_scope_claim: str = Field(
        "scope", description="The claim that says what a token may do: a list, or words with spaces between them."
    )
    oidc_scope_prefix: str = Field(
        "thumbnailer:", description="Stands before a scope in that claim: `thumbnailer:submit`; `-`: nothing does."
    )
    oidc_scopes: Listed = Field(
        (), description="What every token may do, whatever its claims say: some of submit, read, cancel, admin."
    )

    @property
    def owner_prefix(self) -> str:
        return "" if self.oidc_owner_prefix == "-" else self.oidc_owner_prefix

    @property
    def scope_prefix(self) -> str:
        return "" if self.oidc_scope_prefix == "-" else self.oidc_scope_prefix

    @field_validator("oidc_issuer", "oidc_jwks_url")
    @classmethod
    def nobody_listens_on_the_way(cls, value: str) -> str:
        if value and not is_private_way(value):
            raise ValueError("write it like https://login.example.com, without a name and a password")
        return value

    @field_validator("oidc_scopes")
    @classmethod
    def they_are_scopes(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if not set(names) <= SCOPE_NAMES:
            raise ValueError("name some of submit, read, cancel and admin, separated by commas")
        return names


class LimitSettings(Settings):
    """What each owner may ask for; 0 is without a limit."""

    owner_requests_per_minute: int = Field(
        0, ge=0, le=1_000_000, description="The most jobs that an owner may send in a minute. 0: no limit."
    )
    owner_jobs_waiting: int = Field(
        0, ge=0, le=10**9, description="The most jobs of an owner that may wait for a worker. 0: no limit."
    )
    owner_bytes_per_day: int = Field(
        0, ge=0, le=10**15, description="The most bytes of images that an owner may send in a day (UTC). 0: no limit."
    )


def is_private_way(address: str) -> bool:
    """Whether nobody can read or change what comes from there: TLS, or this very machine. Without name and password."""
    parts = urlsplit(address)
    known = parts.hostname is not None and parts.username is None and not re.search(r"\s", address)
    return known and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or "")))


def is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
