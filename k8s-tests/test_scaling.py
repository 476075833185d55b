"""Workers follow the depth of their queues: from zero, to the pool's maximum, and back."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any
from uuid import uuid4

import boto3
import pytest
from pictures import LONG
from release import Release

Say = Callable[[str], None]
ACTIVATION, AGE = 3, 20
VALUES = {"workers": {"pools": {"late": {"queues": ["late"], "activation": ACTIVATION, "activationAge": AGE}}}}


@pytest.fixture(autouse=True)
def idle(release: Release) -> None:
    release.wait_until_zero("standard", "late")


@pytest.fixture(scope="module")
def queues(release: Release) -> Iterator[Any]:
    """A client of ElasticMQ of our own."""
    url = release.forward(f"{release.fullname}-elasticmq", 9324)
    access = {"aws_access_key_id": "any", "aws_secret_access_key": "any", "region_name": "elasticmq"}
    with closing(boto3.client("sqs", endpoint_url=url, **access)) as client:
        yield client


def test_an_idle_release_has_no_workers(release: Release) -> None:
    release.stays("no workers", lambda: not release.pods("worker"), seconds=6)


def test_the_first_job_wakes_one_worker(release: Release, say: Say) -> None:
    release.client.queue()
    began = time.monotonic()
    jobs = release.submit()
    release.client.wait(jobs[0], 150)
    say(f"first job from zero workers to its thumbnail: {time.monotonic() - began:.1f} s")
    activated = release.kubectl("get", "events", "--field-selector", "reason=KEDAScaleTargetActivated", "-o", "json")
    assert f"{release.fullname}-worker-standard from 0 to 1" in activated
    release.assert_whole(jobs)


def test_a_burst_scales_out_to_the_maximum_drains_and_returns_to_zero(release: Release, say: Say) -> None:
    began = time.monotonic()
    jobs = release.submit(9, outputs=LONG)

    def passed() -> str:
        return f"{time.monotonic() - began:.0f} s"

    release.wait("one worker", lambda: release.workers("standard"))
    times = [f"one worker after {passed()}"]
    release.wait("three workers", lambda: release.replicas("standard") == 3)
    times.append(f"three, the most, after {passed()}")
    release.assert_whole(jobs, 300)
    times.append(f"drained after {passed()}")
    release.wait_until_zero("standard")
    say(f"burst of {len(jobs)} long jobs: {', '.join(times)}, back to zero after {passed()}")


def test_scale_in_while_long_jobs_run_makes_no_job_be_done_twice(release: Release) -> None:
    long = release.submit(2, outputs=LONG * 8)  # longer than two of the HPA's looks
    long += release.submit(2, outputs=LONG)
    release.wait("three workers", lambda: release.replicas("standard") == 3)
    release.wait(
        "fewer workers are wanted while jobs run",
        lambda: release.replicas("standard") < 3 and release.processing(long),
    )
    for job in release.assert_whole(long, 300):
        assert job.attempts == 1
        assert {event.kind for event in release.client.events(job.id)}.isdisjoint({"released", "rescued"})


def test_below_its_activation_a_pool_starts_nothing_and_above_it_workers_start(release: Release) -> None:
    jobs = release.submit(ACTIVATION, job_class="late")
    release.stays("no worker for so few jobs", lambda: not release.replicas("late"), seconds=8)
    jobs += release.submit(1, job_class="late")
    release.wait("a worker for one more", lambda: release.workers("late"))
    assert max(release.status(jobs)) == "pending", "its age opened the pool, not the number of jobs"
    release.assert_whole(jobs)


def test_a_few_jobs_below_the_activation_are_opened_for_by_age(release: Release, say: Say) -> None:
    [job] = release.submit(1, job_class="late")
    [job] = release.assert_whole([job])
    assert job.queued_seconds is not None
    assert job.queued_seconds > AGE
    say(f"a single job below the activation, opened for by its age of {AGE} s, waited {job.queued_seconds:.0f} s")


def test_messages_without_records_start_workers_that_go_again(release: Release, queues: Any) -> None:
    queue = queues.get_queue_url(QueueName="thumbnailer-standard")["QueueUrl"]
    for _ in range(3):
        queues.send_message(QueueUrl=queue, MessageBody=str(uuid4()))
    release.wait("a worker for messages", lambda: release.workers("standard"))
    queues.purge_queue(QueueUrl=queue)
    release.wait_until_zero("standard")
    release.wait("the queue reads empty", lambda: release.scaling("standard").get("depth") == 0)


def test_purged_messages_of_pending_jobs_are_sent_again(release: Release, queues: Any) -> None:
    jobs = release.submit(2, job_class="late")
    release.wait("messages wait", lambda: release.scaling("late").get("depth") == 2)
    queues.purge_queue(QueueUrl=queues.get_queue_url(QueueName="thumbnailer-late")["QueueUrl"])
    release.assert_whole(jobs)
