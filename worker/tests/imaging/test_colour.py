"""Colours against a reference of our own: the arithmetic of the standards, not the library that the pipeline uses."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

import pytest
from PIL import Image, ImageCms

Encoded = Callable[..., bytes]
MakeOne = Callable[..., Image.Image]

COLOURS = [(255, 255, 255), (0, 0, 0), (128, 128, 128), (200, 120, 60), (60, 140, 90), (90, 80, 160), (180, 170, 60)]

# XYZ of the primaries, adapted to D50 as ICC profiles have them. Display P3 as Apple's profile states it.
P3 = [(0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407)]
SRGB = [(0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410)]
GAMMA = 2.2


def fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def profile(space: bytes, primaries: Sequence[Sequence[float]], gamma: float, name: str = "made for a test") -> bytes:
    """An ICC profile of version 2 (ICC.1:2001-04, 6.1 and 6.3): matrix and one curve, or for GRAY the curve alone."""
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    text = name.encode() + b"\0"
    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", len(text)) + text + bytes(78),
        b"cprt": b"text" + bytes(4) + b"none\0",
        b"wtpt": b"XYZ " + bytes(4) + b"".join(map(fixed, (0.96420, 1.0, 0.82491))),
    }
    for letter, primary in zip(b"rgb", primaries, strict=False):
        tags[bytes([letter]) + b"XYZ"] = b"XYZ " + bytes(4) + b"".join(map(fixed, primary))
        tags[bytes([letter]) + b"TRC"] = curve
    if not primaries:
        tags[b"kTRC"] = curve
    table, data, offset = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for tag, content in tags.items():
        table += tag + struct.pack(">II", offset + len(data), len(content))
        data += content + bytes(-len(content) % 4)
    date = struct.pack(">6H", 2024, 1, 1, 0, 0, 0)
    head = b"lcms" + bytes.fromhex("02100000") + b"mntr" + space + b"XYZ " + date + b"acsp" + bytes(28)
    head += b"".join(map(fixed, (0.96420, 1.0, 0.82491)))
    body = head.ljust(124, b"\0") + table + data
    return struct.pack(">I", len(body) + 4) + body


def inverse(columns: Sequence[Sequence[float]]) -> list[list[float]]:
    (a, d, g), (b, e, h), (c, f, i) = columns
    determinant = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    rows = [
        [e * i - f * h, c * h - b * i, b * f - c * e],
        [f * g - d * i, a * i - c * g, c * d - a * f],
        [d * h - e * g, b * g - a * h, a * e - b * d],
    ]
    return [[value / determinant for value in row] for row in rows]


def srgb_curve(linear: float) -> int:
    """IEC 61966-2-1."""
    linear = min(1.0, max(0.0, linear))
    return round(255 * (12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055))


def reference(colour: Sequence[int], primaries: Sequence[Sequence[float]], gamma: float) -> tuple[int, ...]:
    linear = [(value / 255) ** gamma for value in colour]
    xyz = [sum(part * primary[n] for part, primary in zip(linear, primaries, strict=True)) for n in range(3)]
    return tuple(srgb_curve(sum(a * b for a, b in zip(row, xyz, strict=True))) for row in inverse(SRGB))


def patches(mode: str, colours: Sequence[object]) -> Image.Image:
    """One square of 40 pixels for each colour, in a row."""
    picture = Image.new(mode, (40 * len(colours), 40))
    for n, colour in enumerate(colours):
        picture.paste(colour, (40 * n, 0, 40 * n + 40, 40))  # type: ignore[arg-type] # a colour of the mode
    return picture


def middles(picture: Image.Image, count: int) -> list[tuple[int, ...]]:
    step = picture.width // count
    found = [picture.convert("RGB").getpixel((step * n + step // 2, picture.height // 2)) for n in range(count)]
    return [value for value in found if isinstance(value, tuple)]


def furthest(found: Sequence[Sequence[int]], wanted: Sequence[Sequence[int]]) -> int:
    """The largest difference of any band of any colour."""
    pairs = zip(found, wanted, strict=True)
    return max(abs(a - b) for one, other in pairs for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(("name", "within"), [("PNG", 2), ("TIFF", 2), ("WEBP", 4), ("JPEG", 5), ("AVIF", 6)])
def test_wide_gamut_becomes_srgb(name: str, within: int, encoded: Encoded, make_one: MakeOne) -> None:
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 98, "subsampling": 0}, "AVIF": {"quality": 95}}
    picture = patches("RGB", COLOURS)
    source = encoded(picture, name, icc_profile=profile(b"RGB ", P3, GAMMA), **options.get(name, {}))
    result = make_one(source, width=140, height=20)
    wanted = [reference(colour, P3, GAMMA) for colour in COLOURS]
    assert furthest(wanted, COLOURS) > 12
    assert furthest(middles(result, len(COLOURS)), wanted) <= within


def test_what_is_outside_srgb_comes_out_at_its_edge(encoded: Encoded, make_one: MakeOne) -> None:
    source = encoded(patches("RGB", [(255, 0, 0), (0, 255, 0)]), "PNG", icc_profile=profile(b"RGB ", P3, GAMMA))
    red, green = middles(make_one(source, width=40, height=20), 2)
    assert red[0] == green[1] == 255
    assert max(red[1], red[2], green[0]) <= 30


def test_transparency_survives_a_change_of_colours(encoded: Encoded, make_one: MakeOne) -> None:
    picture = patches("RGBA", [(200, 120, 60, 255), (200, 120, 60, 100)])
    result = make_one(encoded(picture, "PNG", icc_profile=profile(b"RGB ", P3, GAMMA)), width=40, height=20)
    assert result.mode == "RGBA"
    assert furthest(middles(result, 2), [reference((200, 120, 60), P3, GAMMA)] * 2) <= 3
    assert [result.getchannel("A").getpixel((x, 10)) for x in (8, 32)] == [255, 100]


def test_a_profile_that_is_srgb_already_changes_nothing(encoded: Encoded, make_one: MakeOne) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    result = make_one(encoded(patches("RGB", COLOURS), "PNG", icc_profile=srgb), width=140, height=20)
    assert middles(result, len(COLOURS)) == COLOURS


def test_a_profile_that_is_srgb_by_name_alone_is_not_believed(encoded: Encoded, make_one: MakeOne) -> None:
    liar = profile(b"RGB ", P3, GAMMA, name="sRGB, honestly")
    result = make_one(encoded(patches("RGB", COLOURS), "PNG", icc_profile=liar), width=140, height=20)
    assert furthest(middles(result, len(COLOURS)), [reference(colour, P3, GAMMA) for colour in COLOURS]) <= 2


@pytest.mark.parametrize(
    "data",
    [b"rubbish", profile(b"RGB ", P3, GAMMA)[:200], profile(b"GRAY", [], GAMMA), profile(b"CMYK", [], GAMMA)],
    ids=["rubbish", "cut short", "for grey", "for CMYK"],
)
def test_a_profile_that_is_broken_or_for_other_pixels_is_ignored(
    data: bytes, encoded: Encoded, make_one: MakeOne
) -> None:
    result = make_one(encoded(patches("RGB", COLOURS), "PNG", icc_profile=data), width=140, height=20)
    assert middles(result, len(COLOURS)) == COLOURS


def test_grey_with_a_curve_of_its_own_becomes_the_grey_of_srgb(encoded: Encoded, make_one: MakeOne) -> None:
    greys = [0, 64, 128, 192, 255]
    source = encoded(patches("L", greys), "PNG", icc_profile=profile(b"GRAY", [], 1.8))
    result = make_one(source, width=100, height=20)
    assert result.mode == "L"
    wanted = [(srgb_curve((grey / 255) ** 1.8),) * 3 for grey in greys]
    assert furthest(middles(result, len(greys)), wanted) <= 2


def test_grey_with_a_profile_for_colour_stays_grey(encoded: Encoded, make_one: MakeOne) -> None:
    greys = [0, 64, 128, 192, 255]
    source = encoded(patches("L", greys), "PNG", icc_profile=profile(b"RGB ", P3, 1.8))
    result = make_one(source, width=100, height=20)
    assert result.mode == "L"
    assert furthest(middles(result, len(greys)), [(srgb_curve((grey / 255) ** 1.8),) * 3 for grey in greys]) <= 2


INKS = [(0, 0, 0, 0), (255, 0, 0, 0), (0, 255, 0, 0), (0, 0, 255, 0), (0, 0, 0, 255), (40, 80, 120, 60)]


@pytest.mark.parametrize(("name", "within"), [("TIFF", 1), ("JPEG", 6)])
def test_cmyk_without_a_profile_takes_light_away_by_each_ink(
    name: str, within: int, encoded: Encoded, make_one: MakeOne
) -> None:
    options = {"quality": 98} if name == "JPEG" else {}
    result = make_one(encoded(patches("CMYK", INKS), name, **options), width=120, height=20)
    wanted = [tuple(round((255 - ink) * (255 - black) / 255) for ink in inks) for *inks, black in INKS]
    assert furthest(middles(result, len(INKS)), wanted) <= within


def test_cmyk_with_a_profile_follows_it(encoded: Encoded, make_one: MakeOne) -> None:
    result = make_one(encoded(patches("CMYK", INKS), "TIFF", icc_profile=cmyk_profile()), width=120, height=20)
    # what the profile's table says: L* falls with the sum of all inks alone, so that every colour is a grey
    wanted = []
    for inks in INKS:
        lightness = 100 - 100 * min(1.0, sum(inks) / 1020)
        relative = ((lightness + 16) / 116) ** 3 if lightness > 8 else lightness / 903.3
        wanted.append((srgb_curve(relative),) * 3)
    assert furthest(middles(result, len(INKS)), wanted) <= 6


def cmyk_profile() -> bytes:
    """A profile for CMYK whose only table, of two points an axis, gives the L* of the mean of all four inks."""
    corners = [[(n >> (3 - ink)) & 1 for ink in range(4)] for n in range(16)]
    clut = b"".join(struct.pack(">3B", round(255 * (1 - sum(corner) / 4)), 128, 128) for corner in corners)
    ramp = bytes(range(256))
    matrix = b"".join(map(fixed, (1, 0, 0, 0, 1, 0, 0, 0, 1)))
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + matrix + ramp * 4 + clut + ramp * 3
    base = profile(b"CMYK", [], 1.0)
    text = b"desc" + bytes(4) + struct.pack(">I", 2) + b"x\0" + bytes(78)
    tags = {b"desc": text + bytes(-len(text) % 4), b"A2B0": table + bytes(-len(table) % 4)}
    head = base[4:12] + b"prtr" + b"CMYKLab " + base[24:128]
    entries, data, offset = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
    for tag, content in tags.items():
        entries += tag + struct.pack(">II", offset + len(data), len(content))
        data += content
    return struct.pack(">I", offset + len(data)) + head + entries + data


@pytest.mark.parametrize("name", ["PNG", "TIFF"])
def test_grey_of_16_bits_keeps_its_range(name: str, encoded: Encoded, make_one: MakeOne) -> None:
    values = [0, 5000, 20000, 40000, 60000, 65535]
    row = b"".join(struct.pack("<H", value) * 40 for value in values)
    result = make_one(encoded(Image.frombytes("I;16", (240, 40), row * 40), name), width=120, height=20)
    assert result.mode == "L"
    assert furthest(middles(result, len(values)), [(round(value / 257),) * 3 for value in values]) <= 1


def test_colours_of_16_bits_keep_their_range(make_one: MakeOne) -> None:
    import zlib

    values = [(0, 30000, 65535), (65535, 12000, 800), (40000, 40000, 40000)]
    row = b"\0" + b"".join(struct.pack(">3H", *value) * 40 for value in values)

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 120, 40, 16, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(row * 40)) + chunk(b"IEND", b"")
    result = make_one(b"\x89PNG\r\n\x1a\n" + body, width=60, height=20)
    wanted = [tuple(round(part / 257) for part in value) for value in values]
    assert furthest(middles(result, len(values)), wanted) <= 1


def test_floats_and_large_numbers_are_spread_over_what_they_use(encoded: Encoded, make_one: MakeOne) -> None:
    for mode, values in (("F", [0.0, 0.25, 1.0]), ("I", [-1_000_000, 0, 3_000_000])):
        result = make_one(encoded(patches(mode, values), "TIFF"), width=60, height=20)
        assert furthest(middles(result, 3), [(0,) * 3, (64,) * 3, (255,) * 3]) <= 1


def test_lab_becomes_srgb(encoded: Encoded, make_one: MakeOne) -> None:
    lab = ImageCms.createProfile("LAB")
    srgb = ImageCms.createProfile("sRGB")
    picture = ImageCms.profileToProfile(patches("RGB", COLOURS), srgb, lab, outputMode="LAB")
    assert picture is not None
    result = make_one(encoded(picture, "TIFF"), width=140, height=20)
    assert furthest(middles(result, len(COLOURS)), COLOURS) <= 8  # a step of a* or b* is several levels of sRGB


def test_a_palette_becomes_its_colours(encoded: Encoded, make_one: MakeOne) -> None:
    picture = patches("RGB", COLOURS).quantize(len(COLOURS))
    for name in ("PNG", "GIF", "BMP", "TIFF"):
        result = make_one(encoded(picture, name), width=140, height=20)
        assert furthest(middles(result, len(COLOURS)), COLOURS) <= 1


def test_one_bit_becomes_grey_between_its_dots(encoded: Encoded, make_one: MakeOne) -> None:
    picture = Image.new("1", (400, 400))
    for y in range(400):
        for x in range(y % 2, 400, 2):
            picture.putpixel((x, y), 1)
    for name in ("PNG", "BMP", "TIFF"):
        lowest, highest = make_one(encoded(picture, name), width=40, height=40).convert("L").getextrema()
        assert (lowest, highest) == pytest.approx((127.5, 127.5), abs=1.5)


def test_a_profile_in_a_tiff_of_the_wrong_type_is_ignored(encoded: Encoded, make_one: MakeOne) -> None:
    source = encoded(patches("RGB", COLOURS), "TIFF", icc_profile=b"1234")
    undefined, short = (struct.pack("<HHI", 34675, *kind) for kind in ((7, 4), (3, 2)))
    assert undefined in source
    result = make_one(source.replace(undefined, short), width=140, height=20)
    assert middles(result, len(COLOURS)) == COLOURS
