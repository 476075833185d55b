"""Objects as files below a directory.

The first part of a key is a folder, the rest is the file's name, with `+` where the key has a slash: a put then waits
for two syncs and makes no folder.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from uuid import uuid4

from thumbnailer_storage.errors import ObjectExists, ObjectMissing, ObjectsUnavailable
from thumbnailer_storage.objects import CHUNK, PROBE_BYTES, Reading, Stored, checked

UNFINISHED = ".unfinished"


class DirectoryObjects:
    """A directory on one machine's disk. A put is written beside, synced, and linked to its name."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._unfinished = root / UNFINISHED
        with trouble_in_our_terms():
            self._unfinished.mkdir(parents=True, exist_ok=True)

    def put(self, key: str, chunks: Iterable[bytes]) -> int:
        final = self._path(key)
        beside = self._unfinished / uuid4().hex
        try:
            written = write_synced(beside, chunks)
            with trouble_in_our_terms():
                if not final.parent.is_dir():
                    final.parent.mkdir(exist_ok=True)
                    sync_directory(self._root)
                link_new(beside, final, key)
                sync_directory(final.parent)
            return written
        finally:
            with suppress(OSError):
                beside.unlink()

    def size(self, key: str) -> int:
        with trouble_in_our_terms(), self._missing_in_our_terms(key):
            return self._path(key).stat().st_size

    def read(self, key: str, start: int = 0, length: int | None = None) -> Reading:
        with trouble_in_our_terms(), self._missing_in_our_terms(key):
            return FileReading(self._path(key).open("rb", buffering=0), start, length)

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            path = self._path(key)
            with trouble_in_our_terms(), suppress(FileNotFoundError):
                path.unlink()

    def list(self, prefix: str) -> Iterator[Stored]:
        top, _, rest = prefix.partition("/")
        begins = rest.replace("/", "+")
        with trouble_in_our_terms(), suppress(FileNotFoundError), os.scandir(self._root / top) as entries:
            for entry in entries:
                if entry.name.startswith(begins):
                    with suppress(FileNotFoundError):  # removed meanwhile
                        found = entry.stat()
                        modified = datetime.fromtimestamp(found.st_mtime, UTC)
                        yield Stored(f"{top}/{entry.name.replace('+', '/')}", found.st_size, modified)

    def clear_unfinished(self, older: float) -> int:
        removed = 0
        with trouble_in_our_terms():
            for path in self._unfinished.iterdir():
                with suppress(FileNotFoundError):
                    if path.stat().st_mtime < time.time() - older:
                        path.unlink()
                        removed += 1
        return removed

    def check(self) -> None:
        probe = self._unfinished / uuid4().hex
        try:
            write_synced(probe, [b"\0" * PROBE_BYTES])
        finally:
            with suppress(OSError):
                probe.unlink()

    def address(self, key: str, media_type: str, *, base: str = "") -> str | None:
        return None

    def close(self) -> None:
        """Nothing is held open between calls."""

    @contextmanager
    def _missing_in_our_terms(self, key: str) -> Iterator[None]:
        """A file that is not there is missing, unless the whole directory is: that is the store's trouble."""
        try:
            yield
        except FileNotFoundError:
            if self._unfinished.is_dir():
                raise ObjectMissing(f"there is no object {key}") from None
            raise

    def _path(self, key: str) -> Path:
        folder, _, name = checked(key).partition("/")
        return self._root / folder / name.replace("/", "+") if name else self._root / folder


def write_synced(path: Path, chunks: Iterable[bytes]) -> int:
    """Write a new file and wait until it is on the disk; what `chunks` raises passes through as it is."""
    written = 0
    with trouble_in_our_terms():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        for chunk in chunks:
            with trouble_in_our_terms():
                written += write_all(descriptor, chunk)
        with trouble_in_our_terms():
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return written


def write_all(descriptor: int, chunk: bytes) -> int:
    left = memoryview(chunk)
    while left:
        left = left[os.write(descriptor, left) :]
    return len(chunk)


def link_new(beside: Path, final: Path, key: str) -> None:
    """Give the file its name, which must be new; a rename would replace what is there."""
    try:
        os.link(beside, final)
    except FileExistsError:
        raise ObjectExists(f"there is an object {key} already") from None


def sync_directory(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class FileReading:
    """The bytes of an open file from `start` on, `length` of them at most; the file is its own from now on."""

    def __init__(self, file: FileIO, start: int, length: int | None) -> None:
        self._file = file
        self._start = start
        self._length = length

    def __iter__(self) -> Iterator[bytes]:
        try:
            with trouble_in_our_terms():
                self._file.seek(self._start)
                left = os.fstat(self._file.fileno()).st_size if self._length is None else self._length
                while left > 0 and (chunk := self._file.read(min(CHUNK, left))):
                    left -= len(chunk)
                    yield chunk
        finally:
            self.close()

    def close(self) -> None:
        self._file.close()


@contextmanager
def trouble_in_our_terms() -> Iterator[None]:
    """A full or failing disk, or a folder that is not ours, is the store's trouble and not the job's."""
    try:
        yield
    except OSError as error:
        raise ObjectsUnavailable(f"the object directory cannot be used: {error.strerror}") from error
