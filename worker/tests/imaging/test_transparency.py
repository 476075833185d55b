from __future__ import annotations

from collections.abc import Callable

import pytest
from PIL import Image, ImageDraw

from thumbnailer_storage.jobs.pictures import Output

Encoded = Callable[..., bytes]
MakeOne = Callable[..., Image.Image]
RED, CLEAR = (230, 20, 20, 255), (0, 0, 0, 0)


def disc(background: tuple[int, ...] = CLEAR) -> Image.Image:
    """A red disc; what is around it is black and transparent, which must not be seen at its edge."""
    picture = Image.new("RGBA", (600, 600), background)
    ImageDraw.Draw(picture).ellipse((100, 100, 500, 500), fill=RED)
    return picture


@pytest.mark.parametrize("name", ["PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("size", [60, 300, 600])
def test_no_dark_fringe_around_what_is_opaque(name: str, size: int, encoded: Encoded, make_one: MakeOne) -> None:
    options = {"lossless": True, "exact": True} if name == "WEBP" else {}
    result = make_one(encoded(disc(), name, **options), width=size, height=size)
    assert result.mode == "RGBA"
    assert result.getpixel((0, 0)) == CLEAR
    assert result.getpixel((size // 2, size // 2)) == RED
    seen = [colour for _, colour in result.getcolors(size * size) or [] if isinstance(colour, tuple) and colour[3] > 30]
    assert min(red for red, _, _, _ in seen) > 220
    assert max(max(green, blue) for _, green, blue, _ in seen) < 30


def test_jpeg_lays_it_on_white_or_on_the_background(encoded: Encoded, make_one: MakeOne) -> None:
    source = encoded(disc(), "PNG")
    for background, wanted in ((None, (255, 255, 255)), ("#0000ff", (0, 0, 255))):
        result = make_one(source, format="jpeg", width=60, height=60, background=background, quality=95)
        assert result.mode == "RGB"
        for place, colour in (((2, 2), wanted), ((30, 30), RED[:3])):
            found = result.getpixel(place)
            assert isinstance(found, tuple)
            assert max(abs(a - b) for a, b in zip(found, colour, strict=True)) <= 4


def test_a_background_that_was_asked_for_fills_a_png_too(encoded: Encoded, make_one: MakeOne) -> None:
    result = make_one(encoded(disc(), "PNG"), width=60, height=60, background="#00ff00")
    assert result.mode == "RGB"
    assert result.getpixel((0, 0)) == (0, 255, 0)


@pytest.mark.parametrize("name", ["webp", "avif", "gif", "png"])
def test_every_format_that_has_transparency_keeps_it(name: str, encoded: Encoded, make_one: MakeOne) -> None:
    result = make_one(encoded(disc(), "PNG"), format=name, width=60, height=60).convert("RGBA")
    corner, middle = result.getpixel((0, 0)), result.getpixel((30, 30))
    assert isinstance(corner, tuple)
    assert isinstance(middle, tuple)
    assert (corner[3], middle[3]) == (0, 255)
    assert max(abs(a - b) for a, b in zip(middle, RED, strict=True)) <= 8


def with_one_clear_colour(mode: str) -> dict[str, object]:
    picture = disc((9, 9, 9, 255)).convert("RGB")
    if mode == "P":
        picture = picture.quantize(8)
        return {"image": picture, "transparency": picture.getpixel((0, 0))}
    if mode == "P with alphas":
        picture = picture.quantize(8)
        clear = picture.getpixel((0, 0))
        return {"image": picture, "transparency": bytes(0 if n == clear else 255 for n in range(8))}
    if mode == "L":
        picture = picture.convert("L")
        return {"image": picture, "transparency": 9}
    return {"image": picture, "transparency": (9, 9, 9)}


@pytest.mark.parametrize("mode", ["P", "P with alphas", "RGB", "L"])
def test_one_transparent_colour_becomes_transparency(mode: str, encoded: Encoded, make_one: MakeOne) -> None:
    result = make_one(encoded(name="PNG", **with_one_clear_colour(mode)), format=None, width=60, height=60)
    assert result.mode == ("LA" if mode == "L" else "RGBA")
    assert result.getchannel("A").getpixel((0, 0)) == 0
    assert result.getchannel("A").getpixel((30, 30)) == 255


def test_a_gif_keeps_its_transparency(encoded: Encoded, make_one: MakeOne) -> None:
    result = make_one(encoded(disc(), "GIF"), format=None, width=60, height=60)
    assert (result.format, result.mode) == ("PNG", "RGBA")
    assert [result.getchannel("A").getpixel(place) for place in ((0, 0), (30, 30))] == [0, 255]


def test_left_to_us_the_format_is_png_only_where_something_shines_through(
    encoded: Encoded, make_all: Callable[..., tuple[object, list[Image.Image]]]
) -> None:
    grey_alpha = Image.merge("LA", (Image.new("L", (60, 60), 90), Image.new("L", (60, 60), 90)))
    cases = [
        (disc(), "PNG", "PNG"),
        (disc((0, 0, 0, 255)), "PNG", "JPEG"),  # an alpha channel that nothing uses
        (grey_alpha, "PNG", "PNG"),
        (disc(), "WEBP", "PNG"),
        (disc((0, 0, 0, 255)).convert("RGB"), "WEBP", "JPEG"),
        (disc(), "AVIF", "PNG"),
        (disc(), "GIF", "PNG"),
        (Image.new("L", (60, 60), 90), "PNG", "JPEG"),
    ]
    for picture, source, wanted in cases:
        _, (result,) = make_all(encoded(picture, source), Output())
        assert (result.format, result.size) == (wanted, (100, 100)), (source, picture.mode)
