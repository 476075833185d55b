"""What is special about objects in a directory."""

from pathlib import Path

import pytest

from thumbnailer_storage.errors import ObjectsUnavailable
from thumbnailer_storage.objects.directory import DirectoryObjects


def test_a_directory_that_is_gone_is_trouble_and_not_a_missing_object(tmp_path: Path) -> None:
    objects = DirectoryObjects(tmp_path / "objects")
    objects.put("uploads/a", [b"x"])
    (tmp_path / "objects").rename(tmp_path / "away")
    for call in (objects.check, lambda: objects.read("uploads/a"), lambda: objects.put("uploads/b", [b"x"])):
        with pytest.raises(ObjectsUnavailable):
            call()
    (tmp_path / "away").rename(tmp_path / "objects")
    assert objects.size("uploads/a") == 1


def test_a_crash_leaves_an_unfinished_file_that_is_cleared_by_age(tmp_path: Path) -> None:
    objects = DirectoryObjects(tmp_path)
    (tmp_path / ".unfinished" / "left").write_bytes(b"half")
    assert objects.clear_unfinished(older=3600) == 0
    assert objects.clear_unfinished(older=-1) == 1
    assert list((tmp_path / ".unfinished").iterdir()) == []
