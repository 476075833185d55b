"""Webhooks from real programs to a real receiver: each job's end is told once at least, whatever dies in between."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from cryptography.fernet import Fernet
from proxy import before
from receivers import Receiver, receiver
from service import Program, Service, started, wait_until
from sqlalchemy import update

from thumbnailer import webhooks
from thumbnailer_storage.jobs.clocks import clock
from thumbnailer_storage.jobs.model import Status
from thumbnailer_storage.jobs.tables import deliveries

pytestmark = pytest.mark.timeout(400)
JOBS = 40
CUT_SECONDS = 6.0


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


def settings_for(hook: Receiver) -> dict[str, str]:
    """What lets webhooks go to the loopback, where a receiver of the tests is."""
    return {
        "THUMBNAILER_WEBHOOK_NETWORKS": "127.0.0.0/8",
        "THUMBNAILER_WEBHOOK_PORTS": str(hook.server.server_port),
        "THUMBNAILER_WEBHOOK_INSECURE_HTTP": "yes",
    }


@pytest.fixture
def embedded(tmp_path: Path, hook: Receiver) -> Iterator[Service]:
    with started(tmp_path, **settings_for(hook)) as service:
        yield service


def told_by_default(api: Program, hook: Receiver, *events: str) -> str:
    """Have all jobs call back; returns the secret."""
    asked: dict[str, Any] = {"url": hook.url, **({"events": list(events)} if events else {})}
    answer = httpx.put(f"{api.url}/webhook", json=asked, timeout=30)
    assert answer.status_code == 200, answer.text
    secret: str = answer.json()["secret"]
    return secret


def hurry(service: Service) -> None:
    """Bring the next tries forward, and the ends of leases, so that no test waits for a day."""
    with service.stores.database.write() as connection:
        connection.execute(update(deliveries).where(deliveries.c.due.is_not(None)).values(due=clock(-1)))


def told(hook: Receiver, secret: str) -> dict[UUID, set[str]]:
    """What the receiver was told of each job, every message verified."""
    found: dict[UUID, set[str]] = {}
    for got in list(hook.received):
        event = webhooks.verify(got.body, got.headers, secret)
        found.setdefault(UUID(event["data"]["id"]), set()).add(event["type"])
    return found


def test_a_job_calls_back_from_end_to_end_and_our_client_believes_it(
    embedded: Service, hook: Receiver, small: bytes
) -> None:
    api = embedded.api()
    secret = told_by_default(api, hook)
    embedded.worker()
    housekeeper = embedded.housekeeper()
    job = embedded.submit(api, small)
    (got,) = hook.wait(seconds=60)
    event = webhooks.verify(got.body, got.headers, secret)
    assert (event["type"], event["data"]["id"]) == ("job.complete", str(job))
    assert httpx.get(f"{api.url}{event['data']['location']}").status_code == 200
    wait_until("it is noted", lambda: embedded.stores.deliveries.of_job(job)[0].state == "delivered")
    assert housekeeper.metric('thumbnailer_webhook_attempts_total{outcome="delivered"}') == 1
    assert housekeeper.stop() == 0
    logs = "".join(program.log.read_text() for program in embedded.programs)
    assert secret not in logs
    assert secret.removeprefix("whsec_") not in logs


def test_a_housekeeper_killed_between_sending_and_noting_sends_again_under_the_same_id(
    embedded: Service, hook: Receiver, small: bytes
) -> None:
    api = embedded.api()
    told_by_default(api, hook)
    embedded.worker()
    doomed = embedded.housekeeper()
    hook.held.clear()
    job = embedded.submit(api, small)
    hook.wait(seconds=60)
    doomed.kill()
    hook.held.set()
    assert embedded.stores.deliveries.of_job(job)[0].state == "waiting"
    embedded.housekeeper()
    hurry(embedded)
    first, second = hook.wait(2, seconds=60)
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    wait_until("it is noted", lambda: embedded.stores.deliveries.of_job(job)[0].state == "delivered")


def test_a_housekeeper_that_is_told_to_stop_ends_what_it_sends(embedded: Service, hook: Receiver, small: bytes) -> None:
    api = embedded.api()
    told_by_default(api, hook)
    embedded.worker()
    housekeeper = embedded.housekeeper()
    hook.held.clear()
    job = embedded.submit(api, small)
    hook.wait(seconds=60)
    housekeeper.process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    hook.held.set()
    assert housekeeper.process.wait(30) == 0
    assert embedded.stores.deliveries.of_job(job)[0].state == "delivered"


def through_faults(service: Service, hook: Receiver, small: bytes, break_it: Any) -> None:
    """Jobs and cancels, while receiver and housekeepers come and go; then the ledger of what was told."""
    api = service.api()
    secret = told_by_default(api, hook, "complete", "failed", "cancelled", "expired")
    workers = [service.worker()]
    keeper = Keepers(service)
    hook.answers = [(503, {})]
    jobs = []
    for n in range(JOBS):
        jobs.append(service.submit(api, small))
        if n % 3 == 0:
            cancel(api, random.choice(jobs))
        if n % 20 == 10:
            keeper.replace()
    break_it(api, jobs)
    keeper.replace()
    final = {job.id: job.status for job in service.wait_until_all_final()}
    hook.answers = [(204, {})]
    wait_until("all is told", lambda: all_told(service, jobs) or hurry_a_little(service), 120)
    keeper.stop()
    heard = told(hook, secret)
    assert set(final.values()) == {Status.COMPLETE, Status.CANCELLED} or Status.EXPIRED in final.values()
    for job in jobs:
        happened = {event.kind for event in service.stores.events.of_job(job)}
        expected = {f"job.{kind}" for kind in ("cancelled",) if kind in happened}
        expected |= {"job.complete"} if "completed" in happened else set()
        expected |= {"job.expired"} if "deleted" in happened else set()
        assert heard[job] == expected, (job, happened)
    assert workers[0].process.poll() is None


class Keepers:
    """One housekeeper after the other, each killed without a word."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._now = service.housekeeper()

    def replace(self) -> None:
        self._now.kill()
        self._now = self._service.housekeeper()

    def stop(self) -> None:
        assert self._now.stop() == 0


def cancel(api: Program, job: UUID) -> None:
    assert httpx.delete(f"{api.url}/jobs/{job}", timeout=30).status_code in (200, 503)


def all_told(service: Service, jobs: list[UUID]) -> bool:
    states = {each.state for job in jobs for each in service.stores.deliveries.of_job(job)}
    return states == {"delivered"}


def hurry_a_little(service: Service) -> bool:
    hurry(service)
    time.sleep(1)
    return False


def test_every_end_is_told_and_nothing_that_never_happened(embedded: Service, hook: Receiver, small: bytes) -> None:
    through_faults(embedded, hook, small, lambda api, jobs: None)


@pytest.mark.stores
def test_the_same_on_postgresql_with_a_network_that_is_cut(
    tmp_path: Path, servers: Any, hook: Receiver, small: bytes
) -> None:
    with servers.database() as url, before(url) as (proxy, through):
        keys = {"THUMBNAILER_SECRET_KEYS": Fernet.generate_key().decode()}
        with started(tmp_path, THUMBNAILER_DATABASE=through, **keys, **settings_for(hook)) as service:

            def cut(api: Program, jobs: list[UUID]) -> None:
                proxy.cut()
                ends = time.monotonic() + CUT_SECONDS
                while time.monotonic() < ends:
                    with suppress(httpx.TransportError):
                        cancel(api, random.choice(jobs))
                proxy.mend()
                wait_until("the API is back", lambda: api.answers("/readyz"))

            through_faults(service, hook, small, cut)
