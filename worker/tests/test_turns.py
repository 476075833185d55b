"""What a worker takes next: express first, standard and economy never starved, other pools' work while it is idle."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from outgoing import of

from thumbnailer_storage.config import StorageSettings
from thumbnailer_storage.errors import QueueMissing, QueueUnavailable, SettingError
from thumbnailer_storage.jobs import schema
from thumbnailer_storage.jobs.model import Job, Priority, Source
from thumbnailer_storage.opening import Stores, open_stores
from thumbnailer_storage.queues import Message
from thumbnailer_storage.queues.sql import SqlQueue
from thumbnailer_worker import config, taking
from thumbnailer_worker.holds import Holds
from thumbnailer_worker.taking import NO_BORROWING_SECONDS, Taker
from thumbnailer_worker.turns import IN_A_ROW, Turns

ALL = ("express", "standard", "economy")
ROUND = (IN_A_ROW + 1) ** 2
E, S, C = ALL


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    stores = open_stores(StorageSettings(data=tmp_path / "data"))
    schema.migrate(stores.database)
    yield stores
    stores.close()


def submit(stores: Stores, queue: str, number: int = 1) -> None:
    for _ in range(number):
        job = stores.jobs.add(Job.new(owner="ada", source=Source(1, "0" * 64), priority=Priority(queue)))
        stores.queue.send(queue, of("ada", [job.id]))


Take = Callable[[int], list[str]]


@pytest.fixture
def taker(stores: Stores) -> Callable[..., Take]:
    """A worker's taker; gives what it takes for so many free slots, one queue's name for each job."""

    def make(*queues: str, borrows: tuple[str, ...] = (), slots: int = 4) -> Take:
        given = {"worker": "w", "lease": 30.0, "stopping": threading.Event(), "borrows": borrows, "slots": slots}
        taker = Taker(stores, queues, Holds(), **given)  # type: ignore[arg-type]
        return lambda free: [hold.job.queue for hold in taker.take(free)]

    return make


def taken(take: Take, number: int, free: int) -> list[str]:
    order: list[str] = []
    while len(order) < number:
        order += take(free)
    return order[:number]


@pytest.mark.parametrize("free", [1, 2, 3, 4, 7, 16])
def test_while_all_have_work_each_queue_has_its_share_however_many_slots_are_free(
    stores: Stores, taker: Callable[..., Take], free: int
) -> None:
    for queue in ALL:
        submit(stores, queue, 60)
    order = taken(taker(*ALL), 3 * ROUND, free)
    assert order == 3 * [*(3 * [E, E, E, S]), E, E, E, C]
    assert Counter(order[:ROUND]) == {E: 12, S: 3, C: 1}


def test_an_express_job_is_next_whatever_standard_backlog_there_is(stores: Stores, taker: Callable[..., Take]) -> None:
    take = taker(*ALL)
    submit(stores, S, 50)
    for standard_before in (1, 2, 3, 4, 5, 8):
        assert taken(take, standard_before, 1) == standard_before * [S]
        submit(stores, E)
        assert take(1) == [E]


def test_economy_has_its_share_beside_standard_alone(stores: Stores, taker: Callable[..., Take]) -> None:
    for queue in (S, C):
        submit(stores, queue, 20)
    assert taken(taker(*ALL), 12, 2) == 3 * [S, S, S, C]


def test_slots_are_not_left_free_for_queues_that_are_empty(stores: Stores, taker: Callable[..., Take]) -> None:
    submit(stores, E, 10)
    take = taker(*ALL)
    assert take(8) == 8 * [E]
    submit(stores, C, 2)
    assert take(8) == [E, C, E, C]


def test_a_turn_that_nobody_wanted_is_not_kept(stores: Stores) -> None:
    turns = Turns(ALL)
    for _ in range(IN_A_ROW + 1):
        turns.took(E)
    assert turns.order() == [E, S, C]
    assert Turns([E]).most(9) == 9


def test_an_idle_worker_borrows_one_job_at_a_time_and_keeps_a_slot_for_its_own(
    stores: Stores, taker: Callable[..., Take]
) -> None:
    submit(stores, C, 5)
    take = taker(E, S, borrows=(C,))
    assert take(4) == [C]
    assert take(3) == [C]
    assert take(2) == [C]
    assert take(1) == []
    submit(stores, S, 2)
    assert take(4) == [S, S]
    assert taker(E, S, borrows=(C,), slots=1)(1) == [C]


def test_while_its_own_queues_have_work_a_worker_borrows_nothing(stores: Stores, taker: Callable[..., Take]) -> None:
    submit(stores, C, 5)
    submit(stores, S, 5)
    take = taker(E, S, borrows=(C,))
    assert taken(take, 5, 2) == 5 * [S]
    assert take(2) == [C]


def test_what_a_look_brought_is_kept_when_the_next_one_fails(stores: Stores) -> None:
    class Failing(SqlQueue):
        looks = 0

        def receive(self, *given: object, **more: object) -> list[Message]:
            self.looks += 1
            if self.looks > 1:
                raise QueueUnavailable("a test stopped the queue")
            return super().receive(*given, **more)  # type: ignore[arg-type]

    submit(stores, E, 5)
    settings = stores.settings.model_copy(update={"queue": "sqs://elsewhere"})
    some = replace(stores, settings=settings, queue=Failing(stores.database))
    taker = Taker(some, ALL, Holds(), worker="w", lease=30, stopping=threading.Event())
    assert len(taker.take(5)) == IN_A_ROW
    with pytest.raises(QueueUnavailable):
        taker.take(2)


def test_trouble_in_a_queue_that_is_borrowed_from_costs_its_own_nothing(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing(SqlQueue):
        looks = 0

        def receive(self, queues: Sequence[str], **more: object) -> list[Message]:
            found = super().receive([queue for queue in queues if queue != C], **more)  # type: ignore[arg-type]
            if C in queues and not found:
                self.looks += 1
                raise QueueMissing("there is no queue economy")
            return found

    queue = Failing(stores.database)
    settings = stores.settings.model_copy(update={"queue": "sqs://elsewhere"})
    some = replace(stores, settings=settings, queue=queue)
    monkeypatch.setattr(SqlQueue, "quiet", lambda self, queues: False)
    taker = Taker(some, (S,), Holds(), worker="w", lease=30, stopping=threading.Event(), borrows=(C,), slots=4)
    for _ in range(3):
        assert taker.take(4) == []
    submit(stores, S, 1)
    assert len(taker.take(4)) == 1
    assert queue.looks == 1, "for a while nothing is borrowed"
    monkeypatch.setattr(taking, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + NO_BORROWING_SECONDS))
    assert taker.take(4) == []
    assert queue.looks == 2


def test_a_queue_that_is_its_own_is_not_borrowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THUMBNAILER_BORROWS", "economy")
    with pytest.raises(SettingError, match=r"THUMBNAILER_BORROWS names economy.*name it in one"):
        config.from_environment()
    monkeypatch.setenv("THUMBNAILER_QUEUES", "express,standard")
    assert config.from_environment()[0].borrows == ("economy",)
