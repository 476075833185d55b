"""From the arguments of `submit` to the files that are meant: files, folders, globs and standard input."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from glob import glob, has_magic
from pathlib import Path
from typing import TYPE_CHECKING

from thumbnailer.batch.items import Item
from thumbnailer.batch.saving import stem_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

IMAGES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".png", ".webp", ".gif", ".tif", ".tiff", ".bmp", ".avif", ".heic", ".heif"}
)
"""What is taken from a folder. A file that is named itself is sent whatever it is called."""


@dataclass
class Found:
    """Items in the order named, a file named twice once; and how many other files each folder holds."""

    items: list[Item] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)


def find(arguments: Iterable[str]) -> Found:
    found = Found()
    seen: set[str] = set()
    stems: set[str] = set()
    for argument in arguments:
        for path in _paths(argument, found):
            real = "-" if path is None else os.path.realpath(path)
            if real not in seen:
                seen.add(real)
                name = "stdin" if path is None else str(path)
                found.items.append(Item(name, path or sys.stdin.buffer, _unlike(stem_of(name), stems)))
    return found


def _paths(argument: str, found: Found) -> Iterator[Path | None]:
    path = Path(argument)
    if argument == "-":
        yield None
    elif path.is_dir():
        yield from _images_below(path, found)
    elif path.exists() or not has_magic(argument):
        yield path  # one that is missing fails by itself, with the system's own words
    else:
        for match in sorted(glob(argument, recursive=True)) or [argument]:  # noqa: PTH207 - Path.glob takes no absolute pattern
            if Path(match).is_dir():
                yield from _images_below(Path(match), found)
            else:
                yield Path(match)


def _images_below(folder: Path, found: Found) -> Iterator[Path]:
    """The images in a folder and below it; hidden files, hidden folders and linked folders are passed over."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(name for name in names if not name.startswith(".")):
            if Path(name).suffix.lower() in IMAGES:
                yield Path(place, name)
            else:
                found.left_out[str(folder)] = found.left_out.get(str(folder), 0) + 1


def _unlike(stem: str, stems: set[str]) -> str:
    """A stem that no other file of this run has, so that a/photo.jpg and b/photo.png stay apart in one folder."""
    number, candidate = 1, stem
    while candidate.casefold() in stems:
        number += 1
        candidate = f"{stem}-{number}"
    stems.add(candidate.casefold())
    return candidate
