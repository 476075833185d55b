"""When keys were last used: noted beside the requests, so that none waits for it or fails with it."""

from __future__ import annotations

import threading
from uuid import UUID

import structlog

from thumbnailer_storage.errors import StoreUnavailable
from thumbnailer_storage.jobs.keys import KeyStore

PAUSE_SECONDS = 1.0
"""What is noted meanwhile is one transaction."""

log = structlog.get_logger()


class Uses:
    """Writes down which keys were used. What cannot be written is noted with the next request."""

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys
        self._changed = threading.Condition()
        self._noted: set[UUID] = set()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="key uses", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End, once what is noted is written."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._thread.join()

    @property
    def healthy(self) -> bool:
        return self._thread.is_alive()

    def note(self, key: UUID) -> None:
        with self._changed:
            self._noted.add(key)
            self._changed.notify_all()

    def _run(self) -> None:
        while noted := self._some():
            try:
                self._keys.note_used(noted)
            except StoreUnavailable as error:
                log.warning("the last use of keys is not noted", reason=str(error))
            with self._changed:
                self._noted -= noted  # not before: requests meanwhile still found it stale
                self._changed.wait_for(lambda: self._stopped, timeout=PAUSE_SECONDS)

    def _some(self) -> set[UUID]:
        """What was noted, once there is something; nothing when it is time to end."""
        with self._changed:
            self._changed.wait_for(lambda: self._noted or self._stopped)
            return set(self._noted)
