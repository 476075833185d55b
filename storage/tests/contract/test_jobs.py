"""What every database has to do for the records."""

import base64
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from thumbnailer_storage.errors import DatabaseUnavailable, InvalidCursor, JobNotFound, TransitionRefused
from thumbnailer_storage.jobs import schema
from thumbnailer_storage.jobs.model import POISON_DEATHS, Job, Priority, Status
from thumbnailer_storage.jobs.pictures import Output, Result
from thumbnailer_storage.jobs.statements import JOB_HELD
from thumbnailer_storage.opening import Stores
from thumbnailer_storage.queues import Outgoing

NewJob = Callable[..., Job]
LEASE = 30.0
FAR = base64.urlsafe_b64encode(json.dumps(["0001-01-01T00:00:00+14:00", str(UUID(int=1))]).encode()).decode()


def added(stores: Stores, job: Job) -> Job:
    stores.jobs.add(job)
    return stores.jobs.get(job.id)


def claimed(stores: Stores, job: Job, lease: float = LEASE) -> Job:
    stores.jobs.add(job)
    return stores.jobs.claim(job.id, worker="w1", lease=lease)


def kinds(stores: Stores, job: Job) -> list[str]:
    return [event.kind for event in stores.events.of_job(job.id)]


def finish(stores: Stores, job: Job) -> Job:
    known = replace(job.source, format="png", width=4, height=3)
    results = (Result(0, "png", 100, 100, 9), Result(1, "png", 20, 10, 8))
    return stores.jobs.apply(job, job.complete(known, results))


def test_a_job_is_read_back_as_it_was_recorded(stores: Stores, new_job: NewJob) -> None:
    job = new_job(priority=Priority.EXPRESS, metadata={"album": "näive"})
    found = added(stores, job)
    assert replace(found, start=None) == job
    assert found.start is not None
    assert kinds(stores, job) == ["accepted"]


def test_all_that_an_output_asks_for_is_read_back(stores: Stores, new_job: NewJob) -> None:
    asked = (Output("webp", 9, 8, lossless=True, focus=(0.3, 0.75), preset="card"), Output("gif", lossless=False))
    assert added(stores, new_job(outputs=asked)).outputs == asked


def test_odd_letters_come_back_as_they_were(stores: Stores, new_job: NewJob) -> None:
    odd = "\x00\x1f\u2028\U0001f4f7'\"\\"
    assert added(stores, new_job(metadata={odd: odd})).metadata == {odd: odd}


def test_an_unknown_job_and_another_owners_are_not_found(stores: Stores, new_job: NewJob) -> None:
    job = added(stores, new_job())
    for wanted in ((uuid4(), None), (job.id, "eve")):
        with pytest.raises(JobNotFound):
            stores.jobs.get(*wanted)
    assert stores.jobs.get(job.id, "ada") == job


def test_a_claim_raises_the_attempt_and_says_who_and_when(stores: Stores, new_job: NewJob) -> None:
    job = claimed(stores, new_job())
    assert (job.status, job.attempt) == (Status.PROCESSING, 1)
    assert job.start is not None
    assert job.claimed is not None
    assert job.claimed >= job.start
    assert stores.events.of_job(job.id)[-1].message == "claimed by w1"


def test_of_two_claims_at_once_one_wins_and_the_other_is_told(stores: Stores, new_job: NewJob) -> None:
    job = added(stores, new_job())
    outcomes: list[object] = []
    both = threading.Barrier(2)

    def claim(worker: str) -> None:
        both.wait()
        try:
            outcomes.append(stores.jobs.claim(job.id, worker=worker, lease=LEASE).attempt)
        except TransitionRefused as refused:
            outcomes.append(refused.status)

    threads = [threading.Thread(target=claim, args=(worker,)) for worker in ("w1", "w2")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, outcomes)) == ["1", "processing"]


def test_a_finished_job_shows_all_its_outputs_at_once(stores: Stores, new_job: NewJob) -> None:
    job = claimed(stores, new_job())
    assert [output.result for output in stores.jobs.get(job.id).outputs] == [None, None]
    finish(stores, job)
    found = stores.jobs.get(job.id)
    assert (found.status, found.code, found.source.format, found.source.width) == (Status.COMPLETE, 200, "png", 4)
    assert [output.result and output.result.bytes for output in found.outputs] == [9, 8]
    assert found.finish is not None
    assert kinds(stores, job) == ["accepted", "claimed", "completed"]


def test_a_late_result_is_refused(stores: Stores, new_job: NewJob) -> None:
    first = claimed(stores, new_job(), lease=0.05)
    time.sleep(0.1)
    second = stores.jobs.take_over(first.id, worker="w2", lease=LEASE)
    assert (second.attempt, second.deaths) == (2, 1)
    with pytest.raises(TransitionRefused) as refused:
        finish(stores, first)
    assert (refused.value.status, refused.value.attempt) == (Status.PROCESSING, 2)
    assert stores.jobs.get(first.id).outputs[0].result is None
    finish(stores, second)
    assert stores.jobs.get(first.id).status is Status.COMPLETE


