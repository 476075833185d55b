"""Real servers fail under a burst of jobs. At the end the ledger: what was accepted is done, each once, and no more."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from containers import Servers, client
from proxy import before
from service import Program, Service, assert_whole, started, wait_until

from thumbnailer_api import submitting
from thumbnailer_storage.jobs.model import Status

pytestmark = pytest.mark.timeout(400)
OUTAGE_SECONDS = 20.0
ANSWER_SECONDS = 5.0
"""Within this a caller is answered, whatever is down."""
SLOW = {"output": "format=avif,size=1000x1000"}
"""What keeps a worker busy for longer than it takes to post a burst."""
SLACK = 2.0
"""Two cores run everything here: what is promised is printed, and a test fails at twice that."""


@dataclass
class Callers:
    """Some callers who post one image after another; what they were answered, and the slowest answer in seconds."""

    accepted: list[UUID] = field(default_factory=list)
    refused: list[httpx.Response] = field(default_factory=list)
    slowest: float = 0.0

    def post(self, api: Program, image: bytes, stop: threading.Event, pause: float) -> None:
        with httpx.Client(timeout=60) as http:
            while not stop.is_set():
                began = time.monotonic()
                answer = http.post(f"{api.url}/jobs", content=image)
                self.slowest = max(self.slowest, time.monotonic() - began)
                if answer.status_code == 202:
                    self.accepted.append(UUID(answer.json()["id"]))
                else:
                    self.refused.append(answer)
                stop.wait(pause)


@contextmanager
def posting(api: Program, image: bytes, callers: int = 4, pause: float = 0.5) -> Iterator[Callers]:
    """Callers who post from the beginning of the block to its end."""
    record, stop = Callers(), threading.Event()
    threads = [threading.Thread(target=record.post, args=(api, image, stop, pause)) for _ in range(callers)]
    for thread in threads:
        thread.start()
    try:
        yield record
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    print(f"{len(record.accepted)} accepted, {len(record.refused)} refused, slowest answer {record.slowest:.1f} s")


def burst(service: Service, api: Program, image: bytes, jobs: int = 30, **asked: str) -> list[UUID]:
    return [service.submit(api, image, **asked) for _ in range(jobs)]


def assert_refused_well(callers: Callers) -> None:
    """Whoever was refused was told to come again, and soon enough."""
    assert callers.refused
    for answer in callers.refused:
        assert answer.status_code == 503, answer.text
        assert answer.json()["type"] == "/problems/store-unavailable"
        assert int(answer.headers["Retry-After"]) > 0
    assert callers.slowest < SLACK * ANSWER_SECONDS


@pytest.fixture
def running(real_service: Service) -> Service:
    """The service with one worker and a housekeeper; the API is the test's own."""
    real_service.housekeeper()
    real_service.worker()
    return real_service


@pytest.mark.parametrize("how", ["stopped", "frozen"])
def test_an_object_store_that_is_away_loses_nothing_and_leaves_no_job_behind(
    servers: Servers, running: Service, medium: bytes, how: str
) -> None:
    api = running.api()
    before = burst(running, api, medium)
    with posting(api, medium) as callers:
        with away(servers, "minio", how):
            time.sleep(OUTAGE_SECONDS)
        wait_until("jobs are accepted again", lambda: callers.accepted)
    assert_refused_well(callers)
    assert_whole(running, before + callers.accepted)
    assert {job.id for job in running.jobs()} == {*before, *callers.accepted}


@pytest.mark.parametrize("how", ["stopped", "frozen"])
def test_while_the_queue_is_away_every_job_is_accepted_and_done_later(
    servers: Servers, running: Service, medium: bytes, how: str
) -> None:
    api = running.api()
    before = burst(running, api, medium)
    with posting(api, medium) as callers, away(servers, "elasticmq", how):
        time.sleep(OUTAGE_SECONDS)
    assert callers.refused == []
    assert callers.slowest < SLACK * ANSWER_SECONDS
    assert_whole(running, before + callers.accepted)


