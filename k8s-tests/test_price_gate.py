"""Work that can wait, waits until computing is cheap."""

import pytest
from pictures import LONG
from price import Price
from release import Release

BELOW, OPEN_AFTER = 0.3, 40
DEAR, CHEAP = 0.71, 0.21


def values(namespace: str) -> dict[str, object]:
    source = {"url": Price.url(namespace), "valueLocation": Price.LOCATION}
    gate = {"below": BELOW, "source": source}
    return {
        "workers": {
            "pools": {
                "patient": {"queues": ["patient"], "replicas": {"to": 1}, "priceGate": gate},
                "hurried": {
                    "queues": ["hurried"],
                    "replicas": {"to": 1},
                    "priceGate": {**gate, "openAfter": OPEN_AFTER},
                },
            }
        }
    }


@pytest.fixture(scope="module")
def price(release: Release) -> Price:
    return Price(release)


def test_while_computing_is_dear_jobs_wait_at_zero_workers_and_once_cheap_they_run(
    release: Release, price: Price
) -> None:
    price.is_now(DEAR)
    release.wait_until_zero("patient")
    jobs = release.submit(3, job_class="patient")
    release.stays("no worker while it is dear", lambda: not release.replicas("patient"), seconds=10)
    assert set(release.status(jobs)) == {"pending"}
    price.is_now(CHEAP)
    release.assert_whole(jobs)


def test_dear_again_the_pool_goes_to_zero_and_nothing_is_lost(release: Release, price: Price) -> None:
    price.is_now(CHEAP)
    jobs = release.submit(8, outputs=LONG, job_class="patient")
    release.wait("a job is worked on", lambda: release.processing(jobs))
    price.is_now(DEAR)
    release.wait_until_zero("patient")
    release.wait("jobs in hand are done or given back", lambda: not release.processing(jobs))
    assert "pending" in release.status(jobs)
    price.is_now(CHEAP)
    release.assert_whole(jobs, 300)


def test_what_has_waited_too_long_runs_though_it_is_dear(release: Release, price: Price) -> None:
    price.is_now(DEAR)
    release.wait_until_zero("hurried")
    jobs = release.submit(2, job_class="hurried")
    found = release.assert_whole(jobs)
    waited = min(job.queued_seconds or 0 for job in found)
    assert waited > OPEN_AFTER - 5, "the first opens the gate, and the others use it"


def test_a_price_that_nobody_knows_is_dear_and_the_age_opens_the_gate_all_the_same(
    release: Release, price: Price
) -> None:
    price.vanishes()
    release.wait_until_zero("patient", "hurried")
    jobs = release.submit(1, job_class="hurried")
    waiting = release.submit(1, job_class="patient")
    release.assert_whole(jobs)
    assert release.status(waiting) == ["pending"]
    assert not release.replicas("patient")
