"""The stores together: whose objects they are."""

from pathlib import Path

import pytest

from thumbnailer_storage.config import StorageSettings
from thumbnailer_storage.errors import ForeignStore, ObjectsUnavailable
from thumbnailer_storage.opening import MARKER, Stores, open_stores


def test_the_objects_are_marked_with_their_database_once(stores: Stores) -> None:
    with pytest.raises(ObjectsUnavailable, match="no marker"):
        stores.recognise_objects()
    stores.claim_objects()
    stores.claim_objects()
    assert b"".join(stores.objects.read(MARKER)).decode() == stores.upkeep.identity()


def test_a_volume_that_is_missing_at_start_is_not_marked_anew(stores: Stores, tmp_path: Path) -> None:
    stores.claim_objects()
    (tmp_path / "objects").rename(tmp_path / "away")
    again = open_stores(StorageSettings(data=tmp_path))
    with pytest.raises(ObjectsUnavailable, match="right volume"):
        again.claim_objects()
    again.close()
    assert not (tmp_path / "objects" / MARKER).exists()


def test_another_databases_objects_are_refused(stores: Stores) -> None:
    stores.objects.put(MARKER, [b"another"])
    with pytest.raises(ForeignStore, match="belongs to database 'another'"):
        stores.claim_objects()
