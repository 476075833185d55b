"""Receivers' secrets at rest: encrypted, so that a copy of the database signs nothing."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from thumbnailer_storage.config import StorageSettings

SQLITE = "sqlite:///"
FILE = "secret-keys"


class NoSecretKeys(Exception):
    """There is no key to encrypt with; the text names the setting."""


class WrongSecretKeys(Exception):
    """None of the keys decrypts it."""


class SecretKeys:
    """Encrypts with the first of the keys, decrypts with any.

    Where no key is set, and the database is a file, one is made beside it when it is first needed.
    """

    def __init__(self, given: tuple[str, ...], storage: StorageSettings) -> None:
        self._given = given
        embedded = storage.database_url.startswith(SQLITE)
        self._file = Path(storage.database_url.removeprefix(SQLITE)).with_name(FILE) if embedded else None

    def encrypt(self, secret: str) -> str:
        """Raises NoSecretKeys."""
        if not self._given and self._file is not None and not self._file.exists():
            make(self._file)
        return MultiFernet(self._keys()).encrypt(secret.encode()).decode()

    def decrypt(self, kept: str) -> str:
        """Raises NoSecretKeys, WrongSecretKeys."""
        try:
            return MultiFernet(self._keys()).decrypt(kept.encode()).decode()
        except InvalidToken:
            raise WrongSecretKeys(
                "none of THUMBNAILER_SECRET_KEYS decrypts the webhook's secret: is the key missing that encrypted it?"
            ) from None

    def renew(self, kept: str) -> str | None:
        """The same secret, encrypted with the first key, as it is where it is already; None where no key decrypts it.

        Raises NoSecretKeys.
        """
        first, *_ = keys = self._keys()
        with suppress(InvalidToken):
            first.decrypt(kept.encode())
            return kept
        with suppress(InvalidToken):
            return MultiFernet(keys).rotate(kept.encode()).decode()
        return None

    def _keys(self) -> list[Fernet]:
        keys = self._given or self._found()
        if not keys:
            raise NoSecretKeys(
                "this service keeps no secrets: whoever runs it has to set THUMBNAILER_SECRET_KEYS (docs/webhooks.md)"
            )
        return [Fernet(key) for key in keys]

    def _found(self) -> tuple[str, ...]:
        if self._file is None or not self._file.exists():
            return ()
        return tuple(self._file.read_text().split())


def make(file: Path) -> None:
    """Write a new key, so that the file holds the whole of it or none; another program's, made meanwhile, stays."""
    part = file.with_name(f".{uuid4().hex}.part")
    try:
        part.touch(0o600, exist_ok=False)
        with part.open("w") as writing:
            writing.write(Fernet.generate_key().decode() + "\n")
            writing.flush()
            os.fsync(writing.fileno())
        with suppress(FileExistsError):
            file.hardlink_to(part)
    finally:
        part.unlink(missing_ok=True)
