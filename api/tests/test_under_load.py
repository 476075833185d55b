"""Slow bodies and waiting callers take their share of the threads and no more; others do not notice them."""

import json
import re
import socket
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

LENGTH = 1000
SLOW = f"POST /jobs HTTP/1.1\r\nHost: x\r\nContent-Length: {LENGTH}\r\n\r\n".encode()
HANG_SECONDS = 10.0
"""Ten times what a quick answer may take at the very most."""


def gauge(service, name: str) -> int:
    text = httpx.get(f"{service.health}/metrics", timeout=5).text
    return int(float(re.search(rf"^{name} (\S+)$", text, re.MULTILINE)[1]))


def wait_until(holds, what: str) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline, f"gave up waiting: {what}"
        time.sleep(0.05)


def read(connection) -> tuple[bytes, dict]:
    data = b""
    while b"\r\n\r\n" not in data or len(data.partition(b"\r\n\r\n")[2]) < int(
        re.search(rb"Content-Length: (\d+)", data)[1]
    ):
        more = connection.recv(65536)
        assert more, data
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    return head, json.loads(body)


@contextmanager
def trickling(connections):
    """Sends a byte of each body every second, so that none of them stands still."""
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(1.0):
            for connection in connections:
                connection.sendall(b"x")

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def quick_calls(service, image: bytes, job: object) -> dict[str, list[float]]:
    """Milliseconds of calls by eight callers at once."""
    taken: dict[str, list[float]] = {"POST /jobs": [], "GET /jobs/{job}": [], "GET /queue": []}

    def caller() -> None:
        with httpx.Client(base_url=service.url, timeout=HANG_SECONDS, trust_env=False) as http:
            for _ in range(10):
                for name, call, code in (
                    ("POST /jobs", lambda: http.post("/jobs", content=image), 202),
                    ("GET /jobs/{job}", lambda: http.get(f"/jobs/{job}"), 200),
                    ("GET /queue", lambda: http.get("/queue"), 200),
                ):
                    began = time.perf_counter()
                    assert call().status_code == code
                    taken[name].append((time.perf_counter() - began) * 1000)

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(caller) for _ in range(8)]:
            done.result()
    return taken


def table(taken: dict[str, list[float]]) -> str:
    return "".join(
        f"\n    {name:16} median {statistics.median(times):6.1f} ms, slowest {max(times):6.1f} ms"
        for name, times in taken.items()
    )


def test_a_hundred_slow_bodies_and_a_hundred_waiting_callers_leave_others_unharmed(start, image, small, say) -> None:
    service = start(threads=256)
    job = service.job()
    alone = quick_calls(service, small, job)
    slow = [service.connect(SLOW + image(LENGTH)[:100]) for _ in range(100)]
    asks = f"GET /jobs/{job} HTTP/1.1\r\nHost: x\r\nPrefer: wait=60\r\n\r\n".encode()
    with trickling(slow):
        waiting = [service.connect(asks, timeout=60) for _ in range(100)]
        wait_until(lambda: gauge(service, "thumbnailer_api_transfers") == 100, "all slow bodies are admitted")
        wait_until(lambda: gauge(service, "thumbnailer_api_waiting_callers") == 64, "a quarter of the threads wait")
        beside = quick_calls(service, small, job)
        for name in ("/healthz", "/readyz", "/metrics"):
            assert httpx.get(service.health + name, timeout=HANG_SECONDS).status_code == 200
        claimed = service.stores.jobs.claim(job, worker="test", lease=30)
        service.stores.jobs.apply(claimed, claimed.fail(422, "It cannot be decoded."))
        answers = [read(connection) for connection in waiting]
    waited = [body["status"] for head, body in answers if b"Preference-Applied" in head]
    at_once = [body["status"] for head, body in answers if b"Preference-Applied" not in head]
    assert (waited, at_once) == (["failed"] * 64, ["pending"] * 36)
    wait_until(lambda: gauge(service, "thumbnailer_api_waiting_callers") == 0, "nobody waits")
    say(f"256 threads, 8 quick callers alone:{table(alone)}")
    say(f"beside 100 slow bodies (all admitted), 100 waiting callers (64 held, 36 answered at once):{table(beside)}")


