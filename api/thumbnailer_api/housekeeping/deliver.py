"""Tell receivers what became of jobs.

The outbox says what is due. One thing for each receiver and owner is taken at a time, in turn, and each is sent by a
thread of its own: so many in all, few to one receiver and of one owner, and one that does not answer is left alone for
a while. So neither a backlog nor a receiver that is slow or dead holds up another one, however many of these an owner
names.

What is in flight when this process ends is sent again by the next one: a receiver may hear a thing twice, and knows it
by its `webhook-id`.
"""

from __future__ import annotations

import random
import time
from collections import Counter as Counts
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from threading import Lock, Thread
from uuid import UUID

import structlog
from prometheus_client import Counter, Gauge, Histogram

from thumbnailer_api.webhooks.bodies import body_of
from thumbnailer_api.webhooks.posting import Answered, NoAnswer, NotSent, Postman
from thumbnailer_api.webhooks.secret_keys import NoSecretKeys, SecretKeys, WrongSecretKeys
from thumbnailer_api.webhooks.signing import signed_headers
from thumbnailer_storage.errors import JobNotFound, StorageError
from thumbnailer_storage.jobs.deliveries import Delivery
from thumbnailer_storage.jobs.model import Job, Webhook
from thumbnailer_storage.opening import Stores

DELIVER_SECONDS = 1.0
LEASE_SECONDS = 60.0
"""Longer than a try takes, looking up a name included."""
MOST_AT_ONCE = 32
MOST_OF_ONE = 4
"""To one receiver at once."""
MOST_OF_OWNER = 8
MOST_TO_STRANGERS = 16
"""Of them at once, to receivers that have not answered yet, or not the last time: however many of these somebody names,
there is room for the others."""
LANES = 500
"""That one query looks at."""
PAUSES = (5, 30, 120, 600, 1800, 3600, 7200, 14400, 28800, 28800)
"""Seconds after each try that failed, a day in all: so there are eleven tries."""
JITTER = 0.2
MOST_RETRY_AFTER = 3600
FIRST_REST_SECONDS = 1.0
LONGEST_REST_SECONDS = 60.0
"""For how long a receiver that did not answer is left alone: each time twice as long as before."""
MOST_KNOWN = 10_000

attempts = Counter(
    "thumbnailer_webhook_attempts_total", "Tries to deliver a webhook: delivered, put_off or given_up", ["outcome"]
)
seconds = Histogram(
    "thumbnailer_webhook_seconds", "Seconds until a receiver had answered, or had not", buckets=(0.1, 0.5, 1, 5, 10, 15)
)
in_flight = Gauge("thumbnailer_webhooks_in_flight", "Webhooks that are being sent just now")

log = structlog.get_logger()


@dataclass(slots=True)
class Silence:
    """How often in a row a receiver did not answer, and until when it is left alone."""

    times: int = 0
    until: float = 0.0


@dataclass
class Receivers:
    """Whom something is sent to just now, and of which owner; who answers, and who did not the last time."""

    busy: Counts[str] = field(default_factory=Counts)
    owners: Counts[str] = field(default_factory=Counts)
    answering: dict[str, None] = field(default_factory=dict)
    silent: dict[str, Silence] = field(default_factory=dict)

    def free(self, receiver: str, owner: str) -> bool:
        """One that did not answer the last time is sent one thing at a time."""
        if self.owners[owner] >= MOST_OF_OWNER:
            return False
        silence = self.silent.get(receiver)
        if silence is None:
            return self.busy[receiver] < MOST_OF_ONE
        return self.busy[receiver] < 1 and silence.until <= time.monotonic()

    def begin(self, receiver: str, owner: str) -> None:
        self.busy[receiver] += 1
        self.owners[owner] += 1

    def end(self, receiver: str, owner: str) -> None:
        for counts, name in ((self.busy, receiver), (self.owners, owner)):
            counts[name] -= 1
            if not counts[name]:
                del counts[name]

    def strangers(self) -> int:
        """How much is being sent to those who have not answered yet, or not the last time."""
        return sum(n for receiver, n in self.busy.items() if receiver not in self.answering)

    def answered(self, receiver: str) -> None:
        self.silent.pop(receiver, None)
        if len(self.answering) >= MOST_KNOWN:
            self.answering.clear()
        self.answering[receiver] = None

    def did_not_answer(self, receiver: str) -> None:
        self.answering.pop(receiver, None)
        if len(self.silent) >= MOST_KNOWN:
            self.silent.clear()
        silence = self.silent.setdefault(receiver, Silence())
        silence.until = time.monotonic() + min(FIRST_REST_SECONDS * 2**silence.times, LONGEST_REST_SECONDS)
        silence.times = min(silence.times + 1, 10)


