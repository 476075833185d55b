"""From the file to pixels: no more of them than the outputs need."""

from __future__ import annotations

from PIL import ExifTags, Image
from PIL.WebPImagePlugin import WebPImageFile

from thumbnailer_worker.imaging.geometry import plan
from thumbnailer_worker.imaging.pillow import blaming_the_image
from thumbnailer_worker.imaging.work import Work

OVERSAMPLING = 2.0
"""Cheap scaling stops at this many times the wanted size and leaves the rest to Lanczos. The difference to Lanczos all
the way stays below what a viewer can see (Pillow's documentation on `reducing_gap` has the reasons)."""


def read_orientation(work: Work) -> None:
    """The camera's orientation from EXIF; a broken EXIF block is no reason to refuse a picture.

    TIFF, HEIC: their readers turn the pixels themselves, and say so by 1.
    """
    if work.format == "tiff":
        return
    with blaming_the_image(work.format.upper()):  # PNG may have its EXIF behind the pixels: they are decoded here
        if work.format == "png":
            work.image.load()
    try:
        orientation = work.image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # noqa: BLE001 - what Pillow raises on a broken block is no closed list
        return
    if isinstance(orientation, int) and 1 <= orientation <= 8:
        work.orientation = orientation


def plan_outputs(work: Work) -> None:
    """Work out which part of the source goes where."""
    work.plans = [plan(work.seen, output).as_stored(work.seen, work.orientation) for output in work.outputs]


def choose_scale(work: Work) -> None:
    """Have JPEG decode to 1/2, 1/4 or 1/8, where that is enough for all outputs; before anything that decodes.

    HEIC's draft would take the preview inside the file, which may show anything: never trust an image.
    """
    factor = least_shrinking(work) / OVERSAMPLING
    if factor <= 1 or work.format != "jpeg":
        return
    width, height = work.size
    drafted = work.image.draft(None, (max(1, int(width / factor)), max(1, int(height / factor))))
    if drafted:
        box = drafted[1]
        work.scale = (width / box[2], height / box[3])


def decode(work: Work) -> None:
    """Decode the first frame."""
    work.profile = work.image.info.get("icc_profile")
    with blaming_the_image(work.format.upper()):
        if isinstance(work.image, WebPImageFile):
            work.image = _first_frame(work.image)
        work.image.load()
    if work.scale == (1.0, 1.0):  # HEIC may turn out to have another size than it said
        work.scale = (work.size[0] / work.image.width, work.size[1] / work.image.height)


def _first_frame(image: WebPImageFile) -> Image.Image:
    """The decoder's own pixels: Pillow's load() would copy them once more, a quarter of the job's memory.

    This is not Pillow's public face; the tests of WebP notice when it changes.
    """
    frame = image._decoder.get_next()
    if frame is None:
        raise OSError("image file is truncated")
    return Image.frombuffer(image.rawmode, image.size, frame[0], "raw", image.rawmode, 0, 1)


def least_shrinking(work: Work) -> float:
    """By how much the output that needs the most pixels makes the source smaller."""
    return min(each.shrinks_by for each in work.plans)
