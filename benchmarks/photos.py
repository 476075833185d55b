"""Photos to measure with.

They come from the first of these that holds some:

    $PHOTOS                          a folder of your own
    /usr/share/backgrounds/mate      Debian's package mate-backgrounds, installed
    .cache/mate                      the same, only unpacked: apt-get download mate-backgrounds
                                     && dpkg-deb -x mate-backgrounds_*.deb .cache/mate
    .photos                          scikit-image's wheel, which `make .photos/ready` fetches; its photos are smaller
"""

from __future__ import annotations

import os
import zipfile
from io import BytesIO
from math import sqrt
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parent.parent

ENCODINGS: dict[str, dict[str, int]] = {
    "jpeg": {"quality": 90},
    "png": {"compress_level": 6},
    "webp": {"quality": 85, "method": 2},
}


def largest_photos(most: int) -> list[tuple[str, Image.Image]]:
    """Up to `most` names and photos, those with the most pixels first; raises SystemExit where there are none."""
    folders = [Path("/usr/share/backgrounds/mate"), ROOT / ".cache" / "mate"]
    if os.environ.get("PHOTOS"):
        folders = [Path(os.environ["PHOTOS"])]
    for folder in folders:
        if paths := [*folder.rglob("*.jpg")]:
            return _largest([(path.name, Image.open(path)) for path in paths], most)
    for wheel in (ROOT / ".photos").glob("scikit_image-*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if name.startswith("skimage/data/") and name.endswith(".jpg")]
            return _largest([(Path(name).name, Image.open(BytesIO(archive.read(name)))) for name in names], most)
    raise SystemExit("no photos found: run `make .photos/ready`, or name a folder of JPEGs in PHOTOS")


def write_photo(photo: Image.Image, megapixels: float, name: str, path: Path) -> None:
    """Encode the photo with so many pixels in the format of this name."""
    factor = sqrt(megapixels * 1e6 / (photo.width * photo.height))
    size = (round(photo.width * factor), round(photo.height * factor))
    photo.resize(size, Image.Resampling.LANCZOS).save(path, format=name, **ENCODINGS[name])


def _largest(photos: list[tuple[str, Image.Image]], most: int) -> list[tuple[str, Image.Image]]:
    photos.sort(key=lambda named: named[1].width * named[1].height, reverse=True)
    return [(name, photo.convert("RGB")) for name, photo in photos[:most]]
