"""The real programs, started as processes on free ports, for tests of the whole."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import httpx

from thumbnailer_storage.config import StorageSettings, load
from thumbnailer_storage.jobs.model import Job, Status
from thumbnailer_storage.opening import Stores, open_stores

BIN = Path(sys.executable).parent
LAUNCHERS = Path(__file__).parent / "launchers"
PATIENCE = 60.0
"""A limit against hanging, not a promise: what is promised here takes seconds."""


def wait_until(what: str, holds: Callable[[], object], seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"gave up waiting after {seconds} s: {what}"
        time.sleep(0.05)


def free_ports(count: int) -> list[int]:
    """Ports of the loopback that nobody listens on now, each another."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports: list[int] = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


@dataclass
class Program:
    """One started process of ours."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    health: str
    url: str = ""

    def answers(self, path: str) -> bool:
        try:
            return httpx.get(self.health + path, timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def wait_until_ready(self) -> None:
        def ready() -> bool:
            assert self.process.poll() is None, f"{self.name} ended: {self.log.read_text()}"
            return self.answers("/readyz")

        wait_until(f"{self.name} is ready", ready)

    def metric(self, line: str) -> float:
        """The value of the metrics line that begins so; 0 where there is none yet."""
        text = httpx.get(self.health + "/metrics", timeout=5).text
        found = [row.split()[-1] for row in text.splitlines() if row.startswith(line)]
        return sum(map(float, found))

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


@dataclass
class Service:
    """The service, on embedded stores below a folder or on those of its settings. All of it ends with the test."""

    folder: Path
    programs: list[Program] = field(default_factory=list)
    settings: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.settings = {
            "THUMBNAILER_DATA": str(self.folder / "data"),
            "THUMBNAILER_SCRATCH": str(self.folder),
            "THUMBNAILER_LEASE_SECONDS": "2",
            "THUMBNAILER_HOUSEKEEPING_SECONDS": "0.3",
            "THUMBNAILER_RESEND_SECONDS": "1",
            "THUMBNAILER_CONCURRENCY": "2",
            "THUMBNAILER_CHILD_MEMORY_MIB": "512",
            **self.settings,
        }
        subprocess.run([BIN / "thumbnailer-api", "migrate"], env=self.environment(), check=True, capture_output=True)
        self.stores: Stores = open_stores(load(StorageSettings, self.settings))

    def environment(self, **more: str) -> dict[str, str]:
        ours = {name: value for name, value in os.environ.items() if not name.startswith("THUMBNAILER_")}
        return {**ours, **self.settings, **more}

    def start(self, name: str, *command: object, port: str, **more: str) -> Program:
        number, health = free_ports(2)
        log = self.folder / f"{name}-{len(self.programs)}.log"
        environment = self.environment(**{"THUMBNAILER_PORT": str(number), port: str(health)}, **more)
        with log.open("wb") as file:
            process = subprocess.Popen([str(part) for part in command], env=environment, stderr=file, stdout=file)
        program = Program(name, process, log, f"http://127.0.0.1:{health}", f"http://127.0.0.1:{number}")
        self.programs.append(program)
        return program

    def api(self, *launcher: object, ready: bool = True, **more: str) -> Program:
        program = self.start(
            "api", *self._command("thumbnailer-api", launcher), "serve", port="THUMBNAILER_API_HEALTH_PORT", **more
        )
        if ready:
            program.wait_until_ready()
        return program

    def worker(self, *launcher: object, ready: bool = True, **more: str) -> Program:
        command = self._command("thumbnailer-worker", launcher)
        program = self.start("worker", *command, port="THUMBNAILER_WORKER_HEALTH_PORT", **more)
        if ready:
            program.wait_until_ready()
        return program

    def housekeeper(self, **more: str) -> Program:
        command = (BIN / "thumbnailer-api", "housekeeper")
        program = self.start("housekeeper", *command, port="THUMBNAILER_HOUSEKEEPER_HEALTH_PORT", **more)
        program.wait_until_ready()
        return program

    def _command(self, program: str, launcher: tuple[object, ...]) -> list[object]:
        if not launcher:
            return [BIN / program]
        name, *arguments = launcher
        return [sys.executable, LAUNCHERS / f"{name}.py", *arguments, "--"]

    def submit(self, api: Program, image: bytes, **query: str) -> UUID:
        answer = httpx.post(f"{api.url}/jobs", content=image, params=query, timeout=30)
        assert answer.status_code == 202, answer.text
        return UUID(answer.json()["id"])

    def job(self, job: UUID) -> Job:
        return self.stores.jobs.get(job)

    def jobs(self) -> list[Job]:
        return self.stores.jobs.newest("nobody", limit=10_000).jobs

    def wait_for(self, job: UUID, *statuses: Status) -> Job:
        wait_until(f"job {job} is {statuses}", lambda: self.job(job).status in statuses)
        return self.job(job)

    def wait_until_all_final(self) -> list[Job]:
        wait_until("every job is final", lambda: all(job.status.final for job in self.jobs()))
        return self.jobs()

    def close(self) -> None:
        for program in self.programs:
            if program.process.poll() is None:
                program.process.send_signal(signal.SIGCONT)
                program.kill()
        self.stores.close()


def assert_whole(service: Service, accepted: list[UUID]) -> None:
    """The ledger: every accepted job complete, once, with one set of outputs that are there; nothing else recorded."""
    jobs = {job.id: job for job in service.wait_until_all_final()}
    assert set(accepted) <= set(jobs)
    for job in jobs.values():
        assert (job.status, job.code) == (Status.COMPLETE, 200), job
        ends = [
            event for event in service.stores.events.of_job(job.id) if event.kind in ("completed", "failed", "poisoned")
        ]
        assert [(event.kind, event.count) for event in ends] == [("completed", 1)]
        for output in job.outputs:
            assert output.result is not None
            assert service.stores.objects.size(job.result_key(output.result)) == output.result.bytes


@contextmanager
def started(folder: Path, **settings: str) -> Iterator[Service]:
    service = Service(folder, settings=settings)
    try:
        yield service
    finally:
        service.close()
