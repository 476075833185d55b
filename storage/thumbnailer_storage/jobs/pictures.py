"""The pictures of a job: what can be asked for, what is valid, and what was made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from thumbnailer_storage.errors import InvalidJob

MAX_SIDE = 4096


class Fit(StrEnum):
    COVER = "cover"
    CONTAIN = "contain"
    PAD = "pad"


@dataclass(frozen=True, slots=True)
class Format:
    extension: str
    media_type: str
    takes_quality: bool
    can_be_lossless: bool = False


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "jpeg": Format("jpg", "image/jpeg", takes_quality=True),
        "png": Format("png", "image/png", takes_quality=False, can_be_lossless=True),
        "webp": Format("webp", "image/webp", takes_quality=True, can_be_lossless=True),
        "avif": Format("avif", "image/avif", takes_quality=True),
        "gif": Format("gif", "image/gif", takes_quality=False),
    }
)


@dataclass(frozen=True, slots=True)
class Result:
    """A picture that was made: output `n` in the order asked, sizes in pixels and bytes."""

    n: int
    format: str
    width: int
    height: int
    bytes: int

    @property
    def media_type(self) -> str:
        return FORMATS[self.format].media_type


@dataclass(frozen=True, slots=True)
class Output:
    """A picture that was asked for; `format` None is PNG where the source has transparency, else JPEG.

    `enlarge` None leaves it to the fit: cover and pad enlarge, contain does not. `focus` is the point that a crop keeps
    near its middle, as shares of the width and the height that a viewer sees; None is the centre. `preset` is the name
    of what it was asked for by, all of which stands in the other fields.
    """

    format: str | None = None
    width: int = 100
    height: int = 100
    fit: Fit = Fit.COVER
    quality: int | None = None
    background: str | None = None
    enlarge: bool | None = None
    lossless: bool | None = None
    focus: tuple[float, float] | None = None
    preset: str | None = None
    result: Result | None = None

    def __post_init__(self) -> None:
        if self.format is not None and self.format not in FORMATS:
            raise InvalidJob(f"format {self.format!r} is unknown: use one of {', '.join(FORMATS)}")
        for name, side in (("width", self.width), ("height", self.height)):
            if not 1 <= side <= MAX_SIDE:
                raise InvalidJob(f"size: {name} {side} is not between 1 and {MAX_SIDE}")
        if self.quality is not None and not 1 <= self.quality <= 100:
            raise InvalidJob(f"quality {self.quality} is not between 1 and 100")
        if self.quality is not None and self.format is not None and not FORMATS[self.format].takes_quality:
            raise InvalidJob(f"quality has no meaning for {self.format}: leave it out")
        if self.background is not None and not re.fullmatch(r"#[0-9a-fA-F]{6}", self.background):
            raise InvalidJob(f"background {self.background!r} is no colour: write it as #rrggbb")
        self._refuse_what_cannot_be_kept()

    def _refuse_what_cannot_be_kept(self) -> None:
        """No pixel, where it is to be lossless; no focus, where nothing is cut off."""
        if self.lossless and (self.format is None or not FORMATS[self.format].can_be_lossless):
            able = " or ".join(name for name, form in FORMATS.items() if form.can_be_lossless)
            asked = self.format or "a format that is left out"
            raise InvalidJob(f"lossless has no meaning for {asked}: ask for {able}")
        if self.lossless and self.quality is not None:
            raise InvalidJob("quality has no meaning for what is lossless: leave one of the two out")
        if self.focus and self.fit != Fit.COVER:
            raise InvalidJob(f"crop has no meaning for fit {self.fit}, which cuts nothing off: leave it out")
        if self.focus and not all(0 <= share <= 1 for share in self.focus):
            raise InvalidJob("crop is a point inside the picture: its shares of width and height are between 0 and 1")
