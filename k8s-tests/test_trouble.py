"""What is down or cannot be read: the ledger is whole afterwards, and the pools do what the design says meanwhile."""

from collections.abc import Callable

import httpx
import pytest
from pictures import LONG, photo
from release import Release, is_ready

Say = Callable[[str], None]
HELD = 1
VALUES = {"workers": {"pools": {"standard": {"fallback": {"replicas": HELD}}}}}
KEDA = "keda"


@pytest.mark.parametrize("store", ["elasticmq", "minio", "postgresql"])
def test_a_store_killed_with_a_backlog_costs_no_job(release: Release, store: str) -> None:
    jobs = release.submit(6, outputs=LONG)
    release.wait("a job is worked on", lambda: release.processing(jobs))
    before = release.pods(store)[0].metadata.uid
    release.kill(f"{release.fullname}-{store}-0")
    release.wait(f"another {store}", lambda: [pod for pod in release.pods(store) if pod.metadata.uid != before])
    release.wait_until_ready()
    jobs += release.submit(1)
    release.assert_whole(jobs, 300)


def test_while_the_object_store_is_away_callers_are_answered_all_the_same(release: Release) -> None:
    [job] = release.assert_whole(release.submit(1))
    release.scale("statefulset", "minio", 0)
    try:
        release.stays("a job's status is told", lambda: release.client.get(job.id).status, seconds=15)
        answer = httpx.post(f"{release.client.url}/jobs", content=photo(), headers=release.authorised)
        assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)
    finally:
        release.scale("statefulset", "minio", 1)


def test_while_the_ages_are_unknown_the_depth_alone_scales(release: Release) -> None:
    release.wait_until_zero("standard")
    release.scale("deployment", "housekeeper", 0)
    try:
        release.assert_whole(release.submit(2))
    finally:
        release.scale("deployment", "housekeeper", 1)


def test_while_the_queue_cannot_be_read_the_pool_starts_its_fallback_and_goes_to_zero_afterwards(
    release: Release,
) -> None:
    release.wait_until_zero("standard")
    release.scale("statefulset", "elasticmq", 0)
    try:
        # A look at a queue that is gone takes KEDA up to ten seconds, and it looks some times before it believes it.
        release.wait("the fallback's workers", lambda: len(release.workers("standard")) == HELD, 300)
        jobs = release.submit(2)
    finally:
        release.scale("statefulset", "elasticmq", 1)
    release.assert_whole(jobs)
    release.wait_until_zero("standard")


def test_while_the_queue_cannot_be_read_the_pool_holds_what_it_has(release: Release) -> None:
    jobs = release.submit(6, outputs=[*LONG, *LONG])
    release.wait("two workers at least", lambda: release.replicas("standard") >= 2)
    held = release.replicas("standard")
    release.scale("statefulset", "elasticmq", 0)
    try:
        release.stays("as many workers as before", lambda: release.replicas("standard") >= held, seconds=30)
    finally:
        release.scale("statefulset", "elasticmq", 1)
    release.assert_whole(jobs, 300)


@pytest.mark.alone
def test_while_kedas_operator_is_down_jobs_run_with_the_workers_there_are(release: Release) -> None:
    jobs = release.submit(4, outputs=LONG)
    release.wait("a worker", lambda: any(is_ready(pod) for pod in release.workers("standard")))
    operator = ["deployment/keda-operator", "--namespace", KEDA]
    release.kubectl("scale", *operator, "--replicas=0")
    try:
        release.kubectl("wait", "pod", "--for=delete", "-l", "app=keda-operator", "--namespace", KEDA, "--timeout=90s")
        before = release.replicas("standard")
        jobs += release.submit(2)
        release.assert_whole(jobs, 300)
        assert release.replicas("standard") == before, "without a metric the HPA leaves it as it is"
    finally:
        release.kubectl("scale", *operator, "--replicas=1")
        release.kubectl("rollout", "status", *operator, "--timeout=150s")
    release.wait_until_zero("standard")
