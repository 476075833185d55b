"""The worker's scratch folder."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from thumbnailer_storage.errors import SettingError
from thumbnailer_worker.scratch import YOUNG_SECONDS, own_folder, remove_left

HOLD = """
import sys, time
from pathlib import Path
from thumbnailer_worker.scratch import own_folder
with own_folder(Path(sys.argv[1])) as folder:
    (folder / "source").write_text("an image")
    print(folder, flush=True)
    time.sleep(60)
"""


def aged(folder: Path) -> Path:
    os.utime(folder, (0, 0))
    return folder


def test_what_a_killed_worker_left_is_removed_and_what_a_living_one_holds_is_not(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        folder = aged(Path(holder.stdout.readline().strip()))
        remove_left(tmp_path)
        assert (folder / "source").exists()
        holder.send_signal(signal.SIGKILL)
    remove_left(tmp_path)
    assert not folder.exists()


def test_a_folder_that_its_worker_has_just_made_is_left_alone(tmp_path: Path) -> None:
    young = tmp_path / "thumbnailer-worker-young"
    young.mkdir()
    remove_left(tmp_path)
    assert young.exists()
    assert YOUNG_SECONDS > 1


def test_a_worker_that_ends_leaves_nothing(tmp_path: Path) -> None:
    with own_folder(tmp_path) as folder:
        (folder / "source").write_text("an image")
    assert list(tmp_path.iterdir()) == []


def test_a_scratch_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="THUMBNAILER_SCRATCH"), own_folder(tmp_path / "none"):
        pass
