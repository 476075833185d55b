"""All of Pillow's own test images, and damaged copies of them, go through the real sandbox.

Each ends with its pictures or with a refusal that says why, and the next one is done as if nothing had been. The images
are in Pillow's source package, which `make test-core` fetches.
"""

import io
import os
import random
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from thumbnailer_storage.jobs.pictures import Output
from thumbnailer_worker.imaging.errors import ImageRefused
from thumbnailer_worker.imaging.limits import Limits
from thumbnailer_worker.sandbox import Child, ChildLimits, Death

CORPUS = Path(__file__).parents[2] / ".cache" / "pillow-images"
MUTATIONS = 10_000
SEED = 4
OUTPUTS = (Output(), Output(format="webp", width=64, height=48))
EXTREMES = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\1\0\0\0")


@pytest.fixture(scope="module")
def corpus() -> dict[str, bytes]:
    """The files of Pillow's test images by name, texts and fonts among them."""
    packages = sorted(CORPUS.glob("pillow-*.tar.gz"))
    if not packages:
        reason = "Pillow's test images are not there: make test-core fetches them"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with tarfile.open(packages[-1]) as package:
        files = (member for member in package if member.isfile() and "/Tests/images/" in member.name)
        return {member.name.split("/Tests/images/")[1]: package.extractfile(member).read() for member in files}


@pytest.fixture
def deaths() -> list[Death]:
    return []


@pytest.fixture
def child(tmp_path: Path, deaths: list[Death]) -> Iterator[Child]:
    child = Child(tmp_path, ChildLimits(cpu_seconds=10, memory_bytes=512 << 20), Limits(), deaths.append)
    yield child
    child.close()


def outcome(child: Child, image: bytes) -> int:
    """200 with pictures that open, or the code of a refusal, whose message is held to what callers were promised."""
    with child.workspace() as folder:
        (folder / "source").write_bytes(image)
        try:
            made = child.make(folder / "source", OUTPUTS, folder)
        except ImageRefused as refused:
            refusal = refused
        else:
            for result in made.results:
                with child.open_result(folder, result) as file, Image.open(file) as picture:
                    picture.load()
                    assert (picture.format.lower(), *picture.size) == (result.format, result.width, result.height)
            return 200
    assert refusal.code in {413, 415, 422, 504}
    assert refusal.message.isprintable()
    assert refusal.message.endswith(".")
    return refusal.code


@pytest.mark.timeout(400)
def test_each_of_pillows_test_images_ends_well_or_with_a_reason(corpus, child, deaths):
    outcomes = Counter(outcome(child, image) for image in corpus.values())
    print(f"{len(corpus)} images: {dict(outcomes)}, deaths of the child: {dict(Counter(deaths))}")
    assert len(corpus) > 1000
    assert outcomes[200] > 300


@pytest.mark.timeout(400)
def test_each_damaged_image_ends_well_or_with_a_reason(corpus, child, deaths):
    chance = random.Random(SEED)
    known = [image for name, image in sorted(corpus.items()) if len(image) < 100_000 and readable(image)]
    outcomes = Counter(outcome(child, damaged(chance, known)) for _ in range(MUTATIONS))
    print(f"{MUTATIONS} damaged images: {dict(outcomes)}, deaths of the child: {dict(Counter(deaths))}")
    assert outcomes[200]
    assert outcomes[422]


def readable(image: bytes) -> bool:
    try:
        return Image.open(io.BytesIO(image)).format in {"JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"}
    except Exception:  # noqa: BLE001 - Pillow's tests hold much that it raises on
        return False


def damaged(chance: random.Random, known: list[bytes]) -> bytes:
    """An image with one to three kinds of damage."""
    image = chance.choice(known)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(min(len(image), chance.choice((64, 512, 100_000))) or 1)
        other = chance.choice(known)
        image = chance.choice(
            (
                image[:at],
                image[:at] + other[at:],
                image[:at] + bytes([chance.randrange(256)]) + image[at + 1 :],
                image[:at] + chance.choice(EXTREMES) + image[at + 4 :],
                image[:at] + chance.randbytes(chance.randint(1, 64)) + image[at:],
                image[:at] + image[at + chance.randint(1, 64) :],
                image[:at] + image[max(0, at - 1000) :],
            )
        )
    return image