def test_a_job_is_finished_once(stores: Stores, new_job: NewJob) -> None:
    job = claimed(stores, new_job())
    finish(stores, job)
    for change in (job.fail(422, "late"), job.release("late", delay=0)):
        with pytest.raises(TransitionRefused) as refused:
            stores.jobs.apply(job, change)
        assert refused.value.status is Status.COMPLETE


def test_a_holder_extends_and_a_loser_does_not(stores: Stores, new_job: NewJob) -> None:
    held, lost = claimed(stores, new_job()), claimed(stores, new_job())
    assert stores.jobs.extend([(held.id, 1), (lost.id, 2), (uuid4(), 1)], LEASE) == {held.id}


def test_a_job_that_somebody_is_just_finishing_is_neither_waited_for_nor_rescued(
    stores: Stores, new_job: NewJob
) -> None:
    if stores.database.embedded:
        pytest.skip("SQLite has one writer at a time")
    job, other = claimed(stores, new_job(), lease=-1), claimed(stores, new_job(), lease=-1)
    with ThreadPoolExecutor() as pool, stores.database.write() as connection:
        connection.execute(JOB_HELD, {"job": job.id, "owner": job.owner})
        taking = pool.submit(stores.jobs.take_over, job.id, worker="w2", lease=LEASE)
        assert isinstance(taking.exception(2), TransitionRefused)
        assert [found.id for found in pool.submit(stores.upkeep.lapsed, most=10).result(2)] == [other.id]


def test_an_extended_lease_cannot_be_taken_over_or_rescued(stores: Stores, new_job: NewJob) -> None:
    job = claimed(stores, new_job(), lease=0.05)
    time.sleep(0.1)
    (lapsed,) = stores.upkeep.lapsed(most=10)
    stores.jobs.extend([(job.id, 1)], LEASE)
    with pytest.raises(TransitionRefused):
        stores.jobs.take_over(job.id, worker="w2", lease=LEASE)
    with pytest.raises(TransitionRefused):
        stores.jobs.apply(lapsed, lapsed.rescue())


def test_a_release_costs_nothing_and_holds_until_its_time(stores: Stores, new_job: NewJob) -> None:
    job = claimed(stores, new_job())
    back = stores.jobs.apply(job, job.release("the queue is down", delay=0.3))
    assert (back.status, back.deaths) == (Status.PENDING, 0)
    with pytest.raises(TransitionRefused) as refused:
        stores.jobs.claim(job.id, worker="w2", lease=LEASE)
    assert refused.value.status is Status.PENDING
    time.sleep(0.4)
    assert stores.jobs.claim(job.id, worker="w2", lease=LEASE).attempt == 2


def test_repeated_releases_update_one_event(stores: Stores, new_job: NewJob) -> None:
    job = added(stores, new_job())
    for _ in range(3):
        held = stores.jobs.claim(job.id, worker="w", lease=LEASE)
        stores.jobs.apply(held, held.release("the object store is down", delay=0))
    events = {event.kind: event for event in stores.events.of_job(job.id)}
    assert {kind: event.count for kind, event in events.items()} == {"accepted": 1, "claimed": 3, "released": 3}
    assert events["released"].attempt == 3


def test_a_rescue_costs_a_death_and_five_deaths_alone_fail_the_job_as_poison(stores: Stores, new_job: NewJob) -> None:
    job = added(stores, new_job())
    for deaths in range(POISON_DEATHS + 1):
        held = stores.jobs.claim(job.id, worker="w", lease=-1)
        assert held.alone is (deaths > 0)
        (lapsed,) = stores.upkeep.lapsed(most=10)
        stores.jobs.apply(lapsed, lapsed.rescue())
    found = stores.jobs.get(job.id)
    assert (found.status, found.code, found.deaths) == (Status.FAILED, 500, POISON_DEATHS + 1)
    assert "not tried again" in found.message
    assert kinds(stores, job)[-1] == "poisoned"


def test_how_long_an_upload_is_missing_is_kept_in_the_record(stores: Stores, new_job: NewJob) -> None:
    job = claimed(stores, new_job())
    assert job.missing_for is None
    stores.jobs.apply(job, job.wait_for_upload(delay=0))
    time.sleep(0.1)
    again = stores.jobs.claim(job.id, worker="w", lease=LEASE)
    stores.jobs.apply(again, again.wait_for_upload(delay=0))
    found = stores.jobs.get(job.id).missing_for
    assert found is not None
    assert found >= 0.1


def test_pages_show_each_job_once_newest_first(stores: Stores, new_job: NewJob) -> None:
    jobs = [added(stores, new_job()) for _ in range(7)]
    added(stores, new_job(owner="eve"))
    seen, cursor = [], None
    while True:
        page = stores.jobs.newest("ada", limit=3, cursor=cursor)
        seen += [job.id for job in page.jobs]
        cursor = page.next
        if cursor is None:
            break
    assert len(seen) == 7
    assert set(seen) == {job.id for job in jobs}
    starts = [stores.jobs.get(job).start for job in seen]
    assert starts == sorted(starts, reverse=True)


