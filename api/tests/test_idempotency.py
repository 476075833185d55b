"""Requests that come twice: one job, whatever happened to the first answer."""

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest
from sqlalchemy import update

from thumbnailer_api import submitting
from thumbnailer_storage.errors import DatabaseUnavailable, ObjectsUnavailable, OutcomeUnknown
from thumbnailer_storage.jobs import database
from thumbnailer_storage.jobs.clocks import clock
from thumbnailer_storage.jobs.tables import idempotency, jobs


@pytest.fixture
def key() -> str:
    return str(uuid4())


def send(service, image, key, **more):
    return service.http.post("/jobs", content=image, headers={"Idempotency-Key": key}, **more)


def send_form(service, image, key, asked, **more):
    files = {"image": ("a.png", image)}
    return service.http.post(
        "/jobs", files=files, data={"job": json.dumps(asked)}, headers={"Idempotency-Key": key}, **more
    )


def set_ago(service, column: str, seconds: float, key: str) -> None:
    with service.stores.database.write() as connection:
        changed = update(idempotency).where(idempotency.c.key == key)
        connection.execute(changed.values({column: clock(-seconds)}))


def in_flight(service, key: str) -> bool:
    with service.stores.database.read() as connection:
        return connection.execute(idempotency.select().where(idempotency.c.key == key)).first() is not None


def test_the_same_again_gets_the_same_job_and_stores_nothing(service, small, key) -> None:
    first = send(service, small, key)
    before = service.uploads()
    again = send(service, small, key)
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json() == first.json()
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert service.uploads() == before


def test_without_a_key_the_same_again_is_another_job(service, small) -> None:
    assert service.job() != service.job()


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ("", {}),
        ("", {"outputs": [{}]}),
        ("output=size=100x100", {}),
        ("output=format=jpg,size=200,200,quality=80&priority=express", {
            "output": {"quality": 80, "size": "200 X 200", "format": "JPEG"}, "priority": "express",
        }),
        ("output=fit=pad,background=%23FF0000,enlarge=false", {
            "outputs": [{"background": "ff0000", "enlarge": False, "fit": "pad"}], "metadata": {},
        }),
        ("webhook=false", {"webhook": None}),
        ("webhook=https://example.com/x&expires_in=3600", {
            "webhook": {"url": "https://example.com/x"}, "expires_in": 3600,
        }),
        ("output=crop=0.30,.7", {"outputs": {"crop": "0.3, 0.7", "lossless": None}}),
    ],
)  # fmt: skip
def test_a_form_and_a_query_that_ask_for_the_same_are_the_same(service, small, key, query, asked) -> None:
    first = send(service, small, key, params=query)
    assert first.status_code == 202, first.text
    for boundary in ("one", "another"):
        headers = {"Idempotency-Key": key, "Content-Type": f"multipart/form-data; boundary={boundary}"}
        parts = [("job", (None, json.dumps(asked))), ("image", ("b.png", small))]
        again = service.http.post("/jobs", files=parts if boundary == "one" else parts[::-1], headers=headers)
        assert (again.status_code, again.json().get("id")) == (202, first.json()["id"]), again.text


@pytest.mark.parametrize(
    "other",
    [
        {"outputs": {"size": "9x9"}},
        {"outputs": [{}, {}]},
        {"outputs": {"format": "png"}},
        {"outputs": {"crop": "0.3,0.7"}},
        {"priority": "express"},
        {"metadata": {"a": "b"}},
        {"expires_in": 3600},
        {"webhook": None},
        {"webhook": {"url": "https://example.com/thumbnails"}},
    ],
)
def test_a_key_that_comes_with_other_options_is_refused(service, small, key, other) -> None:
    assert send_form(service, small, key, {}).status_code == 202
    before = service.uploads()
    answer = send_form(service, small, key, other)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/idempotency-mismatch")
    assert service.uploads() == before


def test_a_key_that_comes_with_another_image_is_refused(service, small, image, key) -> None:
    assert send(service, small, key).status_code == 202
    answer = send(service, image(2000), key)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/idempotency-mismatch")
    assert "new one with each" in answer.json()["detail"]


def test_another_owners_key_is_another_key(guarded, small, key) -> None:
    bob = {"Authorization": f"Bearer {guarded.new_key(f'bob-{key}', 'bob')}"}
    ours = send(guarded, small, key).json()["id"]
    theirs = guarded.http.post("/jobs", content=small, headers={"Idempotency-Key": key} | bob)
    assert theirs.status_code == 202
    assert theirs.json()["id"] != ours
    assert "idempotency-replayed" not in theirs.headers


