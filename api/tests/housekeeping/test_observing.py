"""What is measured of the queues, and what KEDA reads of it at /scaling."""

import json
import math
import time
from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

import httpx
import pytest
from outgoing import of
from prometheus_client import REGISTRY

from thumbnailer_api.housekeeping.feed import Feed
from thumbnailer_api.housekeeping.observe import Looks, Observe
from thumbnailer_api.housekeeping.resend import Resend
from thumbnailer_api.housekeeping.scaling import Fresh, Scaling
from thumbnailer_storage.errors import DatabaseUnavailable, QueueMissing, QueueUnavailable
from thumbnailer_storage.jobs.model import Job, Source
from thumbnailer_storage.jobs.store import JobStore
from thumbnailer_storage.jobs.upkeep import Upkeep
from thumbnailer_storage.opening import Stores
from thumbnailer_storage.queues import Depth
from thumbnailer_storage.queues.sql import SqlQueue


class Watched(SqlQueue):
    """A queue that counts the looks at its depth, and fails for those that a test names."""

    def __init__(self, stores: Stores) -> None:
        super().__init__(stores.database)
        self.looks: list[str] = []
        self.fails: dict[str, Exception] = {}

    def depth(self, queue: str) -> Depth:
        self.looks.append(queue)
        if queue in self.fails:
            raise self.fails[queue]
        return super().depth(queue)


@pytest.fixture
def queue(stores: Stores) -> Watched:
    return Watched(stores)


@pytest.fixture
def scaling() -> Scaling:
    return Scaling(60)


@pytest.fixture
def observe(stores: Stores, queue: Watched, scaling: Scaling) -> Callable[[], int]:
    stores.queue.send("express", of("ada", [uuid4(), uuid4()]))
    stores.queue.receive(["express"], most=1, visibility=30)
    stores.queue.send("express", of("ada", [uuid4()]), delay=30)
    stores.jobs.add(Job.new(owner="ada", source=Source(bytes=1, sha256="0" * 64)))
    watched = replace(stores, queue=queue)
    return Observe(watched, Looks(watched), scaling)


def shown(name: str, **labels: str) -> float:
    value = REGISTRY.get_sample_value(f"thumbnailer_queue_{name}", labels)
    assert value is not None
    return value


def test_each_queue_has_its_depth_and_the_age_of_its_oldest_job(observe: Callable[[], int], scaling: Scaling) -> None:
    time.sleep(0.05)
    assert observe() == 3
    page = json.loads(json.dumps(scaling.page()))
    assert page["queues"]["express"] == {"depth": 3, "waiting": 1, "in_flight": 1, "delayed": 1, "oldest": 0}
    assert 0.05 < page["queues"]["standard"]["oldest"] < 60
    assert (set(page["queues"]), page["prices"]) == ({"express", "standard", "economy"}, {})


def test_while_a_queue_does_not_answer_its_depth_is_no_number_and_its_age_is_still_one(
    observe: Callable[[], int], queue: Watched, scaling: Scaling
) -> None:
    queue.fails = dict.fromkeys(("economy", "express", "standard"), QueueUnavailable("a test stopped it"))
    with pytest.raises(QueueUnavailable, match="a test stopped it"):
        observe()
    assert queue.looks == ["economy"], "the others would wait as long for nothing"
    assert math.isnan(shown("messages", queue="standard", state="waiting"))
    assert shown("oldest_seconds", queue="standard") > 0
    assert set(scaling.page()["queues"]["standard"]) == {"oldest"}  # type: ignore[index]


def test_a_queue_that_is_not_there_leaves_the_others_measured(
    observe: Callable[[], int], queue: Watched, scaling: Scaling
) -> None:
    queue.fails = {"economy": QueueMissing("there is no queue economy")}
    with pytest.raises(QueueMissing):
        observe()
    queues = scaling.page()["queues"]
    assert set(queues["economy"]) == {"oldest"}  # type: ignore[index]
    assert queues["express"]["depth"] == 3  # type: ignore[index]


def test_without_the_database_the_depths_are_there_still(
    observe: Callable[[], int], scaling: Scaling, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: object) -> None:
        raise DatabaseUnavailable("a test cut the line")

    monkeypatch.setattr(Upkeep, "queues", down)
    monkeypatch.setattr(JobStore, "oldest_seconds", down)
    with pytest.raises(DatabaseUnavailable):
        observe()
    assert math.isnan(shown("oldest_seconds", queue="standard"))
    assert shown("messages", queue="express", state="waiting") == 1
    assert scaling.page()["queues"]["express"] == {"depth": 3, "waiting": 1, "in_flight": 1, "delayed": 1}  # type: ignore[index]


def test_a_value_is_left_out_once_it_is_old() -> None:
    values: Fresh[int] = Fresh(0.1)
    values.set("a", 1)
    assert dict(values) == {"a": 1}
    time.sleep(0.15)
    assert dict(values) == {}


def test_one_look_at_each_queue_serves_a_round_but_none_that_something_was_sent_after(
    stores: Stores, queue: Watched, scaling: Scaling
) -> None:
    watched = replace(stores, queue=queue)
    looks = Looks(watched)
    resend, observe = Resend(watched, 0.0, Feed(watched), looks), Observe(watched, looks, scaling)
    job = stores.jobs.add(Job.new(owner="ada", source=Source(bytes=1, sha256="0" * 64)))
    stores.jobs.mark_sent([job.id])  # and its message is lost: the queue reads empty
    assert (resend(), observe()) == (0, 3)
    assert sorted(queue.looks) == ["economy", "express", "standard"]
    time.sleep(0.05)
    queue.looks.clear()
    assert (resend(), observe()) == (1, 3)
    assert sorted(queue.looks) == ["economy", "express", "standard", "standard"]
    assert scaling.page()["queues"]["standard"]["waiting"] == 1  # type: ignore[index]


def test_the_housekeeper_serves_it_beside_its_health(program, stores: Stores) -> None:
    assert program.run("migrate").returncode == 0
    housekeeper = program.start("housekeeper", HOUSEKEEPING_SECONDS="0.1", CLASSES="gpu")
    housekeeper.wait_until_ready()
    deadline = time.monotonic() + 20
    while not (page := httpx.get(f"{housekeeper.health}/scaling", trust_env=False).json())["queues"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    empty = {"depth": 0, "waiting": 0, "in_flight": 0, "delayed": 0, "oldest": 0}
    assert page == {"queues": dict.fromkeys(("economy", "express", "gpu", "standard"), empty), "prices": {}}
    unknown = httpx.get(f"{housekeeper.health}/scaling/express", trust_env=False)
    assert (unknown.status_code, unknown.text) == (404, "/healthz, /readyz, /metrics, /scaling\n")
