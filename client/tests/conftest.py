"""A stand-in of the service: it speaks the wire format over real HTTP and does what the image's bytes tell it to."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import uuid
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PICTURE = b"\xff\xd8a thumbnail"


class Service:
    """What was asked, what there is, and how to answer.

    Image bytes: TEXT is refused with 415, BROKEN makes a job that fails, SLOW one that ends when `released` is set.
    `scripted` holds answers (status, headers, body) that are given before anything else, one a request; None cuts the
    connection.
    """

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.submitted: list[dict[str, Any]] = []
        self.bodies: dict[str, bytes] = {}
        self.jobs: dict[str, dict[str, Any]] = {}
        self.scripted: list[tuple[int, dict[str, str], bytes] | None] = []
        self.released = threading.Event()
        self.holds_answers = True
        self.at_once = 0
        self.most_at_once = 0
        self.lock = threading.Lock()
        self.url = ""

    def accept(self, filename: str | None, image: bytes, options: dict[str, Any]) -> dict[str, Any]:
        new = str(uuid.uuid4())
        outputs = options.get("outputs") or [{}]
        job = {
            "id": new,
            "status": "pending",
            "priority": options.get("priority") or "standard",
            "class": options.get("class"),
            "start": f"2026-11-24T07:07:{len(self.jobs) % 60:02d}.123Z",
            "claimed": None,
            "finish": None,
            "location": f"/jobs/{new}",
            "code": 202,
            "message": "The job waits for a worker.",
            "attempts": 0,
            "expires": None,
            "metadata": options.get("metadata") or {},
            "filename": filename,
            "source": {"bytes": len(image), "format": None, "width": None, "height": None},
            "outputs": [
                {
                    "format": None,
                    "size": "100x100",
                    "fit": "cover",
                    "quality": None,
                    "background": None,
                    "enlarge": None,
                }
                | output
                for output in outputs
            ],
        }
        with self.lock:
            self.submitted.append(options)
            self.bodies[new] = image
            self.jobs[new] = job
        return job

    def progress(self, job: dict[str, Any]) -> None:
        """Let a job end as its image tells."""
        image = self.bodies[job["id"]]
        if job["status"] != "pending" or (image.startswith(b"SLOW") and not self.released.is_set()):
            return
        job |= {"claimed": job["start"], "finish": job["start"], "attempts": 1}
        if image.startswith(b"BROKEN"):
            job |= {"status": "failed", "code": 422, "message": "The image cannot be decoded: send another."}
            return
        job |= {"status": "complete", "code": 200, "message": "The pictures are there."}
        for n, output in enumerate(job["outputs"]):
            width, height = output["size"].split("x")
            output |= {
                "location": f"/jobs/{job['id']}/outputs/{n}",
                "width": int(width),
                "height": int(height),
                "bytes": len(PICTURE),
                "media_type": f"image/{output['format'] or 'jpeg'}",
            }


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    service: Service

    def log_message(self, *arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        self.record()
        if self.scripted():
            return
        path, _, query = self.path.partition("?")
        parts = path.strip("/").split("/")
        match parts:
            case ["queue"]:
                queue = {"waiting": 1, "in_flight": 2, "delayed": 0, "oldest_seconds": 3.5}
                self.answer(200, {"jobs": {"pending": 4}, "queues": {"express": queue}})
            case ["jobs"]:
                self.list(parse_qs(query))
            case ["jobs", id, *rest] if id in self.service.jobs:
                self.about(self.service.jobs[id], rest)
            case _:
                self.problem(404, "Not found", "There is no such job: look at GET /jobs.")

    def about(self, job: dict[str, Any], rest: list[str]) -> None:
        wait = self.headers.get("Prefer", "")
        if wait and self.service.holds_answers and self.service.bodies[job["id"]].startswith(b"SLOW"):
            self.service.released.wait(float(wait.removeprefix("wait=")))
        if wait or not rest:
            self.service.progress(job)
        if not rest:
            self.answer(200, job)
        elif rest == ["events"]:
            event = {"at": job["start"], "last": job["start"], "kind": "accepted", "attempt": 0, "count": 1}
            self.answer(200, {"events": [event | {"message": "The job was\taccepted."}]})
        else:
            self.send(200, {"Content-Type": "image/jpeg"}, PICTURE)

    def list(self, query: dict[str, list[str]]) -> None:
        jobs = sorted(self.service.jobs.values(), key=lambda job: job["start"], reverse=True)
        if "status" in query:
            jobs = [job for job in jobs if job["status"] == query["status"][0]]
        begin, limit = int(query.get("cursor", ["0"])[0]), int(query["limit"][0])
        after = begin + limit
        self.answer(200, {"jobs": jobs[begin:after], "next": str(after) if after < len(jobs) else None})

    def do_POST(self) -> None:
        with self.service.lock:
            self.service.at_once += 1
            self.service.most_at_once = max(self.service.most_at_once, self.service.at_once)
        try:
            self.take_in()
        finally:
            with self.service.lock:
                self.service.at_once -= 1

    def take_in(self) -> None:
        self.record()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.scripted():
            return
        form = message_from_bytes(b"Content-Type: " + self.headers["Content-Type"].encode() + b"\r\n\r\n" + body)
        parts = {part.get_param("name", header="content-disposition"): part for part in form.get_payload()}
        image = parts["image"].get_payload(decode=True)
        options = json.loads(parts["job"].get_payload(decode=True))
        if image.startswith(b"TEXT"):
            self.problem(415, "No image", "The body is text: send an image.")
            return
        filename = re.search('filename="(.*)"', dict(parts["image"].raw_items())["Content-Disposition"])[1]
        filename = filename.encode(errors="surrogateescape").decode()
        job = self.service.accept(filename, image, options)
        self.answer(202, job, {"Location": job["location"]})

    def record(self) -> None:
        self.service.requests.append((self.command, self.path, dict(self.headers)))

    def scripted(self) -> bool:
        with self.service.lock:
            if not self.service.scripted:
                return False
            script = self.service.scripted.pop(0)
        if script is None:
            self.close_connection = True
        else:
            self.send(*script)
        return True

    def problem(self, status: int, title: str, detail: str) -> None:
        body = {"type": f"about:blank#{status}", "title": title, "status": status, "detail": detail, "request_id": "r1"}
        self.answer(status, body, {"Content-Type": "application/problem+json"})

    def answer(self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        self.send(status, {"Content-Type": "application/json"} | (headers or {}), json.dumps(body).encode())

    def send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        if headers.get("Content-Length", str(len(body))) != str(len(body)):
            self.close_connection = True


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """A caller that goes away is part of the tests."""


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
