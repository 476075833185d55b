"""What every database has to do for idempotency keys."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import delete, func, select, update

from thumbnailer_storage.errors import JobNotFound, SubmissionInFlight
from thumbnailer_storage.jobs.clocks import clock
from thumbnailer_storage.jobs.idempotency import KEPT_SECONDS, Known, Reservation
from thumbnailer_storage.jobs.model import Job
from thumbnailer_storage.jobs.store import NOBODY
from thumbnailer_storage.jobs.tables import idempotency, jobs
from thumbnailer_storage.opening import Stores

NewJob = Callable[..., Job]
SUM = "f" * 64


def reserved(stores: Stores, key: str = "k", owner: str = "ada") -> Reservation:
    found = stores.idempotency.reserve(owner, key)
    assert isinstance(found, Reservation)
    return Reservation(owner, key, found.token, SUM)


def recorded(stores: Stores, new_job: NewJob, key: str = "k", owner: str = "ada") -> Job:
    return stores.jobs.add(new_job(owner=owner), NOBODY, reserved(stores, key, owner))


def set_ago(stores: Stores, column: str, seconds: float) -> None:
    with stores.database.write() as connection:
        connection.execute(update(idempotency).values({column: clock(-seconds)}))


def keys(stores: Stores) -> int:
    with stores.database.read() as connection:
        return int(connection.execute(select(func.count()).select_from(idempotency)).scalar_one())


def test_a_key_stands_for_the_job_that_was_recorded_with_it(stores: Stores, new_job: NewJob) -> None:
    job = recorded(stores, new_job)
    assert stores.idempotency.reserve("ada", "k") == Known(job.id, SUM)


def test_a_key_that_another_request_has_is_refused(stores: Stores) -> None:
    reserved(stores)
    with pytest.raises(SubmissionInFlight):
        stores.idempotency.reserve("ada", "k")


def test_a_key_of_another_owner_is_another_key(stores: Stores, new_job: NewJob) -> None:
    job = recorded(stores, new_job)
    other = recorded(stores, new_job, owner="bob")
    assert stores.idempotency.reserve("ada", "k") == Known(job.id, SUM)
    assert stores.idempotency.reserve("bob", "k") == Known(other.id, SUM)


def test_of_many_requests_at_once_one_has_the_key(stores: Stores) -> None:
    def attempt(_: int) -> bool:
        try:
            return isinstance(stores.idempotency.reserve("ada", "k"), Reservation)
        except SubmissionInFlight:
            return False

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(attempt, range(24))) == 1


def test_of_many_requests_that_find_a_lease_over_one_has_the_key(stores: Stores) -> None:
    reserved(stores)
    set_ago(stores, "lease", 0.01)

    def attempt(_: int) -> bool:
        try:
            return isinstance(stores.idempotency.reserve("ada", "k"), Reservation)
        except SubmissionInFlight:
            return False

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(attempt, range(24))) == 1


def test_a_request_that_lost_its_key_records_nothing_and_cannot_free_it(stores: Stores, new_job: NewJob) -> None:
    slow, job = reserved(stores), new_job()
    set_ago(stores, "lease", 0.01)
    second = reserved(stores)
    with pytest.raises(SubmissionInFlight):
        stores.idempotency.renew(slow)
    with pytest.raises(SubmissionInFlight):
        stores.jobs.add(job, NOBODY, slow)
    with pytest.raises(JobNotFound):
        stores.jobs.get(job.id)
    stores.idempotency.free(slow)
    assert stores.jobs.add(job, NOBODY, second).id == job.id
    with pytest.raises(SubmissionInFlight):  # a key is bound once, also by its own request
        stores.jobs.add(new_job(), NOBODY, second)


def test_a_request_whose_lease_is_over_may_still_record_while_nobody_took_its_key(
    stores: Stores, new_job: NewJob
) -> None:
    slow = reserved(stores)
    set_ago(stores, "lease", 5)
    job = stores.jobs.add(new_job(), NOBODY, slow)
    assert stores.idempotency.reserve("ada", "k") == Known(job.id, SUM)


def test_a_renewed_key_is_held(stores: Stores) -> None:
    slow = reserved(stores)
    set_ago(stores, "lease", 0.01)
    stores.idempotency.renew(slow)
    with pytest.raises(SubmissionInFlight):
        stores.idempotency.reserve("ada", "k")


def test_a_freed_key_can_be_had_at_once_and_a_bound_one_is_not_freed(stores: Stores, new_job: NewJob) -> None:
    stores.idempotency.free(reserved(stores))
    held = reserved(stores)
    job = stores.jobs.add(new_job(), NOBODY, held)
    stores.idempotency.free(held)
    assert stores.idempotency.reserve("ada", "k") == Known(job.id, SUM)


def test_a_key_goes_with_the_record_of_its_job(stores: Stores, new_job: NewJob) -> None:
    job = recorded(stores, new_job)
    with stores.database.write() as connection:
        connection.execute(delete(jobs).where(jobs.c.id == job.id))
    assert reserved(stores)


def test_a_key_stands_for_its_job_for_a_day(stores: Stores, new_job: NewJob) -> None:
    first = recorded(stores, new_job)
    set_ago(stores, "start", KEPT_SECONDS - 60)
    assert stores.idempotency.reserve("ada", "k") == Known(first.id, SUM)
    set_ago(stores, "start", KEPT_SECONDS + 1)
    second = recorded(stores, new_job)
    assert stores.idempotency.reserve("ada", "k") == Known(second.id, SUM)
    assert stores.jobs.get(first.id).id == first.id


def test_old_keys_are_forgotten_in_batches_and_younger_ones_kept(stores: Stores, new_job: NewJob) -> None:
    for n in range(5):
        recorded(stores, new_job, f"old {n}")
    reserved(stores, "never ended")
    set_ago(stores, "start", KEPT_SECONDS + 1)
    recorded(stores, new_job, "young")
    assert [stores.idempotency.forget(4), stores.idempotency.forget(4), stores.idempotency.forget(4)] == [4, 2, 0]
    assert keys(stores) == 1


def test_a_job_that_is_undone_leaves_its_key_in_flight(stores: Stores, new_job: NewJob) -> None:
    held = reserved(stores)

    def undone() -> None:
        with stores.database.together():
            stores.jobs.add(new_job(), NOBODY, held)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        undone()
    with pytest.raises(SubmissionInFlight):
        stores.idempotency.reserve("ada", "k")
    stores.idempotency.free(held)
    assert reserved(stores)
