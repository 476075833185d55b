"""What all tests share."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from containers import Servers

from thumbnailer_storage.config import StorageSettings
from thumbnailer_storage.jobs import schema
from thumbnailer_storage.opening import Stores, open_stores

# A shell that runs the tests in the background has them ignore Ctrl-C, which every program they start would inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    stores = open_stores(StorageSettings(data=tmp_path))
    schema.migrate(stores.database)
    yield stores
    stores.close()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What asks for the servers needs containers; a parameter that does says so itself."""
    for item in items:
        if "servers" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.stores)


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Real stores in containers, for tests marked `stores`."""
    servers = Servers()
    yield servers
    servers.down()


@pytest.fixture
def bucket(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A bucket of the test's own in MinIO, where boto3's settings lead; it is removed again."""
    for name, value in servers.minio().items():
        monkeypatch.setenv(name, value)
    with servers.bucket() as made:
        yield made