class Deliver:
    """The duty: takes what is due, and has it sent beside. A thread that is done looks for more by itself."""

    def __init__(self, stores: Stores, postman: Postman, keys: SecretKeys) -> None:
        self._stores = stores
        self._postman = postman
        self._keys = keys
        self._receivers = Receivers()
        self._lock = Lock()
        self._after = ""
        self._stopping = False

    def __call__(self) -> int:
        """Take what is due, as far as there is room; returns how much."""
        taken = 0
        with self._lock:
            while self._room() and (found := self._round()):
                taken += found
        return taken

    def stop(self, wait: float) -> None:
        """Begin nothing more, and give what is in flight so many seconds to end."""
        self._stopping = True
        ends = time.monotonic() + wait
        while not self.idle and time.monotonic() < ends:
            time.sleep(0.05)

    @property
    def idle(self) -> bool:
        """Whether nothing is in flight."""
        return not self._receivers.busy

    def _round(self) -> int:
        """Take one thing at most for each lane, as far as there is room; returns how much.

        It goes on after the last one that was taken, so that those with later names have their turn too.
        """
        taken = 0
        for heads in self._lanes(self._after):
            wanted = self._wanted(heads)
            if wanted:
                self._after = wanted[-1][0]
                taken += self._begin([head for _, head in wanted])
            if not self._room():
                break
        return taken

    def _lanes(self, after: str) -> Iterator[list[tuple[str, UUID | None]]]:
        """All lanes and what is due in each, some at a time: those after one, then from the first one on."""
        for begin in (after, "") if after else ("",):
            heads = self._stores.deliveries.heads(after=begin, most=LANES)
            yield heads
            while len(heads) == LANES:
                heads = self._stores.deliveries.heads(after=heads[-1][0], most=LANES)
                yield heads

    def _begin(self, due: list[UUID]) -> int:
        taken = self._stores.deliveries.take(due, lease=LEASE_SECONDS)
        for delivery in taken:
            self._receivers.begin(delivery.receiver, delivery.owner)
            in_flight.inc()
            Thread(target=self._send, args=(delivery,), name="delivery", daemon=True).start()
        return len(taken)

    def _wanted(self, heads: list[tuple[str, UUID | None]]) -> list[tuple[str, UUID]]:
        """Those that may be sent something, as many as there is room for, for strangers and for their owners."""
        room, strangers = self._room(), self._receivers.strangers()
        chosen = replace(self._receivers, busy=self._receivers.busy.copy(), owners=self._receivers.owners.copy())
        wanted: list[tuple[str, UUID]] = []
        for lane, head in heads:
            receiver, _, owner = lane.partition(" ")
            stranger = receiver not in chosen.answering
            if len(wanted) < room and head and chosen.free(receiver, owner):
                if stranger and strangers >= MOST_TO_STRANGERS:
                    continue
                strangers += stranger
                chosen.begin(receiver, owner)
                wanted.append((lane, head))
        return wanted

    def _room(self) -> int:
        return 0 if self._stopping else max(0, MOST_AT_ONCE - self._receivers.busy.total())

    def _send(self, delivery: Delivery) -> None:
        try:
            self._deliver(delivery)
        except StorageError as error:  # it is due again when its lease is over
            log.warning("a webhook's outcome could not be recorded", delivery=str(delivery.id), reason=str(error))
        finally:
            in_flight.dec()
            with self._lock:
                self._receivers.end(delivery.receiver, delivery.owner)
        self._go_on()

    def _go_on(self) -> None:
        try:
            self()
        except StorageError as error:  # the duty's next round says so too
            log.debug("no look for more webhooks", reason=str(error))

    def _deliver(self, delivery: Delivery) -> None:
        try:
            job = self._stores.jobs.get(delivery.job)
        except JobNotFound:  # and its deliveries with it
            return
        webhook = job.webhook or self._stores.callbacks.of_job(job.id)  # it may have said that it is gone
        if webhook is None:
            return
        try:
            with seconds.time():
                answer = self._post(delivery, job, webhook)
        except NoAnswer as error:
            self._unanswered(delivery, job, error)
        else:
            self._receivers.answered(delivery.receiver)
            self._answered(delivery, job, answer)

    def _post(self, delivery: Delivery, job: Job, webhook: Webhook) -> Answered:
        """Raises NoAnswer also for our own mistakes: they too are tried again, and in the end given up."""
        try:
            return self._posted(delivery, job, webhook)
        except NoAnswer:
            raise
        except Exception as error:
            log.exception("a webhook could not be sent", delivery=str(delivery.id))
            raise NotSent("something went wrong here, and nothing is wrong with the receiver") from error

    def _posted(self, delivery: Delivery, job: Job, webhook: Webhook) -> Answered:
        body = body_of(delivery, job, webhook.template)
        try:
            secret = self._keys.decrypt(webhook.secret) if webhook.secret else None
        except (NoSecretKeys, WrongSecretKeys) as error:
            raise NotSent(str(error)) from error
        headers = signed_headers(secret, str(delivery.id), int(time.time()), body)
        about = {"Content-Type": "application/json", "User-Agent": "thumbnailer-webhooks", "Accept": "*/*"}
        return self._postman.post(webhook.url, about | headers, body)

    def _answered(self, delivery: Delivery, job: Job, answer: Answered) -> None:
        if 200 <= answer.status < 300:
            attempts.labels("delivered").inc()
            self._stores.deliveries.delivered(delivery, job, answer.status)
        elif answer.status == 410:
            attempts.labels("given_up").inc()
            reason = "the receiver answered 410, it wants to hear no more"
            self._stores.deliveries.receiver_gone(delivery, job, reason, answer=answer.status)
        else:
            redirect = ", and redirects are not followed" if 300 <= answer.status < 400 else ""
            self._failed(delivery, job, f"the receiver answered {answer.status}{redirect}", answer)

    def _unanswered(self, delivery: Delivery, job: Job, error: NoAnswer) -> None:
        if not isinstance(error, NotSent):
            self._receivers.did_not_answer(delivery.receiver)
        self._failed(delivery, job, str(error), None)

    def _failed(self, delivery: Delivery, job: Job, error: str, answer: Answered | None) -> None:
        status = answer.status if answer else None
        pause = pause_after(delivery, answer.retry_after if answer else 0)
        log.info(
            "a webhook was not delivered", job=str(job.id), delivery=str(delivery.id), reason=error, again_in=pause
        )
        if pause is None:
            attempts.labels("given_up").inc()
            self._stores.deliveries.give_up(delivery, job, error, answer=status)
        else:
            attempts.labels("put_off").inc()
            self._stores.deliveries.put_off(delivery, job, error, answer=status, delay=pause)


def pause_after(delivery: Delivery, retry_after: int) -> float | None:
    """Seconds until the next try; None after the last one. The receiver may ask for more, up to an hour."""
    tries = delivery.tries - delivery.tries_before
    if tries > len(PAUSES):
        return None
    pause = PAUSES[max(tries, 1) - 1] * random.uniform(1 - JITTER, 1 + JITTER)
    return max(pause, min(retry_after, MOST_RETRY_AFTER))
