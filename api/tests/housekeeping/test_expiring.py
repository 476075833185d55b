"""The duties that remove things, on real stores."""

import threading
import time
from collections.abc import Callable
from uuid import uuid4

import pytest
from sqlalchemy import insert, select, update

from thumbnailer_api.config import HousekeeperSettings
from thumbnailer_api.housekeeping.expire import Expire, Forget, Lapse, Tidy
from thumbnailer_api.housekeeping.loop import Housekeeper
from thumbnailer_storage.errors import JobNotFound, ObjectsUnavailable
from thumbnailer_storage.jobs.clocks import clock
from thumbnailer_storage.jobs.idempotency import KEPT_SECONDS, Reservation
from thumbnailer_storage.jobs.model import Act, Job, Source, Status
from thumbnailer_storage.jobs.pictures import Result
from thumbnailer_storage.jobs.tables import idempotency, jobs
from thumbnailer_storage.opening import Stores

MANY = 20_000


def completed(stores: Stores, **more: object) -> Job:
    job = Job.new(owner="ada", source=Source(bytes=1, sha256="0" * 64), **more)  # type: ignore[arg-type]
    stores.objects.put(job.upload_key, [b"x"])
    stores.jobs.add(job)
    job = stores.jobs.claim(job.id, worker="w", lease=30)
    result = Result(0, "png", 100, 100, 1)
    stores.objects.put(job.result_key(result), [b"x"])
    return stores.jobs.apply(job, job.complete(job.source, (result,)))


def keys(stores: Stores) -> list[str]:
    return [stored.key for folder in ("uploads/", "results/") for stored in stores.objects.list(folder)]


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_job_goes_step_by_step_first_its_upload_then_its_pictures_then_its_record(stores: Stores) -> None:
    job = completed(stores, expires_in=1)
    assert Tidy(stores)() == 1
    assert keys(stores) == [job.result_key(Result(0, "png", 100, 100, 1))]
    assert Expire(stores, kept=100)() == 0
    time.sleep(1.1)
    assert Expire(stores, kept=100)() == 1
    assert stores.jobs.get(job.id).status is Status.EXPIRED
    assert Tidy(stores)() == 1
    assert keys(stores) == []
    assert Forget(stores, kept=100)() == 0
    assert Forget(stores, kept=0)() == 1
    with pytest.raises(JobNotFound):
        stores.jobs.get(job.id)


def test_the_housekeeper_does_all_of_it_by_itself(stores: Stores) -> None:
    kept, deleted = completed(stores, expires_in=100), completed(stores, expires_in=100)
    forgotten = completed(stores, expires_in=1)
    stores.jobs.delete(deleted.id, "ada", Act())
    settings = HousekeeperSettings(expire_seconds=0.1, keep_records_seconds=0, housekeeping_seconds=0.1)
    stop = threading.Event()
    thread = threading.Thread(target=Housekeeper(stores, settings).run, args=(stop,))
    thread.start()
    eventually(lambda: len(stores.jobs.newest("ada").jobs) == 1)
    eventually(lambda: keys(stores) == [kept.result_key(Result(0, "png", 100, 100, 1))])
    stop.set()
    thread.join(10)
    assert forgotten.id not in {job.id for job in stores.jobs.newest("ada").jobs}


def test_an_object_store_that_is_down_keeps_the_mark(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    completed(stores)

    def down(*_: object) -> None:
        raise ObjectsUnavailable("a test stopped the store")

    with monkeypatch.context() as patched:
        patched.setattr(type(stores.objects), "delete", down)
        with pytest.raises(ObjectsUnavailable):
            Tidy(stores)()
    assert Tidy(stores)() == 1


def test_while_very_many_jobs_expire_others_write_between_the_batches(stores: Stores) -> None:
    row = completed(stores, expires_in=100)
    with stores.database.write() as connection:
        old = dict(connection.execute(select(jobs).where(jobs.c.id == row.id)).one()._mapping)
        connection.execute(insert(jobs), [{**old, "id": uuid4(), "tidy_after": None} for _ in range(MANY)])
        connection.execute(update(jobs).where(jobs.c.id != row.id).values(expires=clock(-10)))
    waits, done = [], threading.Event()

    def write() -> None:
        while not done.is_set():
            began = time.monotonic()
            completed(stores)
            waits.append(time.monotonic() - began)

    writer = threading.Thread(target=write)
    writer.start()
    expired, expire = 0, Expire(stores, kept=100)
    while batch := expire():
        expired += batch
    done.set()
    writer.join()
    assert expired == MANY
    assert len(waits) >= 5, "the writer had its turn while jobs expired"
    print(f"{MANY} expired while {len(waits)} jobs were written, the slowest in {max(waits):.2f} s")


def test_idempotency_keys_are_forgotten_after_a_day_however_many_there_are(stores: Stores) -> None:
    columns = {"owner": "ada", "start": clock(-KEPT_SECONDS - 1), "lease": clock(-KEPT_SECONDS)}
    with stores.database.write() as connection:
        for n in range(1200):
            connection.execute(insert(idempotency).values(**columns, key=str(n), token=uuid4()))
    stores.idempotency.reserve("ada", "young")
    assert Lapse(stores)() == 1200
    assert Lapse(stores)() == 0
    assert isinstance(stores.idempotency.reserve("ada", "0"), Reservation)
