"""Jobs over HTTP: sent, looked at, waited for, listed."""

import json
import threading
import time
from uuid import UUID, uuid4

import pytest

from thumbnailer_storage.errors import OutcomeUnknown, QueueUnavailable
from thumbnailer_storage.jobs.model import Status
from thumbnailer_storage.queues import Outgoing


def test_image_good(service, small) -> None:
    answer = service.post(small)
    assert answer.status_code == 202
    job = answer.json()
    assert (job["status"], job["code"], job["attempts"]) == ("pending", 202, 0)
    assert answer.headers["location"] == job["location"] == f"/jobs/{job['id']}"
    assert (job["filename"], job["source"]["bytes"]) == ("a.png", len(small))
    assert [output["size"] for output in job["outputs"]] == ["100x100"]
    assert b"".join(service.stores.objects.read(f"uploads/{job['id']}")) == small


def test_upload_image_text(service) -> None:
    answer = service.post(b"this is no image")
    assert answer.status_code == 415
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "/problems/no-image"
    assert "text" in answer.json()["detail"]


def test_job_pending(service) -> None:
    job = service.job()
    answer = service.http.get(f"/jobs/{job}")
    assert answer.status_code == 200
    assert answer.json()["status"] == "pending"
    assert answer.headers["retry-after"] == "1"
    assert "preference-applied" not in answer.headers


@pytest.mark.parametrize("job", [str(uuid4()), "42", "%2e%2e"], ids=["unknown", "no id", "dots"])
def test_job_nonexisting(service, job) -> None:
    answer = service.http.get(f"/jobs/{job}")
    assert answer.status_code == 404
    assert answer.json()["type"] in ("/problems/job-not-found", "/problems/not-found")


def test_a_complete_job_says_what_was_made_and_where(service) -> None:
    job = service.completed(data=b"12345", asked={"outputs": [{"size": "10x20"}, {"size": "3,4"}]})
    answer = service.http.get(f"/jobs/{job.id}")
    shown = answer.json()
    assert "retry-after" not in answer.headers
    assert (shown["status"], shown["code"]) == ("complete", 200)
    assert shown["location"] == f"/jobs/{job.id}/outputs/0"
    assert shown["source"] == {"bytes": 1, "format": "png", "width": 1, "height": 1} | {
        "bytes": shown["source"]["bytes"]
    }
    made = shown["outputs"][1]
    assert made["location"] == f"/jobs/{job.id}/outputs/1"
    assert (made["width"], made["height"], made["bytes"], made["media_type"]) == (3, 4, 5, "image/png")


def test_a_job_may_come_after_its_image_or_before_it(service, small) -> None:
    asked = json.dumps({"output": {"format": "jpg", "size": "20 x 30"}, "priority": "express", "metadata": {"a": "b"}})
    image, job = ("image", ("x.png", small)), ("job", (None, asked))
    for parts in ([image, job], [job, image]):
        shown = service.http.post("/jobs", files=parts).json()
        assert (shown["outputs"][0]["format"], shown["outputs"][0]["size"]) == ("jpeg", "20x30")
        assert (shown["priority"], shown["metadata"]) == ("express", {"a": "b"})


def test_an_image_may_be_the_body_with_options_in_the_query(service, small) -> None:
    query = (
        "output=format=webp,size=200,200,fit=pad,background=%23ff0000&output=size=5X6,enlarge=false&priority=economy"
    )
    answer = service.http.post(f"/jobs?{query}", content=small, headers={"Content-Type": "image/gif"})
    assert answer.status_code == 202
    first, second = answer.json()["outputs"]
    assert (first["format"], first["size"], first["fit"], first["background"]) == ("webp", "200x200", "pad", "#ff0000")
    assert (second["format"], second["size"], second["enlarge"]) == (None, "5x6", False)
    assert answer.json()["priority"] == "economy"
    assert service.stores.queue.depth("economy").waiting == 1


def test_an_accepted_job_has_its_message_and_its_event(start) -> None:
    service = start()
    job = service.job()
    assert [message.job for message in service.stores.queue.receive(["standard"], most=9, visibility=1)] == [job]
    (event,) = service.http.get(f"/jobs/{job}/events").json()["events"]
    assert (event["kind"], event["count"], event["attempt"]) == ("accepted", 1, 0)
    assert event["at"].endswith("Z")


def test_a_queue_that_is_down_does_not_hold_up_a_job(start, monkeypatch) -> None:
    service = start()

    def down(*_, **__) -> None:
        raise QueueUnavailable("the queue does not answer")

    monkeypatch.setattr(type(service.stores.queue), "send", down)
    job = service.job()
    assert service.stores.jobs.get(job).status is Status.PENDING
    assert service.stores.upkeep.take_unsent("standard", older=-1, most=9) == [Outgoing(job, "nobody")]


