"""A stand-in of the service: it speaks the wire format over real HTTP and does what the image's bytes tell it to."""

from __future__ import annotations

import json
import re
import threading
import uuid
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

PICTURE = b"\xff\xd8a thumbnail"
EVENT = {
    "at": "2026-11-24T07:07:00.123Z",
    "last": "2026-11-24T07:07:00.123Z",
    "kind": "accepted",
    "attempt": 0,
    "count": 1,
    "message": "The job was\taccepted.",
    "by": "laptop",
    "address": "192.0.2.7",
    "request_id": "r1",
}
DELIVERY = {
    "id": "6f0e",
    "event": "complete",
    "at": "2026-11-24T07:07:00.123Z",
    "state": "failed",
    "tries": 3,
    "last": "2026-11-24T07:09:00.123Z",
    "next": None,
    "answer": 500,
    "error": "The receiver answered 500.",
}
USAGE = {
    "owner": "ada",
    "since": "2026-11-01",
    "until": "2026-11-24",
    "days": [{"day": "2026-11-24", "priority": "express", "jobs": 3, "bytes": 4096, "compute_seconds": 1.5}],
}
LIMITS = {
    "requests_per_minute": 60,
    "jobs_waiting": None,
    "bytes_per_day": 1000,
    "used": {"requests": 2, "jobs_waiting": 4, "bytes": 700},
}

QUEUE = {"waiting": 1, "in_flight": 2, "delayed": 0, "oldest_seconds": 3.5}
STATES: dict[str, dict[str, Any]] = {
    "queue": {"jobs": {"pending": 4}, "queues": {"express": QUEUE}},
    "usage": USAGE,
    "limits": LIMITS,
    "events": {"events": [EVENT | {"job": None, "owner": "ada"}], "next": None},
}


class Service:
    """What was asked, what there is, and how to answer.

    Image bytes: TEXT is refused with 415, BROKEN makes a job that fails, SLOW one that ends when `released` is set.
    A second POST of a job with an Idempotency-Key gets the first one's. `loses_answers` is how many get no answer.
    `scripted` holds answers (status, headers, body) that are given before anything else, one a request; None cuts the
    connection.
    """

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.submitted: list[dict[str, Any]] = []
        self.bodies: dict[str, bytes] = {}
        self.jobs: dict[str, dict[str, Any]] = {}
        self.scripted: list[tuple[int, dict[str, str], bytes] | None] = []
        self.submissions: dict[str, dict[str, Any]] = {}
        self.loses_answers = 0
        self.most_cancelled = 100
        self.released = threading.Event()
        self.holds_answers = True
        self.at_once = 0
        self.most_at_once = 0
        self.keys: dict[str, dict[str, Any]] = {}
        self.webhook: dict[str, Any] | None = None
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
            "expires_in": options.get("expires_in"),
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
            case [name] if name in STATES:
                self.answer(200, STATES[name])
            case ["webhook"] if self.service.webhook:
                self.answer(200, self.service.webhook)
            case ["keys"]:
                self.answer(200, {"keys": list(self.service.keys.values()), "next": None})
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
            self.answer(200, {"events": [EVENT | {"at": job["start"], "last": job["start"]}]})
        elif rest == ["deliveries"]:
            self.answer(200, {"deliveries": [DELIVERY]})
        else:
            self.send(200, {"Content-Type": "image/jpeg"}, PICTURE)

    def do_DELETE(self) -> None:
        self.record()
        if self.scripted():
            return
        path, _, query = self.path.partition("?")
        match path.strip("/").split("/"):
            case ["webhook"]:
                self.service.webhook = None
                self.answer(200, {})
            case ["keys", id] if id in self.service.keys:
                key = self.service.keys[id]
                key |= {"state": "revoked", "revoked": key["start"]}
                self.answer(200, key)
            case ["jobs"]:
                meant = [job for job in self.service.jobs.values() if job["status"] == parse_qs(query)["status"][0]]
                meant = meant[: self.service.most_cancelled]
                for job in meant:
                    job |= {"status": "cancelled", "code": 410}
                self.answer(200, {"cancelled": len(meant)})
            case ["jobs", id] if id in self.service.jobs:
                job = self.service.jobs[id]
                job |= {"status": "cancelled" if job["status"] == "pending" else "expired", "code": 410}
                self.answer(200, job)
            case _:
                self.problem(404, "Not found", "There is no such job: look at GET /jobs.")

    def do_PUT(self) -> None:
        self.record()
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.scripted():
            return
        usual = {"events": ["complete"], "template": None, "signed": True}
        made = {} if "secret" in asked or self.service.webhook else {"secret": "whsec_made"}
        self.service.webhook = usual | {name: asked[name] for name in ("url", "events") if name in asked}
        self.service.submitted.append(asked)
        self.answer(200, self.service.webhook | made)

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
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.scripted():
            return
        if self.path == "/keys":
            self.make_key(json.loads(body))
            return
        if "/deliveries/" in self.path:
            self.answer(202, DELIVERY | {"state": "waiting", "tries": 0})
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
        key = self.headers["Idempotency-Key"]
        job = self.service.submissions.get(key) or self.service.accept(filename, image, options)
        self.service.submissions[key] = job
        if self.service.loses_answers:
            self.service.loses_answers -= 1
            self.close_connection = True
        else:
            self.answer(202, job, {"Location": job["location"]})

    def make_key(self, asked: dict[str, Any]) -> None:
        new = str(uuid.uuid4())
        times = {"start": "2026-11-24T07:07:00.123Z", "end": None, "revoked": None, "last_used": None}
        usual = {"owner": "ada", "scopes": ["submit", "read", "cancel"], "state": "live"}
        self.service.keys[new] = {"id": new} | usual | times | {k: v for k, v in asked.items() if k != "days"}
        self.answer(201, self.service.keys[new] | {"key": "thn_sesame"}, {"Location": f"/keys/{new}"})

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
