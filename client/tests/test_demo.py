"""The whole demo, with the real programs: it shows what it made, and leaves no process behind, however it ends."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import psutil
import pytest

DEMO = Path(__file__).parents[1] / "demo" / "demo.py"


def png(width: int, height: int) -> bytes:
    """A grey picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + b"\x80" * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


@pytest.fixture
def demo(tmp_path):
    """The demo on the caller's own photos, as the leader of a process group, with its temporary files in our folder."""
    (tmp_path / "photos").mkdir()
    for number in range(20):
        (tmp_path / "photos" / f"{number:02}.png").write_bytes(png(300, 200))
    yield from started(tmp_path)


@pytest.fixture
def demo_of_broken(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"\xff\xd8\xff and no more")
    yield from started(tmp_path)


def started(tmp_path):
    (tmp_path / "tmp").mkdir()
    process = subprocess.Popen(
        [sys.executable, DEMO],
        cwd=tmp_path,
        env=os.environ | {"PHOTOS": "photos", "TMPDIR": str(tmp_path / "tmp"), "COLUMNS": "120"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    yield process
    process.kill()
    process.communicate()


def until_it_submits(demo):
    for line in demo.stdout:
        if line.startswith("$ thumbnailer submit"):
            return
    raise AssertionError("the demo ended before it submitted anything")


def left_in(folder):
    """Processes that were started in a folder, or that name it."""
    return [
        process
        for process in psutil.process_iter(["cwd", "cmdline"])
        if str(folder) in " ".join([process.info["cwd"] or "", *(process.info["cmdline"] or [])])
    ]


def test_it_makes_thumbnails_and_a_table(demo, tmp_path):
    shown, _ = demo.communicate(timeout=100)
    assert demo.returncode == 0, shown
    assert len(list((tmp_path / "thumbnails").iterdir())) == 40
    (row,) = (line for line in shown.splitlines() if line.startswith((" 07.png", "07.png")))
    assert "png 300x200" in row
    assert "jpeg 100x100" in row
    assert row.count(" s") == 2
    assert left_in(tmp_path) == []
    assert list((tmp_path / "tmp").iterdir()) == []


def test_it_says_so_when_no_thumbnail_was_made(demo_of_broken):
    shown, _ = demo_of_broken.communicate(timeout=100)
    assert demo_of_broken.returncode != 0
    assert "No thumbnail was made." in shown
    assert "The thumbnails are in" not in shown


@pytest.mark.parametrize(
    ("photos", "says"), [("missing", "There is no folder missing"), (".", "There is no image in .")]
)
def test_a_folder_without_photos_is_refused_before_anything_starts(tmp_path, photos, says):
    (tmp_path / "notes.txt").write_text("no image")
    process = subprocess.run(
        [sys.executable, DEMO],
        cwd=tmp_path,
        env=os.environ | {"PHOTOS": photos},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (process.returncode, process.stdout) == (1, "")
    assert says in process.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("moment", ["while it starts", "while it works"])
def test_ctrl_c_leaves_nothing_behind(demo, tmp_path, moment):
    if moment == "while it works":
        until_it_submits(demo)
    else:
        while not any((tmp_path / "tmp").rglob("API.log")):
            assert demo.poll() is None
    os.killpg(demo.pid, signal.SIGINT)  # as a terminal does
    shown, _ = demo.communicate(timeout=60)
    assert demo.returncode == 130, shown
    assert "nothing is left running" in shown
    assert left_in(tmp_path) == []
    assert list((tmp_path / "tmp").iterdir()) == []


def test_sigterm_leaves_nothing_behind(demo, tmp_path):
    until_it_submits(demo)
    demo.terminate()
    demo.communicate(timeout=60)
    assert demo.returncode == 128 + signal.SIGTERM
    assert left_in(tmp_path) == []
    assert list((tmp_path / "tmp").iterdir()) == []
