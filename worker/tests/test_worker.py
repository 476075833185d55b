"""The worker's loop, on real stores and real children."""

import io
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from outgoing import of
from PIL import Image

from thumbnailer_storage.config import StorageSettings
from thumbnailer_storage.errors import ForeignStore, OutcomeUnknown
from thumbnailer_storage.health import Health
from thumbnailer_storage.jobs import database, schema
from thumbnailer_storage.jobs.model import Act, Job, Source, Status
from thumbnailer_storage.jobs.pictures import Output
from thumbnailer_storage.opening import MARKER, Stores, open_stores
from thumbnailer_storage.queues import Depth
from thumbnailer_worker import metrics, shutdown
from thumbnailer_worker.config import WorkerSettings
from thumbnailer_worker.errors import ScratchGone
from thumbnailer_worker.handling import Handler
from thumbnailer_worker.holds import Hold
from thumbnailer_worker.imaging.made import Made
from thumbnailer_worker.main import IDLE_SECONDS, Worker
from thumbnailer_worker.sandbox import Child

LIMIT = 30.0
LONG = tuple(Output("avif", 1500, 1500) for _ in range(16))


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    stores = open_stores(StorageSettings(data=tmp_path / "data"))
    schema.migrate(stores.database)
    stores.claim_objects()
    yield stores
    stores.close()


@pytest.fixture
def worker(stores: Stores, tmp_path: Path) -> Iterator[Worker]:
    settings = WorkerSettings(concurrency=3, child_memory_mib=256, lease_seconds=2, scratch=tmp_path)
    worker = Worker(stores, settings, tmp_path)
    yield worker
    shutdown.stop(worker, 10)


def submitted(stores: Stores, outputs: tuple[Output, ...] = ()) -> Job:
    file = io.BytesIO()
    Image.effect_noise((600, 400), 50).save(file, "PNG")
    job = Job.new(owner="ada", source=Source(len(file.getvalue()), "0" * 64), outputs=outputs)
    stores.objects.put(job.upload_key, [file.getvalue()])
    stores.jobs.add(job)
    return job


def sent(stores: Stores, job: Job) -> None:
    stores.queue.send(job.queue, of(job.owner, [job.id]))
    stores.jobs.mark_sent([job.id])


