from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import ExifTags, Image, ImageCms

from thumbnailer_storage.jobs.pictures import FORMATS, Output
from thumbnailer_worker.imaging.limits import Limits
from thumbnailer_worker.imaging.made import Made
from thumbnailer_worker.imaging.pipeline import make

Encoded = Callable[..., bytes]
MakeAll = Callable[..., tuple[Made, list[Image.Image]]]
MakeOne = Callable[..., Image.Image]
Distance = Callable[[Image.Image, Image.Image], float]

# In the name that the profile has, as UTF-16: the pipeline leaves alone what is sRGB already.
NO_LONGER_SRGB = ("sRGB".encode("utf-16-be"), "RGBs".encode("utf-16-be"))

# Pillow's name and options, our name, and how far the mean may be from a reduction of the original by Lanczos alone.
SOURCES = [
    ("JPEG", {"quality": 92}, "jpeg", 1.5),
    ("JPEG", {"quality": 92, "progressive": True, "subsampling": 0}, "jpeg", 1.5),
    ("PNG", {}, "png", 0.5),
    ("WEBP", {"quality": 90}, "webp", 2.0),
    ("WEBP", {"lossless": True}, "webp", 0.5),
    ("GIF", {}, "gif", 4.0),
    ("TIFF", {}, "tiff", 0.5),
    ("TIFF", {"compression": "tiff_lzw"}, "tiff", 0.5),
    ("TIFF", {"compression": "jpeg", "quality": 92}, "tiff", 1.5),
    ("BMP", {}, "bmp", 0.5),
    ("AVIF", {"quality": 85, "speed": 9}, "avif", 2.5),
    ("HEIF", {"quality": 85}, "heic", 2.5),
]


@pytest.mark.parametrize(("name", "options", "ours", "within"), SOURCES)
@pytest.mark.parametrize("width", [75, 400])
def test_every_source_format_looks_like_its_original(
    name: str,
    options: dict[str, object],
    ours: str,
    within: float,
    width: int,
    scene: Image.Image,
    encoded: Encoded,
    make_all: MakeAll,
    distance: Distance,
) -> None:
    made, (result,) = make_all(encoded(scene, name, **options), Output("png", width, width, "contain"))  # type: ignore[arg-type] # as in JSON
    assert (made.source.format, made.source.width, made.source.height) == (ours, 1200, 800)
    assert distance(result, scene.resize(result.size, Image.Resampling.LANCZOS)) <= within


@pytest.mark.parametrize(("name", "within"), [("jpeg", 4.0), ("png", 0.5), ("webp", 4.0), ("avif", 4.0), ("gif", 8.0)])
def test_every_output_format_looks_like_its_original(
    name: str, within: float, scene: Image.Image, encoded: Encoded, make_one: MakeOne, distance: Distance
) -> None:
    result = make_one(encoded(scene, "PNG"), format=name, width=240, height=160)
    assert distance(result.convert("RGB"), scene.resize((240, 160), Image.Resampling.LANCZOS)) <= within


@pytest.mark.parametrize("name", ["jpeg", "webp", "avif"])
def test_quality_trades_bytes(name: str, scene: Image.Image, encoded: Encoded, make_all: MakeAll) -> None:
    outputs = [Output(name, 300, 200, quality=quality) for quality in (20, None, 95)]
    low, usual, high = make_all(encoded(scene, "PNG"), *outputs)[0].results
    assert low.bytes < usual.bytes < high.bytes


def test_many_outputs_are_what_each_would_be_alone(
    scene: Image.Image, encoded: Encoded, make_all: MakeAll, distance: Distance
) -> None:
    source = encoded(scene, "JPEG", quality=92)
    outputs = [Output("png", size, size) for size in (400, 100, 20, 200)]
    together = make_all(source, *outputs)[1]
    for output, picture in zip(outputs, together, strict=True):
        alone = make_all(source, output)[1][0]
        assert distance(picture, alone) < 1.0


@pytest.mark.parametrize("name", ["GIF", "WEBP", "PNG", "AVIF", "TIFF"])
def test_an_animation_gives_its_first_frame(name: str, encoded: Encoded, make_one: MakeOne) -> None:
    frames = [Image.new("RGB", (90, 90), colour) for colour in ((200, 30, 30), (30, 200, 30), (30, 30, 200))]
    result = make_one(encoded(frames[0], name, save_all=True, append_images=frames[1:]), width=30, height=30)
    middle = result.convert("RGB").getpixel((15, 15))
    assert isinstance(middle, tuple)
    assert max(abs(a - b) for a, b in zip(middle, (200, 30, 30), strict=True)) <= 6


@pytest.mark.parametrize("name", ["JPEG", "WEBP", "PNG", "GIF"])
def test_outputs_carry_no_metadata(name: str, encoded: Encoded, scene: Image.Image, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "WHO-TOOK-IT"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes().replace(*NO_LONGER_SRGB)
    source = tmp_path / "source"
    options = {"comment": b"A-COMMENT", "exif": exif, "xmp": b"<x>AN-XMP</x>", "icc_profile": profile}
    source.write_bytes(encoded(scene, name, **options))
    for result in make(source, [Output(each, 50, 50) for each in FORMATS], tmp_path, Limits()).results:
        data = (tmp_path / f"{result.n}.{FORMATS[result.format].extension}").read_bytes()
        found = [word for word in (b"WHO-TOOK-IT", b"A-COMMENT", b"AN-XMP", b"acsp", b"iCCP", b"eXIf") if word in data]
        assert found == [], result.format


def test_the_names_extension_is_not_looked_at(encoded: Encoded, scene: Image.Image, tmp_path: Path) -> None:
    for name, extension, ours in (("PNG", "jpg", "png"), ("JPEG", "gif", "jpeg"), ("WEBP", "pdf", "webp")):
        source = tmp_path / f"photo.{extension}"
        source.write_bytes(encoded(scene, name))
        assert make(source, [Output()], tmp_path, Limits()).source.format == ours


def test_a_polyglot_is_what_its_first_bytes_say(encoded: Encoded, scene: Image.Image, make_all: MakeAll) -> None:
    for follower in (b"PK\x03\x04 a zip", b"<script>alert(1)</script>", b"%PDF-1.7", encoded(scene, "PNG")):
        made, _ = make_all(encoded(scene, "GIF") + follower, Output())
        assert made.source.format == "gif"


def test_a_preview_inside_a_heic_is_passed_over(
    encoded: Encoded, scene: Image.Image, make_one: MakeOne, distance: Distance
) -> None:
    plain, with_preview = (encoded(scene, "HEIF", quality=90, thumbnails=sizes) for sizes in ([], [300]))
    assert len(with_preview) > len(plain)
    one, other = (make_one(source, width=75, height=75, fit="contain") for source in (plain, with_preview))
    assert distance(one, other) == 0
    assert distance(one, scene.resize(one.size, Image.Resampling.LANCZOS)) <= 3.0


def test_exif_behind_the_pixels_of_a_png_counts(encoded: Encoded, make_one: MakeOne) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 3
    picture = Image.new("L", (40, 40))
    picture.paste(255, (0, 0, 40, 20))
    data = encoded(picture, "PNG")
    content = exif.tobytes()[6:]
    chunk = b"eXIf" + content
    late = struct.pack(">I", len(content)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    result = make_one(data[:-12] + late + data[-12:], width=40, height=40)
    assert (result.getpixel((20, 2)), result.getpixel((20, 37))) == (0, 255)
