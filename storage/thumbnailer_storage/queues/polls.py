"""Long polls on several queues at once: the first message wins, and what nobody waits for goes back at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from threading import Condition, Lock, Thread

from thumbnailer_storage.errors import QueueUnavailable
from thumbnailer_storage.queues import Message


class Polls:
    """One thread for each poll that is under way; a queue has one poll at a time.

    `poll` asks a queue for messages, hidden for so many seconds, and waits for them for so many. A poll cannot be
    called back: it goes on after the caller has got another queue's message, and `put_back` gets what it brings then,
    unless somebody asks for that queue again by that time.
    """

    def __init__(
        self, poll: Callable[[str, float, int], list[Message]], put_back: Callable[[Iterable[Message]], None]
    ) -> None:
        self._poll = poll
        self._put_back = put_back
        self._callers = Lock()
        self._news = Condition()
        self._under_way: dict[str, Thread] = {}
        self._wanted = 0
        self._asked: Sequence[str] = ()
        self._found: list[Message] = []
        self._trouble: Exception | None = None
        self.closed = False

    def first(self, queues: Sequence[str], *, most: int, visibility: float, wait: float) -> list[Message]:
        """The messages that come first, none after `wait` seconds; raises what a poll raises."""
        with self._callers, self._news:
            self._wanted, self._asked, self._found, self._trouble = most, queues, [], None
            try:
                self._wait(queues, visibility, time.monotonic() + wait)
            finally:
                self._wanted, self._asked = 0, ()
            if self._trouble and not self._found:
                raise self._trouble
            return self._found

    def _wait(self, queues: Sequence[str], visibility: float, ends: float) -> None:
        while not (self._found or self._trouble or self.closed) and (left := ends - time.monotonic()) > 0:
            for queue in queues:
                if queue not in self._under_way and round(left) > 0:
                    self._begin(queue, visibility, round(left))
            self._news.wait(left)

    def _begin(self, queue: str, visibility: float, wait: int) -> None:
        thread = Thread(target=self._run, args=(queue, visibility, wait), name=f"poll-{queue}", daemon=True)
        self._under_way[queue] = thread
        thread.start()

    def _run(self, queue: str, visibility: float, wait: int) -> None:
        found: list[Message] = []
        trouble: Exception | None = None
        try:
            found = self._poll(queue, visibility, wait)
        except Exception as error:  # noqa: BLE001 - the caller raises it
            trouble = error
        with self._news:
            if not self.closed and queue in self._asked and len(self._found) + len(found) <= self._wanted:
                self._found += found
                found = []
            self._trouble = self._trouble or (trouble if queue in self._asked else None)
            if not found:
                self._ended(queue)
        if found:
            with suppress(QueueUnavailable):  # then they come back by themselves
                self._put_back(found)
            with self._news:
                self._ended(queue)

    def _ended(self, queue: str) -> None:
        del self._under_way[queue]
        self._news.notify_all()

    def close(self, patience: float) -> None:
        """Wake who waits, and return once no poll is under way, after `patience` seconds at the latest."""
        with self._news:
            self.closed = True
            self._news.notify_all()
            self._news.wait_for(lambda: not self._under_way, patience)
