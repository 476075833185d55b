"""What every database has to do for webhooks: told once at least, in turn, by any number of housekeepers."""

import threading
import time
from collections.abc import Callable
from uuid import uuid4

import pytest
from sqlalchemy import select

from thumbnailer_storage.errors import DeliveryNotFound, WebhookNotFound
from thumbnailer_storage.jobs.deliveries import Delivery
from thumbnailer_storage.jobs.model import OWNERS_DEFAULT, Act, Job, Status, Webhook
from thumbnailer_storage.jobs.statements import JOB_HELD
from thumbnailer_storage.jobs.tables import deliveries, webhooks
from thumbnailer_storage.opening import Stores

NewJob = Callable[..., Job]
HOOK = Webhook("https://a.example/x", secret="kept", template="slack")


def cancelled(stores: Stores, new_job: NewJob, url: str = HOOK.url) -> Job:
    """A job whose receiver is to be told that it was cancelled."""
    job = new_job(webhook=Webhook(url))
    stores.jobs.add(job)
    return stores.jobs.delete(job.id, "ada")


def lane(name: str, owner: str = "ada") -> str:
    return f"https://{name}.example:443 {owner}"


def heads(stores: Stores, after: str = "", most: int = 99) -> list[str]:
    return [lane for lane, head in stores.deliveries.heads(after=after, most=most) if head]


def taken(stores: Stores, lease: float = 30) -> list[Delivery]:
    due = [head for _, head in stores.deliveries.heads(after="", most=99) if head]
    return stores.deliveries.take(due, lease=lease)


def test_a_webhook_is_read_back_as_it_was_recorded(stores: Stores, new_job: NewJob) -> None:
    job = new_job(webhook=HOOK)
    stores.jobs.add(job)
    assert stores.jobs.get(job.id).webhook == HOOK
    assert stores.callbacks.of_job(job.id) == HOOK
    assert stores.callbacks.of_job(uuid4()) is None


def test_an_owners_default_is_set_replaced_and_removed(stores: Stores) -> None:
    assert stores.callbacks.default("ada") is None
    for hook in (HOOK, Webhook("https://b.example/", (Status.EXPIRED,))):
        stores.callbacks.set_default("ada", hook)
        assert stores.callbacks.default("ada") == hook
    assert stores.callbacks.default("eve") is None
    assert stores.callbacks.remove_default("ada").url == "https://b.example/"
    with pytest.raises(WebhookNotFound):
        stores.callbacks.remove_default("ada")


def test_a_job_takes_a_copy_of_the_default_as_it_is_when_it_is_recorded(stores: Stores, new_job: NewJob) -> None:
    before = stores.jobs.add(new_job(webhook=OWNERS_DEFAULT))
    stores.callbacks.set_default("ada", HOOK)
    with_it = stores.jobs.add(new_job(webhook=OWNERS_DEFAULT))
    of_its_own = stores.jobs.add(new_job(webhook=Webhook("https://c.example/")))
    stores.callbacks.set_default("ada", Webhook("https://b.example/"))
    assert (before.webhook, with_it.webhook) == (None, HOOK)
    for job in (before, with_it, of_its_own):
        assert stores.jobs.get(job.id).webhook == job.webhook
    stores.jobs.delete(with_it.id, "ada")
    assert [delivery.lane for delivery in stores.deliveries.of_job(with_it.id)] == ["https://a.example:443 ada"]


def test_only_what_was_asked_for_is_told(stores: Stores, new_job: NewJob) -> None:
    job = new_job(webhook=Webhook(HOOK.url, (Status.COMPLETE,)))
    stores.jobs.add(job)
    stores.jobs.delete(job.id, "ada")
    assert stores.deliveries.of_job(job.id) == []
    told = cancelled(stores, new_job)
    (delivery,) = stores.deliveries.of_job(told.id)
    assert (delivery.kind, delivery.state, delivery.tries) == (Status.CANCELLED, "waiting", 0)


def test_secrets_are_renewed_also_of_jobs_that_are_accepted_meanwhile(stores: Stores, new_job: NewJob) -> None:
    """They may lie before the place that the renewal has come to, with a copy of what was the default before."""
    for _ in range(5):
        stores.jobs.add(new_job(webhook=Webhook("https://a.example/", secret="old")))
    later = [new_job(webhook=Webhook("https://a.example/", secret="old")) for _ in range(12)]

    def again(secret: str) -> str:
        if later:
            stores.jobs.add(later.pop())
        return "new"

    done = stores.callbacks.renew(again)
    assert (done.done, done.lost) == (17, 0)
    with stores.database.read() as connection:
        assert set(connection.execute(select(webhooks.c.secret)).scalars()) == {"new"}


