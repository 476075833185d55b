"""Settings of the API server and of the housekeeper. This file is the only one here that reads the environment."""

from __future__ import annotations

import os
import re
from typing import Literal, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from thumbnailer_api.auth.settings import LimitSettings, OidcSettings, is_loopback
from thumbnailer_api.intake.presets import Presets
from thumbnailer_api.webhooks.settings import WebhookSettings
from thumbnailer_storage.config import (
    GRACE_SECONDS,
    HOST,
    LEASE_SECONDS,
    MAX_UPLOAD_BYTES,
    Listed,
    Settings,
    StorageSettings,
    load,
)
from thumbnailer_storage.jobs.model import MAX_OUTPUT_PIXELS, MAX_OUTPUTS
from thumbnailer_storage.logs import LogSettings

S = TypeVar("S", bound=Settings)

DAY = 86400
INSTANCE_TYPE = re.compile(r"[a-z0-9-]{1,40}\.[a-z0-9-]{1,40}")
MOST_KEPT = 36500 * DAY
KEEP_SECONDS = Field(
    7 * DAY,
    ge=1,
    le=MOST_KEPT,
    description="How long a job's data is kept after its finish, in seconds, where it does not say `expires_in`.",
)
BODY_SECONDS = Field(300.0, gt=0, le=DAY, description="Longest time that a request's body may take, in seconds.")


class ApiSettings(OidcSettings, LimitSettings, WebhookSettings):
    """Where the API listens, and how much it takes on."""

    host: str = HOST
    port: int = Field(8080, ge=0, le=65535, description="Port of the API; 0 takes a free one.")
    api_health_port: int = Field(8081, ge=0, le=65535, description="Port of the API's health, readiness and metrics.")
    auth: Literal["nobody", "keys"] = Field(
        "nobody",
        description="Who may call: `nobody` asks for no key, `keys` lets in who sends one of the service's keys.",
    )
    insecure_no_auth: bool = Field(
        False, description="`yes` lets an API without authentication listen on other addresses than the loopback."
    )
    threads: int = Field(
        256, ge=8, le=4096, description="Requests at a time: at most half receive bodies, at most a quarter wait."
    )
    body_seconds: float = BODY_SECONDS
    max_upload_bytes: int = MAX_UPLOAD_BYTES
    max_outputs: int = Field(MAX_OUTPUTS, ge=1, le=MAX_OUTPUTS, description="The most pictures that one job makes.")
    max_output_pixels: int = Field(
        MAX_OUTPUT_PIXELS,
        ge=10_000,  # what a job makes that asks for nothing
        le=MAX_OUTPUT_PIXELS,
        description="The most pixels (width times height) of all pictures of one job together.",
    )
    presets: Presets = Field(
        (),
        description="Outputs by names of your own, which callers ask for as `preset`: "
        "`avatar: format=webp,size=128x128; card: size=400x300,crop=0.5,0.3`.",
    )
    downloads: Literal["stream", "redirect"] = Field(
        "stream",
        description="How callers get their pictures: `stream` sends them from here, `redirect` answers 307 with an "
        "address of the `s3://` store that works for two minutes.",
    )
    downloads_url: str = Field(
        "", description="`http://` or `https://` address of the `s3://` store as callers reach it; by default ours."
    )
    proxies: int = Field(
        0,
        ge=0,
        le=10,
        description="How many proxies, such as an Ingress, every request passes: their `X-Forwarded-For` says where "
        "it comes from. 0: nobody's is believed.",
    )
    drain_seconds: float = Field(
        0.0, ge=0, le=DAY, description="Pause on SIGTERM between turning not ready and accepting no more, in seconds."
    )
    grace_seconds: float = GRACE_SECONDS
    keep_seconds: int = KEEP_SECONDS
    keep_seconds_max: int = Field(
        30 * DAY, ge=1, le=MOST_KEPT, description="The longest time that a job may ask to be kept for, in seconds."
    )

    @model_validator(mode="after")
    def what_is_kept_by_default_may_be_asked_for(self) -> Self:
        if self.keep_seconds > self.keep_seconds_max:
            raise ValueError(
                f"THUMBNAILER_KEEP_SECONDS is {self.keep_seconds} and THUMBNAILER_KEEP_SECONDS_MAX is "
                f"{self.keep_seconds_max}: the first may not be larger"
            )
        return self

    @model_validator(mode="after")
    def strangers_need_a_key(self) -> Self:
        if self.auth == "nobody" and not self.insecure_no_auth and not is_loopback(self.host):
            raise ValueError(
                f"THUMBNAILER_HOST is {self.host!r} and THUMBNAILER_AUTH is 'nobody': everybody who reaches that "
                "address could use the service; say THUMBNAILER_AUTH=keys, listen on 127.0.0.1, or say "
                "THUMBNAILER_INSECURE_NO_AUTH=yes"
            )
        return self

    @model_validator(mode="after")
    def tokens_are_for_somebody(self) -> Self:
        if self.oidc_issuer and self.auth != "keys":
            raise ValueError(
                "THUMBNAILER_OIDC_ISSUER is set and THUMBNAILER_AUTH is 'nobody': say THUMBNAILER_AUTH=keys"
            )
        if bool(self.oidc_issuer) != bool(self.oidc_audience) or (self.oidc_jwks_url and not self.oidc_issuer):
            raise ValueError(
                "THUMBNAILER_OIDC_ISSUER and THUMBNAILER_OIDC_AUDIENCE go together: without an audience, tokens "
                "that are meant for other services would be taken"
            )
        return self

    @field_validator("downloads_url")
    @classmethod
    def callers_can_use_it(cls, value: str) -> str:
        address = urlsplit(value)
        if value and (address.scheme not in ("http", "https") or not address.hostname or address.username):
            raise ValueError("write it like https://pictures.example.com, without a name and a password")
        return value

    @model_validator(mode="after")
    def the_ports_are_two(self) -> Self:
        if self.port and self.port == self.api_health_port:
            raise ValueError(
                f"THUMBNAILER_PORT and THUMBNAILER_API_HEALTH_PORT are both {self.port}: give one of them another port"
            )
        return self


