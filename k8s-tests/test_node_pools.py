"""Where workers run, and what becomes of their jobs when they or their nodes go."""

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cluster
import pytest
from pictures import LONG
from release import Release

Say = Callable[[str], None]
VALUES = {
    "workers": {
        "pools": {
            "standard": {"queues": ["express", "standard"], "graceSeconds": 60},
            "economy": {"enabled": True, "nodes": "spot", "replicas": {"to": 1}},
            "gpu": {"enabled": True, "replicas": {"to": 1}},
        }
    }
}


def nodes(release: Release, label: str) -> set[str]:
    found = {node.metadata.name for node in release.core.list_node(label_selector=label).items}
    if not found:
        pytest.skip(f"the cluster has no node with {label}")
    return found


@pytest.fixture
def gpus(release: Release) -> Iterator[Callable[[int], None]]:
    """Sets how many GPUs there are; the cluster's own number comes back."""
    [name] = nodes(release, f"{cluster.GPU}=nvidia")
    path = Path(os.environ["KUBECONFIG"])
    yield lambda count: cluster.give_gpus(name, count, path)
    cluster.give_gpus(name, 2, path)


def test_standard_jobs_run_neither_on_spot_nor_on_gpu_nodes(release: Release) -> None:
    jobs = release.submit(2, outputs=LONG)
    release.wait("a standard worker has a node", lambda: release.nodes("standard"))
    special = nodes(release, f"{cluster.SPOT}=spot") | nodes(release, f"{cluster.GPU}=nvidia")
    assert release.nodes("standard").isdisjoint(special)
    release.assert_whole(jobs)


def test_economy_jobs_run_on_the_spot_node_only(release: Release) -> None:
    jobs = release.submit(2, priority="economy")
    release.wait("an economy worker has a node", lambda: release.nodes("economy"))
    assert release.nodes("economy") <= nodes(release, f"{cluster.SPOT}=spot")
    release.assert_whole(jobs)


def test_gpu_jobs_run_on_the_gpu_node_and_only_while_it_has_one(release: Release, gpus: Callable[[int], None]) -> None:
    gpus(0)
    jobs = release.submit(job_class="gpu")

    def unschedulable() -> bool:
        [worker] = release.workers("gpu")
        return any(said.reason == "Unschedulable" for said in worker.status.conditions or ())

    release.wait("a gpu worker", lambda: release.workers("gpu"))
    release.wait("the worker finds no GPU", unschedulable)
    assert release.status(jobs) == ["pending"]
    gpus(2)
    release.assert_whole(jobs)
    assert release.nodes("gpu") <= nodes(release, f"{cluster.GPU}=nvidia")


def test_a_worker_pod_that_is_deleted_finishes_within_its_grace_and_loses_nothing(release: Release, say: Say) -> None:
    release.wait_until_zero("standard")
    jobs = release.submit(1, outputs=LONG * 3)
    release.wait("a job is worked on", lambda: release.processing(jobs))
    worker: Any = release.workers("standard")[0]
    jobs += release.submit(1)
    began = time.monotonic()
    release.kubectl("delete", "pod", worker.metadata.name)
    took = time.monotonic() - began
    assert took < worker.spec.termination_grace_period_seconds
    say(f"a busy worker's pod deleted: gone after {took:.1f} s of {worker.spec.termination_grace_period_seconds}")
    for job in release.assert_whole(jobs):
        assert job.attempts == 1


def test_a_drained_node_loses_nothing(release: Release, say: Say) -> None:
    [node] = nodes(release, f"{cluster.SPOT}=spot")
    jobs = release.submit(2, outputs=LONG, priority="economy")
    release.wait("a job is worked on", lambda: release.processing(jobs))
    began = time.monotonic()
    try:
        ours = f"app.kubernetes.io/instance={release.name},thumbnailer/pool=economy"
        drain = ["drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=200s"]
        release.kubectl(*drain, "--pod-selector", ours)
        say(f"the spot node drained while a job ran: {time.monotonic() - began:.1f} s")
        release.stays("no job is in processing", lambda: not release.processing(jobs), seconds=3)
    finally:
        release.kubectl("uncordon", node)
    release.assert_whole(jobs)


def test_what_a_spot_pool_is_given_fits_the_clouds_notice(release: Release) -> None:
    pod = json.loads(release.kubectl("get", "deployment", f"{release.fullname}-worker-economy", "-o", "json"))
    assert pod["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] <= 30