def test_a_secret_that_cannot_be_renewed_holds_up_no_other(stores: Stores, new_job: NewJob) -> None:
    for secret in ("old", "lost", "old", "lost"):
        stores.jobs.add(new_job(webhook=Webhook("https://a.example/", secret=secret)))
    done = stores.callbacks.renew(lambda secret: None if secret == "lost" else "new")
    assert (done.done, done.lost) == (2, 2)


def test_each_receiver_shows_what_has_been_due_for_longest(stores: Stores, new_job: NewJob) -> None:
    first = [cancelled(stores, new_job, f"https://{name}.example/") for name in "cab"]
    for _ in range(3):
        cancelled(stores, new_job, "https://a.example/")
    found = stores.deliveries.heads(after="", most=99)
    assert [lane for lane, _ in found] == [lane(name) for name in "abc"]
    assert {head for _, head in found} == {stores.deliveries.of_job(job.id)[0].id for job in first}
    assert heads(stores, after=lane("a")) == [lane("b"), lane("c")]
    assert heads(stores, after=lane("a"), most=1) == [lane("b")]
    assert heads(stores, after=lane("c")) == []


def test_each_owner_has_a_lane_of_his_own_to_a_receiver_however_its_address_is_spelled(
    stores: Stores, new_job: NewJob
) -> None:
    for url in ("https://a.example", "https://A.example:443/x", "https://a.example:0443", "https://a.example:/"):
        cancelled(stores, new_job, url)
    job = new_job(webhook=Webhook("https://a.example/"), owner="eve")
    stores.jobs.add(job)
    stores.jobs.delete(job.id, "eve")
    assert heads(stores) == [lane("a"), lane("a", "eve")]


def test_a_try_that_was_under_way_when_somebody_asked_for_another_settles_nothing(
    stores: Stores, new_job: NewJob
) -> None:
    job = cancelled(stores, new_job)
    (under_way,) = taken(stores)
    stores.deliveries.again(under_way.id, job, Act())
    stores.deliveries.put_off(under_way, job, "late", answer=None, delay=9999)
    stores.deliveries.give_up(under_way, job, "late", answer=None)
    stores.deliveries.receiver_gone(under_way, job, "late", answer=410)
    (again,) = taken(stores)
    assert (again.id, again.state, again.tries, again.failures) == (under_way.id, "waiting", 3, 0)


def test_what_is_taken_is_due_again_after_its_lease_and_not_before(stores: Stores, new_job: NewJob) -> None:
    cancelled(stores, new_job)
    (first,) = taken(stores, lease=0.3)
    assert taken(stores) == []
    time.sleep(0.4)
    (second,) = taken(stores)
    assert (second.id, second.tries) == (first.id, 2)


