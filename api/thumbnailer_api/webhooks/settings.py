"""Settings of webhooks, which API and housekeeper share."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Annotated

from pydantic import BeforeValidator, Field, field_validator

from thumbnailer_api.webhooks.guard import Network, Rules
from thumbnailer_storage.config import Listed, Settings, listed

FERNET_KEY = re.compile(r"[A-Za-z0-9_-]{43}=")


def networks(value: object) -> object:
    if not isinstance(value, str):
        return value
    names = value.replace(" ", "").split(",")
    try:
        found = tuple(map(ip_network, names))
    except ValueError:
        raise ValueError("name networks by their first address, separated by commas: 10.20.0.0/16,fd00::/8") from None
    if bare := next((name for name in names if "/" not in name), None):
        one = "/128" if ":" in bare else "/32"
        raise ValueError(f"{bare} says no size: write it like 10.20.0.0/16, or {bare}{one} for this one address")
    return found


class WebhookSettings(Settings):
    """Where webhooks may go, and what their secrets are encrypted with."""

    secret_keys: Listed = Field(
        (),
        repr=False,
        description="Keys that webhooks' secrets are encrypted with, separated by commas: the first encrypts, all "
        "decrypt. By default one is made beside the SQLite file; other databases have none without it.",
    )
    webhook_ports: Annotated[tuple[int, ...], BeforeValidator(listed)] = Field(
        (),
        description="Ports that webhooks are sent to; by default 443, and 80 with `THUMBNAILER_WEBHOOK_INSECURE_HTTP`.",
    )
    webhook_networks: Annotated[tuple[Network, ...], BeforeValidator(networks)] = Field(
        (),
        description="Private networks, such as `10.20.0.0/16`, that webhooks are sent to beside the public internet.",
    )
    webhook_insecure_http: bool = Field(
        False, description="`yes` also sends webhooks to `http://` addresses, where others can read and change them."
    )

    @field_validator("secret_keys")
    @classmethod
    def they_are_fernet_keys(cls, keys: tuple[str, ...]) -> tuple[str, ...]:
        if not all(FERNET_KEY.fullmatch(key) for key in keys):
            raise ValueError("each is 32 random bytes in base64 as URLs have it: openssl rand -base64 32 | tr +/ -_")
        return keys

    @field_validator("webhook_ports")
    @classmethod
    def they_are_ports(cls, ports: tuple[int, ...]) -> tuple[int, ...]:
        if not all(1 <= port <= 65535 for port in ports):
            raise ValueError("name ports from 1 to 65535, separated by commas: 443,8443")
        return ports

    @property
    def webhook_rules(self) -> Rules:
        usual = (443, 80) if self.webhook_insecure_http else (443,)
        return Rules(self.webhook_ports or usual, self.webhook_networks, self.webhook_insecure_http)
