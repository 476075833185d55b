"""What a crop keeps, looked at in pixels and in plans."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest
from orientations import STORED
from PIL import ExifTags, Image

from thumbnailer_storage.jobs.pictures import Output
from thumbnailer_worker.imaging.geometry import plan

MakeOne = Callable[..., Image.Image]
Encoded = Callable[..., bytes]


@pytest.fixture
def ramp() -> Image.Image:
    """400x200: red tells how far a pixel is from the left, blue how far from the top."""
    across = Image.linear_gradient("L").rotate(90).resize((400, 200), Image.Resampling.BILINEAR)
    down = Image.linear_gradient("L").resize((400, 200), Image.Resampling.BILINEAR)
    return Image.merge("RGB", (across, Image.new("L", (400, 200)), down))


def where(picture: Image.Image) -> tuple[float, float]:
    """The place in the ramp of a picture's middle, as shares of its width and height."""
    red, _, blue = picture.convert("RGB").resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))  # type: ignore[misc]
    return red / 255, blue / 255


@pytest.mark.parametrize(
    ("focus", "middle"),
    [
        (None, 0.5),
        ((0.5, 0.5), 0.5),
        ((0.3, 0.5), 0.3),
        ((0.7, 0.1), 0.7),
        ((0.0, 0.5), 0.25),  # half of the width is kept: its middle cannot come nearer to the edge
        ((0.1, 0.9), 0.25),
        ((1.0, 1.0), 0.75),
    ],
)
def test_a_crop_holds_its_focus_as_near_to_the_middle_as_the_picture_allows(
    focus: tuple[float, float] | None, middle: float, ramp: Image.Image, encoded: Encoded, make_one: MakeOne
) -> None:
    result = make_one(encoded(ramp, "PNG"), width=50, height=50, focus=focus)
    assert result.size == (50, 50)
    assert where(result) == pytest.approx((middle, 0.5), abs=0.02)


def test_a_tall_crop_is_moved_down_as_a_wide_one_is_moved_aside(
    ramp: Image.Image, encoded: Encoded, make_one: MakeOne
) -> None:
    result = make_one(encoded(ramp, "PNG"), width=200, height=25, focus=(0.9, 0.95))
    assert where(result) == pytest.approx((0.5, 0.875), abs=0.02)


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize(("name", "within"), [("PNG", 0.02), ("JPEG", 0.03)])
@pytest.mark.parametrize(("width", "height", "middle"), [(40, 40, (0.3, 0.5)), (80, 16, (0.5, 0.7))])
def test_the_focus_is_where_the_viewer_sees_it_however_the_picture_is_stored(
    name: str,
    within: float,
    width: int,
    height: int,
    middle: tuple[float, float],
    orientation: int,
    ramp: Image.Image,
    encoded: Encoded,
    make_one: MakeOne,
) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    transpose = STORED[orientation]
    stored = ramp if transpose is None else ramp.transpose(transpose)
    result = make_one(encoded(stored, name, exif=exif), width=width, height=height, focus=(0.3, 0.7))
    assert where(result) == pytest.approx(middle, abs=within)


def test_a_crop_that_may_not_enlarge_holds_its_focus_too(
    ramp: Image.Image, encoded: Encoded, make_one: MakeOne
) -> None:
    result = make_one(encoded(ramp, "PNG"), width=900, height=900, enlarge=False, focus=(0.4, 0.5))
    assert result.size == (200, 200)
    assert where(result) == pytest.approx((0.4, 0.5), abs=0.02)


def test_no_focus_makes_a_plan_reach_outside_its_source() -> None:
    sides, shares = [1, 2, 3, 41, 99, 100, 359, 65500], [0.0, 0.1, 0.333, 0.5, 0.9, 1.0]
    for width, height, box_width, box_height in product(sides, sides, sides[:6], sides[:6]):
        for focus in product(shares, shares):
            made = plan((width, height), Output(width=box_width, height=box_height, focus=focus))
            for orientation in STORED:
                stored = made.as_stored((width, height), orientation)
                left, top, right, bottom = stored.box
                across, down = (width, height) if orientation < 5 else (height, width)
                assert 0 <= left < right <= across
                assert 0 <= top < bottom <= down


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_a_lossless_webp_has_the_very_pixels_of_the_png(mode: str, encoded: Encoded, make_one: MakeOne) -> None:
    noise = [Image.effect_noise((60, 40), 80) for _ in mode]
    picture = Image.merge(mode, noise) if len(mode) > 1 else noise[0]
    if mode == "RGBA":
        picture.putalpha(noise[3].point(lambda alpha: max(alpha, 1)))  # nobody sees the colour of what is not there
    png, webp = (
        make_one(encoded(picture, "PNG"), format=name, width=60, height=40, lossless=True) for name in ("png", "webp")
    )
    assert webp.convert(mode).tobytes() == png.convert(mode).tobytes()
    assert mode == "RGBA" or png.tobytes() == picture.tobytes()


def test_without_it_webp_loses_some(encoded: Encoded, make_one: MakeOne) -> None:
    picture = Image.effect_noise((60, 40), 80).convert("RGB")
    assert make_one(encoded(picture, "PNG"), format="webp", width=60, height=40).tobytes() != picture.tobytes()
