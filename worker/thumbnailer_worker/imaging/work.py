"""What the steps hand on to each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from PIL import Image
from PIL.ImageCms import ImageCmsTransform

from thumbnailer_storage.jobs.pictures import Output, Result
from thumbnailer_worker.imaging.geometry import Plan
from thumbnailer_worker.imaging.limits import Limits


@dataclass(slots=True)
class Work:
    """One source on its way; each step fills in what it finds out and may replace `image`."""

    file: BinaryIO
    outputs: Sequence[Output]
    limits: Limits
    image: Image.Image = field(init=False)
    format: str = ""
    """jpeg, png, webp, gif, tiff, bmp, avif or heic."""
    size: tuple[int, int] = (0, 0)
    """As stored: before orientation, and before any scaling."""
    orientation: int = 1
    """As EXIF counts: 1 is upright, 2 to 8 are mirrored or turned."""
    plans: list[Plan] = field(default_factory=list)
    """One for each output."""
    scale: tuple[float, float] = (1.0, 1.0)
    """Pixels of the source for one pixel of `image`, on each axis."""
    transparent: bool = False
    profile: bytes | None = None
    to_srgb: ImageCmsTransform | None = None

    @property
    def turned(self) -> bool:
        """Whether width and height change places on the way to the viewer."""
        return self.orientation >= 5

    @property
    def seen(self) -> tuple[int, int]:
        """The size as a viewer sees it."""
        return self.size[::-1] if self.turned else self.size


@dataclass(slots=True)
class Thumbnail:
    """One output on its way, made from a finished `Work`."""

    n: int
    output: Output
    plan: Plan
    source: Work
    folder: Path
    image: Image.Image = field(init=False)
    result: Result = field(init=False)

    @property
    def format(self) -> str:
        """The format asked for; left to us, PNG keeps what is transparent and JPEG is smaller for the rest."""
        return self.output.format or ("png" if self.source.transparent else "jpeg")
