"""How much of an image is taken on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What an image may be at most, judged before it is decoded. Any side is allowed as long as the area is."""

    max_bytes: int = 50 << 20
    max_pixels: int = 50_000_000
    """Width times height; the most of what cameras and telephones give. WebP of that size takes 610 MiB, the most."""
    max_frames: int = 1000
    """Only the first is used; a file with thousands is an attack, or not meant for us."""
