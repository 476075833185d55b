"""The housekeeper: its duties as a list, and the loop that goes through them. Any number of copies may run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event

import structlog
from prometheus_client import Counter, Gauge

from thumbnailer_api.config import HousekeeperSettings
from thumbnailer_api.housekeeping.feed import FEED_SECONDS, Feed
from thumbnailer_api.housekeeping.observe import Looks, Observe
from thumbnailer_api.housekeeping.rescue import Rescue
from thumbnailer_api.housekeeping.resend import Resend
from thumbnailer_api.housekeeping.scaling import Scaling
from thumbnailer_api.housekeeping.sweep import Sweep
from thumbnailer_storage.errors import StorageError
from thumbnailer_storage.opening import Stores

STALLED_SECONDS = 300.0
"""A loop that has not come round for so long is stuck, and the housekeeper is to be started anew."""

FRESH_ROUNDS = 3
"""So many rounds may fail before /scaling leaves out what they should have measured."""

done = Counter("thumbnailer_housekeeping_total", "What the housekeeper did, in jobs, messages or objects", ["duty"])
failures = Counter(
    "thumbnailer_housekeeping_failures_total", "Rounds of a duty that failed; it is tried again", ["duty"]
)
last = Gauge("thumbnailer_housekeeping_last_seconds", "When a duty last succeeded, in Unix time", ["duty"])

log = structlog.get_logger()


@dataclass
class Duty:
    """Something to do every so many seconds; returns how much it did."""

    name: str
    every: float
    do: Callable[[], int]
    due: float = field(default_factory=time.monotonic)


def duties(stores: Stores, settings: HousekeeperSettings, scaling: Scaling) -> list[Duty]:
    """What a housekeeper does, in this order."""
    often, feed, looks = settings.housekeeping_seconds, Feed(stores), Looks(stores)
    return [
        Duty("rescue", often, Rescue(stores, settings.lease_seconds)),
        Duty("feed", FEED_SECONDS, feed),
        Duty("resend", often, Resend(stores, settings.resend_seconds, feed, looks)),
        Duty("observe", often, Observe(stores, looks, scaling)),
        Duty("sweep", settings.sweep_seconds, Sweep(stores, settings.body_seconds)),
    ]


class Housekeeper:
    """Goes through the duties until it is told to stop; a duty that fails does not hold up the others."""

    def __init__(self, stores: Stores, settings: HousekeeperSettings) -> None:
        self.scaling = Scaling(FRESH_ROUNDS * settings.housekeeping_seconds)
        self._duties = duties(stores, settings, self.scaling)
        self._round = time.monotonic()

    def run(self, stop: Event) -> None:
        while not stop.is_set():
            self._round = time.monotonic()
            for duty in self._duties:
                if duty.due <= time.monotonic() and not stop.is_set():
                    perform(duty)
            stop.wait(max(0.05, min(duty.due for duty in self._duties) - time.monotonic()))

    @property
    def healthy(self) -> bool:
        return time.monotonic() - self._round < STALLED_SECONDS


def perform(duty: Duty) -> None:
    """One round of one duty. It may fail for any reason: the next round is another try."""
    try:
        done.labels(duty.name).inc(duty.do())
        last.labels(duty.name).set_to_current_time()
    except StorageError as error:
        failures.labels(duty.name).inc()
        log.warning("a duty failed and is tried again", duty=duty.name, reason=str(error))
    except Exception:
        failures.labels(duty.name).inc()
        log.exception("a duty failed and is tried again", duty=duty.name)
    duty.due = time.monotonic() + duty.every
