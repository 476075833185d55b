"""The threads that do the steps of a batch."""

from __future__ import annotations

import threading
from itertools import pairwise
from queue import SimpleQueue
from typing import TYPE_CHECKING

from thumbnailer.errors import ThumbnailerError

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from thumbnailer.batch.items import Item
    from thumbnailer.batch.steps import Step


def run(items: Sequence[Item], steps: Sequence[Step]) -> Generator[tuple[Item, Step]]:
    """Pass all items through all steps; yields each item after each step that it passed, and after one that failed.

    What went wrong with an item is on it, and ends it alone. Closing the iterator leaves the rest undone: the crews
    take nothing more.
    """
    done: Done = SimpleQueue()
    crews = [Crew(step, done) for step in steps]
    following = dict(pairwise(crews))
    try:
        for item in items:
            crews[0].take(item)
        left = len(items)
        while left:
            item, crew, outcome = done.get()
            if outcome is False:
                crew.take(item)
                continue
            if isinstance(outcome, Exception):
                if not isinstance(outcome, ThumbnailerError | OSError):
                    raise outcome
                item.error = outcome
            item.ended = item.error is not None or crew not in following
            left -= item.ended
            yield item, crew.step
            if not item.ended:
                following[crew].take(item)
    finally:
        for crew in crews:
            crew.stop()


class Crew:
    """The threads of one step, and the line of items before them.

    They are daemons: whoever interrupts us shall not wait for an answer that the service holds back.
    """

    def __init__(self, step: Step, done: Done) -> None:
        self.step = step
        self._done = done
        self._line: SimpleQueue[Item | None] = SimpleQueue()
        self._stopping = threading.Event()
        for number in range(step.crew):
            threading.Thread(target=self._work, name=f"{step.name}-{number}", daemon=True).start()

    def take(self, item: Item) -> None:
        self._line.put(item)

    def stop(self) -> None:
        self._stopping.set()
        for _ in range(self.step.crew):
            self._line.put(None)

    def _work(self) -> None:
        while (item := self._line.get()) is not None and not self._stopping.is_set():
            try:
                self._done.put((item, self, self.step.do(item)))
            except Exception as error:  # noqa: BLE001 - raised again in `run` unless it is the item's own
                self._done.put((item, self, error))


Done = SimpleQueue[tuple["Item", Crew, bool | Exception]]
