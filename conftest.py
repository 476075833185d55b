"""What all tests share."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

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
