"""Keys of ours and tokens of an issuer, side by side."""

from __future__ import annotations

from werkzeug.datastructures import Headers

from thumbnailer_api.auth import Caller
from thumbnailer_api.auth.bearer import shown_in
from thumbnailer_api.auth.keys import Keys
from thumbnailer_api.auth.tokens import Tokens
from thumbnailer_storage.jobs.key_format import PREFIX


class KeysAndTokens:
    """What begins like a key is judged as one, everything else as a token."""

    def __init__(self, keys: Keys, tokens: Tokens) -> None:
        self._keys = keys
        self._tokens = tokens

    def caller(self, headers: Headers) -> Caller:
        """Raises NoKey, WrongKey, WrongToken, IssuerUnavailable."""
        shown = shown_in(headers)
        return (self._keys if shown.startswith(PREFIX) else self._tokens).caller_of(shown)

    def start(self) -> None:
        self._keys.start()
        self._tokens.start()

    def stop(self) -> None:
        self._tokens.stop()
        self._keys.stop()

    @property
    def healthy(self) -> bool:
        return self._keys.healthy and self._tokens.healthy
