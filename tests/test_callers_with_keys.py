"""A service that wants keys, as our own callers meet it: the command, and the demo of a service that runs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from service import BIN, Service

DEMO = Path(__file__).parents[1] / "client/demo/demo.py"
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010800000000"
    "3a7e9b550000000a49444154789c636800000082008177cd72b60000000049454e44ae426082"
)


@pytest.fixture
def url(service: Service) -> str:
    """Where API and worker answer those who have a key."""
    api = service.api(THUMBNAILER_AUTH="keys")
    service.worker()
    return api.url


@pytest.fixture
def key_file(service: Service) -> Path:
    """The first key, of an owner called demo."""
    file = service.folder / "first.key"
    command = [BIN / "thumbnailer-api", "keys", "create", "first", "--owner", "demo", "--once", "--file", file]
    subprocess.run(command, env=service.environment(), check=True, capture_output=True, timeout=60)
    return file


def run(folder: Path, *command: object, **settings: str) -> subprocess.CompletedProcess[str]:
    others = {name: value for name, value in os.environ.items() if not name.startswith("THUMBNAILER_")}
    return subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env={**others, "COLUMNS": "120", **settings},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_the_demo_of_a_running_service_shows_what_it_sent_and_nothing_else(
    service: Service, url: str, key_file: Path, tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("a.png", "b.png"):
        (photos / name).write_bytes(PIXEL)
    for _ in range(2):
        shown = run(tmp_path, sys.executable, DEMO, "--url", url, "--key-file", key_file, PHOTOS="photos")
        assert shown.returncode == 0, shown.stdout + shown.stderr
        rows = [line.split()[0] for line in shown.stdout.splitlines() if line.strip().startswith(("a.png", "b.png"))]
        assert sorted(rows) == ["a.png", "b.png"]
        assert "The thumbnails are in thumbnails/." in shown.stdout
        assert "Starting" not in shown.stdout
    assert len(list((tmp_path / "thumbnails").iterdir())) == 4
    assert {job.owner for job in service.stores.jobs.newest("demo").jobs} == {"demo"}
    assert key_file.read_text().strip() not in shown.stdout + shown.stderr


@pytest.mark.parametrize("key", ["", "thn_000000000000000000000000000000000000"])
def test_without_a_valid_key_command_and_demo_say_which_setting_holds_it(url: str, tmp_path: Path, key: str) -> None:
    (tmp_path / "a.png").write_bytes(PIXEL)
    for command in (["submit", "a.png"], ["list"], ["queue"]):
        refused = run(tmp_path, BIN / "thumbnailer", *command, THUMBNAILER_URL=url, THUMBNAILER_KEY=key)
        assert refused.returncode == 4
        assert "THUMBNAILER_KEY" in refused.stderr
        assert "thn_" not in refused.stderr
    demo = run(tmp_path, sys.executable, DEMO, "--url", url, PHOTOS=".", THUMBNAILER_KEY=key)
    assert demo.returncode == 1
    assert "THUMBNAILER_KEY" in demo.stderr
    assert "Traceback" not in demo.stderr
    unreadable = run(tmp_path, sys.executable, DEMO, "--url", url, "--key-file", "missing", PHOTOS=".")
    assert unreadable.returncode == 1
    assert "The key cannot be read from missing" in unreadable.stderr
