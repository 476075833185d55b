"""From any mode of Pillow's to one that can be averaged, and down to little more than what the outputs need."""

from __future__ import annotations

from typing import cast

from PIL import Image, ImageCms

from thumbnailer_worker.imaging.steps.decode import OVERSAMPLING, least_shrinking
from thumbnailer_worker.imaging.work import Work

_AVERAGED = ("L", "La", "RGB", "RGBX", "RGBa", "CMYK", "I", "F")
"""Modes in which the mean of two pixels is the colour between them. Alpha is multiplied in, so that the colour of
what is transparent does not bleed out."""

_STRIP_PIXELS = 1 << 18
"""About a megabyte: a strip stays in the processor's cache between conversion and reduction."""


def shrink(work: Work) -> None:
    """Reduce by whole numbers, and convert on the way: in strips, so that no second full-size copy is made."""
    image = work.image
    if image.mode == "LAB":
        image, work.profile = _lab_to_srgb(image), None
    least = least_shrinking(work) / OVERSAMPLING
    across, down = (max(1, int(least / scale)) for scale in work.scale)
    if image.mode not in _AVERAGED or "transparency" in image.info:
        image = _in_strips(image, across, down)
    elif (across, down) != (1, 1):
        image = image.reduce((across, down))
    work.scale = (work.scale[0] * across, work.scale[1] * down)
    work.image = _eight_bits(image)


def note_transparency(work: Work) -> None:
    """Drop an alpha channel that nothing uses: what looks opaque is treated as opaque."""
    if work.image.mode not in ("La", "RGBa"):
        return
    *colours, alpha = work.image.split()
    work.transparent = alpha.getextrema() != (255, 255)
    if not work.transparent:
        work.image = Image.merge("L" if len(colours) == 1 else "RGB", colours)


def _in_strips(image: Image.Image, across: int, down: int) -> Image.Image:
    mode = _averaged(image.crop((0, 0, 1, 1))).mode
    whole = Image.new(mode, (-(-image.width // across), -(-image.height // down)))
    rows = max(1, _STRIP_PIXELS // image.width // down) * down
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(image.height, top + rows)))
        whole.paste(_averaged(strip).reduce((across, down)), (0, top // down))
    return whole


def _averaged(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        return image.convert("I")
    grey = image.mode in ("1", "L", "LA")
    if not image.has_transparency_data:
        return image.convert("L" if grey else "RGB")
    return image.convert("LA").convert("La") if grey else image.convert("RGBA").convert("RGBa")


def _eight_bits(image: Image.Image) -> Image.Image:
    """16-bit grey by its known range; other whole numbers and floats have none, so theirs is what they use."""
    if image.mode not in ("I", "F"):
        return image.convert("RGB") if image.mode == "RGBX" else image
    lowest, highest = cast("tuple[float, float]", image.getextrema())
    if image.mode == "I" and lowest >= 0 and highest <= 65535:
        lowest, highest = 0, 65535
    scale = 255 / (highest - lowest) if highest > lowest else 0.0
    return image.point(lambda value: value * scale + (0.5 - lowest * scale)).convert("L")


def _lab_to_srgb(image: Image.Image) -> Image.Image:
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    return ImageCms.buildTransform(lab, srgb, "LAB", "RGB").apply(image)
