"""Outputs over HTTP: the bytes, parts of them, and why there are none."""

from contextlib import ExitStack
from pathlib import Path
from threading import Thread

import pytest

DATA = bytes(range(256)) * 4


@pytest.fixture
def output(service) -> str:
    return f"/jobs/{service.completed(DATA).id}/outputs/0"


def test_an_output_is_sent_as_it_was_made(service, output) -> None:
    answer = service.http.get(output)
    assert (answer.status_code, answer.content) == (200, DATA)
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["content-length"] == "1024"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["etag"].startswith('"'), "a strong one"


def test_head_tells_what_get_would_send(service, output) -> None:
    got, head = service.http.get(output), service.http.head(output)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-type", "content-length", "etag", "accept-ranges"):
        assert head.headers[name] == got.headers[name]


def open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_what_is_not_sent_is_not_left_open(start) -> None:
    service = start(threads=8)
    large = f"/jobs/{service.completed(bytes(1_000_000)).id}/outputs/0"
    service.http.head(large)
    before = open_descriptors()
    assert {service.http.head(large).status_code for _ in range(50)} == {200}
    with ExitStack() as full:
        for _ in range(4):
            thread = Thread(target=full.enter_context, args=[service.api.wiring.transfers.one()])
            thread.start()
            thread.join()
        assert {service.http.get(large).status_code for _ in range(50)} == {503}
    assert open_descriptors() <= before + 2


def test_head_of_an_output_whose_bytes_are_removed_is_gone(service) -> None:
    job = service.completed()
    service.stores.objects.delete([job.result_key(job.outputs[0].result)])
    assert service.http.head(f"/jobs/{job.id}/outputs/0").status_code == 410


@pytest.mark.parametrize(
    ("asked", "sent"),
    [("bytes=0-0", (0, 0)), ("bytes=100-199", (100, 199)), ("bytes=1000-", (1000, 1023)), ("bytes=-24", (1000, 1023)),
     ("bytes=0-9999", (0, 1023)), ("bytes=-9999", (0, 1023))],
)  # fmt: skip
def test_a_range_is_sent_as_a_part(service, output, asked, sent) -> None:
    answer = service.http.get(output, headers={"Range": asked})
    first, last = sent
    assert (answer.status_code, answer.content) == (206, DATA[first : last + 1])
    assert answer.headers["content-range"] == f"bytes {first}-{last}/1024"


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "pages=1-2", "bytes=", "bytes=5-2", "nonsense"])
def test_a_range_that_is_none_of_ours_gets_the_whole(service, output, asked) -> None:
    assert service.http.get(output, headers={"Range": asked}).status_code == 200


def test_a_range_behind_the_end_is_refused(service, output) -> None:
    answer = service.http.get(output, headers={"Range": "bytes=1024-"})
    assert (answer.status_code, answer.headers["content-range"]) == (416, "bytes */1024")
    assert answer.json()["type"] == "/problems/range-outside"


@pytest.mark.parametrize("asked", ["bytes=-0", "Bytes = -00"])
def test_the_last_no_bytes_are_no_range(service, output, asked) -> None:
    answer = service.http.get(output, headers={"Range": asked})
    assert (answer.status_code, answer.headers["content-range"]) == (416, "bytes */1024")


def test_a_part_is_sent_only_of_the_output_that_is_meant(service, output) -> None:
    etag = service.http.get(output).headers["etag"]
    part = {"Range": "bytes=0-9"}
    assert service.http.get(output, headers=part | {"If-Range": etag}).status_code == 206
    assert service.http.get(output, headers=part | {"If-Range": '"another"'}).status_code == 200
    assert service.http.get(output, headers=part | {"If-Range": f"W/{etag}"}).status_code == 200
    assert service.http.get(output, headers=part | {"If-Range": "Tue, 24 Nov 2026 07:00:00 GMT"}).status_code == 200


def test_an_output_that_the_caller_has_is_not_sent_again(service, output) -> None:
    etag = service.http.get(output).headers["etag"]
    answer = service.http.get(output, headers={"If-None-Match": etag})
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", etag)
    assert service.http.get(output, headers={"If-None-Match": '"another"'}).status_code == 200


def test_a_large_output_streams(service) -> None:
    data = DATA * 4096
    job = service.completed(data)
    assert service.http.get(f"/jobs/{job.id}/outputs/0").content == data
    assert service.http.get(f"/jobs/{job.id}/outputs/0", headers={"Range": "bytes=-5"}).content == data[-5:]


@pytest.mark.parametrize("n", ["1", "0000000005", "0" * 5000, "99999999999999999999", "-1", "x", "0x0", "²"])
def test_an_output_that_was_never_asked_for_is_not_found(service, output, n) -> None:
    answer = service.http.get(output.removesuffix("0") + n)
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/output-not-found")


def test_an_output_of_a_job_that_runs_is_not_there_yet(service) -> None:
    answer = service.http.get(f"/jobs/{service.job()}/outputs/0")
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/not-finished")
    assert answer.headers["retry-after"] == "1"


def test_an_output_of_a_failed_job_says_why_there_is_none(service) -> None:
    answer = service.http.get(f"/jobs/{service.failed().id}/outputs/0")
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/job-failed")
    assert answer.json()["detail"] == "The image cannot be decoded: send another."
    assert "retry-after" not in answer.headers


def test_an_output_whose_bytes_are_removed_is_gone(service) -> None:
    job = service.completed()
    service.stores.objects.delete([job.result_key(job.outputs[0].result)])
    answer = service.http.get(f"/jobs/{job.id}/outputs/0")
    assert (answer.status_code, answer.json()["type"]) == (410, "/problems/gone")


def test_an_output_of_a_job_that_does_not_exist_is_not_found(service) -> None:
    answer = service.http.get("/jobs/3b241101-e2bb-4255-8caf-4136c566a962/outputs/0")
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/job-not-found")
