"""Images as callers hand them over: a path, bytes, or a binary file."""

from __future__ import annotations

import os
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

Image = str | os.PathLike[str] | bytes | IO[bytes]


@contextmanager
def opened(image: Image) -> Iterator[tuple[str, IO[bytes]]]:
    """The image's name and its bytes as a file that can be sent again from its start; OSError."""
    if isinstance(image, bytes):
        yield "image", BytesIO(image)
    elif isinstance(image, (str, os.PathLike)):
        with Path(image).open("rb") as file:
            yield Path(image).name, file
    elif image.seekable():
        yield _name(image), image
    else:
        with TemporaryFile() as copy:
            copyfileobj(image, copy)
            copy.flush()  # httpx asks the system how long it is
            yield _name(image), copy


def _name(file: IO[bytes]) -> str:
    name = getattr(file, "name", None)
    return Path(name).name.strip("<>") if isinstance(name, str) else "image"
