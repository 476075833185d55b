"""Bad input, each with its code and message; what is only odd, and works, is at the end."""

from __future__ import annotations

import re
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from time import process_time

import pytest
from PIL import Image

from thumbnailer_storage.jobs.pictures import Output
from thumbnailer_worker.imaging.errors import ImageRefused
from thumbnailer_worker.imaging.limits import Limits
from thumbnailer_worker.imaging.pipeline import make

Encoded = Callable[..., bytes]

NO_IMAGE = "The file is no image of a format that we know: send a JPEG, PNG, WebP, GIF, TIFF, BMP, AVIF or HEIC."
DAMAGED = (
    "The {} image is damaged or of a kind that we cannot read: open it in an image program, save it anew and send that."
)
CUT_SHORT = "The {} image is cut short: open it in an image program, save it anew and send that."
PIXELS = "The image has {} pixels, more than the 50,000,000 allowed: send a smaller one."
NO_MEMORY = "The job needs more memory than it may have: send an image with fewer pixels, or ask for smaller outputs."
FRAMES = "The image has more frames than the 1,000 allowed: send its first frame alone."


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, *chunks: bytes) -> bytes:
    """8-bit grey; every row is the same and compresses to nothing."""
    rows = zlib.compress(bytes(1 << 20), 9)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def gif(width: int, height: int, frames: int = 1, frame: tuple[int, int] = (1, 1)) -> bytes:
    """Each frame holds one pixel's worth of data."""
    one = b"," + struct.pack("<HHHHB", 0, 0, *frame, 0) + b"\x02\x02\x44\x01\x00"
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6) + one * frames + b";"


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"".join(name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2) for name, data in chunks)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def webp_canvas(width: int, height: int) -> bytes:
    return b"\x02\0\0\0" + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")


def webp_bomb() -> bytes:
    """A canvas of 16,383 x 16,383 with one frame of 1 x 1 in it."""
    pixel = b"\x2f\0\0\0\0\x88\x88\x08\x08\x10\x11\x11\x13\x88\x88\xfe\x07\0"
    frame = bytes(12) + b"\x64\0\0\0" + b"VP8L" + struct.pack("<I", len(pixel)) + pixel
    return riff((b"VP8X", webp_canvas(16383, 16383)), (b"ANIM", bytes(6)), (b"ANMF", frame))


def tiff(width: int, height: int, pages: int = 1, compression: int = 1) -> bytes:
    """8-bit grey, one strip a page, all pages share one byte of data."""
    data = b"II*\0" + struct.pack("<I", 8)
    for page in range(pages):
        values = {256: width, 257: height, 258: 8, 259: compression, 262: 1, 273: 8, 278: height, 279: 1}
        entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in values.items())
        length = 2 + len(entries) + 4
        following = len(data) + length if page + 1 < pages else 0
        data += struct.pack("<H", len(values)) + entries + struct.pack("<I", following)
    return data


def jpeg_header(width: int, height: int) -> bytes:
    frame = struct.pack(">BHHB", 8, height, width, 1) + b"\x01\x11\x00"
    return b"\xff\xd8\xff\xc0" + struct.pack(">H", len(frame) + 2) + frame + b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00"


def bmp(width: int, height: int) -> bytes:
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + header + b"\0\0\0"


