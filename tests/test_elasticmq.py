"""ElasticMQ as compose.yaml runs it: a restart loses nothing, and a backlog never fills it."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from containers import Servers, client
from outgoing import of
from service import Service, assert_whole, wait_until

from thumbnailer_storage.errors import QueueUnavailable
from thumbnailer_storage.jobs.model import Status
from thumbnailer_storage.queues.sqs import SqsQueue

LIMIT = 30
SHARE = LIMIT // 10
"""What a look grants: API and housekeeper, looking at once, overstep the limit by one of them at most."""
JOBS = 5 * LIMIT
FLUSH_SECONDS = 1.0
"""H2 writes to the disk twice a second; what a power cut takes of it, the records send again."""


@pytest.mark.parametrize("how", ["restarted", "killed"])
def test_messages_outlast_the_server(servers: Servers, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    for name, value in servers.elasticmq().items():
        monkeypatch.setenv(name, value)
    with servers.queues() as prefix, closing(SqsQueue(prefix)) as queue:
        jobs = {uuid4() for _ in range(2000)}
        queue.send("standard", of("ada", jobs))
        held, deleted = queue.receive(["standard"], most=2, visibility=600)
        queue.delete(deleted)
        time.sleep(FLUSH_SECONDS)
        if how == "restarted":
            servers.compose("restart", "elasticmq")
        else:
            servers.stop("elasticmq")
        servers.start("elasticmq")
        wait_until("the messages are there", lambda: waiting(queue) == len(jobs) - 2)
        assert queue.depth("standard").in_flight == 1
        queue.delete(held)
        left = set[UUID | None]()
        while messages := queue.receive(["standard"], most=100, visibility=600):
            left |= {message.job for message in messages}
        assert left == jobs - {held.job, deleted.job}


def waiting(queue: SqsQueue) -> int | None:
    try:
        return queue.depth("standard").waiting
    except QueueUnavailable:
        return None


@contextmanager
def watched(service: Service) -> Iterator[list[int]]:
    """How many messages stood in the queue from the beginning of the block to its end."""
    seen, stop = list[int](), threading.Event()

    def watch() -> None:
        while not stop.wait(0.05):
            depth = service.stores.queue.depth("standard")
            seen.append(depth.waiting + depth.in_flight + depth.delayed)

    thread = threading.Thread(target=watch)
    thread.start()
    yield seen
    stop.set()
    thread.join()


def test_a_backlog_waits_as_records_and_passes_a_small_queue_in_order(real_service: Service, small: bytes) -> None:
    service = real_service
    service.settings["THUMBNAILER_QUEUE_LIMIT"] = str(LIMIT)
    api = service.api()
    service.housekeeper()
    with watched(service) as seen:
        jobs = [service.submit(api, small) for _ in range(JOBS)]
        wait_until("the queue is as full as it gets", lambda: max(seen) >= LIMIT - SHARE)
        time.sleep(1)
        service.worker()
        assert_whole(service, jobs)
    assert max(seen) <= LIMIT + SHARE
    print(f"{JOBS} jobs, at most {max(seen)} messages, a limit of {LIMIT}; {displaced(service):} places out of order")
    assert displaced(service) <= LIMIT


def displaced(service: Service) -> int:
    """How many places a job was claimed before or after its turn, at most."""
    jobs = service.jobs()
    accepted = sorted(jobs, key=lambda job: (job.start or job.finish, job.id))  # type: ignore[arg-type, return-value]
    claimed: list[Any] = sorted(jobs, key=lambda job: (job.claimed or job.start, job.id))  # type: ignore[arg-type, return-value]
    turn = {job.id: n for n, job in enumerate(accepted)}
    return max(abs(turn[job.id] - n) for n, job in enumerate(claimed))


@pytest.mark.parametrize("how", ["stopped", "frozen"])
def test_while_the_queue_is_down_callers_are_answered_quickly(
    servers: Servers, real_service: Service, small: bytes, how: str
) -> None:
    api = real_service.api()
    leave, come_back = (servers.stop, servers.start) if how == "stopped" else (servers.pause, servers.unpause)
    leave("elasticmq")
    try:
        took = []
        for _ in range(20):
            began = time.monotonic()
            real_service.submit(api, small)
            took.append(time.monotonic() - began)
        began = time.monotonic()
        answer = httpx.get(f"{api.url}/queue", timeout=30)
        asked = time.monotonic() - began
    finally:
        come_back("elasticmq")
    print(f"{how}: POST took {sorted(took)[10]:.3f} s, one {max(took):.1f} s; GET /queue said so after {asked:.1f} s")
    assert sum(seconds > 1 for seconds in took) <= 2  # those who find out
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/store-unavailable")
    assert "Retry-After" in answer.headers
    assert api.metric('thumbnailer_api_unqueued_jobs_total{because="trouble"}') == 20
    real_service.housekeeper()
    real_service.worker()
    assert_whole(real_service, [job.id for job in real_service.jobs()])


def test_what_is_no_job_of_ours_is_counted_and_deleted(servers: Servers, real_service: Service, small: bytes) -> None:
    prefix = real_service.settings["THUMBNAILER_QUEUE"].removeprefix("sqs://")
    sqs = client("sqs", servers.elasticmq())
    url = sqs.get_queue_url(QueueName=f"{prefix}-standard")["QueueUrl"]
    for body in ("hello", '{"job": 1}'):
        sqs.send_message(QueueUrl=url, MessageBody=body)
    job = real_service.submit(real_service.api(), small)
    worker = real_service.worker()
    assert_whole(real_service, [job])
    wait_until("no message is left", lambda: real_service.stores.queue.depth("standard").empty)
    assert worker.metric("thumbnailer_foreign_messages_total") == 2
    assert "none of ours" in worker.log.read_text()


def test_an_idle_worker_that_is_told_to_stop_ends_with_its_polls_and_keeps_nothing(
    real_service: Service, small: bytes
) -> None:
    api, idle = real_service.api(), real_service.worker(THUMBNAILER_LEASE_SECONDS="60")
    began = time.monotonic()
    idle.process.send_signal(signal.SIGTERM)
    jobs = [real_service.submit(api, small, priority=priority) for priority in ("express", "standard", "economy")]
    assert idle.process.wait(60) == 0
    print(f"the worker ended {time.monotonic() - began:.1f} s after SIGTERM")
    for job in jobs:
        assert real_service.job(job).attempt == 0
        assert real_service.stores.queue.depth(real_service.job(job).queue).waiting == 1
    real_service.worker()
    assert_whole(real_service, jobs)


def test_an_idle_worker_begins_a_job_at_once(real_service: Service, small: bytes) -> None:
    api = real_service.api()
    real_service.worker()
    real_service.wait_for(real_service.submit(api, small), Status.COMPLETE)  # its child has started
    time.sleep(1)
    waits = []
    for _ in range(5):
        job = real_service.wait_for(real_service.submit(api, small), Status.COMPLETE)
        assert job.start
        assert job.claimed
        waits.append((job.claimed - job.start).total_seconds())
        time.sleep(0.7)
    print("from acceptance to the claim, in ms:", *(f"{wait * 1000:.0f}" for wait in sorted(waits)))
