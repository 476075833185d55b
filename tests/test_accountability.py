"""Who did what: one request's id leads from the access log over the events to the worker's lines."""

import json
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from service import Program, Service, started

from thumbnailer_storage.jobs.model import Status


@pytest.fixture
def logging(tmp_path: Path):
    with started(tmp_path, THUMBNAILER_LOG_FORMAT="json", THUMBNAILER_PROXIES="1") as service:
        yield service


def lines(program: Program, **about: object) -> list[dict]:
    read = [json.loads(line) for line in program.log.read_text().splitlines() if line.startswith("{")]
    return [line for line in read if about.items() <= line.items()]


def test_a_requests_id_is_in_the_access_log_in_the_events_and_in_the_workers_lines(logging: Service, small) -> None:
    api, worker = logging.api(), logging.worker()
    headers = {"X-Request-Id": "my-request", "X-Forwarded-For": "203.0.113.9, 198.51.100.7"}
    job = httpx.post(f"{api.url}/jobs", content=small, headers=headers).json()
    logging.wait_for(UUID(job["id"]), Status.COMPLETE)
    (access,) = lines(api, event="request", request_id="my-request")
    assert access["job"] == job["id"]
    assert access["address"] == "198.51.100.7", "the one that our own proxy has seen"
    events = httpx.get(f"{api.url}/jobs/{job['id']}/events").json()["events"]
    assert [(event["kind"], event["request_id"]) for event in events] == [
        (kind, "my-request") for kind in ("accepted", "claimed", "completed")
    ]
    assert [event["address"] for event in events] == ["198.51.100.7", None, None]
    assert lines(worker, event="completed", request_id="my-request", job=job["id"])


@pytest.mark.parametrize("given", ["127.0.0.1 OR 1=1", "x" * 5000, '"}{"event": "forged', "[::1", ""])
def test_an_address_that_a_caller_makes_up_is_none(logging: Service, small, given: str) -> None:
    api = logging.api()
    answer = httpx.post(f"{api.url}/jobs", content=small, headers={"X-Forwarded-For": given})
    assert answer.status_code == 202
    (accepted,) = logging.stores.events.of_job(UUID(answer.json()["id"]))
    assert accepted.address in (None, "127.0.0.1")


@pytest.mark.parametrize("given", ['a"b', "a b", "x" * 101, "a%0d%0aSet-Cookie:x", "{{7*7}}", "<script>"])
def test_an_id_of_a_request_that_is_not_sane_is_not_repeated(logging: Service, given: str) -> None:
    api = logging.api()
    answer = httpx.get(f"{api.url}/jobs/unknown", headers={"X-Request-Id": given})
    assert given not in answer.text
    assert given not in answer.headers["x-request-id"]
    assert answer.headers["x-request-id"] == answer.json()["request_id"]
    assert given not in api.log.read_text()
