"""The keys of an OIDC issuer: fetched beside the requests, kept while it is down, and fetched again when they change.

No request waits for the issuer but one whose token names a key that is not known yet; and however many of those come,
forged ones too, the issuer is asked once in a while and no more.
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from typing import Any

import httpcore
import jwt
import structlog

from thumbnailer_api.auth.settings import is_private_way
from thumbnailer_api.errors import IssuerUnavailable

AGE_SECONDS = 300.0
"""How old keys get before they are fetched again."""
PAUSE_SECONDS = 10.0
"""Between two fetches at least, whatever came of the first."""
KEEP_SECONDS = 86400.0
"""How long keys count that cannot be fetched again: one that was withdrawn meanwhile is not to count for ever."""
ANSWER_SECONDS = 3.0
"""For each step of a request to the issuer."""
WAIT_SECONDS = 4.0
WAITERS = 16
"""Requests that may wait for a fetch at a time, so that forged tokens cannot take all threads."""
MAX_BYTES = 256 * 1024
MIN_RSA_BITS = 2048
DISCOVERY = "/.well-known/openid-configuration"

ALGORITHMS = {
    "RSA": ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    "P-256": ("ES256",),
    "P-384": ("ES384",),
    "P-521": ("ES512",),
    "Ed25519": ("EdDSA",),
}
"""What a key may sign with, by its kind or curve. All are asymmetric: no public key passes for a shared secret."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A public key of the issuer, its id if it has one, and the algorithms that it may be used with."""

    id: str | None
    key: Any
    algorithms: tuple[str, ...]


class IssuerKeys:
    """The keys of one issuer, found by discovery unless their address is given."""

    def __init__(self, issuer: str, address: str = "") -> None:
        self._issuer = issuer
        self._address = address
        self._changed = threading.Condition()
        self._waiters = threading.Semaphore(WAITERS)
        self._keys: tuple[SigningKey, ...] = ()
        self._fetched = self._tried = -KEEP_SECONDS
        self._failed = False
        self._wanted = False
        self._rounds = 0
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="issuer's keys", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End; a fetch that is under way is not waited for."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    @property
    def healthy(self) -> bool:
        return self._thread.is_alive()

    def find(self, id: str | None, algorithm: str) -> SigningKey | None:  # noqa: A002 - the field's name
        """The one key of that id, or the only one there is where a token names none; None where there is no such key.

        Raises IssuerUnavailable where nobody can say.
        """
        found = self._known(id, algorithm)
        if found is None:
            self._have_fetched()
            found = self._known(id, algorithm)
        return found

    def _known(self, id: str | None, algorithm: str) -> SigningKey | None:  # noqa: A002 - as above
        with self._changed:
            keys = self._keys if time.monotonic() - self._fetched < KEEP_SECONDS else ()
        found = [key for key in keys if id in (None, key.id) and algorithm in key.algorithms]
        return found[0] if len(found) == 1 else None

    def _have_fetched(self) -> None:
        """See that the keys were fetched just now; raises IssuerUnavailable where that fails, or takes too long."""
        with self._changed:
            if time.monotonic() - self._tried > PAUSE_SECONDS and not self._waited():
                raise IssuerUnavailable
            if self._failed:
                raise IssuerUnavailable

    def _waited(self) -> bool:
        """Have the keys fetched and wait for it, as one of a few; whether it is done."""
        if not self._waiters.acquire(blocking=False):
            return False
        try:
            before, self._wanted = self._rounds, True
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._rounds > before, WAIT_SECONDS)
        finally:
            self._waiters.release()

    def _run(self) -> None:
        while not self._stopped:
            found = self._fetch()
            with self._changed:
                self._tried, self._wanted, self._failed = time.monotonic(), False, found is None
                if found is not None:
                    self._keys, self._fetched = found, self._tried
                self._rounds += 1
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._stopped, PAUSE_SECONDS)
                if not self._failed:
                    self._changed.wait_for(lambda: self._stopped or self._wanted, AGE_SECONDS - PAUSE_SECONDS)

    def _fetch(self) -> tuple[SigningKey, ...] | None:
        """The issuer's keys as they are now; None, and at the first time a line in the log, where that fails."""
        try:
            return signing_keys(fetched(self._address or discovered(self._issuer)))
        except (*UNREACHABLE, OSError, ValueError, RecursionError) as error:
            if not self._failed:
                log.warning("the issuer's keys cannot be fetched", issuer=self._issuer, reason=repr(error)[:300])
            return None


UNREACHABLE = (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, httpcore.UnsupportedProtocol)


def discovered(issuer: str) -> str:
    """Where an issuer says that its keys are; raises ValueError for another issuer, and for an address in clear."""
    described = fetched(issuer.rstrip("/") + DISCOVERY)
    if described.get("issuer") != issuer:
        raise ValueError(
            f"the issuer calls itself {described.get('issuer')!r}: THUMBNAILER_OIDC_ISSUER has to be the same"
        )
    address = described.get("jwks_uri")
    if not isinstance(address, str) or not is_private_way(address):
        raise ValueError(f"the issuer's jwks_uri is {address!r}: it has to be https://")
    return address


def fetched(address: str) -> dict[str, Any]:
    """A JSON object; raises what UNREACHABLE lists, and ValueError for any other answer. Redirects are not followed."""
    timeout = dict.fromkeys(("connect", "read", "write", "pool"), ANSWER_SECONDS)
    accept = [("Accept", "application/json"), ("User-Agent", "thumbnailer")]
    with (
        httpcore.ConnectionPool(max_connections=1) as pool,
        pool.stream("GET", address, headers=accept, extensions={"timeout": timeout}) as answer,
    ):
        if answer.status != 200:
            raise ValueError(f"{address} answers {answer.status}")
        body = bytearray()
        for chunk in answer.iter_stream():
            body += chunk
            if len(body) > MAX_BYTES:
                raise ValueError(f"{address} answers with more than {MAX_BYTES} bytes")
    found = json.loads(body)
    if not isinstance(found, dict):
        raise ValueError(f"{address} answers with no JSON object")
    return found


def signing_keys(key_set: dict[str, Any]) -> tuple[SigningKey, ...]:
    """Those keys of a JWK set that tokens may be signed with; raises ValueError where it is no such set."""
    listed = key_set.get("keys")
    if not isinstance(listed, list):
        raise ValueError("that is no set of keys: it has no list `keys`")
    return tuple(key for one in listed if isinstance(one, dict) and (key := signing_key(one)) is not None)


def signing_key(described: dict[str, Any]) -> SigningKey | None:
    """A key of a set; None where it is for something else, of a kind that we do not take, too short or broken."""
    kind = "RSA" if described.get("kty") == "RSA" else str(described.get("crv"))
    given = described.get("alg")
    algorithms = tuple(name for name in ALGORITHMS.get(kind, ()) if given in (None, name))
    if not algorithms or described.get("use", "sig") != "sig":
        return None
    try:
        key = jwt.PyJWK(described, algorithms[0]).key
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    if kind == "RSA" and key.key_size < MIN_RSA_BITS:
        return None
    named = described.get("kid")
    return SigningKey(named if isinstance(named, str) else None, key, algorithms)
