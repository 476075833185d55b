"""The backends that every suite runs on. A new one joins by one line in its list."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from thumbnailer_storage.config import StorageSettings
from thumbnailer_storage.jobs import schema
from thumbnailer_storage.jobs.model import Job, Output, Source
from thumbnailer_storage.objects import Objects
from thumbnailer_storage.objects.directory import DirectoryObjects
from thumbnailer_storage.opening import Stores, open_stores
from thumbnailer_storage.queues import Queue


@contextmanager
def sqlite(request: pytest.FixtureRequest, folder: Path) -> Iterator[StorageSettings]:
    yield StorageSettings(data=folder)


@contextmanager
def postgresql(request: pytest.FixtureRequest, folder: Path) -> Iterator[StorageSettings]:
    with request.getfixturevalue("servers").database() as url:
        yield StorageSettings(data=folder, database=url)


@contextmanager
def directory(request: pytest.FixtureRequest, folder: Path) -> Iterator[Objects]:
    yield DirectoryObjects(folder / "objects")


def in_containers(backend: Callable[..., Any]) -> Any:
    return pytest.param(backend, marks=pytest.mark.stores)


DATABASES = [sqlite, in_containers(postgresql)]
OBJECTS = [directory]
QUEUES = [sqlite, in_containers(postgresql)]


def name_of(backend: Callable[..., Any]) -> str:
    return backend.__name__


@pytest.fixture(params=DATABASES, ids=name_of)
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stores]:
    with request.param(request, tmp_path) as settings:
        yield from opened(settings)


@pytest.fixture(params=QUEUES, ids=name_of)
def queue(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Queue]:
    with request.param(request, tmp_path) as settings:
        for stores in opened(settings):
            yield stores.queue


@pytest.fixture(params=OBJECTS, ids=name_of)
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Objects]:
    with request.param(request, tmp_path) as made:
        yield made


def opened(settings: StorageSettings) -> Iterator[Stores]:
    stores = open_stores(settings)
    schema.migrate(stores.database)
    yield stores
    stores.close()


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