def test_of_many_at_once_one_makes_the_job(start, small, key) -> None:
    service = start(threads=64)

    def attempt(_: int):
        while (answer := send(service, small, key)).status_code == 409:
            assert answer.json()["type"] == "/problems/idempotency-in-flight"
            assert answer.headers["retry-after"] == "5"
            time.sleep(0.02)
        return answer

    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(attempt, range(24)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    assert len(service.uploads()) == len(service.http.get("/jobs").json()["jobs"]) == 1


def test_one_in_flight_is_refused_before_its_body_is_read(service, small, key, nothing_left) -> None:
    head = f"POST /jobs HTTP/1.1\r\nHost: a\r\nIdempotency-Key: {key}\r\nContent-Length: {len(small)}\r\n"
    first = service.connect(f"{head}\r\n".encode() + small[:20])
    wait_until(lambda: in_flight(service, key))
    second = service.connect(f"{head}Expect: 100-continue\r\n\r\n".encode())
    assert second.recv(1000).startswith(b"HTTP/1.1 409 ")
    first.shutdown(socket.SHUT_RDWR)


def test_a_body_that_is_cut_off_frees_its_key(service, small, key) -> None:
    head = f"POST /jobs HTTP/1.1\r\nHost: a\r\nIdempotency-Key: {key}\r\nContent-Length: {len(small)}\r\n\r\n"
    first = service.connect(head.encode() + small[:20])
    wait_until(lambda: in_flight(service, key))
    first.close()
    wait_until(lambda: send(service, small, key).status_code == 202)


@pytest.mark.parametrize("body", [b"text", b""])
def test_a_refused_request_frees_its_key(service, small, key, body) -> None:
    assert send(service, body, key).status_code == 415
    answer = send(service, small, key)
    assert answer.status_code == 202
    assert "idempotency-replayed" not in answer.headers


def test_a_request_that_its_head_gives_away_never_has_the_key(service, small, key) -> None:
    assert send(service, small, key, params="output=size=0x0").status_code == 422
    assert send(service, small, key).status_code == 202


def test_a_body_that_takes_longer_than_the_lease_keeps_its_key(service, small, key, monkeypatch) -> None:
    monkeypatch.setattr(submitting, "RENEW_SECONDS", 0.01)
    head = f"POST /jobs HTTP/1.1\r\nHost: a\r\nIdempotency-Key: {key}\r\nContent-Length: 600000\r\n\r\n"
    slow = service.connect(head.encode() + small + b"x" * 1000)
    wait_until(lambda: in_flight(service, key))
    set_ago(service, "lease", 1, key)
    slow.sendall(b"x" * 100_000)
    time.sleep(0.5)
    slow.sendall(b"x" * 100_000)
    time.sleep(0.5)
    assert send(service, small, key).status_code == 409
    slow.close()


def test_a_request_that_lost_its_key_makes_no_job(start, small, key) -> None:
    service = start()
    head = f"POST /jobs HTTP/1.1\r\nHost: a\r\nIdempotency-Key: {key}\r\nContent-Length: {len(small)}\r\n\r\n"
    slow = service.connect(head.encode() + small[:20])
    wait_until(lambda: in_flight(service, key))
    set_ago(service, "lease", 1, key)  # as if the API had stood still for longer than that
    assert send(service, small, key).status_code == 202
    slow.sendall(small[20:])
    answer = slow.recv(10_000)
    assert answer.startswith(b"HTTP/1.1 409 ")
    assert len(service.http.get("/jobs").json()["jobs"]) == 1


def test_a_replay_shows_the_job_as_it_now_is(service, small, key) -> None:
    job = send(service, small, key).json()["id"]
    claimed = service.stores.jobs.claim(UUID(job), worker="test", lease=30)
    assert send(service, small, key).json()["status"] == "processing"
    service.stores.jobs.apply(claimed, claimed.fail(422, "The image cannot be decoded."))
    assert send(service, small, key).json()["status"] == "failed"
    service.http.delete(f"/jobs/{job}")
    again = send(service, small, key)
    assert (again.status_code, again.json()["status"], again.json()["code"]) == (202, "expired", 410)


def test_a_replay_of_a_cancelled_job_starts_nothing(service, small, key) -> None:
    job = send(service, small, key).json()["id"]
    service.http.delete(f"/jobs/{job}")
    again = send(service, small, key)
    assert (again.json()["id"], again.json()["status"]) == (job, "cancelled")


def test_a_key_whose_jobs_record_is_gone_makes_a_new_job(service, small, key) -> None:
    job = send(service, small, key).json()["id"]
    with service.stores.database.write() as connection:
        connection.execute(jobs.delete().where(jobs.c.id == UUID(job)))
    again = send(service, small, key)
    assert (again.status_code, again.json()["id"] != job) == (202, True)


def test_a_key_stands_for_its_job_for_a_day(service, small, key) -> None:
    job = send(service, small, key).json()["id"]
    set_ago(service, "start", 86_401, key)
    assert send(service, small, key).json()["id"] != job


def test_a_limit_that_is_used_up_hides_no_job_from_who_sent_it(start, small, key) -> None:
    service = start(owner_jobs_waiting=1)
    job = send(service, small, key).json()["id"]
    another = str(uuid4())
    assert send(service, small, another).status_code == 429
    assert send(service, small, key).json()["id"] == job
    service.http.delete(f"/jobs/{job}")
    assert send(service, small, another).status_code == 202  # the refusal freed its key


@pytest.mark.parametrize("happened", [True, False])
def test_a_lost_reply_to_recording_leaves_a_key_that_tells_the_truth(start, small, key, monkeypatch, happened) -> None:
    service = start()
    record, commit = submitting.record, database.commit

    def lost(connection) -> None:
        monkeypatch.setattr(database, "commit", commit)
        if happened:
            commit(connection)
        raise OutcomeUnknown("the line was cut")

    def recording(submission) -> None:
        monkeypatch.setattr(database, "commit", lost)
        record(submission)

    steps = [recording if step is record else step for step in submitting.STEPS]
    monkeypatch.setattr(submitting, "STEPS", steps)
    first = send(service, small, key)
    monkeypatch.setattr(submitting, "STEPS", [record if step is recording else step for step in steps])
    assert first.status_code == (202 if happened else 503)
    again = send(service, small, key)
    assert again.status_code == 202
    assert ("idempotency-replayed" in again.headers) is happened
    assert len(service.http.get("/jobs").json()["jobs"]) == 1


@pytest.mark.parametrize(
    ("store", "method", "error", "then"),
    [
        ("objects", "put", ObjectsUnavailable("full"), 202),  # the key is free at once
        (
            "jobs",
            "add",
            DatabaseUnavailable("locked"),
            409,
        ),  # a database that failed is not asked again: the lease ends
    ],
)
def test_a_store_that_fails_leaves_no_job_and_a_key_that_comes_free(
    start, small, key, monkeypatch, store, method, error, then
) -> None:
    service = start()

    def failing(*_) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(type(getattr(service.stores, store)), method, failing)
        assert send(service, small, key).status_code == 503
    assert send(service, small, key).status_code == then
    if then == 409:
        set_ago(service, "lease", 0.01, key)
        assert send(service, small, key).status_code == 202


KEYS = {
    "empty": (b"", 422),
    "too long": (b"k" * 256, 422),
    "a control character": (b"a\x01b", 422),
    "a tab": (b"a\tb", 422),
    "no ASCII": ("schlüssel".encode(), 422),
    "as long as it may be": (b"k" * 255, 202),
    "with what JSON and SQL mean": (b"""a'";-- {}[]\\ %00""", 202),
    "quoted, as the draft of the IETF has it": (b'"0b1e7f4c"', 202),
}


@pytest.mark.parametrize("case", KEYS)
def test_a_key_is_printable_ascii_of_a_bounded_length(start, small, case) -> None:
    value, status = KEYS[case]
    service = start()
    head = b"POST /jobs HTTP/1.1\r\nHost: a\r\nIdempotency-Key: %s\r\nConnection: close\r\n" % value
    connection = service.connect(head + b"Content-Length: %d\r\n\r\n" % len(small) + small)
    answer = connection.makefile("rb").read()
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert status == 202 or b"Idempotency-Key" in answer


def test_two_keys_are_refused(service, small) -> None:
    head = b"POST /jobs HTTP/1.1\r\nHost: a\r\nIdempotency-Key: a\r\nIdempotency-Key: b\r\nContent-Length: 0\r\n\r\n"
    answer = service.connect(head).recv(10_000)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"Idempotency-Key came twice" in answer


def wait_until(true) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)