REFUSED = {
    "empty": (b"", 415, "The file is empty: send an image."),
    "one byte": (b"\xff", 415, NO_IMAGE),
    "text": (b"This is no image, only a text that says so.\n", 415, NO_IMAGE),
    "zeros": (bytes(5000), 415, NO_IMAGE),
    "SVG": (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', 415, NO_IMAGE),
    "PDF": (b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n", 415, NO_IMAGE),
    "HTML": (b"<!DOCTYPE html><html><body><img src='a.jpg'></body></html>", 415, NO_IMAGE),
    "EPS": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", 415, NO_IMAGE),
    "ZIP": (b"PK\x03\x04" + bytes(60), 415, NO_IMAGE),
    "video": (b"\0\0\0\x18ftypisom" + bytes(60), 415, NO_IMAGE),
    "PSD": (b"8BPS\0\x01" + bytes(60), 415, NO_IMAGE),
    "ICO": (b"\0\0\x01\0\x01\0" + bytes(60), 415, NO_IMAGE),
    "text that begins as a BMP": (b"BMW is a maker of cars", 422, CUT_SHORT.format("BMP")),
    "JPEG, rubbish follows": (b"\xff\xd8\xff\xe0" + b"rubbish " * 99, 422, CUT_SHORT.format("JPEG")),
    "JPEG header, rubbish follows": (jpeg_header(99, 99) + b"rubbish " * 99, 422, DAMAGED.format("JPEG")),
    "PNG, rubbish follows": (b"\x89PNG\r\n\x1a\n" + b"rubbish " * 99, 422, DAMAGED.format("PNG")),
    "PNG header, rubbish follows": (png(99, 99)[:33] + b"rubbish " * 99, 422, DAMAGED.format("PNG")),
    "GIF, rubbish follows": (gif(9, 9)[:19] + b"rubbish " * 99, 422, DAMAGED.format("GIF")),
    "WebP, rubbish follows": (riff((b"VP8 ", b"rubbish " * 9)), 422, DAMAGED.format("WEBP")),
    "TIFF, rubbish follows": (b"II*\0\x08\0\0\0" + b"rubbish " * 99, 422, DAMAGED.format("TIFF")),
    "AVIF, rubbish follows": (b"\0\0\0\x1cftypavif" + b"rubbish " * 99, 422, DAMAGED.format("AVIF")),
    "HEIC, rubbish follows": (b"\0\0\0\x1cftypheic" + b"rubbish " * 99, 422, DAMAGED.format("HEIF")),
    "BMP, rubbish follows": (bmp(99, 99) + b"rubbish", 422, CUT_SHORT.format("BMP")),
    "no width": (gif(0, 9, frame=(0, 9)), 422, DAMAGED.format("GIF")),
    "bomb in PNG": (png(65500, 65500), 413, PIXELS.format("4,290,250,000")),
    "bomb in GIF": (gif(65500, 65500), 413, PIXELS.format("4,290,250,000")),
    "bomb in a frame of a GIF": (gif(9, 9, frame=(65500, 65500)), 413, PIXELS.format("4,290,250,000")),
    "bomb in WebP": (webp_bomb(), 413, PIXELS.format("268,402,689")),
    "bomb in TIFF": (tiff(65500, 65500), 413, PIXELS.format("4,290,250,000")),
    "bomb in deflated TIFF": (tiff(65500, 65500, compression=8), 413, PIXELS.format("4,290,250,000")),
    "bomb in BMP": (bmp(65500, 65500), 413, PIXELS.format("4,290,250,000")),
    "bomb in JPEG": (jpeg_header(65500, 65500), 413, PIXELS.format("4,290,250,000")),
    "bomb in the text of a PNG": (
        png(9, 9, *[chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2 << 20)))]),
        422,
        DAMAGED.format("PNG"),
    ),
    "65,500 wide": (png(65500, 800), 413, PIXELS.format("65,500 x 800 = 52,400,000")),
    "65,500 high": (jpeg_header(800, 65500), 413, PIXELS.format("800 x 65,500 = 52,400,000")),
    "a little too large": (png(7072, 7071), 413, PIXELS.format("7,072 x 7,071 = 50,006,112")),
    "thousands of frames": (gif(9, 9, frames=1001), 413, FRAMES),
    "a million frames": (gif(9, 9, frames=1_000_000), 413, FRAMES),
    "thousands of frames by header alone": (png(9, 9, chunk(b"acTL", struct.pack(">II", 5000, 0))), 413, FRAMES),
    "thousands of pages": (tiff(9, 9, pages=5000), 413, FRAMES),
}


def attempt(source: bytes, folder: Path, limits: Limits) -> None:
    path = folder / "source.jpg"
    path.write_bytes(source)
    make(path, [Output()], folder, limits)


def clear_sentence(message: str) -> bool:
    return re.fullmatch(r"The [^:]+: [^:]+\.", message) is not None


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_refused_with_its_code_and_message(case: str, tmp_path: Path) -> None:
    source, code, message = REFUSED[case]
    before = process_time()
    with pytest.raises(ImageRefused) as refused:
        attempt(source, tmp_path, Limits())
    assert (refused.value.code, refused.value.message) == (code, message)
    assert clear_sentence(message)
    assert process_time() - before < 10


SOURCES = {
    "JPEG": {"quality": 90},
    "progressive JPEG": {"quality": 90, "progressive": True},
    "PNG": {},
    "WEBP": {"quality": 80},
    "lossless WEBP": {"lossless": True},
    "GIF": {},
    "TIFF": {},
    "deflated TIFF": {"compression": "tiff_adobe_deflate"},
    "BMP": {},
    "AVIF": {"quality": 60, "speed": 9},
    "HEIF": {"quality": 60},
}


