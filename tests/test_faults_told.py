"""Real servers and programs fail while jobs are posted, cancelled and told of.

At the end the ledger: each job's receiver was told what became of it, at least once, and nothing that never happened.
"""

import base64
import os
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from containers import Servers
from receivers import Receiver, receiver
from service import Program, Service, started, wait_until

from thumbnailer_storage.jobs.model import Status

pytestmark = pytest.mark.timeout(400)
OUTAGE_SECONDS = 6.0
TOLD_SECONDS = 120.0
"""Within this after all is well again everybody is told: what was tried twice meanwhile waits half a minute
(docs/webhooks.md), and two cores run everything here."""
DOWN, UP = [(503, {})], [(204, {})]
TOLD = {Status.COMPLETE: "job.complete", Status.CANCELLED: "job.cancelled", Status.EXPIRED: "job.complete"}
"""By what a job is in the end; who deletes a complete one has heard that it was complete."""


@dataclass
class Callers:
    """Some who post one image after another, and cancel every third job at once or a moment later."""

    accepted: list[UUID] = field(default_factory=list)

    def post(self, api: Program, image: bytes, webhook: str, stop: threading.Event) -> None:
        with httpx.Client(base_url=api.url, timeout=60) as http:
            n = 0
            while not stop.is_set():
                n += 1
                answer = http.post("/jobs", content=image, params={"webhook": webhook, **(SLOW if n % 2 else {})})
                if answer.status_code == 202:
                    self.accepted.append(UUID(answer.json()["id"]))
                if answer.status_code == 202 and n % 3 == 0:
                    stop.wait(n % 4 * 0.15)
                    http.delete(f"/jobs/{answer.json()['id']}")
                stop.wait(0.8)


SLOW = {"output": "format=avif,size=600x600"}


@contextmanager
def posting(api: Program, image: bytes, webhook: str) -> Iterator[Callers]:
    callers, stop = Callers(), threading.Event()
    threads = [threading.Thread(target=callers.post, args=(api, image, webhook, stop)) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        yield callers
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def assert_everybody_is_told(service: Service, hook: Receiver, accepted: list[UUID]) -> None:
    began = time.monotonic()
    jobs = {job.id: job for job in service.wait_until_all_final()}
    assert set(accepted) <= set(jobs)

    def settled() -> bool:
        return all(delivery.state == "delivered" for job in jobs for delivery in service.stores.deliveries.of_job(job))

    wait_until("every receiver is told", settled, TOLD_SECONDS)
    heard: dict[UUID, set[str]] = defaultdict(set)
    whole = [got for got in hook.received if len(got.body) == int(got.headers["content-length"])]
    for got in whole:  # what a housekeeper began to say when it was killed is nothing yet
        heard[UUID(got.json["data"]["id"])].add(got.json["type"])
    assert heard == {job.id: {TOLD[job.status]} for job in jobs.values()}
    outcomes = Counter(job.status for job in jobs.values())
    assert {Status.COMPLETE, Status.CANCELLED} <= set(outcomes), outcomes
    for job in jobs.values():
        ends = [event.kind for event in service.stores.events.of_job(job.id) if event.kind in ENDS]
        assert len(ends) == 1, (job, ends)
    assert service.stores.ledger.recount() == 0
    print(
        f"{len(jobs)} jobs, {dict(outcomes)}, {len(whole)} webhooks, the last one "
        f"{time.monotonic() - began:.1f} s after everything was well again"
    )


ENDS = ("completed", "failed", "poisoned", "cancelled")


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


@pytest.fixture
def telling(tmp_path: Path, real: dict[str, str], hook: Receiver) -> Iterator[Service]:
    settings = {
        "THUMBNAILER_WEBHOOK_INSECURE_HTTP": "yes",
        "THUMBNAILER_WEBHOOK_NETWORKS": "127.0.0.0/8",
        "THUMBNAILER_WEBHOOK_PORTS": str(hook.server.server_port),
        "THUMBNAILER_SECRET_KEYS": base64.urlsafe_b64encode(os.urandom(32)).decode(),
    }
    with started(tmp_path, **real, **settings) as service:
        yield service


def test_stores_and_the_receiver_are_away_one_after_the_other_and_in_the_end_everybody_is_told(
    servers: Servers, telling: Service, hook: Receiver, small: bytes
) -> None:
    api = telling.api()
    telling.housekeeper()
    telling.worker()
    with posting(api, small, hook.url) as callers:
        for server in ("elasticmq", "minio", "postgres"):
            before = len(callers.accepted)
            wait_until("jobs are accepted", lambda: len(callers.accepted) > before + 5)  # noqa: B023
            hook.answers = DOWN if server == "elasticmq" else UP
            servers.stop(server)
            time.sleep(OUTAGE_SECONDS)
            servers.start(server)
            hook.answers = UP
        before = len(callers.accepted)
        wait_until("jobs are accepted again", lambda: len(callers.accepted) > before + 5)
    assert_everybody_is_told(telling, hook, callers.accepted)


def test_workers_and_housekeepers_are_killed_again_and_again_and_in_the_end_everybody_is_told(
    telling: Service, hook: Receiver, small: bytes
) -> None:
    api = telling.api()
    start: list[Callable[[], Program]] = [telling.worker, telling.housekeeper]
    running = [starting() for starting in start]
    with posting(api, small, hook.url) as callers:
        for round_ in range(4):
            hook.answers = DOWN if round_ == 1 else UP
            wait_until("more are accepted", lambda: len(callers.accepted) > 6 * (round_ + 1))  # noqa: B023
            which = round_ % 2
            running[which].kill()
            running[which] = start[which]()
    assert_everybody_is_told(telling, hook, callers.accepted)
