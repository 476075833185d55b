"""A real API on a free port, with real embedded stores, in the process of the test."""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from thumbnailer_api.api_program import Api
from thumbnailer_api.config import ApiSettings
from thumbnailer_api.shutdown import shut_down
from thumbnailer_storage.config import StorageSettings
from thumbnailer_storage.jobs.key_format import new_key
from thumbnailer_storage.jobs.keys import NewKey, Scope
from thumbnailer_storage.jobs.model import Job, Source
from thumbnailer_storage.jobs.pictures import Result
from thumbnailer_storage.jobs.schema import migrate
from thumbnailer_storage.opening import Stores, open_stores

COMMAND = Path(sys.executable).parent / "thumbnailer-api"


def png(size: int = 0) -> bytes:
    """A PNG of one pixel, with a comment that makes it `size` bytes long."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    before = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    after = chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"IEND", b"")
    missing = size - len(before) - len(after) - 12
    return before + (chunk(b"tEXt", b"x" * missing) if missing > 0 else b"") + after


@dataclass
class Service:
    """One running API; `http` calls it."""

    api: Api
    stores: Stores
    http: httpx.Client
    connections: list[socket.socket] = field(default_factory=list)

    @property
    def address(self) -> tuple[str, int]:
        return ("127.0.0.1", self.api.server.port)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.api.server.port}"

    @property
    def health(self) -> str:
        return f"http://127.0.0.1:{self.api.health.port}"

    def post(self, image: bytes = png(), **more: Any) -> httpx.Response:
        return self.http.post("/jobs", files={"image": ("a.png", image)}, **more)

    def job(self, **more: Any) -> UUID:
        answer = self.post(**more)
        assert answer.status_code == 202, answer.text
        return UUID(answer.json()["id"])

    def completed(self, data: bytes = b"thumbnail", asked: dict[str, Any] | None = None) -> Job:
        """A job that a worker has finished with `data` as each output."""
        job = self.stores.jobs.claim(self.job(data={"job": json.dumps(asked or {})}), worker="test", lease=30)
        results = tuple(
            Result(n, "png", output.width, output.height, len(data)) for n, output in enumerate(job.outputs)
        )
        for result in results:
            self.stores.objects.put(job.result_key(result), [data])
        return self.stores.jobs.apply(job, job.complete(Source(1, "", format="png", width=1, height=1), results))

    def failed(self) -> Job:
        job = self.stores.jobs.claim(self.job(), worker="test", lease=30)
        return self.stores.jobs.apply(job, job.fail(422, "The image cannot be decoded: send another."))

    def new_key(self, name: str, owner: str, **more: Any) -> str:
        key = new_key()
        self.stores.keys.add(NewKey(name, owner, **more), key)
        return key

    def uploads(self) -> list[str]:
        return [stored.key for stored in self.stores.objects.list("uploads/")]

    def connect(self, sent: bytes = b"", timeout: float = 20.0) -> socket.socket:
        connection = socket.create_connection(self.address, timeout=timeout)
        self.connections.append(connection)
        connection.sendall(sent)
        return connection


@contextmanager
def started(folder: Path, objects: str = "", classes: tuple[str, ...] = (), **settings: Any) -> Iterator[Service]:
    stores = open_stores(StorageSettings(data=folder, objects=objects, classes=classes))
    migrate(stores.database)
    given = {"port": 0, "api_health_port": 0, "threads": 8, "grace_seconds": 5, **settings}
    api = Api(ApiSettings(**given), stores)
    api.health.start()
    api.start()
    with httpx.Client(base_url=f"http://127.0.0.1:{api.server.port}", timeout=20, trust_env=False) as http:
        service = Service(api, stores, http)
        try:
            yield service
        finally:
            for connection in service.connections:
                connection.close()
            shut_down(api)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """An API that the tests of a file share."""
    with started(tmp_path_factory.mktemp("shared")) as shared:
        yield shared


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The same with keys: `http` sends ada's, which is called laptop and may do everything."""
    with started(tmp_path_factory.mktemp("guarded"), auth="keys") as shared:
        shared.http.headers["Authorization"] = f"Bearer {shared.new_key('laptop', 'ada', scopes=tuple(Scope))}"
        yield shared


@pytest.fixture
def nothing_left(service: Service) -> Iterator[None]:
    """Fails a test after which there are more uploads, or unfinished ones, than before."""
    unfinished = service.stores.settings.data / "objects" / ".unfinished"
    before = service.uploads()
    yield
    deadline = time.monotonic() + 10
    while list(unfinished.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert (service.uploads(), list(unfinished.iterdir())) == (before, [])


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Starts an API of the test's own, with its settings."""
    with ExitStack() as ends:
        yield lambda **settings: ends.enter_context(started(tmp_path / "data", **settings))


@pytest.fixture
def image() -> Callable[[int], bytes]:
    """Makes an image of so many bytes."""
    return png


@pytest.fixture
def small() -> bytes:
    return png()


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Prints what was measured, also where the test passes."""

    def said(text: str) -> None:
        with capsys.disabled():
            print(f"\n  {text}")

    return said


@dataclass
class Running:
    """A started program and where it answers."""

    process: subprocess.Popen[bytes]
    log: Path
    url: str
    health: str

    def ready(self) -> bool:
        try:
            return httpx.get(f"{self.health}/readyz", timeout=5, trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + 30
        while not self.ready():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(30)


@dataclass
class Programs:
    """The command `thumbnailer-api` on stores below a folder."""

    folder: Path
    running: list[Running] = field(default_factory=list)

    def run(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [COMMAND, *arguments],
            env=self._environment(settings),
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def start(self, command: str, **settings: str) -> Running:
        port, health = free_port(), free_port()
        ports = {"PORT": str(port), "API_HEALTH_PORT": str(health), "HOUSEKEEPER_HEALTH_PORT": str(health)}
        log = self.folder / f"{command}-{len(self.running)}.log"
        with log.open("wb") as file:
            process = subprocess.Popen([COMMAND, command], env=self._environment({**ports, **settings}), stderr=file)
        self.running.append(Running(process, log, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{health}"))
        return self.running[-1]

    def serve(self, **settings: str) -> Running:
        """A ready API."""
        assert self.run("migrate").returncode == 0
        api = self.start("serve", **settings)
        api.wait_until_ready()
        return api

    def _environment(self, settings: dict[str, str]) -> dict[str, str]:
        others = {name: value for name, value in os.environ.items() if not name.startswith("THUMBNAILER_")}
        ours = {"DATA": str(self.folder / "data"), **settings}
        return others | {f"THUMBNAILER_{name}": value for name, value in ours.items()}


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Programs]:
    """Runs the real command; what it started ends with the test."""
    programs = Programs(tmp_path)
    yield programs
    for running in programs.running:
        if running.process.poll() is None:
            running.process.kill()
            running.process.wait(10)
