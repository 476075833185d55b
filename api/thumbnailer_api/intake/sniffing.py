"""What a file is, by its first bytes alone: enough to refuse at once what is plainly no image.

Only the decoder, in the worker's sandbox, can tell whether it really is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from thumbnailer_api.errors import NoImage

ENOUGH = 512
"""Bytes that are looked at."""
TAKEN = "JPEG, PNG, WebP, GIF, TIFF, BMP, AVIF or HEIC"

IMAGES = (
    re.compile(rb"\xff\xd8\xff"),
    re.compile(rb"\x89PNG\r\n\x1a\n"),
    re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
    re.compile(rb"GIF8[79]a"),
    re.compile(rb"II[*+]\0|MM\0[*+]"),
    re.compile(rb"BM.{12}[\x0c\x10\x28\x34\x38\x40\x6c\x7c]\0\0\0", re.DOTALL),
    re.compile(rb".{4}ftyp(?:avi[fs]|hei[cxms]|hev[cxms]|m[is]f1)", re.DOTALL),
    re.compile(rb".{4}ftyp.{8,64}?(?:avif|hei[cx])", re.DOTALL),
)
"""BMP: the two letters alone begin many a text, so the length of its second header is looked at too. HEIC and AVIF
name their brand first, or among the compatible ones."""

PROLOGUE = rb"(?:(?><!--.*?-->|<!DOCTYPE svg[^>]*+>)\s*+)*+"
"""Comments and the like before the first element. What matched is never tried again: each byte is looked at once."""

OTHERS = (
    ("an SVG drawing", re.compile(rb"\s*+(?:<\?xml[^>]*+>\s*+)?+" + PROLOGUE + rb"<svg", re.DOTALL)),
    (
        "an HTML page",
        re.compile(rb"\s*+" + PROLOGUE + rb"<(?:!doctype\s+html|html|head|body)", re.DOTALL | re.IGNORECASE),
    ),
    ("an XML document", re.compile(rb"\s*<\?xml")),
    ("a PDF document", re.compile(rb".{0,32}%PDF-", re.DOTALL)),
    ("PostScript", re.compile(rb"%!PS|\xc5\xd0\xd3\xc6")),
    ("JSON", re.compile(rb"\s*[{\[]")),
    ("a ZIP archive or an office document", re.compile(rb"PK\x03\x04|PK\x05\x06")),
    ("a compressed archive", re.compile(rb"\x1f\x8b|BZh|\xfd7zXZ\0|7z\xbc\xaf|\x28\xb5\x2f\xfd|Rar!")),
    ("a program", re.compile(rb"\x7fELF|MZ|\xcf\xfa\xed\xfe|#!")),
    ("a film", re.compile(rb".{4}ftyp|\x1aE\xdf\xa3|RIFF.{4}AVI ", re.DOTALL)),
    ("a sound", re.compile(rb"ID3|OggS|fLaC|RIFF.{4}WAVE", re.DOTALL)),
    ("a JPEG XL image", re.compile(rb"\xff\x0a|\0\0\0\x0cJXL ")),
    ("a JPEG 2000 image", re.compile(rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51")),
    ("a Photoshop document", re.compile(rb"8BPS")),
    ("an icon", re.compile(rb"\0\0[\1\2]\0")),
)


def judged(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Pass an image through; raises NoImage as soon as its first bytes show that it is none."""
    head = b""
    chunks = iter(chunks)
    for chunk in chunks:
        head += chunk
        if len(head) >= ENOUGH:
            break
    refuse_no_image(head)
    yield head
    yield from chunks


def refuse_no_image(head: bytes) -> None:
    head = head[:ENOUGH]
    if not any(image.match(head) for image in IMAGES):
        raise NoImage(f"This is {looks_like(head)}, and no image that can be read here: send {TAKEN}.")


def looks_like(head: bytes) -> str:
    """What the first bytes of something that is no image of ours look like, in words."""
    if not head:
        return "an empty file"
    for words, beginning in OTHERS:
        if beginning.match(head):
            return words
    return "text" if is_text(head) else "data of an unknown kind"


def is_text(head: bytes) -> bool:
    text = head.decode("utf-8", "ignore")
    return len(text.encode()) > 0.9 * len(head) and not any(
        ord(letter) < 32 and letter not in "\t\n\r\f" for letter in text
    )
