"""What a worker does with messages, where receiving and claiming are no one transaction: nothing it took is dropped."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from thumbnailer_storage.config import StorageSettings
from thumbnailer_storage.errors import DatabaseUnavailable, OutcomeUnknown, QueueUnavailable
from thumbnailer_storage.jobs import database, schema
from thumbnailer_storage.jobs.model import Job, Source, Status
from thumbnailer_storage.jobs.store import JobStore
from thumbnailer_storage.opening import Stores, open_stores
from thumbnailer_storage.queues import Message, Outgoing
from thumbnailer_storage.queues.sql import SqlQueue
from thumbnailer_worker.config import WorkerSettings
from thumbnailer_worker.holds import Hold
from thumbnailer_worker.main import Worker


class Elsewhere(SqlQueue):
    """A table that can be told not to answer, as a queue elsewhere would."""

    down = False

    def delete(self, message: Message) -> None:
        if self.down:
            raise QueueUnavailable("a test stopped the queue")
        super().delete(message)


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    """Embedded stores whose records and messages share no transaction."""
    stores = open_stores(StorageSettings(data=tmp_path / "data"))
    schema.migrate(stores.database)
    stores.claim_objects()
    settings = stores.settings.model_copy(update={"queue": "sqs://elsewhere"})
    yield replace(stores, settings=settings, queue=Elsewhere(stores.database))
    stores.close()


@pytest.fixture
def worker(stores: Stores, tmp_path: Path) -> Worker:
    return Worker(stores, WorkerSettings(concurrency=3, child_memory_mib=256, lease_seconds=30), tmp_path)


def sent(stores: Stores) -> Job:
    job = stores.jobs.add(Job.new(owner="ada", source=Source(1, "0" * 64)))
    stores.queue.send(job.queue, [Outgoing(job.id, job.owner)])
    stores.jobs.mark_sent([job.id])
    return job


def left(stores: Stores) -> list[object]:
    return [message.job for message in stores.queue.receive(["standard"], most=9, visibility=30)]


def claims_fail(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    claim, calls = JobStore.claim, list[object]()

    def failing(self, job, **given):
        calls.append(job)
        if len(calls) > after:
            raise DatabaseUnavailable("a test cut the line")
        return claim(self, job, **given)

    monkeypatch.setattr(JobStore, "claim", failing)


def test_trouble_in_a_claim_keeps_those_before_and_puts_back_those_after(
    stores: Stores, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [sent(stores) for _ in range(3)]
    claims_fail(monkeypatch, after=1)
    assert [hold.job.id for hold in worker.taker.take(3)] == [jobs[0].id]
    assert left(stores) == [jobs[2].id]  # the second comes back by itself
    assert [stores.jobs.get(job.id).attempt for job in jobs] == [1, 0, 0]


def test_trouble_in_the_first_claim_is_trouble(stores: Stores, worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = [sent(stores) for _ in range(3)]
    claims_fail(monkeypatch, after=0)
    with pytest.raises(DatabaseUnavailable):
        worker.taker.take(3)
    assert left(stores) == [job.id for job in jobs[1:]]


@pytest.mark.parametrize("committed", [True, False])
def test_a_claim_whose_reply_was_lost_is_asked_after_until_there_is_an_answer(
    stores: Stores, worker: Worker, monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    job = sent(stores)
    commit, claimed_by = database.commit, JobStore.claimed_by

    def losing(connection):
        monkeypatch.setattr(database, "commit", commit)
        if committed and connection.exec_driver_sql("SELECT max(attempt) FROM jobs").scalar():
            commit(connection)
        elif not connection.exec_driver_sql("SELECT max(attempt) FROM jobs").scalar():  # that is receiving
            commit(connection)
            monkeypatch.setattr(database, "commit", losing)
            return
        raise OutcomeUnknown("a test cut the line")

    def away(*given):
        raise DatabaseUnavailable("it is cut still")

    monkeypatch.setattr(database, "commit", losing)
    monkeypatch.setattr(JobStore, "claimed_by", away)
    with pytest.raises(DatabaseUnavailable):
        worker.taker.take(3)
    monkeypatch.setattr(JobStore, "claimed_by", claimed_by)
    assert [hold.job.id for hold in worker.taker.take(3)] == [job.id] * committed
    assert stores.jobs.get(job.id).attempt == committed
    assert left(stores) == [job.id] * (not committed)


def test_a_worker_that_is_told_to_stop_puts_back_what_a_poll_brings(stores: Stores, worker: Worker) -> None:
    job = sent(stores)
    worker.stopping.set()
    assert worker.taker.take(3) == []
    assert stores.jobs.get(job.id).attempt == 0
    assert left(stores) == [job.id]


def test_a_message_that_cannot_be_deleted_costs_nothing_and_is_dropped_when_it_is_seen_again(
    stores: Stores, worker: Worker
) -> None:
    job, queue = sent(stores), stores.queue
    assert isinstance(queue, Elsewhere)
    (hold,) = worker.taker.take(1)
    queue.down = True
    worker.handler.finish(hold, hold.job.fail(415, "no image"))
    assert stores.jobs.get(job.id).status is Status.FAILED
    assert worker.not_ready() is not None
    queue.down = False
    queue.release(hold.message, delay=0)
    assert worker.taker.take(1) == []
    assert queue.depth("standard").empty
    assert [event.kind for event in stores.events.of_job(job.id)] == ["accepted", "claimed", "failed"]


def test_a_job_that_this_worker_holds_already_is_not_taken_twice(stores: Stores, worker: Worker) -> None:
    job = sent(stores)
    (hold,) = worker.taker.take(1)
    worker.holds.add(hold)
    worker.taker._unsure = [hold.message]
    assert worker.taker.take(1) == list[Hold]()
    assert stores.jobs.get(job.id).attempt == 1
