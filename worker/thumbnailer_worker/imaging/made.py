"""What the pipeline gives back."""

from __future__ import annotations

from dataclasses import dataclass

from thumbnailer_storage.jobs.pictures import Result


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What the source turned out to be: jpeg, png, webp, gif, tiff, bmp, avif or heic; pixels as its viewer sees it."""

    format: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Made:
    """The results, in the order asked, and the seconds (wall clock) that decoding and making them took."""

    source: SourceInfo
    results: tuple[Result, ...]
    decode_seconds: float
    encode_seconds: float
