"""From the colours that the embedded profile speaks of to sRGB."""

from __future__ import annotations

from io import BytesIO

from PIL import ImageCms

from thumbnailer_worker.imaging.work import Thumbnail, Work

_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))

_MEANT_FOR = {"RGB": ("RGB", "RGBa", "L", "La"), "GRAY": ("L", "La"), "CMYK": ("CMYK",)}
"""Modes by a profile's colour space. Grey pictures often carry a profile for RGB."""

_TAKES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}


def read_profile(work: Work) -> None:
    """Prepare the way to sRGB. Without a profile, or with a broken one or one for other pixels, they are sRGB."""
    if not work.profile:
        return
    try:
        profile = ImageCms.ImageCmsProfile(BytesIO(work.profile))
        space = profile.profile.xcolor_space.strip()
        if work.image.mode not in _MEANT_FOR.get(space, ()) or _is_srgb(profile):
            return
        intent, flags = ImageCms.Intent.RELATIVE_COLORIMETRIC, ImageCms.Flags.BLACKPOINTCOMPENSATION
        work.to_srgb = ImageCms.buildTransform(profile, _SRGB, _TAKES[space], "RGB", intent, flags)
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return


def _is_srgb(profile: ImageCms.ImageCmsProfile) -> bool:
    """By name and primaries: making a transform costs more than a whole small thumbnail."""
    if not (profile.profile.profile_description or "").startswith("sRGB"):
        return False
    pairs = zip(_primaries(profile), _primaries(_SRGB), strict=False)
    return all(abs(theirs - ours) < 0.005 for theirs, ours in pairs)


def _primaries(profile: ImageCms.ImageCmsProfile) -> list[float]:
    """XYZ of red, green and blue; nothing where the profile works by tables."""
    core = profile.profile
    return [
        part
        for colorant in (core.red_colorant, core.green_colorant, core.blue_colorant)
        if colorant
        for part in colorant[0]
    ]


def to_srgb(thumbnail: Thumbnail) -> None:
    """Convert at the final size, where there are the fewest pixels."""
    image, transform = thumbnail.image, thumbnail.source.to_srgb
    if image.mode in ("La", "RGBa"):
        image = image.convert({"La": "LA", "RGBa": "RGBA"}[image.mode])
    if transform is not None:
        coloured = transform.apply(image.convert(transform.input_mode))
        if image.mode in ("L", "LA"):
            coloured = coloured.convert("L")
        if image.mode in ("LA", "RGBA"):
            coloured.putalpha(image.getchannel("A"))
        image = coloured
    thumbnail.image = image.convert("RGB") if image.mode == "CMYK" else image