def test_a_wiped_queue_loses_nothing(servers: Servers, running: Service, small: bytes) -> None:
    api = running.api()
    jobs = burst(running, api, small, **SLOW)
    sqs = client("sqs", servers.elasticmq())
    for url in sqs.list_queues(QueueNamePrefix=running.settings["THUMBNAILER_QUEUE"].removeprefix("sqs://"))[
        "QueueUrls"
    ]:
        sqs.purge_queue(QueueUrl=url)
    assert any(not job.status.final for job in running.jobs()), "all was done before the queue was wiped"
    assert_whole(running, jobs)


@pytest.mark.parametrize("how", ["stopped", "frozen"])
def test_a_database_that_is_away_loses_nothing(servers: Servers, running: Service, medium: bytes, how: str) -> None:
    api = running.api()
    before = burst(running, api, medium)
    with posting(api, medium) as callers:
        with away(servers, "postgres", how):
            time.sleep(OUTAGE_SECONDS)
        wait_until("jobs are accepted again", lambda: len(callers.accepted) > 10)
    assert_refused_well(callers)
    assert_whole(running, before + callers.accepted)


def test_a_database_that_is_restarted_costs_its_callers_nothing_once_it_is_back(
    servers: Servers, running: Service, small: bytes
) -> None:
    api = running.api()
    burst(running, api, small, 8)
    running.wait_until_all_final()
    servers.compose("restart", "--timeout", "10", "postgres")
    servers.start("postgres")
    assert_whole(running, burst(running, api, small, 8))  # the first use of each old connection is no error


@pytest.mark.parametrize("queue", ["sqs", "sql"])
def test_a_killed_worker_loses_nothing(tmp_path: Path, real: dict[str, str], small: bytes, queue: str) -> None:
    chosen = {"sqs": real["THUMBNAILER_QUEUE"], "sql": "sql:"}[queue]
    with started(tmp_path, **(real | {"THUMBNAILER_QUEUE": chosen})) as service:
        service.housekeeper()
        api, doomed = service.api(), service.worker()
        jobs = burst(service, api, small, **SLOW)
        wait_until("it is at work", lambda: any(job.status is Status.PROCESSING for job in service.jobs()))
        doomed.kill()
        service.worker()
        assert_whole(service, jobs)


def test_a_worker_that_is_cut_off_from_the_database_loses_nothing(
    tmp_path: Path, real: dict[str, str], small: bytes
) -> None:
    with before(real["THUMBNAILER_DATABASE"]) as (proxy, through), started(tmp_path, **real) as service:
        api = service.api()
        service.housekeeper()
        cut_off = service.worker(THUMBNAILER_DATABASE=through)
        jobs = burst(service, api, small, **SLOW)
        wait_until("it is at work", lambda: any(job.status is Status.PROCESSING for job in service.jobs()))
        proxy.cut()
        wait_until("what it held is taken from it", lambda: any(job.deaths for job in service.jobs()))
        assert any(not job.status.final for job in service.jobs()), "all was done before the line was cut"
        assert cut_off.answers("/healthz")
        proxy.mend()
        assert_whole(service, jobs)
        wait_until("it is ready again", lambda: cut_off.answers("/readyz"))


@pytest.mark.parametrize("step", [step.__name__ for step in submitting.STEPS])
def test_an_api_killed_after_any_step_leaves_a_whole_job_or_none(running: Service, small: bytes, step: str) -> None:
    api = running.api()
    doomed = running.api("api_dies_after", step)
    with posting(api, small, callers=2, pause=0.02) as callers:
        with pytest.raises(httpx.TransportError):
            httpx.post(f"{doomed.url}/jobs", content=small, timeout=30)
        doomed.process.wait(10)
    assert_whole(running, callers.accepted)
    recorded = len(running.jobs()) - len(callers.accepted)
    assert recorded == (1 if step in ("record", "enqueue", "commit") else 0)


@contextmanager
def away(servers: Servers, server: str, how: str) -> Iterator[None]:
    """A server that is stopped, or frozen so that it takes connections and never answers, and then comes back."""
    leave, come_back = {"stopped": (servers.stop, servers.start), "frozen": (servers.pause, servers.unpause)}[how]
    leave(server)
    try:
        yield
    finally:
        come_back(server)
