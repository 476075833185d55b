"""What a program waits for before it begins, and which setting is wrong where waiting is no help."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from thumbnailer_storage.config import PREFIX, masked
from thumbnailer_storage.errors import (
    DatabaseRefused,
    DatabaseUnavailable,
    ObjectsRefused,
    ObjectsUnavailable,
    QueueRefused,
    SchemaTooOld,
    SettingError,
    StoreUnavailable,
)
from thumbnailer_storage.jobs.schema import check
from thumbnailer_storage.opening import Stores

REFUSED = (DatabaseRefused, ObjectsRefused, QueueRefused)


class Start:
    """The beginning of one program; it lasts `start_seconds` where a store does not answer."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._ends = time.monotonic() + stores.settings.start_seconds

    def lacks(self, queues: Sequence[str], whose_objects: Callable[[], None]) -> str | None:
        """What is not as the program needs it yet; None where all is. Old tables are waited for without end.

        Raises SchemaTooNew and ForeignStore; SettingError where a store refuses us, or has not answered for too long.
        """
        try:
            check(self._stores.database)
            self._stores.objects.check()
            self._stores.queue.check(queues)
            whose_objects()
        except SchemaTooOld as error:
            return str(error)
        except StoreUnavailable as error:
            return self.excused(error)
        return None

    def excused(self, error: StoreUnavailable) -> str:
        """The error's text where waiting may help; raises SettingError where a setting is to blame."""
        if isinstance(error, REFUSED) or time.monotonic() > self._ends:
            raise SettingError(blame(self._stores, error)) from error
        return str(error)


def blame(stores: Stores, error: StoreUnavailable) -> str:
    """The setting that names the store which the error is about, its value without a password, and the error."""
    settings = stores.settings
    if isinstance(error, DatabaseUnavailable):
        name, value = "DATABASE", settings.database_url
    elif isinstance(error, ObjectsUnavailable):
        name, value = "OBJECTS", settings.objects_url
    else:
        name, value = "QUEUE", settings.queue
    return f"{PREFIX}{name} is {masked(value)!r}: {error}"
