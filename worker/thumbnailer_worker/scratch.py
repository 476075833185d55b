"""The worker's own folder for images in work, and what workers that were killed left behind."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from thumbnailer_storage.errors import SettingError

PREFIX = "thumbnailer-worker-"
YOUNG_SECONDS = 60.0
"""A folder younger than this may be of a worker that has not locked it yet."""


@contextmanager
def own_folder(top: Path) -> Iterator[Path]:
    """A new folder below `top` that is locked while this process lives; raises SettingError where none can be made."""
    try:
        remove_left(top)
        made = tempfile.TemporaryDirectory(prefix=PREFIX, dir=top)
    except OSError as error:
        raise SettingError(f"THUMBNAILER_SCRATCH is {str(top)!r}: it cannot be used: {error.strerror}") from error
    with made as name:
        descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            yield Path(name)
        finally:
            os.close(descriptor)


def remove_left(top: Path) -> None:
    """Remove the folders that nobody holds a lock on: their worker is dead, whatever killed it."""
    for folder in top.glob(f"{PREFIX}*"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime < YOUNG_SECONDS:
                continue
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)
            finally:
                os.close(descriptor)