def test_a_list_is_narrowed_by_status_priority_and_time(stores: Stores, new_job: NewJob) -> None:
    old = added(stores, new_job())
    time.sleep(0.01)
    express = added(stores, new_job(priority=Priority.EXPRESS))
    held = stores.jobs.claim(old.id, worker="w", lease=LEASE)
    assert [job.id for job in stores.jobs.newest("ada", status=Status.PROCESSING).jobs] == [held.id]
    assert [job.id for job in stores.jobs.newest("ada", priority=Priority.EXPRESS).jobs] == [express.id]
    assert [job.id for job in stores.jobs.newest("ada", since=express.start).jobs] == [express.id]
    assert stores.ledger.counts("ada")[Status.PENDING] == 1


@pytest.mark.parametrize("cursor", ["nonsense", "e30=", "WzEsMl0=", FAR])
def test_a_made_up_cursor_is_refused(stores: Stores, cursor: str) -> None:
    with pytest.raises(InvalidCursor, match="cursor"):
        stores.jobs.newest("ada", cursor=cursor)


def test_all_waiting_callers_are_served_by_one_query(stores: Stores, new_job: NewJob) -> None:
    done, waits = claimed(stores, new_job()), added(stores, new_job())
    finish(stores, done)
    assert stores.jobs.finished([done.id, waits.id, uuid4()]) == {done.id}


def test_a_never_sent_job_is_taken_once_by_many_housekeepers(stores: Stores, new_job: NewJob) -> None:
    jobs = {added(stores, new_job()).id for _ in range(20)}
    took: list[Outgoing] = []
    threads = [
        threading.Thread(target=lambda: took.extend(stores.upkeep.take_unsent("standard", older=-1, most=20)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(took) == 20
    assert {out.job for out in took} == jobs


def test_a_job_that_younger_ones_overtook_is_sent_again_after_a_pause(stores: Stores, new_job: NewJob) -> None:
    old, young = added(stores, new_job()), added(stores, new_job())
    stores.jobs.mark_sent([old.id])
    time.sleep(0.01)
    stores.jobs.mark_sent([young.id])
    stores.jobs.claim(young.id, worker="w", lease=LEASE)
    assert stores.upkeep.take_overtaken("standard", longer=60, most=10) == []
    # It was sent less than its pause ago: overtaken, and yet not due.
    assert stores.upkeep.take_overtaken("standard", longer=-1, most=10) == []
    make_resend_due(stores, old)
    assert stores.upkeep.take_overtaken("standard", longer=-1, most=10) == [Outgoing(old.id, "ada")]


def make_resend_due(stores: Stores, job: Job) -> None:
    """Let the pause of a job's message be over."""
    from sqlalchemy import update

    from thumbnailer_storage.jobs.clocks import clock
    from thumbnailer_storage.jobs.tables import jobs

    with stores.database.write() as connection:
        connection.execute(update(jobs).where(jobs.c.id == job.id).values(resend_after=clock(-1)))


def test_a_job_sent_long_ago_is_sent_again_and_a_fresh_one_is_not(stores: Stores, new_job: NewJob) -> None:
    job = added(stores, new_job())
    stores.jobs.mark_sent([job.id])
    assert stores.upkeep.take_sent_before("standard", older=60, most=10) == []
    assert stores.upkeep.take_sent_before("standard", older=-1, most=10) == [Outgoing(job.id, "ada")]


def test_what_is_done_together_is_undone_together(stores: Stores, new_job: NewJob) -> None:
    job = new_job()

    def interrupted() -> None:
        with stores.database.together():
            stores.jobs.add(job)
            stores.jobs.claim(job.id, worker="w", lease=LEASE)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        interrupted()
    with pytest.raises(JobNotFound):
        stores.jobs.get(job.id)


def test_an_error_that_was_caught_within_still_undoes_what_is_done_together(stores: Stores, new_job: NewJob) -> None:
    job = new_job()

    def half_done() -> None:
        with stores.database.together():
            stores.jobs.add(job)
            with suppress(DatabaseUnavailable), stores.database.write():
                raise DatabaseUnavailable("a test pulled the plug")

    with pytest.raises(DatabaseUnavailable):
        half_done()
    with pytest.raises(JobNotFound):
        stores.jobs.get(job.id)


def test_several_migrations_at_once_make_the_tables_once(stores: Stores) -> None:
    threads = [threading.Thread(target=schema.migrate, args=(stores.database,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    schema.check(stores.database)
    assert len(stores.upkeep.identity()) == 36


def test_programs_that_start_at_once_all_note_that_the_objects_are_marked(stores: Stores) -> None:
    begin = threading.Barrier(4)

    def note(_: int) -> None:
        begin.wait()
        stores.upkeep.note_objects_marked()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(note, range(4)))
    assert stores.upkeep.objects_are_marked()
