"""The backends that every suite runs on. A new one joins by one line in its list."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from containers import bucket

from thumbnailer_storage.config import StorageSettings
from thumbnailer_storage.jobs import schema
from thumbnailer_storage.jobs.model import Job, Source
from thumbnailer_storage.jobs.pictures import Output
from thumbnailer_storage.objects import Objects
from thumbnailer_storage.objects.directory import DirectoryObjects
from thumbnailer_storage.objects.s3 import S3Objects
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
def elasticmq(request: pytest.FixtureRequest, folder: Path) -> Iterator[StorageSettings]:
    servers = request.getfixturevalue("servers")
    for name, value in servers.elasticmq().items():
        request.getfixturevalue("monkeypatch").setenv(name, value)
    with servers.queues() as prefix:
        yield StorageSettings(data=folder, queue=f"sqs://{prefix}")


@contextmanager
def directory(request: pytest.FixtureRequest, folder: Path) -> Iterator[Objects]:
    yield DirectoryObjects(folder / "objects")


@contextmanager
def minio(request: pytest.FixtureRequest, folder: Path) -> Iterator[Objects]:
    with in_a_bucket(request, "minio") as name, closing(S3Objects(name, "pictures")) as objects:
        yield objects


@contextmanager
def versitygw(request: pytest.FixtureRequest, folder: Path) -> Iterator[Objects]:
    with in_a_bucket(request, "versitygw") as name, closing(S3Objects(name, "pictures")) as objects:
        yield objects


@contextmanager
def in_a_bucket(request: pytest.FixtureRequest, server: str) -> Iterator[str]:
    """A bucket of the test's own; boto3's settings lead to its server."""
    access = getattr(request.getfixturevalue("servers"), server)()
    for name, value in access.items():
        request.getfixturevalue("monkeypatch").setenv(name, value)
    with bucket(access) as name:
        yield name


def in_containers(backend: Callable[..., Any]) -> Any:
    return pytest.param(backend, marks=pytest.mark.stores)


DATABASES = [sqlite, in_containers(postgresql)]
OBJECTS = [directory, in_containers(minio), in_containers(versitygw)]
QUEUES = [sqlite, in_containers(postgresql), in_containers(elasticmq)]


def name_of(backend: Callable[..., Any]) -> str:
    return backend.__name__


@pytest.fixture(params=DATABASES, ids=name_of)
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stores]:
    with request.param(request, tmp_path) as settings:
        yield from opened(settings)


@pytest.fixture(params=DATABASES, ids=name_of)
def backend(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Makes the settings of one database, which has no tables yet."""
    found: Callable[..., Any] = request.param
    return found


@pytest.fixture(params=QUEUES, ids=name_of)
def queue(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Queue]:
    with request.param(request, tmp_path) as settings:
        for stores in opened(settings):
            yield stores.queue


@pytest.fixture(params=OBJECTS, ids=name_of)
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Objects]:
    with request.param(request, tmp_path) as made:
        yield made


@pytest.fixture(params=["minio", "versitygw"])
def bucket_name(request: pytest.FixtureRequest) -> Iterator[str]:
    with in_a_bucket(request, request.param) as name:
        yield name


@pytest.fixture
def s3(bucket_name: str) -> Iterator[S3Objects]:
    with closing(S3Objects(bucket_name, "pictures")) as objects:
        yield objects


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
