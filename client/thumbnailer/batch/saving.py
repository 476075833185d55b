"""Where thumbnails go: STEM-WIDTHxHEIGHT.EXTENSION in one folder, whole or not at all.

A name that is taken gets a number (photo-100x100-2.jpg): nothing is overwritten unless that was asked for, and what
this run wrote never is.
"""

from __future__ import annotations

import re
import tempfile
import threading
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

    from thumbnailer.client import Client
    from thumbnailer.models import Job, Output

UNSAFE = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f\ud800-\udfff]')
"""What some file system refuses in a name, and what a terminal would obey."""

LONGEST_STEM = 100


def stem_of(name: str) -> str:
    """A file's name without folders, extension, or anything unsafe; a job's file name may come from anybody."""
    stem = PureWindowsPath(PurePosixPath(name).name).stem
    return UNSAFE.sub("_", stem).lstrip(".")[:LONGEST_STEM] or "image"


class Folder:
    """The folder of `--to`; one context for a run, used by several threads."""

    def __init__(self, path: Path, *, overwrite: bool) -> None:
        self._path = path
        self._overwrite = overwrite
        self._ours: set[str] = set()
        self._naming = threading.Lock()

    def __enter__(self) -> Folder:
        try:
            self._path.mkdir(parents=True, exist_ok=True)
            # Downloads that are cut off lie in here and go with it.
            self._scratch = tempfile.TemporaryDirectory(
                prefix=".thumbnailer-", dir=self._path, ignore_cleanup_errors=True
            )
        except OSError as error:
            raise OSError(f"The folder {self._path} cannot be written to ({error.strerror}): name another.") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._scratch.cleanup()

    def save(self, client: Client, job: Job, stem: str) -> list[Path]:
        """Download all outputs of a complete job; the files, in the order asked."""
        saved = []
        for n, output in enumerate(job.outputs):
            scratch = Path(self._scratch.name, f"{stem_of(job.id)}-{n}")
            client.download(job, n, scratch)
            saved.append(self._place(scratch, f"{stem}-{output.width}x{output.height}", _extension(output)))
        return saved

    def _place(self, scratch: Path, stem: str, extension: str) -> Path:
        number = 1
        while True:
            target = self._path / (f"{stem}.{extension}" if number == 1 else f"{stem}-{number}.{extension}")
            if self._take(target):
                return scratch.replace(target)
            number += 1

    def _take(self, target: Path) -> bool:
        """Make the name ours, by an empty file where there is none: no other program can have it then."""
        with self._naming:
            if target.name.casefold() in self._ours:
                return False
            try:
                target.open("x").close()
            except FileExistsError:
                if not self._overwrite:
                    return False
            self._ours.add(target.name.casefold())
            return True


def _extension(output: Output) -> str:
    """By what was made: where no format was asked for, the service has chosen one."""
    name = (output.media_type or "").removeprefix("image/")
    return {"jpeg": "jpg"}.get(name, name) if name.isalnum() else "bin"
