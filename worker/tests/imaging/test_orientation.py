from __future__ import annotations

from collections.abc import Callable

import pytest
from orientations import STORED
from PIL import ExifTags, Image

RED, GREEN, BLUE, YELLOW = (220, 30, 30), (30, 200, 30), (30, 30, 220), (220, 220, 30)


def upright(width: int, height: int) -> Image.Image:
    picture = Image.new("RGB", (width, height), RED)
    picture.paste(GREEN, (width // 2, 0, width, height // 2))
    picture.paste(BLUE, (0, height // 2, width // 2, height))
    picture.paste(YELLOW, (width // 2, height // 2, width, height))
    return picture


def stored(picture: Image.Image, orientation: int) -> tuple[Image.Image, Image.Exif]:
    transpose = STORED[orientation]
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    return picture if transpose is None else picture.transpose(transpose), exif


def corners(picture: Image.Image) -> list[tuple[int, ...]]:
    width, height = picture.size
    places = [(x, y) for y in (height // 8, height - 1 - height // 8) for x in (width // 8, width - 1 - width // 8)]
    values = [picture.convert("RGB").getpixel(place) for place in places]
    return [value for value in values if isinstance(value, tuple)]


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_every_orientation_comes_out_upright(
    name: str, orientation: int, encoded: Callable[..., bytes], make_one: Callable[..., Image.Image]
) -> None:
    picture, exif = stored(upright(1300, 800), orientation)
    result = make_one(encoded(picture, name, exif=exif), width=130, height=130, fit="contain")
    assert result.size == (130, 80)
    for found, wanted in zip(corners(result), (RED, GREEN, BLUE, YELLOW), strict=True):
        assert max(abs(a - b) for a, b in zip(found, wanted, strict=True)) < 12


@pytest.mark.parametrize("orientation", STORED)
def test_cover_and_pad_are_the_same_however_the_source_is_stored(
    orientation: int, encoded: Callable[..., bytes], make_one: Callable[..., Image.Image]
) -> None:
    picture, exif = stored(upright(600, 300), orientation)
    source = encoded(picture, "PNG", exif=exif)
    cover = make_one(source, width=60, height=90, fit="cover")
    pad = make_one(source, width=60, height=90, fit="pad", background="#ffffff")
    assert corners(cover) == [RED, GREEN, BLUE, YELLOW]
    assert corners(pad.crop((0, 30, 60, 60))) == [RED, GREEN, BLUE, YELLOW]
    assert pad.getpixel((30, 28)) == pad.getpixel((30, 61)) == (255, 255, 255)


def test_the_source_is_described_as_its_viewer_sees_it(
    encoded: Callable[..., bytes], make_all: Callable[..., tuple[object, list[Image.Image]]]
) -> None:
    from thumbnailer_storage.jobs.pictures import Output
    from thumbnailer_worker.imaging.made import Made, SourceInfo

    picture, exif = stored(upright(60, 30), 6)
    made, _ = make_all(encoded(picture, "JPEG", exif=exif), Output())
    assert isinstance(made, Made)
    assert made.source == SourceInfo("jpeg", 60, 30)


@pytest.mark.parametrize("exif", [b"Exif\0\0", b"Exif\0\0rubbish", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"])
def test_a_broken_exif_block_does_not_stop_a_picture(
    exif: bytes, encoded: Callable[..., bytes], make_one: Callable[..., Image.Image]
) -> None:
    result = make_one(encoded(upright(60, 30), "PNG", exif=exif), width=60, height=60, fit="contain")
    assert corners(result) == [RED, GREEN, BLUE, YELLOW]