class HousekeeperSettings(WebhookSettings):
    """How often the housekeeper does what."""

    host: str = HOST
    housekeeper_health_port: int = Field(
        8083, ge=0, le=65535, description="Port of the housekeeper's health, readiness and metrics."
    )
    housekeeping_seconds: float = Field(5.0, gt=0, le=DAY, description="Pause between two rounds of resend and rescue.")
    resend_seconds: float = Field(
        60.0,
        gt=0,
        le=DAY,
        description="How long a job is overtaken, or a queue reads empty, before messages are sent again.",
    )
    sweep_seconds: float = Field(
        3600.0, gt=0, le=DAY, description="Pause between two sweeps of objects that nobody needs."
    )
    expire_seconds: float = Field(
        5.0, gt=0, le=DAY, description="Pause between two looks for jobs whose data, upload or record is to be removed."
    )
    keep_seconds: int = KEEP_SECONDS
    keep_records_seconds: int = Field(
        30 * DAY,
        ge=0,
        le=MOST_KEPT,
        description="How long the record of a job is kept after its data was removed, in seconds.",
    )
    spot_prices: Listed = Field(
        (),
        description="Types of EC2 instances, such as `g4dn.xlarge`, whose spot price in `AWS_REGION` is read every "
        "five minutes and served under `/scaling`.",
    )
    lease_seconds: float = LEASE_SECONDS
    body_seconds: float = BODY_SECONDS

    @field_validator("spot_prices")
    @classmethod
    def they_are_instance_types(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(names)) < len(names) or not all(INSTANCE_TYPE.fullmatch(name) for name in names):
            raise ValueError("name each type once, separated by commas: g4dn.xlarge,c7i.large")
        return names


def from_environment(kind: type[S]) -> S:
    """The settings of one class; raises SettingError for the first one that is wrong."""
    return load(kind, os.environ)


def of_every_program() -> tuple[StorageSettings, LogSettings]:
    """The settings that all programs share; raises SettingError."""
    return load(StorageSettings, os.environ), load(LogSettings, os.environ)
