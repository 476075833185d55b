"""Signatures as Standard Webhooks has them: https://www.standardwebhooks.com."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets

PREFIX = "whsec_"
LEAST, MOST = 24, 64
NEW_BYTES = 32


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(NEW_BYTES)).decode()


def key_of(secret: str) -> bytes:
    """The bytes that a secret stands for; raises ValueError, which says how one is written."""
    try:
        if not secret.startswith(PREFIX):
            raise ValueError
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
        if not LEAST <= len(key) <= MOST:
            raise ValueError
    except (ValueError, binascii.Error):
        raise ValueError(f"a secret is {PREFIX} and {LEAST} to {MOST} random bytes in base64") from None
    return key


def signed_headers(secret: str | None, delivery: str, timestamp: int, body: bytes) -> dict[str, str]:
    """What tells the receiver which delivery it is, when it was sent, and, with a secret, that it is ours.

    `timestamp` is Unix time: receivers refuse what is old, so that nobody plays it back.
    """
    headers = {"webhook-id": delivery, "webhook-timestamp": str(timestamp)}
    if secret is not None:
        signed = hmac.new(key_of(secret), f"{delivery}.{timestamp}.".encode() + body, hashlib.sha256).digest()
        headers["webhook-signature"] = f"v1,{base64.b64encode(signed).decode()}"
    return headers
