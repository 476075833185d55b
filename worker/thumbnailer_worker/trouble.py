"""Our own trouble: while a store is down, a worker takes nothing."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event, Lock

import structlog

from thumbnailer_storage.errors import StorageError
from thumbnailer_storage.opening import Stores
from thumbnailer_worker.errors import ScratchFull, ScratchGone

LONGEST_PAUSE = 30.0

log = structlog.get_logger()


def growing(tries: int, longest: float = LONGEST_PAUSE) -> float:
    """A pause in seconds that doubles with each try, with jitter, so that workers do not come back all at once."""
    return min(longest, 0.5 * float(2 ** min(tries, 10))) * random.uniform(0.5, 1.0)


class Trouble:
    """Whether a store is in trouble; it is over once all of them answer."""

    def __init__(self, stores: Stores, scratch: Path, queues: Sequence[str]) -> None:
        self._stores = stores
        self._queues = queues
        self._probe = scratch / "probe"
        self._reason: str | None = None
        self._lock = Lock()

    def begin(self, error: Exception) -> None:
        with self._lock:
            self._reason = str(error)
        log.error("a store is in trouble: nothing is taken until all answer again", reason=str(error))

    @property
    def reason(self) -> str | None:
        return self._reason

    def wait_out(self, stop: Event, beat: Callable[[], None]) -> None:
        """Return once all stores answer, or the worker is to stop; raises ScratchGone, which waiting does not mend."""
        tries = 0
        while self._reason is not None and not stop.wait(growing(tries)):
            beat()
            tries += 1
            try:
                self.look()
            except (StorageError, ScratchFull) as error:
                log.warning("a store is still in trouble", reason=str(error))
            else:
                log.info("the stores answer again")
                with self._lock:
                    self._reason = None

    def look(self) -> None:
        """Ask each store, and the scratch folder, for something small; raises what is wrong with it."""
        self._stores.recognise_objects()
        self._stores.objects.check()
        self._stores.queue.check(self._queues)
        try:
            self._probe.write_bytes(b"probe")
            self._probe.unlink()
        except FileNotFoundError:
            raise ScratchGone(f"the scratch folder {self._probe.parent} has vanished: start the worker anew") from None
        except OSError as error:
            raise ScratchFull(f"the scratch folder {self._probe.parent} cannot be used: {error.strerror}") from error
