"""Polls that outlast their caller: what they bring is for those who ask for that queue."""

import threading
from collections.abc import Iterable
from uuid import uuid4

from thumbnailer_storage.errors import QueueMissing
from thumbnailer_storage.queues import Message
from thumbnailer_storage.queues.polls import Polls


class Queues:
    """Each poll of `slow` lasts until it is told what to bring; any other brings a message at once."""

    def __init__(self) -> None:
        self.tell = threading.Event()
        self.fails: Exception | None = None
        self.put_back: list[str] = []
        self.went_back = threading.Event()
        self.polls = Polls(self.poll, self.back)

    def poll(self, queue: str, visibility: float, wait: int) -> list[Message]:
        if queue == "slow":
            assert self.tell.wait(10)
            if self.fails:
                raise self.fails
        return [Message(queue, uuid4(), "receipt")]

    def back(self, messages: Iterable[Message]) -> None:
        self.put_back += [message.queue for message in messages]
        self.went_back.set()

    def ask(self, *queues: str, wait: float = 5.0) -> list[str]:
        return [message.queue for message in self.polls.first(queues, most=1, visibility=30, wait=wait)]


def test_what_a_poll_brings_is_not_for_who_asks_for_other_queues_meanwhile() -> None:
    """As a worker does that may borrow while two slots are free, and not for the last one."""
    queues = Queues()
    assert queues.ask("own", "slow") == ["own"]
    queues.polls._under_way["own"] = threading.current_thread()  # nothing more comes from there
    threading.Timer(0.2, queues.tell.set).start()
    assert queues.ask("own", wait=1.0) == []
    assert queues.went_back.wait(5)
    assert queues.put_back == ["slow"]


def test_the_trouble_of_a_queue_is_not_for_who_asks_for_others() -> None:
    queues = Queues()
    assert queues.ask("own", "slow") == ["own"]
    queues.polls._under_way["own"] = threading.current_thread()
    queues.fails = QueueMissing("there is no queue slow")
    threading.Timer(0.2, queues.tell.set).start()
    assert queues.ask("own", wait=1.0) == []


def test_what_a_poll_of_before_brings_is_for_who_asks_for_its_queue_again() -> None:
    queues = Queues()
    assert queues.ask("own", "slow") == ["own"]
    threading.Timer(0.2, queues.tell.set).start()
    assert queues.ask("slow") == ["slow"]
    assert queues.put_back == []
