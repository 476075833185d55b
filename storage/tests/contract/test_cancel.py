"""What every database has to do for jobs that are cancelled, deleted, expired and forgotten."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import func, select, update

from thumbnailer_storage.errors import JobNotFound, TransitionRefused
from thumbnailer_storage.jobs import store
from thumbnailer_storage.jobs.clocks import clock
from thumbnailer_storage.jobs.ledger import COUNTING
from thumbnailer_storage.jobs.model import Act, Change, Job, Priority, Status, Webhook
from thumbnailer_storage.jobs.pictures import Result
from thumbnailer_storage.jobs.statements import JOB_HELD
from thumbnailer_storage.jobs.tables import deliveries, events, jobs, ledger, outputs, totals
from thumbnailer_storage.opening import Stores

NewJob = Callable[..., Job]
ACT = Act("laptop", "192.0.2.1", "request-1")
RACES = 2000
"""On SQLite; half as many on PostgreSQL, where each takes longer."""


def claimed(stores: Stores, job: Job) -> Job:
    stores.jobs.add(job)
    return stores.jobs.claim(job.id, worker="w1", lease=30)


def completing(job: Job) -> Change:
    return job.complete(replace(job.source, format="png", width=4, height=3), (Result(0, "png", 100, 100, 9),))


def completed(stores: Stores, job: Job) -> Job:
    job = claimed(stores, job)
    return stores.jobs.apply(job, completing(job))


def told(stores: Stores, job: Job) -> list[str]:
    with stores.database.read() as connection:
        return list(connection.execute(select(deliveries.c.kind).where(deliveries.c.job == job.id)).scalars())


def counted(stores: Stores) -> dict[Status, int]:
    """Counted in the records themselves."""
    with stores.database.read() as connection:
        grouped = select(jobs.c.status, func.count()).where(jobs.c.owner == "ada").group_by(jobs.c.status)
        found = {Status(status): n for status, n in connection.execute(grouped)}
    return {status: found.get(status, 0) for status in Status}


def make_old(stores: Stores, job: Job, seconds: float) -> None:
    with stores.database.write() as connection:
        connection.execute(update(jobs).where(jobs.c.id == job.id).values(expires=clock(-seconds)))


@pytest.fixture
def hook() -> Webhook:
    return Webhook("https://example.com/hook", kinds=(Status.COMPLETE, Status.CANCELLED, Status.EXPIRED))


def test_a_pending_job_is_cancelled_and_cannot_be_claimed(stores: Stores, new_job: NewJob) -> None:
    job = new_job(expires_in=60)
    stores.jobs.add(job)
    cancelled = stores.jobs.delete(job.id, "ada", ACT)
    assert (cancelled.status, cancelled.code) == (Status.CANCELLED, 410)
    assert cancelled.finish is not None
    assert cancelled.expires is not None
    assert 59 < (cancelled.expires - cancelled.finish).total_seconds() < 61
    with pytest.raises(TransitionRefused):
        stores.jobs.claim(job.id, worker="w", lease=30)


def test_a_running_job_is_cancelled_and_its_worker_can_neither_hold_nor_finish_it(
    stores: Stores, new_job: NewJob
) -> None:
    job = claimed(stores, new_job())
    assert stores.jobs.delete(job.id, "ada", ACT).status is Status.CANCELLED
    assert stores.jobs.extend([(job.id, job.attempt)], 30) == set()
    with pytest.raises(TransitionRefused) as refused:
        stores.jobs.apply(job, completing(job))
    assert refused.value.status is Status.CANCELLED


def test_deleting_a_finished_job_makes_it_expired_and_its_objects_are_to_go(stores: Stores, new_job: NewJob) -> None:
    job = completed(stores, new_job())
    deleted = stores.jobs.delete(job.id, "ada", ACT)
    assert (deleted.status, deleted.code, deleted.finish) == (Status.EXPIRED, 410, job.finish)
    (untidy,) = stores.removal.untidy()
    assert untidy.keys == [job.upload_key, deleted.result_key(Result(0, "png", 100, 100, 9))]


def test_the_same_delete_again_changes_nothing_and_is_no_event(stores: Stores, new_job: NewJob) -> None:
    job = new_job()
    stores.jobs.add(job)
    first = stores.jobs.delete(job.id, "ada", ACT)
    again = stores.jobs.delete(job.id, "ada", ACT)
    assert first == again
    assert [event.kind for event in stores.events.of_job(job.id)] == ["accepted", "cancelled"]


def test_another_owners_job_and_an_unknown_one_are_not_found_alike(stores: Stores, new_job: NewJob) -> None:
    job = new_job()
    stores.jobs.add(job)
    said = []
    for wanted, owner in ((job.id, "eve"), (unknown := uuid4(), "ada")):
        with pytest.raises(JobNotFound) as error:
            stores.jobs.delete(wanted, owner, ACT)
        said.append(str(error.value).replace(str(job.id), str(unknown)))
    assert said[0] == said[1]
    assert stores.jobs.get(job.id).status is Status.PENDING


def test_an_event_says_who_did_it_from_where_and_in_which_request(stores: Stores, new_job: NewJob) -> None:
    job = new_job(request="request-0")
    stores.jobs.add(job, replace(ACT, request="request-0"))
    stores.jobs.claim(job.id, worker="w1", lease=30)
    stores.jobs.delete(job.id, "ada", ACT)
    seen = [(event.kind, event.by, event.address, event.request) for event in stores.events.of_job(job.id)]
    assert seen == [
        ("accepted", "laptop", "192.0.2.1", "request-0"),
        ("claimed", "w1", None, "request-0"),
        ("cancelled", "laptop", "192.0.2.1", "request-1"),
    ]


def test_the_events_of_an_owner_are_read_newest_first_by_pages(stores: Stores, new_job: NewJob) -> None:
    for _ in range(3):
        completed(stores, new_job())
    stores.jobs.add(new_job(owner="eve"))
    seen, cursor = [], None
    while True:
        page = stores.events.newest("ada", limit=4, cursor=cursor)
        seen += [event.kind for event in page.events]
        cursor = page.next
        if cursor is None:
            break
    assert seen == ["completed", "claimed", "accepted"] * 3
    assert len(stores.events.newest().events) == 10


def test_a_cancel_and_a_claim_at_once_have_one_winner(stores: Stores, new_job: NewJob) -> None:
    def race(job: Job) -> tuple[bool, bool]:
        with suppress(TransitionRefused):
            stores.jobs.claim(job.id, worker="w", lease=30)
            return True, stores.jobs.get(job.id).status is Status.CANCELLED
        return False, True

    waiting = [new_job() for _ in range(50)]
    for job in waiting:
        stores.jobs.add(job)
    with ThreadPoolExecutor(4) as pool:
        claims = [pool.submit(race, job) for job in waiting]
        cancels = [pool.submit(stores.jobs.delete, job.id, "ada", ACT) for job in waiting]
        [claim.result() for claim in claims]
        assert all(cancel.result().status is Status.CANCELLED for cancel in cancels)
    assert stores.ledger.counts("ada") == counted(stores)


@pytest.mark.timeout(600)
def test_in_thousands_of_races_of_a_cancel_with_a_finish_there_is_one_winner_and_one_webhook(
    stores: Stores, new_job: NewJob, hook: Webhook
) -> None:
    races = RACES if stores.database.embedded else RACES // 2
    start = threading.Barrier(2)
    outcomes: Counter[Status] = Counter()
    current: list[Job] = []

    def finisher() -> None:
        for _ in range(races):
            start.wait()
            with suppress(TransitionRefused):
                stores.jobs.apply(current[0], completing(current[0]))
            start.wait()

    thread = threading.Thread(target=finisher)
    thread.start()
    for n in range(races):
        job = claimed(stores, new_job(webhook=hook))
        current[:] = [job]
        start.wait()
        time.sleep((n % 7) * 0.0003)  # who comes first differs, so that each wins some
        after = stores.jobs.delete(job.id, "ada", ACT)
        start.wait()
        final = stores.jobs.get(job.id)
        assert final == replace(after, outputs=final.outputs)
        kinds = [event.kind for event in stores.events.of_job(job.id)]
        if final.status is Status.CANCELLED:  # the finish came too late: nobody is told of it
            assert kinds == ["accepted", "claimed", "cancelled"]
            assert told(stores, job) == ["cancelled"]
        else:
            assert kinds == ["accepted", "claimed", "completed", "deleted"]
            assert sorted(told(stores, job)) == ["complete", "expired"]
        outcomes[final.status] += 1
    thread.join()
    assert set(outcomes) == {Status.CANCELLED, Status.EXPIRED}, outcomes
    assert stores.ledger.counts("ada") == counted(stores)


def test_one_that_somebody_is_just_changing_is_cancelled_too(stores: Stores, new_job: NewJob) -> None:
    held, free = new_job(), new_job()
    for job in (held, free):
        stores.jobs.add(job)
    with ThreadPoolExecutor() as pool:
        with stores.database.write() as connection:
            connection.execute(JOB_HELD, {"job": held.id, "owner": "ada"})
            cancelling = pool.submit(stores.jobs.cancel_all, "ada", Status.PENDING, ACT, most=100)
            time.sleep(0.5)
        assert cancelling.result(30) == 2


def test_many_are_cancelled_by_status_priority_and_time_and_nobody_elses(stores: Stores, new_job: NewJob) -> None:
    express = [new_job(priority=Priority.EXPRESS) for _ in range(3)]
    for job in (*express, new_job(), new_job(owner="eve")):
        stores.jobs.add(job)
    held = claimed(stores, new_job())
    assert stores.jobs.cancel_all("ada", Status.PENDING, ACT, priority=Priority.EXPRESS, most=2) == 2
    assert stores.jobs.cancel_all("ada", Status.PENDING, ACT, most=100) == 2
    assert stores.ledger.counts("ada") == counted(stores)
    assert stores.ledger.counts("ada")[Status.CANCELLED] == 4
    assert stores.ledger.counts("eve")[Status.PENDING] == 1
    assert stores.jobs.get(held.id).status is Status.PROCESSING
    assert [event.by for event in stores.events.of_job(express[0].id)][-1] == "laptop"


def test_only_finished_jobs_expire_and_each_is_told_once(stores: Stores, new_job: NewJob, hook: Webhook) -> None:
    waiting, running = new_job(expires_in=1), claimed(stores, new_job(expires_in=1))
    stores.jobs.add(waiting)
    done = completed(stores, new_job(webhook=hook, expires_in=1))
    failed = claimed(stores, new_job(expires_in=1))
    stores.jobs.apply(failed, failed.fail(415, "no image"))
    cancelled, kept = new_job(expires_in=1), completed(stores, new_job(expires_in=1000))
    stores.jobs.add(cancelled)
    stores.jobs.delete(cancelled.id, "ada", ACT)
    time.sleep(1.1)
    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(lambda _: stores.removal.expire(), range(3))) == 3
    for job, status in (
        *((job, Status.EXPIRED) for job in (done, failed, cancelled)),
        *((waiting, Status.PENDING), (running, Status.PROCESSING), (kept, Status.COMPLETE)),
    ):
        assert stores.jobs.get(job.id).status is status
    assert told(stores, done) == ["complete", "expired"]
    assert stores.ledger.counts("ada") == counted(stores)


def test_a_job_that_an_earlier_release_finished_expires_too(stores: Stores, new_job: NewJob) -> None:
    old = completed(stores, new_job())
    with stores.database.write() as connection:
        connection.execute(update(jobs).values(expires=None, expires_in=None))
    assert stores.removal.give_expiry(100) == 1
    assert stores.removal.give_expiry(100) == 0
    expires = stores.jobs.get(old.id).expires
    assert expires is not None
    assert 98 < (expires - stores.upkeep.now()).total_seconds() < 101


def test_the_upload_of_a_complete_job_goes_at_once_and_its_pictures_stay(stores: Stores, new_job: NewJob) -> None:
    job = completed(stores, new_job())
    (untidy,) = stores.removal.untidy()
    assert untidy.keys == [job.upload_key]
    stores.removal.tidied([untidy])
    assert stores.removal.untidy() == []


def test_what_becomes_untidy_while_it_is_tidied_stays_marked(stores: Stores, new_job: NewJob) -> None:
    job = completed(stores, new_job())
    (before,) = stores.removal.untidy()
    time.sleep(0.005)
    stores.jobs.delete(job.id, "ada", ACT)
    stores.removal.tidied([before])
    assert len(stores.removal.untidy()) == 1


def test_a_record_goes_with_all_that_belongs_to_it_once_its_objects_and_webhooks_are_done(
    stores: Stores, new_job: NewJob, hook: Webhook
) -> None:
    job = completed(stores, new_job(webhook=hook, expires_in=1))
    make_old(stores, job, 1)
    stores.removal.expire()
    make_old(stores, job, 100)
    assert stores.removal.forget(50) == 0  # its objects are there
    stores.removal.tidied(stores.removal.untidy())
    assert stores.removal.forget(50) == 0  # its webhooks are not sent
    with stores.database.write() as connection:
        connection.execute(update(deliveries).values(due=None, state="delivered"))
    assert stores.removal.forget(200) == 0
    assert stores.removal.forget(50) == 1
    with pytest.raises(JobNotFound):
        stores.jobs.get(job.id)
    with stores.database.read() as connection:
        for table in (outputs, events, deliveries):
            assert connection.execute(select(func.count()).select_from(table)).scalar() == 0
    assert sum(stores.ledger.counts("ada").values()) == 0


def test_usage_outlives_the_records_and_adds_up_by_day_and_priority(stores: Stores, new_job: NewJob) -> None:
    for priority in (Priority.STANDARD, Priority.STANDARD, Priority.ECONOMY):
        job = claimed(stores, new_job(priority=priority))
        time.sleep(0.01)
        stores.jobs.apply(job, completing(job))
    day = f"{stores.upkeep.now():%Y-%m-%d}"
    before = stores.ledger.usage("ada", day, day)
    assert [(used.priority, used.jobs, used.bytes) for used in before] == [
        ("economy", 1, job.source.bytes),
        ("standard", 2, 2 * job.source.bytes),
    ]
    assert all(0.005 < used.seconds < 10 for used in before)
    stores.ledger.fold()
    assert stores.ledger.usage("ada", day, day) == before
    assert stores.ledger.usage("eve", day, day) == []


def test_the_ledger_is_folded_by_several_at_once_while_jobs_move_on(stores: Stores, new_job: NewJob) -> None:
    def work() -> None:
        for _ in range(10):
            completed(stores, new_job())

    with ThreadPoolExecutor(4) as pool:
        workers = [pool.submit(work) for _ in range(2)]
        folds = [pool.submit(stores.ledger.fold, 7) for _ in range(20)]
        [done.result() for done in (*workers, *folds)]
    while stores.ledger.fold(7):
        pass
    with stores.database.read() as connection:
        assert connection.execute(select(func.count()).select_from(ledger)).scalar() == 0
        assert connection.execute(select(func.count()).select_from(totals)).scalar() > 0
    assert stores.ledger.counts("ada") == counted(stores)
    assert stores.ledger.recount() == 0


@pytest.mark.parametrize("many", [False, True])
def test_work_on_a_job_that_is_then_cancelled_is_used_too(stores: Stores, new_job: NewJob, many: bool) -> None:
    job = claimed(stores, new_job())
    stores.jobs.add(new_job())  # which nobody worked on
    time.sleep(0.02)
    if many:
        for status in (Status.PENDING, Status.PROCESSING):
            assert stores.jobs.cancel_all("ada", status, ACT, most=9) == 1
    else:
        stores.jobs.delete(job.id, "ada", ACT)
    day = f"{stores.upkeep.now():%Y-%m-%d}"
    (used,) = stores.ledger.usage("ada", day, day)
    assert 0.015 < used.seconds < 10


def test_what_repeated_events_say_is_of_the_last_time(stores: Stores, new_job: NewJob) -> None:
    job = claimed(stores, new_job())
    stores.jobs.apply(job, job.release("a test", delay=-1), Act("w1"))
    again = stores.jobs.claim(job.id, worker="w2", lease=30)
    stores.jobs.apply(again, again.release("a test", delay=-1), Act("w2"))
    found = {event.kind: event for event in stores.events.of_job(job.id)}
    for kind in ("claimed", "released"):
        assert (found[kind].count, found[kind].attempt, found[kind].by) == (2, 2, "w2")
    assert found["claimed"].message == "claimed by w2"


def test_many_are_cancelled_however_long_it_takes_beside_one_that_is_held_for_a_moment(
    stores: Stores, new_job: NewJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    if stores.database.embedded:
        pytest.skip("nobody holds a row of SQLite's: one writer at a time")
    monkeypatch.setattr(store, "ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(store, "BATCH", 1)
    held = stores.jobs.add(new_job())
    others = [stores.jobs.add(new_job()) for _ in range(5)]
    move = store.move

    def slow(*given: Any, **more: Any) -> int:
        time.sleep(0.2)
        return move(*given, **more)

    monkeypatch.setattr(store, "move", slow)
    with ThreadPoolExecutor(1) as pool:
        with stores.database.write() as connection:
            connection.execute(JOB_HELD, {"job": held.id, "owner": "ada"})
            cancelling = pool.submit(stores.jobs.cancel_all, "ada", Status.PENDING, ACT, most=100)
            time.sleep(1.35)  # longer than its patience, and no longer than the others take and that
        assert cancelling.result(10) == len(others) + 1


def test_two_who_count_anew_at_once_note_a_difference_once(stores: Stores, new_job: NewJob) -> None:
    for _ in range(3):
        completed(stores, new_job())
    with stores.database.write() as connection:
        connection.execute(ledger.delete())
    if stores.database.embedded:
        assert [stores.ledger.recount(), stores.ledger.recount()] == [1, 0]
        return
    with stores.database.write() as connection:
        assert connection.execute(COUNTING).scalar()
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(stores.ledger.recount).result(10) == 0, "somebody counts already"
    assert stores.ledger.recount() == 1
    assert stores.ledger.counts("ada") == counted(stores)


def test_a_job_may_be_kept_for_a_hundred_years(stores: Stores, new_job: NewJob) -> None:
    job = completed(stores, new_job(expires_in=36500 * 86400))
    assert job.expires is not None
    assert job.finish is not None
    assert (job.expires - job.finish).days == 36500


def test_counts_that_an_earlier_release_left_wrong_are_put_right(stores: Stores, new_job: NewJob) -> None:
    for _ in range(3):
        completed(stores, new_job())
    stores.ledger.fold()
    with stores.database.write() as connection:
        connection.execute(update(jobs).values(status="failed"))
    assert stores.ledger.recount() == 2
    assert stores.ledger.counts("ada") == counted(stores)
    assert stores.ledger.recount() == 0
