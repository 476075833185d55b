from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageStat

from thumbnailer_storage.jobs.pictures import FORMATS, Output
from thumbnailer_worker.imaging.limits import Limits
from thumbnailer_worker.imaging.made import Made
from thumbnailer_worker.imaging.pipeline import make

Encoded = Callable[..., bytes]
MakeAll = Callable[..., tuple[Made, list[Image.Image]]]
MakeOne = Callable[..., Image.Image]
Distance = Callable[[Image.Image, Image.Image], float]


@pytest.fixture
def encoded() -> Encoded:
    """The image as bytes of the format that is named."""

    def encode(image: Image.Image, name: str, **options: Any) -> bytes:
        buffer = BytesIO()
        image.save(buffer, format=name, **options)
        return buffer.getvalue()

    return encode


@pytest.fixture
def make_all(tmp_path: Path) -> MakeAll:
    """Run the pipeline on bytes; gives what it says it made, and the pictures read back."""

    def run(source: bytes, *outputs: Output, limits: Limits | None = None) -> tuple[Made, list[Image.Image]]:
        path = tmp_path / "source"
        path.write_bytes(source)
        made = make(path, outputs, tmp_path, limits or Limits())
        pictures = []
        for result in made.results:
            file = tmp_path / f"{result.n}.{FORMATS[result.format].extension}"
            picture = Image.open(BytesIO(file.read_bytes()))
            assert (picture.format or "").lower() == result.format
            assert (picture.width, picture.height, file.stat().st_size) == (result.width, result.height, result.bytes)
            picture.load()
            pictures.append(picture)
        return made, pictures

    return run


@pytest.fixture
def make_one(make_all: MakeAll) -> MakeOne:
    """Run the pipeline for one output, a PNG unless another format is named; gives the picture read back."""

    def run(source: bytes, **output: Any) -> Image.Image:
        return make_all(source, Output(**{"format": "png", **output}))[1][0]

    return run


@pytest.fixture
def distance() -> Distance:
    """Mean difference of two pictures in levels of 255, over all bands."""

    def between(one: Image.Image, other: Image.Image) -> float:
        assert (one.mode, one.size) == (other.mode, other.size)
        means = ImageStat.Stat(ImageChops.difference(one, other)).mean
        return sum(means) / len(means)

    return between


@pytest.fixture
def scene() -> Image.Image:
    """A picture of smooth colour, 1200x800, with hard edges in it."""
    across = Image.linear_gradient("L").rotate(90).resize((1200, 800))
    down = Image.linear_gradient("L").resize((1200, 800))
    round_about = Image.radial_gradient("L").resize((1200, 800))
    picture = Image.merge("RGB", (across, down, round_about))
    picture.paste((250, 220, 30), (200, 150, 500, 400))
    picture.paste((20, 40, 160), (800, 450, 1100, 700))
    return picture
