import io
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from containers import Servers
from PIL import Image
from service import Service, started


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with started(tmp_path) as service:
        yield service


@pytest.fixture
def real(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The settings of stores in containers: PostgreSQL, MinIO, ElasticMQ."""
    with servers.settings() as settings:
        for name, value in settings.items():
            if name.startswith("AWS_"):
                monkeypatch.setenv(name, value)  # the test's own stores use boto3 too
        yield settings


@pytest.fixture
def real_service(tmp_path: Path, real: dict[str, str]) -> Iterator[Service]:
    with started(tmp_path, **real) as service:
        yield service


def noise(width: int, height: int, format: str) -> bytes:  # noqa: A002 - Pillow's word
    """A picture that takes its time to decode."""
    pixels = random.Random(1).randbytes(width * height * 3)
    file = io.BytesIO()
    Image.frombytes("RGB", (width, height), pixels).save(file, format)
    return file.getvalue()


@pytest.fixture(scope="session")
def small() -> bytes:
    """A photo that is done in milliseconds."""
    return noise(320, 240, "JPEG")


@pytest.fixture(scope="session")
def medium() -> bytes:
    """A picture that keeps a child busy for about a tenth of a second."""
    return noise(1200, 1000, "PNG")


@pytest.fixture
def slow(small: bytes) -> dict[str, object]:
    """What to submit so that a child is busy for seconds."""
    return {"image": small, "output": "format=avif,size=2400x2400"}