def wait_until_final(stores: Stores, jobs: list[Job]) -> None:
    deadline = time.monotonic() + LIMIT
    while stores.jobs.finished([job.id for job in jobs]) != {job.id for job in jobs}:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_job_with_a_death_runs_alone_in_its_worker(
    stores: Stores, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [submitted(stores) for _ in range(9)]
    suspect = jobs[4]
    stores.jobs.claim(suspect.id, worker="dead", lease=-1)
    (lapsed,) = stores.upkeep.lapsed(most=1)
    stores.jobs.apply(lapsed, lapsed.rescue())
    for job in jobs:
        sent(stores, job)
    running: set[object] = set()
    beside: dict[object, int] = {}
    make, lock = Handler.make, threading.Lock()

    def watched(self, hold, *given):
        with lock:
            running.add(hold.job.id)
            for job in running:
                beside[job] = max(beside.get(job, 0), len(running))
        try:
            time.sleep(0.1)
            return make(self, hold, *given)
        finally:
            with lock:
                running.discard(hold.job.id)

    monkeypatch.setattr(Handler, "make", watched)
    worker.prepare()
    worker.loop.start()
    wait_until_final(stores, jobs)
    assert beside[suspect.id] == 1
    assert max(beside.values()) == 3


def test_messages_that_need_no_work_hold_up_nobody(stores: Stores, worker: Worker) -> None:
    stores.queue.send("standard", of("ada", [uuid4() for _ in range(400)]))
    job = submitted(stores)
    sent(stores, job)
    worker.prepare()
    began = time.monotonic()
    worker.loop.start()
    wait_until_final(stores, [job])
    assert time.monotonic() - began < 400 / len(worker.slots) * IDLE_SECONDS / 2


def test_health_turns_bad_when_the_loop_stalls(stores: Stores, worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    checks = {"worker": worker.not_well}, {"worker": worker.not_ready}
    health = Health("THUMBNAILER_WORKER_HEALTH_PORT", "127.0.0.1", 0, alive=checks[0], ready=checks[1])
    health.start()
    worker.prepare()
    worker.loop.start()
    deadline = time.monotonic() + LIMIT
    while status(health, "/readyz") != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert status(health, "/healthz") == 200
    release = threading.Event()
    monkeypatch.setattr("thumbnailer_worker.main.STALLED_SECONDS", 0.5)
    monkeypatch.setattr(worker.taker, "take", lambda most: release.wait(LIMIT) and [])
    while status(health, "/healthz") != 503:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    release.set()
    while status(health, "/healthz") != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert b"thumbnailer_busy_slots" in body(health, "/metrics")
    health.stop()


def test_a_worker_waits_not_ready_until_there_are_tables_and_a_marked_object_store(tmp_path: Path) -> None:
    stores = open_stores(StorageSettings(data=tmp_path / "empty"))
    worker = Worker(stores, WorkerSettings(concurrency=1, child_memory_mib=256), tmp_path)
    preparing = threading.Thread(target=worker.prepare)
    preparing.start()
    for step, says in ((schema.migrate, "thumbnailer-api migrate"), (None, "has no marker")):
        deadline = time.monotonic() + LIMIT
        while says not in (worker.not_ready() or ""):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert worker.not_well() is None
        if step:
            step(stores.database)
    stores.claim_objects()
    preparing.join(LIMIT)
    assert worker.not_ready() is None
    shutdown.stop(worker, 1)
    stores.close()


def test_a_worker_on_another_databases_object_store_refuses_to_work(stores: Stores, worker: Worker) -> None:
    stores.objects.delete([MARKER])
    stores.objects.put(MARKER, [b"another"])
    with pytest.raises(ForeignStore, match="belongs to database 'another'"):
        worker.prepare()


def test_a_scratch_folder_that_vanishes_ends_the_worker_and_costs_no_job(
    stores: Stores, worker: Worker, tmp_path: Path
) -> None:
    worker.prepare()
    for slot in tmp_path.glob("slot-*"):
        slot.rename(slot.with_name(f"gone-{slot.name}"))
    worker.trouble._probe = tmp_path / "gone" / "probe"
    jobs = [submitted(stores) for _ in range(4)]
    for job in jobs:
        sent(stores, job)
    ended: list[object] = []
    loop = threading.Thread(target=lambda: ended.append(outcome(worker.run)))
    loop.start()
    loop.join(LIMIT)
    assert [type(error) for error in ended] == [ScratchGone]
    assert worker.slots.wait_until_idle(LIMIT)
    found = [stores.jobs.get(job.id) for job in jobs]
    assert {(job.status, job.deaths) for job in found} == {(Status.PENDING, 0)}


def outcome(call: Callable[[], None]) -> Exception | None:
    try:
        call()
    except Exception as error:  # noqa: BLE001 - the test looks at it
        return error
    return None


def test_an_object_store_that_is_swapped_while_a_worker_runs_fails_no_job(
    stores: Stores, worker: Worker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("thumbnailer_worker.main.STALLED_SECONDS", 2.0)
    monkeypatch.setattr("thumbnailer_worker.trouble.growing", lambda tries: 0.3)
    worker.prepare()
    job = submitted(stores)
    objects = tmp_path / "data" / "objects"
    objects.rename(objects.with_name("away"))
    (objects / ".unfinished").mkdir(parents=True)
    sent(stores, job)
    worker.loop.start()
    deadline = time.monotonic() + 4
    while time.monotonic() < deadline:
        assert worker.not_well() is None  # a restart would not bring the store back
        time.sleep(0.1)
    assert "marker" in str(worker.not_ready())
    assert stores.jobs.get(job.id).missing_for is None
    objects.rename(objects.with_name("empty"))
    objects.with_name("away").rename(objects)
    wait_until_final(stores, [job])
    done = stores.jobs.get(job.id)
    assert (done.status, done.deaths) == (Status.COMPLETE, 0)


@pytest.mark.parametrize("committed", [True, False])
def test_a_claim_whose_reply_was_lost_is_kept_if_it_was_committed(
    stores: Stores, worker: Worker, monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    job = submitted(stores)
    sent(stores, job)
    commit = database.commit

    def losing(connection: object) -> None:
        monkeypatch.setattr(database, "commit", commit)
        if committed:
            commit(connection)
        raise OutcomeUnknown("a test cut the line")

    monkeypatch.setattr(database, "commit", losing)
    assert [hold.job.id for hold in worker.taker.take(1)] == [job.id] * committed
    assert stores.jobs.get(job.id).attempt == committed


def test_a_mistake_of_ours_fails_the_job_with_500_and_the_worker_goes_on(
    stores: Stores, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = submitted(stores), submitted(stores)
    make = Handler.make

    def mistaken(self, hold, *given):
        if hold.job.id == bad.id:
            raise ZeroDivisionError
        return make(self, hold, *given)

    monkeypatch.setattr(Handler, "make", mistaken)
    for job in (bad, good):
        sent(stores, job)
    worker.prepare()
    worker.loop.start()
    wait_until_final(stores, [bad, good])
    failed = stores.jobs.get(bad.id)
    assert (failed.status, failed.code) == (Status.FAILED, 500)
    assert "ZeroDivision" not in failed.message
    assert stores.jobs.get(good.id).status is Status.COMPLETE


def status(health: Health, path: str) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{health.port}{path}", timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def body(health: Health, path: str) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{health.port}{path}", timeout=5) as answer:
        found: bytes = answer.read()
        return found


def test_a_running_job_that_is_cancelled_stops_within_two_seconds_and_its_child_with_it(
    stores: Stores, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = threading.Event()
    make = Handler.make

    def slow(self: Handler, hold: Hold, child: Child, source: Path, folder: Path) -> Made:
        started.set()
        return make(self, hold, child, source, folder)

    monkeypatch.setattr(Handler, "make", slow)
    lost = metrics.lost_leases._value.get()
    job = submitted(stores, outputs=LONG)
    sent(stores, job)
    worker.prepare()
    worker.loop.start()
    assert started.wait(LIMIT)
    time.sleep(0.5)
    began = time.monotonic()
    assert stores.jobs.delete(job.id, "ada", Act()).status is Status.CANCELLED
    while worker.holds.all():
        assert time.monotonic() < began + 2, "its slot is free within two seconds"
        time.sleep(0.01)
    print(f"its slot was free {time.monotonic() - began:.2f} s after the cancel")
    assert stores.jobs.get(job.id).status is Status.CANCELLED
    assert not list(stores.objects.list("results/"))
    assert metrics.lost_leases._value.get() == lost, "nobody else has it"
    assert stores.queue.depth("standard") == Depth(0, 0, 0), "nobody has to see its message again"


def test_a_cancelled_job_that_waits_to_run_alone_keeps_no_slot(stores: Stores, worker: Worker) -> None:
    """By order: its neighbour runs from before it was taken until after another job is complete."""
    suspect, long = submitted(stores), submitted(stores, outputs=LONG)
    stores.jobs.claim(suspect.id, worker="dead", lease=-1)
    (lapsed,) = stores.upkeep.lapsed(most=1)
    stores.jobs.apply(lapsed, lapsed.rescue())
    worker.prepare()
    worker.loop.start()
    sent(stores, long)
    wait_until_processing(stores, long)
    sent(stores, suspect)
    wait_until_processing(stores, suspect)
    stores.jobs.delete(suspect.id, "ada", Act())
    other = submitted(stores)
    sent(stores, other)
    wait_until_final(stores, [other])
    assert stores.jobs.get(long.id).status is Status.PROCESSING
    stores.jobs.delete(long.id, "ada", Act())


def wait_until_processing(stores: Stores, job: Job) -> None:
    deadline = time.monotonic() + LIMIT
    while stores.jobs.get(job.id).status is not Status.PROCESSING:
        assert time.monotonic() < deadline
        time.sleep(0.05)
