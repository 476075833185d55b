"""What the housekeeper does, on real stores; several copies at once do no harm."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from prometheus_client import REGISTRY

from thumbnailer_api.config import HousekeeperSettings
from thumbnailer_api.housekeeping.feed import Feed
from thumbnailer_api.housekeeping.loop import Housekeeper
from thumbnailer_api.housekeeping.observe import Looks
from thumbnailer_api.housekeeping.rescue import Rescue
from thumbnailer_api.housekeeping.resend import Resend
from thumbnailer_api.housekeeping.sweep import MANY, SAFETY_SECONDS, Sweep
from thumbnailer_storage.config import StorageSettings
from thumbnailer_storage.errors import DatabaseUnavailable, ForeignStore, QueueUnavailable
from thumbnailer_storage.jobs import schema
from thumbnailer_storage.jobs.model import POISON_DEATHS, Job, Source, Status
from thumbnailer_storage.jobs.pictures import Result
from thumbnailer_storage.opening import MARKER, Stores, open_stores
from thumbnailer_storage.queues import Outgoing
from thumbnailer_storage.queues.sql import SqlQueue

AT_ONCE = -SAFETY_SECONDS - 1
"""A longest request that makes every object old enough."""


def added(stores: Stores) -> Job:
    job = Job.new(owner="ada", source=Source(bytes=1, sha256="0" * 64))
    stores.objects.put(job.upload_key, [b"x"])
    stores.jobs.add(job)
    return job


def claimed(stores: Stores, lease: float = 30) -> Job:
    return stores.jobs.claim(added(stores).id, worker="w", lease=lease)


def put_result(stores: Stores, job: Job) -> str:
    key = job.result_key(Result(0, "png", 100, 100, 1))
    stores.objects.put(key, [b"x"])
    return key


def keys(stores: Stores) -> set[str]:
    return {stored.key for folder in ("uploads/", "results/") for stored in stores.objects.list(folder)}


def resend(stores: Stores, pause: float) -> Resend:
    return Resend(stores, pause, Feed(stores), Looks(stores))


def together(*calls: Callable[[], int]) -> int:
    """The sum of what some calls return that run at once."""
    results: list[int] = []
    threads = [threading.Thread(target=lambda call=call: results.append(call())) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == len(calls)
    return sum(results)


def test_the_sweep_removes_what_no_job_needs_and_nothing_else(stores: Stores) -> None:
    waiting, lost, done = added(stores), claimed(stores, lease=-1), claimed(stores)
    orphan = f"uploads/{uuid4()}"
    stores.objects.put(orphan, [b"x"])
    old = put_result(stores, lost)
    winner = stores.jobs.take_over(lost.id, worker="w2", lease=30)
    current, finished = put_result(stores, winner), put_result(stores, done)
    stores.jobs.apply(done, done.complete(done.source, (Result(0, "png", 100, 100, 1),)))
    needed = {job.upload_key for job in (waiting, lost)} | {current, finished}
    assert keys(stores) == needed | {orphan, old, done.upload_key}
    assert Sweep(stores, AT_ONCE)() == 3
    assert keys(stores) == needed


def test_the_sweep_leaves_what_may_still_be_on_its_way(stores: Stores) -> None:
    stores.objects.put(f"uploads/{uuid4()}", [b"x"])
    assert Sweep(stores, longest=300)() == 0
    assert len(keys(stores)) == 1


def test_the_sweep_leaves_keys_that_are_none_of_ours(stores: Stores) -> None:
    job = added(stores)
    strange = {"uploads/holiday", f"results/{job.id}/notes.txt", f"results/{job.id}/x/0.png"}
    for key in strange:
        stores.objects.put(key, [b"x"])
    assert Sweep(stores, AT_ONCE)() == 0
    assert keys(stores) == strange | {job.upload_key}


def test_several_sweeps_at_once_do_no_harm(stores: Stores) -> None:
    stores.claim_objects()  # as at start: sweeps that find everything old enough would clear each other's marker
    kept = {added(stores).upload_key for _ in range(20)}
    for _ in range(20):
        stores.objects.put(f"uploads/{uuid4()}", [b"x"])
    together(*[Sweep(stores, AT_ONCE)] * 3)
    assert keys(stores) == kept


def test_the_sweep_refuses_a_store_whose_marker_names_another_database(stores: Stores, tmp_path: Path) -> None:
    stores.claim_objects()
    upload = added(stores).upload_key
    empty = open_stores(StorageSettings(data=tmp_path, database=f"sqlite:///{tmp_path / 'other.db'}"))
    schema.migrate(empty.database)
    with pytest.raises(ForeignStore, match="belongs to database"):
        Sweep(empty, AT_ONCE)()
    empty.close()
    assert {upload} <= keys(stores)
    assert b"".join(stores.objects.read(MARKER)).decode() == stores.upkeep.identity()


def test_the_sweep_refuses_a_database_that_has_forgotten_most_jobs(stores: Stores) -> None:
    for _ in range(MANY):
        stores.objects.put(f"uploads/{uuid4()}", [b"x"])
    added(stores)
    with pytest.raises(ForeignStore, match="belong to no job"):
        Sweep(stores, AT_ONCE)()
    assert len(keys(stores)) == MANY + 1


def test_the_sweep_leaves_alone_what_only_looks_like_ours(stores: Stores) -> None:
    odd = {f"uploads/{'a' * 36}", f"uploads/{'-' * 36}", "uploads/else"}
    for key in odd:
        stores.objects.put(key, [b"x"])
    assert Sweep(stores, AT_ONCE)() == 0
    assert odd <= keys(stores)


def test_several_resends_at_once_send_each_message_once(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("thumbnailer_api.housekeeping.feed.UNSENT_SECONDS", -1.0)
    jobs = {added(stores).id for _ in range(50)}
    assert together(*[resend(stores, pause=60)] * 3) == 50
    messages = stores.queue.receive(["standard"], most=100, visibility=30)
    assert sorted(message.job for message in messages) == sorted(jobs)


def test_a_queue_has_to_read_empty_for_a_while_before_all_is_sent_again(stores: Stores) -> None:
    job = added(stores)
    stores.jobs.mark_sent([job.id])
    round_ = resend(stores, pause=0.3)
    assert round_() == 0
    time.sleep(0.4)
    assert round_() == 1
    assert [message.job for message in stores.queue.receive(["standard"], most=9, visibility=30)] == [job.id]


def test_a_queue_with_a_message_in_flight_is_not_empty(stores: Stores) -> None:
    lost, held = added(stores), added(stores)
    stores.jobs.mark_sent([lost.id, held.id])
    stores.queue.send("standard", [Outgoing(held.id, held.owner)])
    stores.queue.receive(["standard"], most=1, visibility=30)
    round_ = resend(stores, pause=0.1)
    assert round_() == 0
    time.sleep(0.2)
    assert round_() == 0


def test_a_job_whose_message_could_not_be_sent_counts_as_unsent(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Down(SqlQueue):
        def send(self, queue: str, jobs: object, *, delay: float = 0.0) -> None:
            raise QueueUnavailable("a test stopped the queue")

    monkeypatch.setattr("thumbnailer_api.housekeeping.feed.UNSENT_SECONDS", -1.0)
    job = added(stores)
    with pytest.raises(QueueUnavailable):
        resend(replace(stores, queue=Down(stores.database)), pause=60)()
    assert resend(stores, pause=60)() == 1
    assert [message.job for message in stores.queue.receive(["standard"], most=9, visibility=30)] == [job.id]


def test_several_rescues_at_once_cost_one_death(stores: Stores) -> None:
    job = claimed(stores, lease=-1)
    rescues = [Rescue(stores, lease=0) for _ in range(3)]
    time.sleep(0.01)
    assert together(*rescues) == 1
    found = stores.jobs.get(job.id)
    assert (found.status, found.deaths) == (Status.PENDING, 1)


def test_a_poisoned_job_is_counted_for_the_alert_and_a_rescue_is_not(stores: Stores) -> None:
    job, rescue, counted = added(stores), Rescue(stores, lease=0), []
    for _ in range(POISON_DEATHS + 1):
        stores.jobs.claim(job.id, worker="w", lease=-1)
        counted.append(REGISTRY.get_sample_value("thumbnailer_poisoned_jobs_total") or 0.0)
        time.sleep(0.01)
        assert rescue() == 1
    assert set(counted) == {counted[0]}
    assert REGISTRY.get_sample_value("thumbnailer_poisoned_jobs_total") == counted[0] + 1


def test_a_rescuer_that_could_not_reach_the_database_waits_one_whole_lease(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    claimed(stores, lease=-1)
    rescue = Rescue(stores, lease=0.4)
    time.sleep(0.5)

    def down(most: int) -> list[Job]:
        raise DatabaseUnavailable("a test stopped the database")

    with monkeypatch.context() as patched:
        patched.setattr(type(stores.upkeep), "lapsed", lambda _, most: down(most))
        with pytest.raises(DatabaseUnavailable):
            rescue()
    assert rescue() == 0
    time.sleep(0.5)
    assert rescue() == 1


def test_a_rescuer_that_has_just_started_waits_too(stores: Stores) -> None:
    claimed(stores, lease=-1)
    assert Rescue(stores, lease=30)() == 0


def test_a_duty_that_fails_does_not_hold_up_the_others(stores: Stores) -> None:
    stores.objects.put(MARKER, [b"another database"])  # the sweep will refuse
    job: UUID = claimed(stores, lease=-1).id
    housekeeper = Housekeeper(stores, HousekeeperSettings(housekeeping_seconds=0.1, lease_seconds=2, sweep_seconds=0.1))
    stop = threading.Event()
    thread = threading.Thread(target=housekeeper.run, args=(stop,))
    thread.start()
    deadline = time.monotonic() + 10
    while stores.jobs.get(job).status is not Status.PENDING:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert housekeeper.healthy
    stop.set()
    thread.join(5)
    assert not thread.is_alive()
