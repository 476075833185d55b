"""What every queue has to do."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from outgoing import of

from thumbnailer_storage.opening import Stores
from thumbnailer_storage.queues import Depth, Message, Queue
from thumbnailer_storage.queues.sql import SqlQueue

ALL = ("express", "standard", "economy")
HIDDEN = 30.0


@pytest.fixture
def tick(queue: Queue) -> float:
    """The shortest time that the queue can tell from none."""
    return 0.3 if isinstance(queue, SqlQueue) else 1.0


def received_soon(queue: Queue) -> list[Message]:
    """What comes within a moment: a server that is many may miss a message the first time it looks."""
    deadline = time.monotonic() + 2
    while not (messages := queue.receive(ALL, most=10, visibility=HIDDEN)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return messages


def test_a_message_sent_is_received_once_and_gone_when_deleted(queue: Queue) -> None:
    job = uuid4()
    queue.send("standard", of("ada", [job]))
    (message,) = queue.receive(ALL, most=10, visibility=HIDDEN)
    assert (message.queue, message.job) == ("standard", job)
    assert queue.receive(ALL, most=10, visibility=HIDDEN) == []
    queue.delete(message)
    assert queue.depth("standard") == Depth(0, 0, 0)


def test_the_earlier_queue_comes_first(queue: Queue) -> None:
    jobs = {name: uuid4() for name in ALL}
    for name in reversed(ALL):
        queue.send(name, of("ada", [jobs[name]]))
    received = [message.job for message in queue.receive(ALL, most=3, visibility=HIDDEN)]
    assert received == list(jobs.values())


def test_never_more_is_received_than_asked_for(queue: Queue) -> None:
    queue.send("standard", of("ada", [uuid4() for _ in range(5)]))
    assert len(queue.receive(ALL, most=2, visibility=HIDDEN)) == 2
    assert queue.depth("standard") == Depth(waiting=3, in_flight=2, delayed=0)


def test_messages_of_one_queue_come_in_the_order_sent(queue: Queue) -> None:
    jobs = [uuid4() for _ in range(5)]
    for job in jobs:
        queue.send("standard", of("ada", [job]))
    assert [queue.receive(ALL, most=1, visibility=HIDDEN)[0].job for _ in jobs] == jobs


def test_a_message_nobody_deletes_comes_back(queue: Queue, tick: float) -> None:
    queue.send("standard", of("ada", [uuid4()]))
    queue.receive(ALL, most=1, visibility=tick)
    assert queue.receive(ALL, most=1, visibility=HIDDEN) == []
    time.sleep(tick)
    assert len(received_soon(queue)) == 1


def test_an_extended_message_stays_hidden(queue: Queue, tick: float) -> None:
    queue.send("standard", of("ada", [uuid4()]))
    messages = queue.receive(ALL, most=1, visibility=tick)
    queue.extend(messages, visibility=HIDDEN)
    time.sleep(tick + 0.1)
    assert queue.receive(ALL, most=1, visibility=HIDDEN) == []


def test_a_released_message_comes_back_after_its_delay(queue: Queue, tick: float) -> None:
    queue.send("standard", of("ada", [uuid4()]))
    (message,) = queue.receive(ALL, most=1, visibility=HIDDEN)
    queue.release(message, delay=tick)
    assert queue.receive(ALL, most=1, visibility=HIDDEN) == []
    time.sleep(tick)
    assert len(received_soon(queue)) == 1


def test_a_delayed_message_is_counted_apart_and_comes_later(queue: Queue, tick: float) -> None:
    queue.send("standard", of("ada", [uuid4()]), delay=tick)
    assert queue.depth("standard") == Depth(waiting=0, in_flight=0, delayed=1)
    assert queue.receive(ALL, most=1, visibility=HIDDEN) == []
    time.sleep(tick)
    assert len(received_soon(queue)) == 1


def test_an_old_receipt_can_do_nothing(queue: Queue) -> None:
    queue.send("standard", of("ada", [uuid4()]))
    (old,) = queue.receive(ALL, most=1, visibility=0)
    (new,) = queue.receive(ALL, most=1, visibility=HIDDEN)
    queue.delete(old)
    queue.release(old, delay=0)
    assert queue.depth("standard") == Depth(waiting=0, in_flight=1, delayed=0)
    queue.delete(new)
    assert queue.depth("standard").empty


def test_a_table_says_whether_it_is_quiet(stores: Stores) -> None:
    queue = stores.queue
    assert queue.quiet(ALL)
    queue.send("economy", of("ada", [uuid4()]))
    assert not queue.quiet(ALL)
    assert queue.quiet(("express", "standard"))


def test_more_than_fits_into_one_call_is_sent_extended_and_received(queue: Queue, tick: float) -> None:
    jobs = {uuid4() for _ in range(25)}
    queue.send("standard", of("ada", jobs))
    messages = queue.receive(ALL, most=25, visibility=3 * tick)
    assert {message.job for message in messages} == jobs
    queue.extend(messages, visibility=HIDDEN)
    time.sleep(3 * tick + 0.1)
    assert queue.receive(ALL, most=25, visibility=HIDDEN) == []
    assert queue.depth("standard") == Depth(waiting=0, in_flight=25, delayed=0)


def test_extending_passes_over_what_is_no_longer_ours(queue: Queue, tick: float) -> None:
    queue.send("standard", of("ada", [uuid4(), uuid4()]))
    gone, kept = queue.receive(ALL, most=2, visibility=tick)
    queue.delete(gone)
    queue.extend([gone, kept], visibility=HIDDEN)
    time.sleep(tick + 0.1)
    assert queue.depth("standard") == Depth(waiting=0, in_flight=1, delayed=0)


def test_a_queue_that_is_there_passes_its_check(queue: Queue) -> None:
    queue.check(ALL)


def test_a_closed_queue_gives_nothing_and_takes_back_what_it_gave(queue: Queue) -> None:
    queue.send("standard", of("ada", [uuid4(), uuid4()]))
    finished, unfinished = queue.receive(ALL, most=2, visibility=HIDDEN)
    queue.close()
    queue.delete(finished)
    queue.release(unfinished, delay=0)
    assert queue.depth("standard").in_flight == 0


def test_a_purged_queue_is_empty_and_its_neighbour_is_not(queue: Queue) -> None:
    for name in ("standard", "economy"):
        queue.send(name, of("ada", [uuid4()]))
    queue.purge("standard")
    assert queue.depth("standard").empty
    assert queue.depth("economy").waiting == 1


def test_many_receivers_at_once_get_each_message_once(queue: Queue) -> None:
    jobs = [uuid4() for _ in range(60)]
    queue.send("standard", of("ada", jobs))

    def drain(_: int) -> list[object]:
        got: list[object] = []
        while messages := queue.receive(ALL, most=3, visibility=HIDDEN):
            got += [message.job for message in messages]
        return got

    with ThreadPoolExecutor(4) as pool:
        received = Counter(job for got in pool.map(drain, range(4)) for job in got)
    assert received == Counter(jobs)
