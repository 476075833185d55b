"""Tell receivers what became of jobs.

The outbox says what is due, one thing for each receiver and owner at a time, and webhooks/turns.py whose turn it is.
Each is sent by a thread of its own: so neither a backlog nor a receiver that is slow or dead holds up another one,
however many of these an owner names.

What is in flight when this process ends is sent again by the next one: a receiver may hear a thing twice, and knows it
by its `webhook-id`.
"""

from __future__ import annotations

import random
import time
from threading import Lock, Thread

import structlog
from prometheus_client import Counter, Gauge, Histogram

from thumbnailer_api.webhooks.bodies import body_of
from thumbnailer_api.webhooks.posting import Answered, NoAnswer, NotSent, Postman
from thumbnailer_api.webhooks.secret_keys import NoSecretKeys, SecretKeys, WrongSecretKeys
from thumbnailer_api.webhooks.signing import signed_headers
from thumbnailer_api.webhooks.turns import Turns
from thumbnailer_storage.errors import JobNotFound, StorageError
from thumbnailer_storage.jobs.deliveries import Delivery
from thumbnailer_storage.jobs.model import Job, Webhook
from thumbnailer_storage.opening import Stores

DELIVER_SECONDS = 1.0
LEASE_SECONDS = 60.0
"""Longer than a try takes, looking up a name included."""
LANES = 500
"""That one query looks at."""
LOOKS = 20
"""Of these in a round, whatever lanes somebody makes: the next round goes on behind them."""
PAUSES = (5, 30, 120, 600, 1800, 3600, 7200, 14400, 28800, 28800)
"""Seconds after each try that failed, a day in all: so there are eleven tries."""
JITTER = 0.2
MOST_RETRY_AFTER = 3600

attempts = Counter(
    "thumbnailer_webhook_attempts_total", "Tries to deliver a webhook: delivered, put_off or given_up", ["outcome"]
)
seconds = Histogram(
    "thumbnailer_webhook_seconds", "Seconds until a receiver had answered, or had not", buckets=(0.1, 0.5, 1, 5, 10, 15)
)
in_flight = Gauge("thumbnailer_webhooks_in_flight", "Webhooks that are being sent just now")

log = structlog.get_logger()


class Deliver:
    """The duty: takes what is due, and has it sent beside. A thread that is done looks for more by itself."""

    def __init__(self, stores: Stores, postman: Postman, keys: SecretKeys) -> None:
        self._stores = stores
        self._postman = postman
        self._keys = keys
        self._turns = Turns()
        self._lock = Lock()
        self._after = ""
        self._stopping = False

    def __call__(self) -> int:
        """Take what is due, as far as there is room; returns how much."""
        with self._lock:
            self._look()
            return self._begin()

    def stop(self, wait: float) -> None:
        """Begin nothing more, and give what is in flight so many seconds to end."""
        self._stopping = True
        ends = time.monotonic() + wait
        while not self.idle and time.monotonic() < ends:
            time.sleep(0.05)

    @property
    def idle(self) -> bool:
        """Whether nothing is in flight."""
        return self._turns.idle

    def _look(self) -> None:
        """See what is due, from where the round before ended; behind the last lane the first one comes again."""
        for _ in range(LOOKS):
            heads = self._stores.deliveries.heads(after=self._after, most=LANES)
            self._turns.offer(heads)
            self._after = heads[-1][0] if len(heads) == LANES else ""
            if not self._after:
                break

    def _begin(self) -> int:
        """Send to those whose turn it is, until there is no room or nothing more to send; returns how much."""
        begun = 0
        while not self._stopping and (chosen := self._turns.choose()):
            taken: list[Delivery] = []
            try:
                taken = self._stores.deliveries.take(chosen.values(), lease=LEASE_SECONDS)
            finally:
                for lane in chosen.keys() - {delivery.lane for delivery in taken}:
                    self._turns.end(lane)
            for delivery in taken:
                in_flight.inc()
                Thread(target=self._send, args=(delivery,), name="delivery", daemon=True).start()
            begun += len(taken)
            self._turns.offer(self._stores.deliveries.heads_of({delivery.lane for delivery in taken}))
        return begun

    def _send(self, delivery: Delivery) -> None:
        try:
            self._deliver(delivery)
        except StorageError as error:  # it is due again when its lease is over
            log.warning("a webhook's outcome could not be recorded", delivery=str(delivery.id), reason=str(error))
        finally:
            in_flight.dec()
            self._go_on(delivery.lane)

    def _go_on(self, lane: str) -> None:
        """There is room again: for more of this lane, or for whoever's turn it is."""
        with self._lock:
            self._turns.end(lane)
            try:
                self._turns.offer(self._stores.deliveries.heads_of([lane]))
                self._begin()
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
            self._turns.answered(delivery.lane)
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
            self._turns.did_not_answer(delivery.lane)
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
    if delivery.failures >= len(PAUSES):
        return None
    pause = PAUSES[delivery.failures] * random.uniform(1 - JITTER, 1 + JITTER)
    return max(pause, min(retry_after, MOST_RETRY_AFTER))
