"""Verify what the service sends to your webhook, before you believe it.

    from thumbnailer import webhooks

    event = webhooks.verify(request.get_data(), request.headers, secret="whsec_...")
    if event["type"] == "job.complete" and event_is_new(request.headers["webhook-id"]):
        ...

It is the scheme of Standard Webhooks, so that any library for that does it too.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from typing import TYPE_CHECKING, Any

from thumbnailer.errors import ThumbnailerError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

TOLERANCE_SECONDS = 300.0
"""How far the sender's clock and ours may be apart, and how long a message may be under way."""
SECRET_PREFIX = "whsec_"  # noqa: S105 - what all secrets begin with
FEWEST, MOST = 24, 64
"""Bytes of a secret, as Standard Webhooks has it."""
VERSION = "v1,"


class NotVerified(ThumbnailerError, ValueError):
    """It was not sent by the service that has the secret, or not now: answer with 400 and do nothing."""


def verify(
    body: bytes | str,
    headers: Mapping[str, str],
    secret: str | Sequence[str],
    *,
    tolerance: float = TOLERANCE_SECONDS,
) -> dict[str, Any]:
    """The message: `type` (such as `job.complete`), `timestamp`, and `data`, the job.

    Raises NotVerified, and another ValueError where there is no secret, or one that is none.

    `body` is what came, byte for byte, and `headers` a mapping of any case. Several secrets are those of now and
    before, while you change them. `tolerance` is in seconds. A message that comes twice has the same `webhook-id`.
    """
    raw = body.encode() if isinstance(body, str) else body
    given = {name.lower(): value for name, value in headers.items()}
    message = f"{header(given, 'webhook-id')}.{fresh(header(given, 'webhook-timestamp'), tolerance)}.".encode() + raw
    sent = list(signatures(header(given, "webhook-signature")))
    known = [hmac.new(key_of(each), message, hashlib.sha256).digest() for each in secrets_of(secret)]
    if not any(hmac.compare_digest(mine, theirs) for mine in known for theirs in sent):
        raise NotVerified("No signature is right: is the secret that of this webhook, and the body as it came?")
    return read(raw)


def header(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name, "")
    if not value:
        raise NotVerified(f"The header {name} is missing: is the webhook signed?")
    return value


def fresh(timestamp: str, tolerance: float) -> str:
    """The timestamp as it came, where it is of now; what is older may have been recorded by somebody."""
    if not (timestamp.isascii() and timestamp.isdecimal()) or len(timestamp) > 12:
        raise NotVerified("The header webhook-timestamp is no Unix time.")
    if abs(time.time() - int(timestamp)) > tolerance:
        raise NotVerified("The message is too old, or of the future: is this machine's clock right?")
    return timestamp


def signatures(value: str) -> Iterator[bytes]:
    """Those of the version that we know; there may be several, separated by spaces."""
    for each in value.split(" "):
        if each.startswith(VERSION):
            try:
                yield base64.b64decode(each.removeprefix(VERSION), validate=True)
            except (binascii.Error, ValueError):
                continue


def secrets_of(secret: str | Sequence[str]) -> list[str]:
    """Raises ValueError where there is none: every signature would be wrong, or by an empty one right."""
    secrets = [secret] if isinstance(secret, str) else list(secret or ())
    if not secrets:
        raise ValueError("No secret was given.")
    return secrets


def key_of(secret: str) -> bytes:
    """Raises ValueError, with words of its own, where it is none: that is the caller's mistake and not the sender's."""
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not FEWEST <= len(key) <= MOST:
        raise ValueError(f"The secret is none: it is whsec_ and {FEWEST} to {MOST} bytes in base64, and this is not.")
    return key


def read(raw: bytes) -> dict[str, Any]:
    try:
        message = json.loads(raw)
    except ValueError:
        raise NotVerified("The body is signed, and no JSON.") from None
    if not isinstance(message, dict):
        raise NotVerified("The body is signed, and no object.")
    return message
