"""A stand-in of the service for each test, and the installed command."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from stand_in import Handler, Server, Service

from thumbnailer import Client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def service() -> Iterator[Service]:
    yield from serving()


@pytest.fixture
def another() -> Iterator[Service]:
    """A server at another address than the service's."""
    yield from serving()


def serving() -> Iterator[Service]:
    service = Service()
    server = Server(("127.0.0.1", 0), type("Bound", (Handler,), {"service": service}))
    service.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="service")
    thread.start()
    yield service
    service.released.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def client(service):
    with Client(service.url) as client:
        yield client


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses before further attempts, not slept."""
    slept: list[float] = []
    monkeypatch.setattr("thumbnailer.retrying.time.sleep", slept.append)
    return slept


@pytest.fixture
def images(tmp_path: Path) -> Callable[..., list[str]]:
    """Write files of the given names; their bytes are the keyword's value, or `an image`."""

    def write(*names: str, **contents: bytes) -> list[str]:
        wanted = dict.fromkeys(names, b"an image") | {f"{name}.jpg": text for name, text in contents.items()}
        for name, text in wanted.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text)
        return list(wanted)

    return write


def environment(url: str, **settings: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("THUMBNAILER_")}
    return kept | {"THUMBNAILER_URL": url, "COLUMNS": "200"} | settings


@pytest.fixture
def start(service: Service, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start the installed command in the test's folder."""
    begun: list[subprocess.Popen[str]] = []

    def run(*arguments: str, **settings: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [Path(sys.executable).with_name("thumbnailer"), *arguments],
            cwd=tmp_path,
            env=environment(service.url, **settings),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        begun.append(process)
        return process

    yield run
    for process in begun:
        process.kill()
        process.communicate()


@pytest.fixture
def thumbnailer(start: Callable[..., subprocess.Popen[str]]) -> Callable[..., tuple[int, str, str]]:
    """Run the installed command to its end: its exit code, what it printed, what it complained of."""

    def run(*arguments: str, stdin: str = "", **settings: str) -> tuple[int, str, str]:
        process = start(*arguments, **settings)
        out, err = process.communicate(stdin, timeout=60)
        return process.returncode, out, err

    return run
