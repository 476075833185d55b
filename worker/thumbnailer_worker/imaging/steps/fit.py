"""From the shrunk source to one picture of the wanted size, the right way up, on its background."""

from __future__ import annotations

from PIL import Image

from thumbnailer_worker.imaging.steps.decode import OVERSAMPLING
from thumbnailer_worker.imaging.work import Thumbnail

_TRANSPOSES = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What brings each EXIF orientation upright (Exif 2.3, tag 0x0112)."""

_WITH_ALPHA = ("png", "webp", "avif", "gif")

_WHITE = "#ffffff"


def resize(thumbnail: Thumbnail) -> None:
    """Cut and resize in one pass."""
    image, (across, down) = thumbnail.source.image, thumbnail.source.scale
    left, top, right, bottom = thumbnail.plan.box
    box = (left / across, top / down, min(right / across, image.width), min(bottom / down, image.height))
    thumbnail.image = image.resize(thumbnail.plan.size, Image.Resampling.LANCZOS, box, reducing_gap=OVERSAMPLING)


def turn(thumbnail: Thumbnail) -> None:
    """Bring it upright: of all the pictures on the way, this is the smallest."""
    transpose = _TRANSPOSES.get(thumbnail.source.orientation)
    if transpose is not None:
        thumbnail.image = thumbnail.image.transpose(transpose)


def lay_on_background(thumbnail: Thumbnail) -> None:
    """Fill what is transparent and what padding adds.

    A background that was asked for fills both. Without one both stay transparent, and are white in JPEG.
    """
    image, canvas = thumbnail.image, thumbnail.plan.canvas
    has_alpha = image.mode in ("LA", "RGBA")
    background = thumbnail.output.background
    if background is None and thumbnail.format not in _WITH_ALPHA:
        background = _WHITE
    if image.size == canvas and not (has_alpha and background):
        return
    corner = ((canvas[0] - image.width) // 2, (canvas[1] - image.height) // 2)
    if background is None:
        laid = Image.new("RGBA", canvas)
        laid.paste(image.convert("RGBA"), corner)
    else:
        laid = Image.new("RGB", canvas, background)
        laid.paste(image.convert("RGB"), corner, image.getchannel("A") if has_alpha else None)
    thumbnail.image = laid
