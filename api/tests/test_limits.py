"""What an owner may send: told before the body is read, in numbers that are right, and to nobody else."""

import re
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from sqlalchemy import update

from thumbnailer_storage.jobs.tables import rates

MIB = 1024 * 1024


def called(service, owner: str) -> httpx.Client:
    headers = {"Authorization": f"Bearer {service.new_key(owner, owner)}"}
    return httpx.Client(base_url=service.url, headers=headers, trust_env=False, timeout=30)


def refused(answer: httpx.Response) -> int:
    """Checks a 429, and returns its Retry-After."""
    assert (answer.status_code, answer.json()["type"]) == (429, "/problems/too-many"), answer.text
    assert answer.headers["ratelimit-policy"]
    wait = answer.headers["retry-after"]
    assert f"r=0;t={wait}" in answer.headers["ratelimit"] or "bytes" in answer.headers["ratelimit"]
    return int(wait)


def test_without_limits_nothing_is_counted_and_no_header_tells_of_any(service, small, monkeypatch) -> None:
    def asked(*_) -> None:
        raise AssertionError("nobody asks for limits")

    with monkeypatch.context() as patched:
        patched.setattr(type(service.stores.limits), "take", asked)
        patched.setattr(type(service.stores.limits), "spent", asked)
        answer = service.http.post("/jobs", content=small)
    assert answer.status_code == 202
    assert "ratelimit" not in answer.headers
    told = service.http.get("/limits").json()
    assert (told["requests_per_minute"], told["jobs_waiting"], told["bytes_per_day"]) == (None, None, None)
    assert told["used"]["requests"] is None
    assert told["used"]["bytes"] >= len(small)


def test_requests_are_counted_told_and_refused_and_let_in_when_retry_after_is_over(start, small) -> None:
    service = start(auth="keys", owner_requests_per_minute=6)
    with called(service, "ada") as ada, called(service, "eve") as eve:
        answers = [ada.post("/jobs", content=small) for _ in range(6)]
        assert {answer.status_code for answer in answers} == {202}
        assert answers[0].headers["ratelimit-policy"] == '"requests";q=6;w=60'
        left = [int(re.search(r'"requests";r=(\d+);t=\d+', answer.headers["ratelimit"])[1]) for answer in answers]
        assert left == [5, 4, 3, 2, 1, 0]
        wait = refused(ada.post("/jobs", content=small))
        assert wait <= 10
        assert ada.get("/jobs").status_code == ada.get("/queue").status_code == 200  # reading is not counted
        assert ada.get("/limits").json()["used"]["requests"] in (5, 6)
        assert eve.post("/jobs", content=small).status_code == 202
        time.sleep(wait)
        assert ada.post("/jobs", content=small).status_code == 202
        with service.stores.database.write() as connection:
            connection.execute(update(rates).values(free_at=rates.c.free_at - 60))
        assert ada.get("/limits").json()["used"]["requests"] <= 1


def test_of_many_at_once_exactly_as_many_are_let_in_as_may(start, small) -> None:
    service = start(auth="keys", owner_requests_per_minute=3, threads=32)
    with called(service, "ada") as ada, ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: ada.post("/jobs", content=small).status_code, range(20)))
        assert sorted(answers) == [202] * 3 + [429] * 17
        assert len(ada.get("/jobs").json()["jobs"]) == 3


def test_a_refusal_comes_before_anything_of_the_body_is_read(start, small) -> None:
    service = start(auth="keys", owner_requests_per_minute=1)
    with called(service, "ada") as ada:
        ada.post("/jobs", content=small)
        head = f"POST /jobs HTTP/1.1\r\nHost: x\r\nAuthorization: {ada.headers['Authorization']}\r\n"
    connection = service.connect(f"{head}Expect: 100-continue\r\nContent-Length: {20 * MIB}\r\n\r\n".encode())
    answer = b""
    while piece := connection.recv(65536):
        answer += piece
    assert answer.startswith(b"HTTP/1.1 429 ")
    assert b"100 Continue" not in answer


def test_jobs_that_wait_are_limited_until_there_are_fewer(start, small) -> None:
    service = start(auth="keys", owner_jobs_waiting=2)
    with called(service, "ada") as ada, called(service, "eve") as eve:
        first, _ = (ada.post("/jobs", content=small) for _ in range(2))
        assert first.headers["ratelimit"].startswith('"jobs-waiting";r=1;')
        assert refused(ada.post("/jobs", content=small)) > 0
        assert eve.post("/jobs", content=small).status_code == 202
        assert ada.get("/limits").json()["used"]["jobs_waiting"] == 2
        ada.delete(f"/jobs/{first.json()['id']}")
        assert ada.post("/jobs", content=small).status_code == 202


@pytest.mark.parametrize("way", ["declared", "chunked", "form"])
def test_bytes_of_a_day_are_limited_also_where_nobody_declared_them(start, image, way) -> None:
    service = start(auth="keys", owner_bytes_per_day=400_000)

    def send(size: int) -> httpx.Response:
        if way == "form":
            return ada.post("/jobs", files={"image": image(size)})
        return ada.post("/jobs", content=image(size) if way == "declared" else iter([image(size)]))

    with called(service, "ada") as ada:
        first = send(300_000)
        assert (first.status_code, first.headers["ratelimit"].partition(";t=")[0]) == (202, '"bytes-per-day";r=100000')
        answer = send(150_000)
        assert 0 < refused(answer) <= 86400
        assert '"bytes-per-day";q=400000;qu="content-bytes";w=86400' in answer.headers["ratelimit-policy"]
        assert '"bytes-per-day";r=100000;' in answer.headers["ratelimit"]
        assert len(service.uploads()) == 1
        assert send(100_000).status_code == 202
        assert ada.get("/limits").json()["used"]["bytes"] == 400_000
        refused(send(100))


def test_a_database_that_is_away_lets_nobody_pass_unseen(start, small, tmp_path, monkeypatch) -> None:
    from thumbnailer_storage.jobs.database import Database

    service = start(owner_requests_per_minute=1)
    away = Database(f"sqlite:///{tmp_path / 'no' / 'such' / 'folder'}")
    monkeypatch.setattr(service.stores.limits, "_database", away)
    assert service.http.post("/jobs", content=small).status_code == 503
    assert service.uploads() == []
    away.close()
