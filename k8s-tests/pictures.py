"""Pictures to send, made once."""

import io
import random
from collections.abc import Mapping, Sequence
from functools import cache

from PIL import Image

Outputs = Sequence[Mapping[str, object]]
QUICK: Outputs = ({"size": "64x64"},)
LONG: Outputs = ({"format": "avif", "size": "2000x2000"},)
"""Keeps a worker of half a core busy for about four seconds; each further output for as long again."""


@cache
def photo() -> bytes:
    """A JPEG of some kilobytes."""
    file = io.BytesIO()
    Image.frombytes("RGB", (160, 120), random.Random(1).randbytes(160 * 120 * 3)).save(file, "JPEG")
    return file.getvalue()
