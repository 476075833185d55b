"""Bodies, paths and headers that are made to hurt: each is refused in words, soon, and shows in no header."""

import json
import resource
import time

import pytest

DEEP = 30_000
SOON_SECONDS = 10.0
"""A limit against hanging: each of them takes milliseconds."""
BOMBS = {
    "nested lists": "[" * DEEP + "]" * DEEP,
    "nested objects": '{"a":' * DEEP + "1" + "}" * DEEP,
    "nested metadata": '{"metadata": ' + '{"a":' * DEEP + '"x"' + "}" * (DEEP + 1),
    "a long number": '{"expires_in": ' + "9" * 60_000 + "}",
    "a huge exponent": '{"expires_in": 1e999999999}',
    "many names": "{" + ",".join(f'"n{n}": 1' for n in range(5_000)) + "}",
    "many outputs": '{"outputs": [' + ",".join(["{}"] * 20_000) + "]}",
    "half a surrogate": '{"metadata": {"a": "\\ud800"}}',
    "no JSON": "{'a': 1}",
    "not a number": '{"expires_in": NaN}',
    "nothing": "",
}


def answer_of(service, where: str, body: str):
    began = time.monotonic()
    if where == "job":
        answer = service.post(data={"job": body})
    else:
        method, path = where.split()
        answer = service.http.request(method, path, content=body, headers={"Content-Type": "application/json"})
    assert time.monotonic() - began < SOON_SECONDS
    return answer


@pytest.mark.parametrize("where", ["job", "POST /keys", "PUT /webhook"])
@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_a_json_bomb_is_refused_and_costs_no_memory(service, where: str, bomb: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer = answer_of(service, where, bomb)
    assert answer.status_code in (400, 413, 422), answer.text[:200]
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(answer.content) < 8192
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024


@pytest.mark.parametrize(
    "path",
    [
        *(
            "//evil.example/jobs",
            "/jobs/..%2f..%2fetc%2fpasswd",
            "/jobs/%00",
            "/jobs/%0d%0aSet-Cookie:x=1",
            "/jobs/%ff",
        ),
        *("/jobs/" + "a" * 5000, "/jobs/\u202e", "/jobs/{job}/outputs/0%20OR%201=1", "/jobs/{job}/outputs/-1"),
        *("/jobs/{job}/deliveries/..", "/keys/..%2f", "/problems/%0d%0ax", "/docs/../jobs", "/jobs/{job}%20"),
    ],
)
def test_a_path_that_means_something_else_leads_nowhere(service, path: str) -> None:
    address = path.replace("{job}", str(service.job()))
    answer = service.http.get(address, follow_redirects=False)
    assert answer.status_code in (200, 400, 404, 405, 422)
    assert "location" not in answer.headers
    assert "set-cookie" not in answer.headers
    assert "evil.example" not in str(answer.headers)


@pytest.mark.parametrize(
    "given", ["a\r\nSet-Cookie: x=1", "\x00", "\u2028", "<script>alert(1)</script>", '"; DROP TABLE jobs']
)
def test_what_a_caller_names_comes_back_as_text_and_in_no_header(service, small, given: str) -> None:
    asked = {"metadata": {given: given}}
    answer = service.http.post("/jobs", files={"image": ("a.png", small)}, data={"job": json.dumps(asked)})
    assert answer.status_code == 202
    assert answer.json()["metadata"] == asked["metadata"]
    assert "set-cookie" not in answer.headers
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["location"] == f"/jobs/{answer.json()['id']}"


@pytest.mark.parametrize(
    "line",
    [
        b"X-Request-Id: a\rSet-Cookie: x=1", b"X-Request-Id: a\x00b", b"Idempotency-Key: a\x01b",
        b"Idempotency-Key: \xff", b"Prefer: wait=20\x0b", b"Authorization: Bearer a\rX: b",
    ],
)  # fmt: skip
def test_a_header_with_what_is_no_text_is_refused_or_not_repeated(service, line: bytes) -> None:
    connection = service.connect(b"GET /queue HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + line + b"\r\n\r\n")
    said = b""
    while more := connection.recv(65536):
        said += more
    head = said.partition(b"\r\n\r\n")[0]
    assert head.split(b" ")[1] in (b"200", b"400", b"422")
    assert b"Set-Cookie" not in head
    assert b"\x00" not in head