def test_several_who_take_at_once_never_take_the_same(stores: Stores, new_job: NewJob) -> None:
    for n in range(30):
        cancelled(stores, new_job, f"https://r{n}.example/")
    found: list[Delivery] = []
    threads = [threading.Thread(target=lambda: found.extend(taken(stores))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found += taken(stores)
    assert len(found) == len({delivery.id for delivery in found}) == 30


def test_how_a_try_ended_is_written_with_its_event_unless_a_later_one_has_begun(
    stores: Stores, new_job: NewJob
) -> None:
    job = cancelled(stores, new_job)
    (stale,) = taken(stores, lease=-1)
    (current,) = taken(stores, lease=-1)
    stores.deliveries.delivered(stale, job, 200)
    stores.deliveries.put_off(current, job, "no answer", answer=None, delay=-1)
    (again,) = taken(stores)
    assert (again.state, again.error, again.tries) == ("waiting", "no answer", 3)
    stores.deliveries.put_off(again, job, "answered 500", answer=500, delay=-1)
    (last,) = taken(stores)
    stores.deliveries.delivered(last, job, 204)
    (delivery,) = stores.deliveries.of_job(job.id)
    assert (delivery.state, delivery.answer, delivery.error, delivery.next) == ("delivered", 204, None, None)
    events = [(event.kind, event.count) for event in stores.events.of_job(job.id)]
    assert events == [("accepted", 1), ("cancelled", 1), ("undelivered", 2), ("delivered", 1)]
    assert taken(stores) == []


def test_what_was_given_up_is_tried_anew_when_somebody_asks(stores: Stores, new_job: NewJob) -> None:
    job = cancelled(stores, new_job)
    (delivery,) = taken(stores)
    stores.deliveries.give_up(delivery, job, "x" * 1000, answer=500)
    assert stores.deliveries.of_job(job.id)[0].state == "failed"
    assert taken(stores) == []
    again = stores.deliveries.again(delivery.id, job, Act(by="laptop", address="192.0.2.1", request="r"))
    assert (again.state, again.tries, again.failures) == ("waiting", 1, 0)
    assert [each.id for each in taken(stores)] == [delivery.id]
    asked = stores.events.of_job(job.id)[-1]
    assert (asked.kind, asked.by, asked.address) == ("redelivery", "laptop", "192.0.2.1")
    other = cancelled(stores, new_job)
    for wanted, of in ((uuid4(), job), (delivery.id, other)):
        with pytest.raises(DeliveryNotFound):
            stores.deliveries.again(wanted, of, Act())


@pytest.mark.parametrize(
    "change",
    [
        lambda stores, delivery, job: stores.deliveries.again(delivery.id, job, Act()),
        lambda stores, delivery, job: stores.deliveries.put_off(delivery, job, "late", answer=500, delay=99),
        lambda stores, delivery, job: stores.deliveries.receiver_gone(delivery, job, "gone", answer=410),
    ],
    ids=["again", "put off", "gone"],
)
def test_whoever_changes_a_delivery_waits_for_one_who_has_the_job_and_holds_nothing_meanwhile(
    stores: Stores, new_job: NewJob, change: Callable[[Stores, Delivery, Job], None]
) -> None:
    job = cancelled(stores, new_job)
    (delivery,) = taken(stores)
    free = select(deliveries.c.id).where(deliveries.c.job == job.id).with_for_update(skip_locked=True)
    changing = threading.Thread(target=change, args=(stores, delivery, job))
    with stores.database.write() as connection:
        connection.execute(JOB_HELD, {"job": job.id, "owner": "ada"})  # one who removes it goes on to its deliveries
        changing.start()
        time.sleep(0.5)
        assert connection.execute(free).scalar() == delivery.id
    changing.join(30)
    (changed,) = stores.deliveries.of_job(job.id)
    assert changed != delivery


def test_a_try_that_was_under_way_when_its_receiver_was_gone_brings_nothing_back(
    stores: Stores, new_job: NewJob
) -> None:
    job = new_job(webhook=Webhook(HOOK.url, (Status.FAILED, Status.EXPIRED)))
    stores.jobs.add(job)
    claimed = stores.jobs.claim(job.id, worker="w", lease=30)
    failed = stores.jobs.apply(claimed, claimed.fail(422, "It cannot be decoded."))
    stores.jobs.delete(job.id, "ada")
    slow, gone = stores.deliveries.take([each.id for each in stores.deliveries.of_job(job.id)], lease=30)
    stores.deliveries.receiver_gone(gone, failed, "gone", answer=410)
    stores.deliveries.put_off(slow, failed, "busy", answer=503, delay=-1)
    assert [(each.state, each.next) for each in stores.deliveries.of_job(job.id)] == [("failed", None)] * 2
    assert taken(stores) == []


def test_a_receiver_that_is_gone_is_told_nothing_more_of_the_job(stores: Stores, new_job: NewJob) -> None:
    job = new_job(webhook=Webhook(HOOK.url, (Status.FAILED, Status.EXPIRED)))
    stores.jobs.add(job)
    claimed = stores.jobs.claim(job.id, worker="w", lease=30)
    failed = stores.jobs.apply(claimed, claimed.fail(422, "It cannot be decoded."))
    (delivery,) = taken(stores)
    stores.deliveries.receiver_gone(delivery, failed, "gone", answer=410)
    stores.jobs.delete(job.id, "ada")
    assert [(each.kind, each.state) for each in stores.deliveries.of_job(job.id)] == [(Status.FAILED, "failed")]
    assert taken(stores) == []