@pytest.mark.parametrize("kind", SOURCES)
def test_an_image_cut_short_anywhere_is_refused(
    kind: str, encoded: Encoded, scene: Image.Image, tmp_path: Path
) -> None:
    whole = encoded(scene.resize((600, 400)), kind.rsplit(maxsplit=1)[-1], **SOURCES[kind])
    attempt(whole, tmp_path, Limits())
    for thousandth in (1, 5, 20, 50, 100, 250, 500, 750, 900, 950, 980):
        with pytest.raises(ImageRefused) as refused:
            attempt(whole[: len(whole) * thousandth // 1000], tmp_path, Limits())
        assert refused.value.code in {415, 422}, thousandth
        assert clear_sentence(refused.value.message)


def test_more_bytes_than_allowed_are_refused_unread(encoded: Encoded, scene: Image.Image, tmp_path: Path) -> None:
    source = encoded(scene, "JPEG")
    with pytest.raises(ImageRefused) as refused:
        attempt(source, tmp_path, Limits(max_bytes=1000))
    wanted = f"The image has {len(source):,} bytes, more than the 1,000 allowed: send a smaller one."
    assert (refused.value.code, refused.value.message) == (413, wanted)
    attempt(source, tmp_path, Limits(max_bytes=len(source)))


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "HEIF"])
def test_the_pixel_limit_is_exact_in_every_format(
    name: str, encoded: Encoded, scene: Image.Image, tmp_path: Path
) -> None:
    source = encoded(scene.resize((100, 50)), name)
    attempt(source, tmp_path, Limits(max_pixels=5000))
    for most in (4999, 2499):
        with pytest.raises(ImageRefused) as refused:
            attempt(source, tmp_path, Limits(max_pixels=most))
        assert refused.value.code == 413


@pytest.mark.parametrize("name", ["GIF", "WEBP", "PNG", "TIFF", "AVIF"])
def test_the_frame_limit_is_exact_in_every_format(name: str, encoded: Encoded, tmp_path: Path) -> None:
    frames = [Image.new("RGB", (20, 20), (60 * n, 0, 0)) for n in range(4)]
    source = encoded(frames[0], name, save_all=True, append_images=frames[1:])
    attempt(source, tmp_path, Limits(max_frames=4))
    with pytest.raises(ImageRefused) as refused:
        attempt(source, tmp_path, Limits(max_frames=3))
    assert refused.value.code == 413


LITTLE_MEMORY = """
import resource, sys
from pathlib import Path
from thumbnailer_storage.jobs.pictures import Output
from thumbnailer_worker.imaging.errors import ImageRefused
from thumbnailer_worker.imaging.limits import Limits
from thumbnailer_worker.imaging.pipeline import make, preload

preload()
source, name, side, spare = Path(sys.argv[1]), *sys.argv[2:]
in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (in_use + (int(spare) << 20), -1))
try:
    make(source, [Output(name, int(side), int(side))], source.parent, Limits())
except ImageRefused as refused:
    print(refused.code, refused.message)
"""


def test_a_lack_of_memory_is_the_images_doing(encoded: Encoded, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(encoded(Image.new("RGB", (9000, 5500)), "PNG"))
    command = [sys.executable, "-c", LITTLE_MEMORY, str(source), "png", "100", "60"]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert said == f"413 {NO_MEMORY}\n"


@pytest.mark.parametrize(("name", "spare"), [("webp", "200"), ("avif", "200"), ("gif", "120")])
def test_an_output_too_large_for_the_memory_is_refused(name: str, spare: str, encoded: Encoded, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(encoded(Image.new("LA", (60, 60)), "PNG"))
    command = [sys.executable, "-c", LITTLE_MEMORY, str(source), name, "4000", spare]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert said == f"413 {NO_MEMORY}\n"


def test_a_long_side_alone_is_no_reason_to_refuse(encoded: Encoded, tmp_path: Path) -> None:
    attempt(encoded(Image.new("L", (65500, 700)), "JPEG"), tmp_path, Limits())


def test_a_refusal_leaves_pillow_as_it_was(tmp_path: Path) -> None:
    before = Image.MAX_IMAGE_PIXELS
    with pytest.raises(ImageRefused):
        attempt(png(65500, 65500), tmp_path, Limits())
    assert before == Image.MAX_IMAGE_PIXELS
