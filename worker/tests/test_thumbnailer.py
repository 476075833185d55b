"""The two tests that the project was first asked for: one bad image, one good."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from thumbnailer_storage.jobs.pictures import Output, Result
from thumbnailer_worker.imaging.errors import ImageRefused
from thumbnailer_worker.imaging.limits import Limits
from thumbnailer_worker.imaging.pipeline import make


def test_image_bad(tmp_path: Path) -> None:
    source = tmp_path / "photo.jpg"
    source.write_text("a text that calls itself a photo")
    with pytest.raises(ImageRefused) as refused:
        make(source, [Output()], tmp_path, Limits())
    assert refused.value.code == 415
    assert list(tmp_path.iterdir()) == [source]


def test_image_good(tmp_path: Path) -> None:
    source = tmp_path / "photo.jpg"
    Image.new("RGB", (400, 300), (200, 90, 30)).save(source)
    (result,) = make(source, [Output()], tmp_path, Limits()).results
    assert result == Result(0, "jpeg", 100, 100, (tmp_path / "0.jpg").stat().st_size)
    with Image.open(tmp_path / "0.jpg") as made:
        colour = made.getpixel((50, 50))
    assert isinstance(colour, tuple)
    assert max(abs(a - b) for a, b in zip(colour, (200, 90, 30), strict=True)) <= 3
