"""The slots of a worker: each holds one job at a time and has a child of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Condition

from thumbnailer_worker.errors import Ended
from thumbnailer_worker.sandbox import Child


class Slots:
    """Hands out children, and lets a job have the worker to itself."""

    def __init__(self, children: Sequence[Child]) -> None:
        self._all = tuple(children)
        self._free = list(children)
        self._changed = Condition()
        self._wishing = 0
        """Jobs in a slot that wait until they are alone."""
        self._alone = False

    def __len__(self) -> int:
        return len(self._all)

    def try_one(self) -> None:
        """Start one child, so that a broken installation shows at once and not with the first job."""
        self._all[0].start()

    def wait_for_free(self, seconds: float) -> int:
        """How many jobs may be taken now; 0 if none after so many seconds."""
        with self._changed:
            self._changed.wait_for(self._open, seconds)
            return len(self._free) if self._open() else 0

    def _open(self) -> bool:
        return bool(self._free) and not self._alone and not self._wishing

    def take(self, seconds: float) -> Child | None:
        """A slot's child for one job; None if there is none after so many seconds. Give it back."""
        with self._changed:
            return self._free.pop() if self._changed.wait_for(self._open, seconds) else None

    def give_back(self, child: Child) -> None:
        with self._changed:
            self._free.append(child)
            self._changed.notify_all()

    @contextmanager
    def alone(self, unless: Callable[[], bool]) -> Iterator[None]:
        """For a job that has a slot: wait until no other job runs, and let none start.

        Raises Ended where `unless` has become true, which is looked at after each `wake`.
        """
        with self._changed:
            self._wishing += 1
            self._changed.wait_for(lambda: unless() or (not self._alone and self._running() == 0))
            self._wishing -= 1
            if unless():
                self._changed.notify_all()
                raise Ended("it does not need to be alone any more")
            self._alone = True
        try:
            yield
        finally:
            with self._changed:
                self._alone = False
                self._changed.notify_all()

    def wake(self) -> None:
        """Have those who wait look again."""
        with self._changed:
            self._changed.notify_all()

    def _running(self) -> int:
        return len(self._all) - len(self._free) - self._wishing

    def wait_until_idle(self, seconds: float) -> bool:
        """Whether all slots are free within so many seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._free) == len(self._all), seconds)

    def close(self) -> None:
        for child in self._all:
            child.close()
