from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest
from PIL import Image

from thumbnailer_storage.jobs.pictures import Fit, Output
from thumbnailer_worker.imaging.geometry import plan

MakeOne = Callable[..., Image.Image]
LEFT, MIDDLE, RIGHT = (200, 0, 0), (0, 200, 0), (0, 0, 200)


@pytest.fixture
def bands(encoded: Callable[..., bytes]) -> bytes:
    """300x100: three squares side by side."""
    picture = Image.new("RGB", (300, 100), MIDDLE)
    picture.paste(LEFT, (0, 0, 100, 100))
    picture.paste(RIGHT, (200, 0, 300, 100))
    return encoded(picture, "PNG")


def test_cover_cuts_off_both_sides_alike(bands: bytes, make_one: MakeOne) -> None:
    result = make_one(bands, width=50, height=50, fit="cover")
    assert result.size == (50, 50)
    # Lanczos looks three pixels beyond the cut, as if the picture had been cut after it was made smaller.
    assert result.crop((3, 0, 47, 50)).getcolors() == [(44 * 50, MIDDLE)]


def test_cover_keeps_what_fits(bands: bytes, make_one: MakeOne) -> None:
    result = make_one(bands, width=100, height=50, fit="cover")
    assert result.size == (100, 50)
    assert [result.getpixel((x, 25)) for x in (5, 50, 94)] == [LEFT, MIDDLE, RIGHT]
    assert [result.getpixel((x, 25)) for x in (20, 30, 69, 79)] == [LEFT, MIDDLE, MIDDLE, RIGHT]


def test_cover_enlarges_unless_told_not_to(bands: bytes, make_one: MakeOne) -> None:
    assert make_one(bands, width=400, height=400, fit="cover").size == (400, 400)
    kept = make_one(bands, width=400, height=400, fit="cover", enlarge=False)
    assert kept.getcolors() == [(100 * 100, MIDDLE)]
    assert make_one(bands, width=400, height=200, fit="cover", enlarge=False).size == (200, 100)


def test_contain_shows_everything_and_never_enlarges_by_itself(bands: bytes, make_one: MakeOne) -> None:
    result = make_one(bands, width=60, height=60, fit="contain")
    assert result.size == (60, 20)
    assert [result.getpixel((x, 10)) for x in (5, 30, 54)] == [LEFT, MIDDLE, RIGHT]
    assert make_one(bands, width=600, height=600, fit="contain").size == (300, 100)
    assert make_one(bands, width=600, height=600, fit="contain", enlarge=True).size == (600, 200)


def test_pad_puts_everything_in_the_middle_of_the_background(bands: bytes, make_one: MakeOne) -> None:
    result = make_one(bands, width=60, height=60, fit="pad", background="#102030")
    assert result.size == (60, 60)
    assert [result.getpixel((30, y)) for y in (0, 17, 21, 38, 42, 59)] == [
        *[(16, 32, 48)] * 2,
        *[MIDDLE] * 2,
        *[(16, 32, 48)] * 2,
    ]
    assert [result.getpixel((x, 30)) for x in (5, 30, 54)] == [LEFT, MIDDLE, RIGHT]


def test_pad_enlarges_unless_told_not_to(bands: bytes, make_one: MakeOne) -> None:
    large = make_one(bands, width=600, height=600, fit="pad", background="#000000")
    assert large.getpixel((10, 300)) == LEFT
    kept = make_one(bands, width=600, height=600, fit="pad", background="#000000", enlarge=False)
    assert kept.size == (600, 600)
    assert [kept.getpixel((x, 300)) for x in (148, 152, 447, 451)] == [(0, 0, 0), LEFT, RIGHT, (0, 0, 0)]


def test_padding_is_transparent_where_the_format_can_and_white_in_jpeg(bands: bytes, make_one: MakeOne) -> None:
    for name in ("png", "webp", "avif", "gif"):
        corner = make_one(bands, format=name, width=60, height=60, fit="pad").convert("RGBA").getpixel((0, 0))
        assert isinstance(corner, tuple)
        assert corner[3] == 0, name
    assert make_one(bands, format="jpeg", width=60, height=60, fit="pad").getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("fit", ["cover", "contain", "pad"])
@pytest.mark.parametrize("size", [(65500, 1), (1, 65500), (1, 1), (3, 2), (101, 99)])
def test_no_shape_of_source_makes_an_empty_picture(
    size: tuple[int, int], fit: str, encoded: Callable[..., bytes], make_one: MakeOne
) -> None:
    result = make_one(encoded(Image.new("RGB", size, MIDDLE), "PNG"), width=100, height=100, fit=fit)
    wanted = {"contain": {(65500, 1): (100, 1), (1, 65500): (1, 100), (101, 99): (100, 98)}.get(size, size)}
    assert result.size == wanted.get(fit, (100, 100))
    assert result.convert("RGB").getpixel(((result.width - 1) // 2, (result.height - 1) // 2)) == MIDDLE


def test_a_plan_never_reaches_outside_its_source() -> None:
    sides = [1, 2, 3, 7, 13, 41, 99, 100, 101, 245, 359, 640, 65500]
    for fit in Fit:
        for enlarge in (None, False, True):
            for width, height, box_width, box_height in product(sides, sides, sides[:9], sides[:9]):
                output = Output(width=box_width, height=box_height, fit=fit, enlarge=enlarge)
                made = plan((width, height), output)
                left, top, right, bottom = made.box
                assert 0 <= left < right <= width
                assert 0 <= top < bottom <= height
                assert 1 <= made.size[0] <= made.canvas[0] <= box_width
                assert 1 <= made.size[1] <= made.canvas[1] <= box_height
