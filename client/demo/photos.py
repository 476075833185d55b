"""Real photos to try the service with: those in scikit-image's wheel, which the Makefile fetches into .photos/."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

FOLDER = Path(".photos")
IN_WHEEL = "skimage/data"
NAMES = {name: name for name in ("astronaut.png", "chelsea.png", "coffee.png", "retina.jpg", "rocket.jpg")} | {
    "hubble_deep_field.jpg": "hubble.jpg"
}
TURNED = "rocket.jpg"
ON_ITS_SIDE = 6
"""Row 0 of the stored pixels is the right-hand side of the picture (Exif 2.2, JEITA CP-3451, tag Orientation)."""


def unpack() -> Path:
    """Put the photos, and one whose camera was held sideways, beside the wheel; their folder."""
    into = FOLDER / "photos"
    wheel = next(FOLDER.glob("scikit_image-*.whl"), None)
    if wheel is None:
        raise SystemExit(f"There is no wheel of scikit-image in {FOLDER}/: run `make demo`, which fetches it.")
    into.mkdir(exist_ok=True)
    with zipfile.ZipFile(wheel) as archive:
        for theirs, ours in NAMES.items():
            (into / ours).write_bytes(archive.read(f"{IN_WHEEL}/{theirs}"))
    turned = oriented((into / TURNED).read_bytes(), ON_ITS_SIDE)
    (into / TURNED).with_stem(f"{Path(TURNED).stem}-turned").write_bytes(turned)
    return into


def oriented(jpeg: bytes, orientation: int) -> bytes:
    """The same JPEG file with an Exif segment that says how to turn it, from 1 to 8.

    The segment is APP1, right behind SOI (Exif 2.2, 4.6.2 and 4.7.2): `Exif`, then a TIFF header and one directory
    whose only entry is Orientation (tag 0x0112, type SHORT).
    """
    tiff = struct.pack(">2sHI", b"MM", 42, 8) + struct.pack(">HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)
    exif = b"Exif\0\0" + tiff
    start_of_image, rest = jpeg[:2], jpeg[2:]
    return start_of_image + struct.pack(">HH", 0xFFE1, 2 + len(exif)) + exif + rest


if __name__ == "__main__":
    unpack()
