"""The server on the wire: bodies that are slow, cut, too large or oddly framed, and heads of every kind."""

import json
import socket
import threading
import time

import httpx
import pytest

from thumbnailer_api.server import reader
from thumbnailer_storage import health

MIB = 1024 * 1024


def answer_of(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of one answer with a Content-Length."""
    with connection.makefile("rb") as file:
        line = file.readline()
        assert line, "the connection ended without an answer"
        headers = {}
        while (header := file.readline().strip()) != b"":
            name, _, value = header.decode().partition(": ")
            headers[name.lower()] = value
        return int(line.split()[1]), headers, file.read(int(headers["content-length"]))


def head(*headers: str, path: str = "/jobs") -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: x", *headers, "", ""]).encode()


def chunked(*chunks: bytes) -> bytes:
    return b"".join(b"%x;a=b\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)


def problem(answer: tuple[int, dict[str, str], bytes]) -> tuple[int, str]:
    status, headers, body = answer
    assert headers["content-type"] == "application/problem+json"
    assert headers["x-request-id"] == json.loads(body)["request_id"]
    return status, json.loads(body)["type"]


def test_a_body_too_large_by_its_length_is_refused_before_it_is_sent(start) -> None:
    service = start(max_upload_bytes=1000)
    connection = service.connect(head("Content-Length: 1001"))
    assert problem(answer_of(connection)) == (413, "/problems/too-large")


def test_a_body_too_large_without_a_length_is_refused_while_it_arrives(start, image) -> None:
    service = start(max_upload_bytes=1000)
    connection = service.connect(head("Transfer-Encoding: chunked") + chunked(image(900), b"x" * 101))
    assert problem(answer_of(connection)) == (413, "/problems/too-large")
    assert service.uploads() == []


def test_an_image_too_large_in_a_form_is_refused_while_it_arrives(start, image) -> None:
    service = start(max_upload_bytes=1000)
    assert service.post(image(1001)).status_code == 413
    assert service.post(image(1000)).status_code == 202


def test_a_refusal_reaches_a_caller_who_sends_on(start, image) -> None:
    service = start(max_upload_bytes=1000)
    connection = service.connect(head(f"Content-Length: {20 * MIB}"))
    for _ in range(20):
        connection.sendall(bytes(MIB))
    assert problem(answer_of(connection)) == (413, "/problems/too-large")
    assert connection.recv(1) == b"", "nothing that was sent on is taken for another request"


def test_a_caller_who_asks_first_is_refused_before_it_sends(service) -> None:
    connection = service.connect(head(f"Content-Length: {10**9}", "Expect: 100-continue"))
    assert problem(answer_of(connection)) == (413, "/problems/too-large")


def test_a_caller_who_asks_first_is_told_to_send(service, small) -> None:
    connection = service.connect(head(f"Content-Length: {len(small)}", "Expect: 100-continue"))
    assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    connection.sendall(small)
    assert answer_of(connection)[0] == 202


def test_a_body_in_chunks_is_taken(service, image) -> None:
    data = image(200_000)
    pieces = [data[:1], data[1:70_000], data[70_000:]]
    sent = head("Transfer-Encoding: chunked") + chunked(*pieces) + b"0\r\nTrailer: x\r\n\r\n"
    connection = service.connect()
    for at in range(0, len(sent), 4099):
        connection.sendall(sent[at : at + 4099])
    status, _, body = answer_of(connection)
    assert (status, json.loads(body)["source"]["bytes"]) == (202, 200_000)
    connection.sendall(b"GET /queue HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer_of(connection)[0] == 200, "the connection goes on"


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize(
    "body",
    [b"zz\r\n", b"-5\r\n", b"\r\n", b"fffffffffffffffff\r\n", b"0x5\r\nhello\r\n", b"9" * 3000, b"5\r\nhello!!",
     b"5\nhello\r\n", b"5;a\nb\r\nhello\r\n", b"5\r\nhello\n\n", b"0\r\na: b\n\n\r\n", b"\x0b5\r\nhello\r\n",
     b"0\r\n" + b"a: b\r\n" * 100],
)  # fmt: skip
def test_chunks_that_are_none_are_refused(service, small, body) -> None:
    connection = service.connect(head("Transfer-Encoding: chunked") + chunked(small) + body)
    assert problem(answer_of(connection)) == (400, "/problems/malformed-request")


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("framing", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
def test_a_caller_who_goes_away_leaves_nothing_behind(service, small, framing) -> None:
    service.connect(head(framing) + b"43\r\n" * ("chunked" in framing) + small).close()
    connection = service.connect(head(framing) + b"43\r\n" * ("chunked" in framing) + small)
    connection.shutdown(socket.SHUT_WR)
    assert problem(answer_of(connection)) == (400, "/problems/body-cut")


@pytest.mark.usefixtures("nothing_left")
def test_a_body_that_stands_still_ends(service, monkeypatch, small) -> None:
    monkeypatch.setattr(reader, "SILENCE_SECONDS", 0.5)
    connection = service.connect(head("Content-Length: 1000") + small)
    assert problem(answer_of(connection)) == (408, "/problems/too-slow")


def test_a_body_that_trickles_has_a_deadline(start, small) -> None:
    service = start(body_seconds=1)
    connection = service.connect(head("Content-Length: 1000") + small)
    began, stop = time.monotonic(), threading.Event()

    def trickle() -> None:
        while not stop.wait(0.1):
            connection.sendall(b"x")

    thread = threading.Thread(target=trickle)
    thread.start()
    assert problem(answer_of(connection)) == (408, "/problems/too-slow")
    stop.set()
    thread.join()
    assert 0.9 < time.monotonic() - began < 10
    assert service.uploads() == []


def test_a_head_that_trickles_has_a_deadline_and_holds_no_thread(start, monkeypatch) -> None:
    service = start(threads=8)
    monkeypatch.setattr(service.api.server, "timeout", 1)
    slow = [service.connect(b"GET /queue HTTP/1.1\r\nHost") for _ in range(50)]
    silent = [service.connect() for _ in range(50)]
    assert service.http.get("/queue").status_code == 200, "a hundred of them, eight threads"
    stop = time.monotonic() + 3
    while time.monotonic() < stop:
        for connection in slow:
            try:
                connection.sendall(b"x")
            except OSError:
                break
        time.sleep(0.2)
    assert problem(answer_of(slow[0])) == (408, "/problems/too-slow")
    assert silent[0].recv(1) == b""


@pytest.mark.parametrize(
    "headers",
    [["Content-Length: -5"], ["Content-Length: 1_0"], ["Content-Length: +5"], ["Content-Length: x"],
     ["Content-Length: " + "9" * 5000],
     ["Content-Length: 5", "Content-Length: 6"], ["Content-Length: 5", "Transfer-Encoding: chunked"],
     ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], ["Host: a", "Host: b"], ["no colon"],
     ["Transfer-Encoding:"], ["Transfer-Encoding: \x0bchunked"], ["Transfer-Encoding : chunked"],
     ["Transfer-Encoding: gzip, chunked"], ["Transfer-Encoding: identity"], ["X: a\rb"], ["X: a\0b"], ["X: a\nb"],
     ["X y: z"], [": z"], ["X: a", " folded"], ["X: a", "\tfolded"]],
)  # fmt: skip
def test_a_head_that_two_readers_could_read_differently_is_refused(service, headers) -> None:
    assert problem(answer_of(service.connect(head(*headers)))) == (400, "/problems/malformed-request")


@pytest.mark.parametrize(
    "sent",
    [b"GET //[/queue HTTP/1.1\r\nHost: x\r\n\r\n", b"GET http://[::1/queue HTTP/1.1\r\nHost: x\r\n\r\n",
     b"POST /jobs HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"GET /queue HTTP/1.1\r\n\r\n",
     b"GET /queue HTTP/1.1\r\n folded: x\r\nHost: x\r\n\r\n"],
)  # fmt: skip
def test_a_request_as_no_release_of_http_has_it_is_refused_and_the_last(service, sent) -> None:
    connection = service.connect(sent + b"GET /queue HTTP/1.1\r\nHost: x\r\n\r\n")
    assert problem(answer_of(connection)) == (400, "/problems/malformed-request")
    assert connection.recv(1) == b""


def test_a_head_that_is_too_long_is_refused(service) -> None:
    assert problem(answer_of(service.connect(head("X: " + "x" * 40_000))))[0] == 413
    assert problem(answer_of(service.connect(head(path="/jobs?" + "x" * 40_000))))[0] == 414
    endless = service.connect(b"GET /" + b"x" * 70_000)
    assert problem(answer_of(endless))[0] == 414


def test_invented_methods_have_one_time_series_together(service) -> None:
    for method in ("BREW", "FOO1", "FOO2"):
        assert service.http.request(method, "/jobs").status_code == 405
    metrics = httpx.get(f"{service.health}/metrics").text
    assert 'thumbnailer_api_request_seconds_count{method="other",route="unknown",status="405"} 3.0' in metrics
    assert "FOO1" not in metrics


def test_headers_with_an_underscore_are_left_out(service) -> None:
    connection = service.connect(b"GET /queue HTTP/1.1\r\nHost: x\r\nX_Request_Id: forged\r\n\r\n")
    assert answer_of(connection)[1]["x-request-id"] != "forged"


def test_requests_may_come_in_pieces_and_one_behind_the_other(service) -> None:
    one = b"GET /queue HTTP/1.1\r\nHost: x\r\n\r\n"
    connection = service.connect()
    for at in range(len(one)):
        connection.sendall(one[at : at + 1])
    assert answer_of(connection)[0] == 200
    connection.sendall(one * 3)
    data = b""
    while data.count(b"HTTP/1.1 200") < 3 or not data.endswith(b"}}}"):
        data += connection.recv(65536)


def test_callers_of_the_health_listener_have_few_threads_and_keep_nobody_out(service) -> None:
    before = threading.active_count()
    idle = [socket.create_connection(("127.0.0.1", service.api.health.port), timeout=10) for _ in range(100)]
    service.connections += idle
    for _ in range(3):
        assert httpx.get(f"{service.health}/healthz", timeout=5).status_code == 200
        assert threading.active_count() <= before + health.MOST


def test_an_answer_that_comes_before_the_body_was_read_ends_the_connection(service) -> None:
    connection = service.connect(
        head("Content-Length: 50", path="/nowhere") + b"GET /queue HTTP/1.1\r\nHost: x\r\n\r\n"
    )
    status, headers, _ = answer_of(connection)
    assert (status, headers["connection"]) == (404, "close")
    assert connection.recv(1) == b""
