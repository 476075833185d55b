"""Which codecs of Pillow's are used, and how Pillow is held to our limits and errors."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import pillow_heif
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from thumbnailer_worker.imaging.errors import ImageRefused
from thumbnailer_worker.imaging.limits import Limits

_PLUGINS = (
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    WebPImagePlugin,
    GifImagePlugin,
    TiffImagePlugin,
    BmpImagePlugin,
    AvifImagePlugin,
)
"""Imported by name: asked for a format that it has not loaded yet, Pillow imports every plugin that it has."""

ALLOWED = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "HEIF")
"""Pillow's names. AVIF is before HEIF: both may begin with the brand mif1, and only the first knows AV1."""

AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # a worker runs as many images as it has cores
pillow_heif.register_heif_opener(decode_threads=1, depth_images=False, aux_images=False)


def begins_as(beginning: bytes) -> list[str]:
    """Those of ALLOWED that a file with this beginning may be; its first 16 bytes are enough."""
    accepts = ((name, Image.OPEN[name][1]) for name in ALLOWED)
    return [name for name, accept in accepts if accept is not None and accept(beginning) is True]


@contextmanager
def pillow_within(limits: Limits) -> Iterator[None]:
    """Let Pillow raise before it allocates for more than twice `max_pixels`, and keep its warnings to itself.

    Twice is how Pillow counts. Its reader of WebP allocates in open(), before anybody else can judge the size.
    """
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = limits.max_pixels
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


@contextmanager
def blaming_the_image(name: str) -> Iterator[None]:
    """Turn whatever a decoder raises into ImageRefused; `name` is what the image says it is, such as "PNG"."""
    try:
        yield
    except (ImageRefused, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        pixels = int(re.findall(r"\d+", str(error))[0])  # its message is all that it says
        message = (
            f"The image has {pixels:,} pixels, more than the {Image.MAX_IMAGE_PIXELS:,} allowed: send a smaller one."
        )
        raise ImageRefused(413, message) from error
    except Exception as error:
        text = str(error).lower()
        if "memory" in text:
            raise MemoryError from error
        what = "is cut short" if "truncated" in text else "is damaged or of a kind that we cannot read"
        message = f"The {name} image {what}: open it in an image program, save it anew and send that."
        raise ImageRefused(422, message) from error
