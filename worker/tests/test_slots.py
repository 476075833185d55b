"""Slots: who may run beside whom."""

import threading
import time
from contextlib import suppress

import pytest

from thumbnailer_worker.errors import Ended
from thumbnailer_worker.slots import Slots


def never() -> bool:
    return False


def slots_of(count: int) -> Slots:
    return Slots([f"child {n}" for n in range(count)])  # type: ignore[list-item]  # a slot never looks into its child


def test_no_more_children_are_handed_out_than_there_are() -> None:
    slots = slots_of(2)
    assert slots.wait_for_free(0) == 2
    first, second = slots.take(0), slots.take(0)
    assert first != second
    assert slots.take(0) is None
    assert slots.wait_for_free(0) == 0
    slots.give_back(first)
    assert slots.wait_for_free(0) == 1


def test_a_job_that_wants_to_be_alone_waits_for_the_others_and_lets_none_start() -> None:
    slots = slots_of(3)
    neighbour, mine = slots.take(0), slots.take(0)
    alone = threading.Event()
    leave = threading.Event()

    def run_alone() -> None:
        with slots.alone(unless=never):
            alone.set()
            leave.wait(5)
        slots.give_back(mine)

    thread = threading.Thread(target=run_alone)
    thread.start()
    assert not alone.wait(0.1)
    assert slots.wait_for_free(0) == 0
    slots.give_back(neighbour)
    assert alone.wait(5)
    assert slots.take(0.1) is None
    leave.set()
    thread.join()
    assert slots.wait_until_idle(5)
    assert slots.wait_for_free(0) == 3


def test_one_that_does_not_need_to_be_alone_any_more_waits_no_longer_and_others_may_start() -> None:
    slots = slots_of(3)
    neighbour, mine = slots.take(0), slots.take(0)
    cancelled, ended = threading.Event(), threading.Event()

    def run_alone() -> None:
        with suppress(Ended), slots.alone(unless=cancelled.is_set):
            pytest.fail("it was cancelled, and its neighbour runs")
        slots.give_back(mine)
        ended.set()

    threading.Thread(target=run_alone).start()
    assert not ended.wait(0.1)
    assert slots.wait_for_free(0) == 0
    cancelled.set()
    slots.wake()
    assert ended.wait(5)
    assert slots.wait_for_free(0) == 2
    slots.give_back(neighbour)


def test_two_that_want_to_be_alone_take_turns() -> None:
    slots = slots_of(2)
    running, most, lock = 0, 0, threading.Lock()

    def run_alone(child: object) -> None:
        nonlocal running, most
        with slots.alone(unless=never):
            with lock:
                running += 1
                most = max(most, running)
            time.sleep(0.05)
            with lock:
                running -= 1
        slots.give_back(child)  # type: ignore[arg-type]

    threads = [threading.Thread(target=run_alone, args=(slots.take(0),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert most == 1
    assert slots.wait_until_idle(0)
