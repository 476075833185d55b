"""Keys: `Authorization: Bearer thn_...`."""

from __future__ import annotations

from werkzeug.datastructures import Headers

from thumbnailer_api.auth import Caller
from thumbnailer_api.auth.bearer import shown_in
from thumbnailer_api.auth.uses import Uses
from thumbnailer_api.errors import WrongKey
from thumbnailer_storage.jobs.key_format import is_well_formed
from thumbnailer_storage.jobs.keys import KeyStore


class Keys:
    """A key of ours with each request. The database is asked each time: a revoked key ends with its last request."""

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys
        self._uses = Uses(keys)

    def caller(self, headers: Headers) -> Caller:
        """Raises NoKey, and as `caller_of` does."""
        return self.caller_of(shown_in(headers))

    def caller_of(self, key: str) -> Caller:
        """Raises WrongKey for whatever is wrong with a key, so that nobody can find out what."""
        found = self._keys.find(key) if is_well_formed(key) else None
        if found is None:
            raise WrongKey
        if found.stale:
            self._uses.note(found.id)
        return Caller(found.owner, found.scopes, found.name)

    def start(self) -> None:
        self._uses.start()

    def stop(self) -> None:
        self._uses.stop()

    @property
    def healthy(self) -> bool:
        return self._uses.healthy