def test_bodies_beyond_half_of_the_threads_are_refused_and_others_are_answered(start, image) -> None:
    service = start(threads=8)
    slow = [service.connect(SLOW + image(LENGTH)[:100]) for _ in range(4)]
    wait_until(lambda: gauge(service, "thumbnailer_api_transfers") == 4, "half of the threads receive")
    refused = service.http.post("/jobs", content=image(LENGTH))
    assert (refused.status_code, refused.json()["type"]) == (503, "/problems/busy")
    assert refused.headers["retry-after"] == "2"
    assert service.http.get("/queue").status_code == 200
    for connection in slow:
        connection.sendall(image(LENGTH)[100:])
        assert read(connection)[1]["status"] == "pending"
    assert service.http.post("/jobs", content=image(LENGTH)).status_code == 202


def test_callers_that_fetch_slowly_take_the_same_share(start) -> None:
    service = start(threads=8)
    job = service.completed(bytes(30_000_000))
    asks = f"GET /jobs/{job.id}/outputs/0 HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    slow = [service.connect(asks) for _ in range(4)]
    wait_until(lambda: gauge(service, "thumbnailer_api_transfers") == 4, "half of the threads send")
    assert service.http.get(f"/jobs/{job.id}/outputs/0").status_code == 503
    assert service.http.get(f"/jobs/{job.id}/outputs/0", headers={"Range": "bytes=0-9"}).status_code == 206
    for connection in slow:
        connection.close()
    wait_until(lambda: gauge(service, "thumbnailer_api_transfers") == 0, "the slots are given back")


@pytest.mark.parametrize(("size", "times"), [(210_000, 60), (60_000, 300)])
def test_callers_that_read_nothing_leave_a_quarter_of_the_threads(start, size, times) -> None:
    service = start(threads=8)
    job = service.completed(bytes(size))
    asks = f"GET /jobs/{job.id}/outputs/0 HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    for _ in range(3):
        for _ in range(16):
            connection = socket.socket()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(service.address)
            service.connections.append(connection)
            connection.sendall(asks * times)
        began = time.monotonic()
        assert httpx.get(f"{service.url}/queue", timeout=HANG_SECONDS, trust_env=False).status_code == 200
        assert time.monotonic() - began < 3
        wait_until(lambda: gauge(service, "thumbnailer_api_transfers") == 4, "half of the threads wait for callers")


def test_an_answer_has_a_deadline_although_its_caller_reads_on(start) -> None:
    service = start(body_seconds=1)
    job = service.completed(bytes(30_000_000))
    connection = service.connect(f"GET /jobs/{job.id}/outputs/0 HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    wait_until(lambda: gauge(service, "thumbnailer_api_transfers") == 1, "it is sent")
    began = time.monotonic()
    while gauge(service, "thumbnailer_api_transfers"):
        connection.recv(10_000)
        assert time.monotonic() - began < 10
        time.sleep(0.05)


def test_a_post_of_20_mib_costs_the_api_less_than_20_mib_of_memory(program, image, say) -> None:
    api = program.serve()
    for _ in range(5):
        assert httpx.post(f"{api.url}/jobs", content=image(100_000), timeout=20).status_code == 202

    def peak() -> int:
        status = Path(f"/proc/{api.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024

    before, large = peak(), image(20 * 1024 * 1024)
    answers = [
        httpx.post(f"{api.url}/jobs", content=large, timeout=60),
        httpx.post(f"{api.url}/jobs", files={"image": ("a.png", large)}, timeout=60),
    ]
    assert [answer.status_code for answer in answers] == [202, 202]
    more = (peak() - before) / 1024 / 1024
    say(f"POST of 20 MiB, as body and as form: {more:.1f} MiB more than the {before / 1024 / 1024:.0f} before")
    assert more < 20


@pytest.mark.parametrize("way", ["body", "form"])
def test_an_image_passes_through_unchanged(service, image, way) -> None:
    data = image(3_000_000).replace(b"xxxxxxxx", b"\r\n--b\r\n\n", 1000)
    sent = {"content": data} if way == "body" else {"files": {"image": ("a", data)}}
    answer = service.http.post("/jobs", **sent)
    assert b"".join(service.stores.objects.read(f"uploads/{answer.json()['id']}")) == data


@pytest.mark.parametrize(("method", "path"), [("POST", "/keys"), ("PUT", "/webhook")])
def test_slow_bodies_of_settings_leave_threads_for_others(start, method, path) -> None:
    own = start(threads=8)
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {LENGTH}\r\n\r\n"
    for _ in range(10):
        own.connect(head.encode() + b" ")
    wait_until(lambda: gauge(own, "thumbnailer_api_transfers") >= 4, "as many bodies are read as may be")
    assert httpx.get(f"{own.url}/jobs", timeout=HANG_SECONDS, trust_env=False).status_code == 200
