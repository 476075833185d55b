"""A queue that holds only so many messages: further jobs wait as records and are fed to it in order."""

import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from thumbnailer_api import room, sending
from thumbnailer_api.housekeeping import feed as feeding
from thumbnailer_api.housekeeping.feed import Feed
from thumbnailer_api.housekeeping.observe import Looks
from thumbnailer_api.housekeeping.resend import Resend
from thumbnailer_api.sending import Sender
from thumbnailer_storage.config import StorageSettings
from thumbnailer_storage.errors import DatabaseUnavailable, QueueMissing, QueueRefused, QueueUnavailable
from thumbnailer_storage.jobs import schema
from thumbnailer_storage.jobs.model import Job, Source
from thumbnailer_storage.opening import Stores, open_stores
from thumbnailer_storage.queues import Depth, Outgoing
from thumbnailer_storage.queues.sql import SqlQueue

LIMIT = 20
SHARE = LIMIT // room.SHARES


@pytest.fixture
def stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stores]:
    for name in ("UNSENT_SECONDS", "BACKLOG_SECONDS"):
        monkeypatch.setattr(feeding, name, -1.0)
    monkeypatch.setattr(sending, "BACKLOG_SECONDS", -1.0)
    stores = open_stores(StorageSettings(data=tmp_path, queue_limit=LIMIT))
    schema.migrate(stores.database)
    yield stores
    stores.close()


class Faulty(SqlQueue):
    """A table that can be told to fail, and counts what it is asked."""

    fails: Exception | None = None
    asked = 0

    def _answer(self) -> None:
        self.asked += 1
        if self.fails:
            raise self.fails

    def send(self, queue: str, outgoing: Iterable[Outgoing], *, delay: float = 0.0) -> None:
        self._answer()
        super().send(queue, outgoing, delay=delay)

    def depth(self, queue: str) -> Depth:
        self._answer()
        return super().depth(queue)


@pytest.fixture
def faulty(stores: Stores) -> Faulty:
    return Faulty(stores.database)


def added(stores: Stores, queue: str | None = None, *, owner: str = "ada") -> Job:
    return stores.jobs.add(Job.new(owner=owner, source=Source(bytes=1, sha256="0" * 64), job_class=queue))


def without_limit(stores: Stores, queue: SqlQueue) -> Stores:
    return replace(stores, queue=queue, settings=stores.settings.model_copy(update={"queue_limit": 0}))


def standing(stores: Stores) -> int:
    depth = stores.queue.depth("standard")
    return depth.waiting + depth.in_flight + depth.delayed


def drained(stores: Stores, most: int) -> list[UUID]:
    """The jobs of messages that a worker would have claimed, in order."""
    messages = stores.queue.receive(["standard"], most=most, visibility=30)
    for message in messages:
        assert message.job
        stores.jobs.claim(message.job, worker="w", lease=30)
        stores.queue.delete(message)
    return [message.job for message in messages if message.job]


def test_never_more_stand_in_the_queue_than_its_limit_and_all_pass_in_order(stores: Stores) -> None:
    jobs = [added(stores).id for _ in range(5 * LIMIT)]
    feed, done = Feed(stores), list[UUID]()
    assert feed.catch_up("standard") == LIMIT - SHARE  # the rest is for what is sent again
    while len(done) < len(jobs):
        assert standing(stores) <= LIMIT
        got = drained(stores, 7)
        done += got
        assert len(got) == min(7, len(jobs) - len(done) + len(got))
        feed()
    assert done == jobs


def test_a_newcomers_job_goes_with_the_next_batch_past_a_long_backlog(stores: Stores) -> None:
    for _ in range(20 * LIMIT):
        added(stores)
    feed = Feed(stores)
    assert feed.catch_up("standard") == LIMIT - SHARE
    newcomer = added(stores, owner="bob")
    drained(stores, SHARE)
    assert feed() == SHARE  # one of Ada's, and Bob's
    with stores.database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM jobs WHERE owner = 'bob' AND sent > ''").scalar() == 1
    assert newcomer.id in drained(stores, LIMIT)


def test_owners_who_wait_for_a_small_queue_share_it_and_each_ones_jobs_pass_in_order(stores: Stores) -> None:
    ids = {owner: [added(stores, owner=owner).id for _ in range(30)] for owner in ("ada", "bob", "eve")}
    feed, done = Feed(stores), list[UUID]()
    feed.catch_up("standard")
    while len(done) < 90:
        done += drained(stores, 7)
        feed()
    for jobs in ids.values():
        assert [job for job in done if job in jobs] == jobs
        assert 8 <= sum(job in jobs for job in done[:30]) <= 12