@pytest.mark.parametrize("happened", [True, False])
def test_a_commit_whose_reply_is_lost_is_judged_by_the_record(start, monkeypatch, happened) -> None:
    service = start()
    from thumbnailer_storage.jobs import database

    commit = database.commit

    def lost(connection) -> None:
        monkeypatch.setattr(database, "commit", commit)
        if happened:
            commit(connection)
        raise OutcomeUnknown("the line was cut")

    monkeypatch.setattr(database, "commit", lost)
    answer = service.post()
    assert answer.status_code == (202 if happened else 503)
    assert len(service.http.get("/jobs").json()["jobs"]) == (1 if happened else 0)
    assert len(service.uploads()) == 1, "the sweep removes it, and nobody before"
    assert happened or answer.headers["retry-after"] == "2"


def test_a_waiting_caller_is_answered_when_the_job_is_finished(service) -> None:
    job = service.job()

    def finish() -> None:
        time.sleep(0.5)
        claimed = service.stores.jobs.claim(job, worker="test", lease=30)
        service.stores.jobs.apply(claimed, claimed.fail(422, "The image cannot be decoded."))

    worker = threading.Thread(target=finish)
    worker.start()
    began = time.monotonic()
    answer = service.http.get(f"/jobs/{job}", headers={"Prefer": "respond-async, wait=15"})
    worker.join()
    assert 0.4 < time.monotonic() - began < 10
    assert (answer.json()["status"], answer.headers["preference-applied"]) == ("failed", "wait=15")


def test_a_wait_ends_when_its_time_is_up(service) -> None:
    began = time.monotonic()
    answer = service.http.get(f"/jobs/{service.job()}", headers={"Prefer": "wait=1"})
    assert time.monotonic() - began >= 1
    assert (answer.json()["status"], answer.headers["preference-applied"]) == ("pending", "wait=1")


def test_jobs_are_listed_newest_first_in_pages(start) -> None:
    service = start()
    sent = [service.job() for _ in range(5)]
    seen, cursor = [], {}
    while True:
        page = service.http.get("/jobs", params={"limit": 2, **cursor}).json()
        seen += [UUID(job["id"]) for job in page["jobs"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert sorted(seen) == sorted(sent)
    starts = [service.stores.jobs.get(job).start for job in seen]
    assert starts == sorted(starts, reverse=True)


def test_a_list_can_be_narrowed(start) -> None:
    service = start()
    complete, pending = service.completed(), service.job()
    assert [job["id"] for job in service.http.get("/jobs?status=complete").json()["jobs"]] == [str(complete.id)]
    assert [job["id"] for job in service.http.get("/jobs?status=pending").json()["jobs"]] == [str(pending)]
    assert service.http.get("/jobs?priority=express").json()["jobs"] == []
    later = service.http.get("/jobs", params={"since": "2100-01-01T00:00:00Z"}).json()
    assert later == {"jobs": [], "next": None}


def test_the_queue_shows_the_callers_jobs_and_each_queue(start) -> None:
    service = start()
    service.job(), service.completed()
    shown = service.http.get("/queue").json()
    assert shown["jobs"] == dict.fromkeys(Status, 0) | {"pending": 1, "complete": 1}
    assert set(shown["queues"]) == {"express", "standard", "economy"}
    assert shown["queues"]["standard"]["waiting"] == 2
    assert shown["queues"]["standard"]["oldest_seconds"] >= 0
    assert shown["queues"]["express"] == {"waiting": 0, "in_flight": 0, "delayed": 0, "oldest_seconds": None}


def test_a_request_id_is_kept_if_it_is_a_sane_one(service) -> None:
    assert service.http.get("/queue", headers={"X-Request-Id": "mine-42"}).headers["x-request-id"] == "mine-42"
    ours = service.http.get("/queue", headers={"X-Request-Id": "bad id<>"}).headers["x-request-id"]
    assert len(ours) == 32


def test_a_pending_job_is_cancelled_and_the_same_again_changes_nothing(service) -> None:
    job = service.job()
    cancelled = service.http.delete(f"/jobs/{job}")
    assert (cancelled.status_code, cancelled.json()["status"], cancelled.json()["code"]) == (200, "cancelled", 410)
    assert service.http.delete(f"/jobs/{job}").json() == cancelled.json()
    assert service.http.get(f"/jobs/{job}/outputs/0").status_code == 410
