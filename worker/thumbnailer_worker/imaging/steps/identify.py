"""What the file is, by its bytes, and whether it is small enough to be taken on."""

from __future__ import annotations

import os

from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from thumbnailer_worker.imaging.errors import ImageRefused
from thumbnailer_worker.imaging.pillow import begins_as, blaming_the_image
from thumbnailer_worker.imaging.work import Work

_OUR_NAMES = {"MPO": "jpeg", "HEIF": "heic"}
"""Cameras write several pictures into one JPEG (MPO); the first is an ordinary one."""


def refuse_large_files(work: Work) -> None:
    """Judge the bytes before anything reads them."""
    size, most = os.fstat(work.file.fileno()).st_size, work.limits.max_bytes
    if size > most:
        raise ImageRefused(413, f"The image has {size:,} bytes, more than the {most:,} allowed: send a smaller one.")


def identify(work: Work) -> None:
    """Open it as what its first bytes say; names and declared types are not looked at."""
    beginning = work.file.read(16)
    candidates = begins_as(beginning)
    if not beginning:
        raise ImageRefused(415, "The file is empty: send an image.")
    if not candidates:
        known = "a JPEG, PNG, WebP, GIF, TIFF, BMP, AVIF or HEIC"
        raise ImageRefused(415, f"The file is no image of a format that we know: send {known}.")
    with blaming_the_image(candidates[0]):
        work.image = Image.open(work.file, formats=candidates)
    name = work.image.format or candidates[0]
    work.format = _OUR_NAMES.get(name, name.lower())
    work.size = work.image.size


def refuse_many_pixels(work: Work) -> None:
    """Judge the size by the header; nothing is decoded yet."""
    width, height = work.size
    pixels, most = width * height, work.limits.max_pixels
    if pixels > most:
        has = f"{width:,} x {height:,} = {pixels:,} pixels"
        raise ImageRefused(413, f"The image has {has}, more than the {most:,} allowed: send a smaller one.")


def refuse_many_frames(work: Work) -> None:
    """Count frames by their headers."""
    most = work.limits.max_frames
    with blaming_the_image(work.format.upper()):
        crowded = _has_more_frames(work.image, most)
    if crowded:
        message = f"The image has more frames than the {most:,} allowed: send its first frame alone."
        raise ImageRefused(413, message)


def _has_more_frames(image: Image.Image, most: int) -> bool:
    if not isinstance(image, TiffImageFile):
        return bool(getattr(image, "n_frames", 1) > most)
    try:  # counting all frames of a TIFF takes time that grows with the square of their number
        image.seek(most)
    except EOFError:
        image.seek(0)
        return False
    return True
