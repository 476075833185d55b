"""Real pictures in the real child, confined as it is in a worker."""

import io

import pytest
from PIL import Image

from thumbnailer_storage.jobs.pictures import FORMATS, Output
from thumbnailer_worker.imaging.errors import ImageRefused
from thumbnailer_worker.imaging.limits import Limits
from thumbnailer_worker.sandbox import Child, ChildLimits


@pytest.fixture
def open_child(tmp_path):
    children = []

    def make(**limits):
        children.append(Child(tmp_path, ChildLimits(**limits), Limits()))
        return children[-1]

    yield make
    for child in children:
        child.close()


def encoded(format_name: str) -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((320, 240), 50).convert("RGB").save(buffer, format_name)
    return buffer.getvalue()


@pytest.mark.parametrize("source", [*FORMATS, "tiff", "bmp"])
def test_each_kind_of_picture_is_made_from_each_kind_of_image(open_child, source):
    child = open_child()
    outputs = [Output(format=name, width=80, height=60) for name in FORMATS]
    with child.workspace() as folder:
        (folder / "source").write_bytes(encoded(source))
        made = child.make(folder / "source", outputs, folder)
        assert (made.source.format, made.source.width, made.source.height) == (source, 320, 240)
        for result in made.results:
            with child.open_result(folder, result) as file, Image.open(file) as picture:
                picture.load()
                assert picture.format.lower() == result.format


@pytest.mark.parametrize("name", FORMATS)
def test_a_picture_that_would_be_cut_off_by_the_limit_is_refused(open_child, name):
    """Pillow does not notice that its last write of a JPEG was a short one."""
    child = open_child(file_bytes=4000)
    with child.workspace() as folder:
        (folder / "source").write_bytes(encoded("png"))
        with pytest.raises(ImageRefused) as refused:
            child.make(folder / "source", [Output(format=name, width=300, height=200)], folder)
    assert refused.value.code in {413, 422}


def test_the_child_is_told_all_that_an_output_asks_for(open_child):
    child = open_child()
    source = Image.new("RGB", (300, 100), "green")
    source.paste("blue", (0, 0, 100, 100))
    buffer = io.BytesIO()
    source.save(buffer, "PNG")
    output = Output("webp", 40, 40, lossless=True, focus=(0.0, 0.5), preset="left")
    with child.workspace() as folder:
        (folder / "source").write_bytes(buffer.getvalue())
        (result,) = child.make(folder / "source", [output], folder).results
        with child.open_result(folder, result) as file, Image.open(file) as picture:
            assert picture.crop((0, 0, 37, 40)).getcolors() == [(37 * 40, (0, 0, 255))]
