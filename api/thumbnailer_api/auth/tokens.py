"""Tokens of an OIDC issuer: JWTs that it signed for this service, whose claims say who calls and what they may do."""

from __future__ import annotations

from typing import Any

import jwt
import structlog

from thumbnailer_api.auth import Caller
from thumbnailer_api.auth.issuer import ALGORITHMS, IssuerKeys
from thumbnailer_api.auth.settings import OidcSettings
from thumbnailer_api.errors import WrongToken
from thumbnailer_storage.jobs.key_format import PREFIX
from thumbnailer_storage.jobs.keys import Scope
from thumbnailer_storage.jobs.tables import NAME_LENGTH, OWNER_LENGTH

LEEWAY_SECONDS = 30
"""How far the issuer's clock and ours may be apart."""
REQUIRED = ["exp", "iat", "iss", "aud"]
ASYMMETRIC = tuple(name for names in ALGORITHMS.values() for name in names)

log = structlog.get_logger()


class Tokens:
    """Judges tokens by the issuer's keys. A header of the token that names a place for keys is not looked at."""

    def __init__(self, settings: OidcSettings, keys: IssuerKeys) -> None:
        self._settings = settings
        self._keys = keys

    def start(self) -> None:
        self._keys.start()

    def stop(self) -> None:
        self._keys.stop()

    @property
    def healthy(self) -> bool:
        return self._keys.healthy

    def caller_of(self, token: str) -> Caller:
        """Raises WrongToken for whatever is wrong with it, IssuerUnavailable where nobody can say."""
        try:
            claims = self._claims(token)
            owner = self._owner(claims)
        except jwt.PyJWTError as error:
            # Its kind and not its text, which may repeat the token.
            log.info("a token was refused", reason=type(error).__name__)
            raise WrongToken from None
        return Caller(owner, self._scopes(claims), f"token of {readable(claims.get('sub')) or owner}"[:NAME_LENGTH])

    def _claims(self, token: str) -> dict[str, Any]:
        seen = jwt.decode_complete(token, options={"verify_signature": False})
        algorithm = seen["header"].get("alg")
        # The issuer is asked about keys of tokens that call themselves its own, and of no others.
        if algorithm not in ASYMMETRIC or seen["payload"].get("iss") != self._settings.oidc_issuer:
            raise jwt.InvalidTokenError
        key = self._keys.find(seen["header"].get("kid"), algorithm)
        if key is None:
            raise jwt.InvalidKeyError
        claims: dict[str, Any] = jwt.decode(
            token,
            key.key,
            algorithms=list(key.algorithms),
            issuer=self._settings.oidc_issuer,
            audience=self._settings.oidc_audience,
            leeway=LEEWAY_SECONDS,
            options={"require": REQUIRED},
        )
        return claims

    def _owner(self, claims: dict[str, Any]) -> str:
        """The claim as it is, after the prefix that keeps it apart from owners of keys."""
        claimed = readable(claims.get(self._settings.oidc_owner_claim))
        owner = f"{self._settings.owner_prefix}{claimed}"
        if not claimed or len(owner) > OWNER_LENGTH or owner.startswith(PREFIX):
            raise jwt.InvalidTokenError
        return owner

    def _scopes(self, claims: dict[str, Any]) -> frozenset[Scope]:
        """What every token may do, and what its claim adds: a list, or words with spaces between them."""
        claimed = claims.get(self._settings.oidc_scope_claim)
        values = claimed.split() if isinstance(claimed, str) else claimed if isinstance(claimed, list) else []
        named = {f"{self._settings.scope_prefix}{scope}": scope for scope in Scope}
        added = {named[value] for value in values if isinstance(value, str) and value in named}
        return frozenset(added | {Scope(name) for name in self._settings.oidc_scopes})


def readable(claimed: object) -> str | None:
    """A claim that is text which one can print, and nothing else."""
    is_text = isinstance(claimed, str) and claimed.isprintable() and claimed.strip() == claimed
    return claimed if is_text and isinstance(claimed, str) and claimed else None
