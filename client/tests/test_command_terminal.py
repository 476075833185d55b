"""What `thumbnailer` shows on a terminal of 80 columns."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture
def shown(service, tmp_path):
    """Run the installed command on a terminal, two hours east of Greenwich; its exit code and what could be read."""

    def run(*arguments, types=""):
        ours, theirs = pty.openpty()
        kept = {name: value for name, value in os.environ.items() if not name.startswith("THUMBNAILER_")}
        process = subprocess.Popen(
            [Path(sys.executable).with_name("thumbnailer"), *arguments],
            cwd=tmp_path,
            env=kept | {"THUMBNAILER_URL": service.url, "TERM": "xterm", "COLUMNS": "80", "TZ": "EAST-2"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        os.write(ours, types.encode())
        screen = b""
        try:
            while chunk := os.read(ours, 65536):
                screen += chunk
        except OSError:  # how Linux says that the other side has closed
            pass
        os.close(ours)
        return process.wait(10), ESCAPES.sub("", screen.decode()).replace("\r\n", "\n")

    return run


def finished(service, filename, image):
    job = service.accept(filename, image, {})
    service.progress(job)
    return job["id"]


def test_a_batch_shows_bars(shown, images):
    images("a.jpg", broken=b"BROKEN")
    code, screen = shown("submit", "a.jpg", "broken.jpg", "--to", "made")
    assert code == 1
    for text in ("sent", "2/2", "done", "1/2", "1 failed", "saved", "made/a-100x100.jpg", "cannot be decoded"):
        assert text in screen


@pytest.mark.parametrize("command", ["list", "status"])
def test_ids_and_times_are_never_broken(shown, service, command):
    ids = [finished(service, "a-photo-with-a-name-as-cameras-and-people-give.jpg", b"an image") for _ in range(2)]
    service.jobs[ids[0]]["status"] = "processing"  # the longest
    _, screen = shown(command, *(ids if command == "status" else []))
    assert all(len(line) <= 80 for line in screen.splitlines())
    (first,) = (line for line in screen.splitlines() if line.startswith(ids[0]))
    (second,) = (line for line in screen.splitlines() if line.startswith(ids[1]))
    assert first.split()[1:4] == ["processing", "11-24", "09:07:00"]
    assert second.split()[1:4] == ["complete", "11-24", "09:07:01"]


def test_only_failed_jobs_show_their_message(shown, service):
    good, bad = finished(service, "a.jpg", b"an image"), finished(service, "b.jpg", b"BROKEN")
    code, screen = shown("list")
    assert code == 0
    assert "The pictures are there." not in screen
    assert f"{bad}  The image cannot be decoded: send another." in " ".join(screen.split("\n"))
    assert screen.count(good) == 1


def test_the_time_of_an_event_is_never_broken(shown, service):
    _, screen = shown("events", finished(service, "a.jpg", b"an image"))
    (line,) = (line for line in screen.splitlines() if line.startswith("11-24 09:07:00"))
    assert line.split()[2:] == ["accepted", "0", "1", "The", "job", "was\\taccepted."]


def test_the_queue_is_two_tables(shown):
    _, screen = shown("queue")
    assert "\njobs " in f"\n{screen}"
    assert "\n\nqueue " in screen


@pytest.mark.parametrize(("types", "code", "status"), [("y\n", 0, "cancelled"), ("n\n", 130, "pending")])
def test_many_jobs_are_cancelled_only_after_a_yes_to_their_number(shown, service, types, code, status):
    jobs = [service.accept("a.jpg", b"SLOW", {}) for _ in range(3)]
    ended, screen = shown("cancel", "--all", "--status", "pending", types=types)
    assert ended == code
    assert "Cancel 3 pending jobs? [y/N]" in screen
    assert {job["status"] for job in jobs} == {status}


def test_nothing_is_removed_by_a_no(shown, service):
    job = finished(service, "a.jpg", b"an image")
    code, screen = shown("remove", job, types="n\n")
    assert code == 130
    assert "Remove images and pictures of 1 job for good? [y/N]" in screen
    assert "Nothing was done." in screen
    assert service.jobs[job]["status"] == "complete"
