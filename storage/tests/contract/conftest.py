"""The backends that every suite runs on. A new one joins by one line in its list."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from thumbnailer_storage.config import StorageSettings
from thumbnailer_storage.jobs import schema
from thumbnailer_storage.jobs.model import Job, Output, Source
from thumbnailer_storage.objects import Objects
from thumbnailer_storage.objects.directory import DirectoryObjects
from thumbnailer_storage.opening import Stores, open_stores
from thumbnailer_storage.queues import Queue


def sqlite(folder: Path) -> StorageSettings:
    return StorageSettings(data=folder)


def directory(folder: Path) -> Objects:
    return DirectoryObjects(folder / "objects")


DATABASES: list[Callable[[Path], StorageSettings]] = [sqlite]
OBJECTS: list[Callable[[Path], Objects]] = [directory]
QUEUES: list[Callable[[Path], StorageSettings]] = [sqlite]


def opened(settings: StorageSettings) -> Iterator[Stores]:
    stores = open_stores(settings)
    schema.migrate(stores.database)
    yield stores
    stores.close()


@pytest.fixture(params=DATABASES, ids=lambda backend: backend.__name__)
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stores]:
    yield from opened(request.param(tmp_path))


@pytest.fixture(params=QUEUES, ids=lambda backend: backend.__name__)
def queue(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Queue]:
    for stores in opened(request.param(tmp_path)):
        yield stores.queue


@pytest.fixture(params=OBJECTS, ids=lambda backend: backend.__name__)
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> Objects:
    made: Objects = request.param(tmp_path)
    return made


@pytest.fixture
def new_job() -> Callable[..., Job]:
    def make(**fields: object) -> Job:
        given = {
            "owner": "ada",
            "source": Source(bytes=3, sha256="0" * 64),
            "outputs": (Output(), Output("png", 20, 10)),
        }
        return Job.new(**(given | fields))  # type: ignore[arg-type]

    return make
