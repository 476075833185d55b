"""The housekeeper: its duties as a list, and the loop that goes through them. Any number of copies may run."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event, Thread

import structlog
from prometheus_client import Counter, Gauge

from thumbnailer_api.config import HousekeeperSettings
from thumbnailer_api.housekeeping.deliver import DELIVER_SECONDS, Deliver
from thumbnailer_api.housekeeping.expire import Expire, Fold, Forget, Lapse, Tidy
from thumbnailer_api.housekeeping.feed import FEED_SECONDS, Feed
from thumbnailer_api.housekeeping.observe import Looks, Observe
from thumbnailer_api.housekeeping.prices import AGAIN_SECONDS, PRICES_SECONDS, Prices
from thumbnailer_api.housekeeping.rescue import Rescue
from thumbnailer_api.housekeeping.resend import Resend
from thumbnailer_api.housekeeping.scaling import Scaling
from thumbnailer_api.housekeeping.sweep import Sweep
from thumbnailer_api.webhooks.posting import Postman
from thumbnailer_api.webhooks.secret_keys import SecretKeys
from thumbnailer_storage.errors import StorageError
from thumbnailer_storage.opening import Stores

STALLED_SECONDS = 300.0
"""A loop that has not come round for so long is stuck, and the housekeeper is to be started anew."""

RECOUNT_SECONDS = 300.0
"""While an upgrade is under way programs of the release before move jobs too, and write nothing into the ledger."""
DELIVERED_SECONDS = 10.0
"""How long webhooks that are being sent may take to end; what does not is sent again."""

FRESH_ROUNDS = 3
FRESH_SECONDS = 15.0
"""So many rounds may fail, or so much time pass on a busy machine, before /scaling leaves out what it had measured."""

done = Counter("thumbnailer_housekeeping_total", "What the housekeeper did, in jobs, messages or objects", ["duty"])
failures = Counter(
    "thumbnailer_housekeeping_failures_total", "Rounds of a duty that failed; it is tried again", ["duty"]
)
last = Gauge("thumbnailer_housekeeping_last_seconds", "When a duty last succeeded, in Unix time", ["duty"])

log = structlog.get_logger()


@dataclass
class Duty:
    """Something to do every so many seconds, after a failure sooner; returns how much it did."""

    name: str
    every: float
    do: Callable[[], int]
    again: float = math.inf
    due: float = field(default_factory=time.monotonic)


def prompt_duties(stores: Stores, settings: HousekeeperSettings, scaling: Scaling) -> list[Duty]:
    """What a housekeeper does, in this order, and what cannot wait for the duties below."""
    often, feed, looks = settings.housekeeping_seconds, Feed(stores), Looks(stores)
    return [
        Duty("rescue", often, Rescue(stores, settings.lease_seconds)),
        Duty("feed", FEED_SECONDS, feed),
        Duty("resend", often, Resend(stores, settings.resend_seconds, feed, looks)),
        Duty("observe", often, Observe(stores, looks, scaling)),
    ]


def removing_duties(stores: Stores, settings: HousekeeperSettings) -> list[Duty]:
    """What keeps the stores small. An object store that is down holds up no other duty."""
    return [
        Duty("expire", settings.expire_seconds, Expire(stores, settings.keep_seconds)),
        Duty("fold", settings.housekeeping_seconds, Fold(stores)),
        Duty("forget", settings.expire_seconds, Forget(stores, settings.keep_records_seconds)),
        Duty("lapse", settings.expire_seconds, Lapse(stores)),
        Duty("recount", RECOUNT_SECONDS, stores.ledger.recount),
        Duty("tidy", settings.expire_seconds, Tidy(stores)),
    ]


def slow_duties(stores: Stores, settings: HousekeeperSettings, scaling: Scaling) -> list[Duty]:
    """What may take its time: a sweep of a large bucket minutes, an EC2 that does not answer seconds."""
    found = [Duty("sweep", settings.sweep_seconds, Sweep(stores, settings.body_seconds))]
    if settings.spot_prices:
        from thumbnailer_storage.aws import SpotPrices  # noqa: PLC0415 - boto3 takes a while and memory

        prices = Prices(settings.spot_prices, scaling.prices, SpotPrices().cheapest)
        found.insert(0, Duty("prices", PRICES_SECONDS, prices, again=AGAIN_SECONDS))
    return found


class Loop:
    """Goes through some duties until it is told to stop; a duty that fails does not hold up the others."""

    def __init__(self, duties: list[Duty]) -> None:
        self._duties = duties
        self.round = time.monotonic()

    def run(self, stop: Event) -> None:
        while not stop.is_set():
            self.round = time.monotonic()
            for duty in self._duties:
                if duty.due <= time.monotonic() and not stop.is_set():
                    perform(duty)
            stop.wait(max(0.05, min(duty.due for duty in self._duties) - time.monotonic()))


class Housekeeper:
    """Does its duties until it is told to stop; what may be held up has threads of its own. Raises SettingError."""

    def __init__(self, stores: Stores, settings: HousekeeperSettings) -> None:
        self.scaling = Scaling(max(FRESH_SECONDS, FRESH_ROUNDS * settings.housekeeping_seconds))
        self._prompt = Loop(prompt_duties(stores, settings, self.scaling))
        self._deliver = Deliver(
            stores, Postman(settings.webhook_rules), SecretKeys(settings.secret_keys, stores.settings)
        )
        self._others = {
            "deliver": Loop([Duty("deliver", DELIVER_SECONDS, self._deliver)]),
            "removing": Loop(removing_duties(stores, settings)),
            "slow": Loop(slow_duties(stores, settings, self.scaling)),
        }
        self._beside: list[Thread] = []

    def run(self, stop: Event) -> None:
        self._beside = [
            Thread(target=loop.run, args=(stop,), name=f"housekeeper-{name}", daemon=True)
            for name, loop in self._others.items()
        ]
        for thread in self._beside:
            thread.start()
        self._prompt.run(stop)
        self._deliver.stop(DELIVERED_SECONDS)
        for thread in self._beside:
            thread.join()

    @property
    def healthy(self) -> bool:
        """Whether rounds come round and the other threads live; how long a sweep takes is nobody's fault."""
        alive = all(thread.ident is None or thread.is_alive() for thread in self._beside)
        return alive and time.monotonic() - self._prompt.round < STALLED_SECONDS


def perform(duty: Duty) -> None:
    """One round of one duty. It may fail for any reason: the next round is another try."""
    pause = min(duty.every, duty.again)
    try:
        done.labels(duty.name).inc(duty.do())
        last.labels(duty.name).set_to_current_time()
        pause = duty.every
    except StorageError as error:
        failures.labels(duty.name).inc()
        log.warning("a duty failed and is tried again", duty=duty.name, reason=str(error))
    except Exception:
        failures.labels(duty.name).inc()
        log.exception("a duty failed and is tried again", duty=duty.name)
    duty.due = time.monotonic() + pause