def test_several_housekeepers_at_once_overstep_the_limit_by_a_share_each_at_most(stores: Stores) -> None:
    jobs = {added(stores).id for _ in range(5 * LIMIT)}
    feeds, done = [Feed(stores) for _ in range(3)], list[UUID]()
    for feed in feeds:
        feed.catch_up("standard")
    with ThreadPoolExecutor(3) as pool:
        while len(done) < len(jobs):
            list(pool.map(Feed.__call__, feeds))
            assert standing(stores) <= LIMIT + SHARE * (len(feeds) - 1)
            done += drained(stores, 10)
    assert sorted(done) == sorted(jobs)


def test_the_api_leaves_what_does_not_fit_and_passes_no_job_that_waits(stores: Stores) -> None:
    sender, jobs = Sender(stores), [added(stores) for _ in range(2 * LIMIT)]
    stores.jobs.mark_sent([job.id for job in jobs])  # no backlog yet
    for job in jobs:
        sender.send(job)
    assert standing(stores) == LIMIT - SHARE
    stores.queue.purge("standard")
    waiting = added(stores)
    fresh = Sender(stores)
    fresh.send(jobs[0])
    assert standing(stores) == 0  # there is room, and an older job
    assert Feed(stores).catch_up("standard") == 1
    assert drained(stores, 9) == [waiting.id]


def test_without_a_limit_nobody_asks_how_deep_the_queue_is(stores: Stores, faulty: Faulty) -> None:
    endless = without_limit(stores, faulty)
    job = added(stores)
    Sender(endless).send(job)
    added(stores)
    assert Feed(endless).catch_up("standard") == 1
    assert faulty.asked == 2  # one message each


def test_a_full_queue_takes_what_is_sent_again(stores: Stores) -> None:
    lost = added(stores)
    stores.jobs.mark_sent([lost.id])
    for _ in range(5 * LIMIT):
        added(stores)
    feed = Feed(stores)
    feed.catch_up("standard")
    assert standing(stores) == LIMIT - SHARE
    drained(stores, 1)
    feed()
    time.sleep(0.01)
    with stores.database.write() as connection:
        connection.exec_driver_sql("UPDATE jobs SET resend_after = '2000', sent = '2000' WHERE id = ?", (lost.id.hex,))
    Resend(stores, 0.001, feed, Looks(stores))()
    assert standing(stores) == LIMIT - SHARE + 1


def test_a_queue_that_failed_is_tried_by_one_caller_after_a_pause(
    stores: Stores, faulty: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "PAUSE_SECONDS", 0.2)
    sender, jobs = Sender(without_limit(stores, faulty)), [added(stores) for _ in range(4)]
    faulty.fails = QueueUnavailable("a test stopped the queue")
    with pytest.raises(QueueUnavailable):
        sender.send(jobs[0])
    sender.send(jobs[1])
    assert faulty.asked == 1
    time.sleep(0.3)
    with pytest.raises(QueueUnavailable):
        sender.send(jobs[2])
    faulty.fails = None
    time.sleep(0.3)
    sender.send(jobs[3])
    assert drained(stores, 9) == [jobs[3].id]


def test_jobs_of_a_queue_that_was_down_are_sent_in_order_without_growing_pauses(stores: Stores, faulty: Faulty) -> None:
    jobs = [added(stores).id for _ in range(5)]
    broken = without_limit(stores, faulty)
    faulty.fails = QueueUnavailable("a test stopped the queue")
    for _ in range(4):
        with pytest.raises(QueueUnavailable):
            Feed(broken).catch_up("standard")
    faulty.fails = None
    assert Feed(broken).catch_up("standard") == 5
    with stores.database.read() as connection:
        assert connection.exec_driver_sql("SELECT sends FROM jobs").scalars().all() == [1] * 5
    assert drained(stores, 9) == jobs


@pytest.mark.parametrize("wrong", [QueueMissing, QueueRefused])
def test_a_queue_that_is_not_there_holds_up_no_other(stores: Stores, wrong: type[QueueUnavailable]) -> None:
    class WithoutA(SqlQueue):
        def send(self, queue: str, outgoing: Iterable[Outgoing], *, delay: float = 0.0) -> None:
            if queue == "a":
                raise wrong("there is no queue a")
            super().send(queue, outgoing, delay=delay)

    some = replace(stores, queue=WithoutA(stores.database))
    added(stores, "a")
    job = added(stores)
    with pytest.raises(wrong, match="no queue a"):
        Resend(some, 60, Feed(some), Looks(some))()
    assert drained(stores, 9) == [job.id]


def test_a_mark_that_fails_where_messages_are_elsewhere_leaves_a_whole_job(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(ids: object) -> None:
        raise DatabaseUnavailable("a test cut the line")

    job = added(stores)
    stores.jobs.mark_sent([job.id])
    with monkeypatch.context() as patched:
        patched.setattr(type(stores.jobs), "mark_sent", lambda _, ids: lost(ids))
        with pytest.raises(DatabaseUnavailable):
            Sender(stores).send(job)
    assert drained(stores, 9) == [job.id]
