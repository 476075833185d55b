"""From what happened to a job to what its receiver gets: once at least, for nothing that never happened."""

import socket
import threading
import time
from contextlib import ExitStack, suppress

import pytest
from receivers import SECRET, receiver, until
from standardwebhooks import Webhook as Library

from thumbnailer_api.housekeeping import deliver as delivering
from thumbnailer_api.housekeeping.deliver import PAUSES, Deliver
from thumbnailer_api.webhooks import turns
from thumbnailer_storage.errors import DatabaseUnavailable, TransitionRefused
from thumbnailer_storage.jobs.deliveries import Deliveries
from thumbnailer_storage.jobs.model import Act, Status


def kinds(told, job) -> list[str]:
    return [event.kind for event in told.stores.events.of_job(job.id)]


def test_a_receiver_is_told_of_a_complete_job_in_the_words_of_standard_webhooks(told, hook) -> None:
    job = told.completed(hook.url)
    assert told.deliver() == 1
    (got,) = hook.wait()
    verified = Library(SECRET).verify(got.body, got.headers)
    assert verified["type"] == "job.complete"
    assert verified["data"]["id"] == str(job.id)
    assert verified["data"]["status"] == "complete"
    assert verified["data"]["webhook"] == {
        "url": hook.url,
        "events": ["complete", "failed", "cancelled"],
        "template": None,
        "signed": True,
    }
    assert SECRET not in got.body.decode()
    delivery = told.settled(job)
    assert (delivery.state, delivery.answer, delivery.tries, delivery.next) == ("delivered", 204, 1, None)
    assert got.headers["webhook-id"] == str(delivery.id)
    assert kinds(told, job) == ["accepted", "claimed", "completed", "delivered"]


def test_a_receiver_that_was_down_is_told_once_it_is_up_again(told, hook) -> None:
    hook.answers = [(503, {}), (500, {}), (200, {})]
    job = told.completed(hook.url)
    for _ in range(3):
        assert told.deliver() == 1
        until(told.is_idle)
        told.due_now(job)
    assert len(hook.received) == 3
    assert len({got.headers["webhook-id"] for got in hook.received}) == 1
    delivery = told.settled(job)
    assert (delivery.state, delivery.tries, delivery.answer) == ("delivered", 3, 200)
    events = {event.kind: event.count for event in told.stores.events.of_job(job.id)}
    assert (events["undelivered"], events["delivered"]) == (2, 1)


def test_a_receiver_that_cannot_be_reached_is_told_once_it_can(told) -> None:
    with receiver() as gone:
        url = gone.url
    job = told.completed(url)
    told.deliver()
    assert told.settled(job).error
    assert told.settled(job).answer is None
    assert told.settled(job).state == "waiting"


def test_after_a_day_of_tries_it_is_given_up_and_whoever_asks_has_it_tried_anew(told, hook, monkeypatch) -> None:
    monkeypatch.setattr(delivering, "PAUSES", (0, 0))
    hook.answers = [(500, {})]
    job = told.completed(hook.url)
    told.deliver()
    until(lambda: told.deliveries(job)[0].state == "failed")
    until(told.is_idle)
    assert len(hook.received) == 3
    delivery = told.settled(job)
    assert (delivery.tries, delivery.next, delivery.error) == (3, None, "the receiver answered 500")
    hook.answers = [(500, {}), (200, {})]
    told.stores.deliveries.again(delivery.id, job, Act(by="laptop"))
    told.deliver()
    until(lambda: told.deliveries(job)[0].state == "delivered")
    assert len(hook.received) == 5
    assert "redelivery" in kinds(told, job)


def test_the_pauses_are_a_day_in_all() -> None:
    assert 0.9 < sum(PAUSES) / 86400 < 1.1
    assert len(PAUSES) == 10
    assert list(PAUSES) == sorted(PAUSES)


@pytest.mark.parametrize(
    ("said", "least", "most"), [("120", 120, 120), ("999999", 3600, 3600), ("-5", 4, 6), ("x", 4, 6)]
)
def test_a_receiver_may_ask_for_more_time_within_limits(told, hook, said, least, most) -> None:
    hook.answers = [(429, {"Retry-After": said})]
    job = told.completed(hook.url)
    told.deliver()
    delivery = told.settled(job)
    assert least - 1 <= (delivery.next - delivery.last).total_seconds() <= most + 1


def test_410_ends_it_for_the_job_and_for_what_would_have_come(told, hook) -> None:
    hook.answers = [(410, {})]
    job = told.completed(hook.url, kinds=(Status.COMPLETE, Status.EXPIRED))
    told.deliver()
    assert told.settled(job).state == "failed"
    told.stores.jobs.delete(job.id, "ada")
    assert [delivery.kind for delivery in told.deliveries(job)] == [Status.COMPLETE]
    assert told.deliver() == 0


def test_410_drops_what_waits_beside_it(told, hook) -> None:
    hook.answers = [(410, {})]
    hook.held.clear()
    job = told.completed(hook.url, kinds=(Status.COMPLETE, Status.EXPIRED))
    told.deliver()
    hook.wait()
    with_two = told.stores.jobs.get(job.id)
    told.stores.jobs.delete(with_two.id, "ada")
    hook.held.set()
    until(lambda: [delivery.state for delivery in told.deliveries(job)] == ["failed", "failed"])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_failure_and_not_followed(told, hook, another, status) -> None:
    hook.answers = [(status, {"Location": another.url})]
    job = told.completed(hook.url)
    told.deliver()
    assert told.settled(job).error == f"the receiver answered {status}, and redirects are not followed"
    assert another.received == []


def test_what_was_sent_but_not_settled_comes_twice_under_one_id(told, hook, monkeypatch) -> None:
    job = told.completed(hook.url)

    def lost(*_: object) -> None:
        raise DatabaseUnavailable("a test killed the housekeeper here")

    with monkeypatch.context() as patched:
        patched.setattr(Deliveries, "delivered", lost)
        told.deliver()
        until(lambda: len(hook.received) == 1 and told.deliver.idle)
    assert told.deliver() == 0  # until the lease is over
    told.due_now(job)
    assert told.deliver() == 1
    first, second = hook.wait(2)
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    until(lambda: told.deliveries(job)[0].state == "delivered")


def test_a_try_that_was_overtaken_settles_nothing(told, hook) -> None:
    job = told.completed(hook.url)
    (head,) = [head for _, head in told.stores.deliveries.heads(after="", most=9) if head]
    (stale,) = told.stores.deliveries.take([head], lease=-1)
    (current,) = told.stores.deliveries.take([head], lease=30)
    told.stores.deliveries.give_up(stale, job, "too late", answer=None)
    assert told.deliveries(job)[0].state == "waiting"
    told.stores.deliveries.delivered(current, job, 200)
    assert told.deliveries(job)[0].state == "delivered"


def test_a_receiver_that_never_answers_holds_up_no_other_one(told, hook, another) -> None:
    """By order: all of the other's are delivered while the first of the slow one's is not even answered."""
    hook.held.clear()
    slow = [told.completed(hook.url) for _ in range(12)]
    quick = [told.completed(another.url) for _ in range(12)]
    told.deliver()
    another.wait(12)
    until(lambda: all(told.deliveries(job)[0].state == "delivered" for job in quick))
    assert {told.deliveries(job)[0].state for job in slow} == {"waiting"}
    assert len(hook.received) == 1, "one that has not answered yet is sent one thing at a time"
    hook.held.set()
    hook.wait(12)
    until(lambda: all(told.deliveries(job)[0].state == "delivered" for job in slow))


def test_many_receivers_that_never_answer_are_left_alone_for_a_while(told, hook, monkeypatch) -> None:
    """With room for two, and three that hold their sockets: after one try each the fourth has its turn."""
    monkeypatch.setattr(turns, "MOST_AT_ONCE", 2)
    monkeypatch.setattr(turns, "FIRST_REST_SECONDS", 60.0)
    told.wait_no_longer_than(0.5)
    with ExitStack() as stack:
        dead = [stack.enter_context(receiver()) for _ in range(3)]
        for each in dead:
            each.held.clear()
            for _ in range(5):
                told.completed(each.url)
        job = told.completed(hook.url)
        told.deliver()
        until(lambda: told.deliveries(job)[0].state == "delivered")
        until(told.is_idle)
        assert sum(len(each.received) for each in dead) <= 3 * 2


def test_however_many_receivers_never_answer_those_that_do_have_room(told, hook, monkeypatch) -> None:
    """By cause: the strangers hold all that they may have from beginning to end."""
    monkeypatch.setattr(turns, "MOST_TO_STRANGERS", 2)
    monkeypatch.setattr(turns, "MOST_AT_ONCE", 4)
    first = told.completed(hook.url)
    told.deliver()
    until(lambda: told.deliveries(first)[0].state == "delivered")
    with ExitStack() as stack:
        dead = [stack.enter_context(receiver()) for _ in range(8)]
        for each in dead:
            each.held.clear()
            told.completed(each.url)
        jobs = [told.completed(hook.url) for _ in range(5)]
        until(told.is_idle)
        told.deliver()
        until(lambda: all(told.deliveries(job)[0].state == "delivered" for job in jobs))
        assert sum(len(each.received) for each in dead) == 2


def test_however_many_receivers_of_one_owner_never_answer_other_owners_are_told(told, hook, monkeypatch) -> None:
    """By cause: his receivers hold all that an owner may have, and what is theirs goes beside it at once."""
    monkeypatch.setattr(turns, "MOST_OF_OWNER", 2)
    monkeypatch.setattr(turns, "MOST_AT_ONCE", 4)
    with ExitStack() as stack:
        dead = [stack.enter_context(receiver()) for _ in range(8)]
        for each in dead:
            each.held.clear()
            told.completed(each.url, owner="eve")
        told.deliver()
        until(lambda: sum(len(each.received) for each in dead) == 2)
        jobs = [told.completed(hook.url) for _ in range(5)]
        told.deliver()
        until(lambda: all(told.deliveries(job)[0].state == "delivered" for job in jobs))
        assert sum(len(each.received) for each in dead) == 2


def test_those_whose_names_come_late_have_their_turn_while_earlier_ones_never_answer(told, monkeypatch) -> None:
    """With room for two strangers, each look goes on where the one before ended."""
    monkeypatch.setattr(turns, "MOST_TO_STRANGERS", 2)
    monkeypatch.setattr(turns, "FIRST_REST_SECONDS", 0.0)
    told.wait_no_longer_than(0.3)
    with ExitStack() as stack:
        dead = [stack.enter_context(receiver()) for _ in range(6)]
        for each in dead:
            each.held.clear()
            for _ in range(4):
                told.completed(each.url)
        told.deliver()
        until(lambda: all(each.received for each in dead))
        assert max(len(each.received) for each in dead) <= 2


def test_a_backlog_is_worked_through_without_a_look_at_all_that_wait_for_later(told, hook, monkeypatch) -> None:
    """By cause: however many lanes somebody makes, one look at them is enough for all of another one's."""
    looks: list[str] = []
    heads = told.stores.deliveries.heads
    monkeypatch.setattr(told.stores.deliveries, "heads", lambda **asked: looks.append("") or heads(**asked))
    jobs = [told.completed(hook.url) for _ in range(20)]
    told.deliver()
    until(lambda: all(told.deliveries(job)[0].state == "delivered" for job in jobs))
    assert len(looks) == 1


def test_a_round_looks_at_so_many_lanes_and_the_next_one_goes_on_behind_them(told, monkeypatch) -> None:
    monkeypatch.setattr(delivering, "LANES", 2)
    monkeypatch.setattr(delivering, "LOOKS", 1)
    with ExitStack() as stack:
        hooks = [stack.enter_context(receiver()) for _ in range(5)]
        jobs = [told.completed(each.url) for each in hooks]
        told.deliver()
        until(told.is_idle)
        assert sum(len(each.received) for each in hooks) == 2
        told.deliver()
        told.deliver()
        until(lambda: all(told.deliveries(job)[0].state == "delivered" for job in jobs))


def test_tries_that_were_cut_off_use_up_none_of_the_days_tries(told, hook) -> None:
    """As when a housekeeper dies in the middle, time and again."""
    hook.answers = [(500, {})]
    job = told.completed(hook.url)
    for _ in range(len(PAUSES) + 1):
        told.stores.deliveries.take([told.deliveries(job)[0].id], lease=-1)
    told.deliver()
    delivery = told.settled(job)
    assert (delivery.state, delivery.failures) == ("waiting", 1)
    assert delivery.next is not None


def test_several_housekeepers_share_the_work_and_send_each_thing_once(told, hook) -> None:
    jobs = [told.completed(hook.url) for _ in range(40)]
    others = [Deliver(told.stores, told.postman, told.keys) for _ in range(3)]
    threads = [threading.Thread(target=each) for each in (told.deliver, *others)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    until(lambda: all(told.deliveries(job)[0].state == "delivered" for job in jobs))
    assert len(hook.received) == 40
    assert len({got.headers["webhook-id"] for got in hook.received}) == 40


def test_nobody_is_told_of_what_did_not_happen_however_cancel_and_finish_race(told, hook) -> None:
    for _ in range(30):
        job = told.stores.jobs.claim(told.job(hook.url).id, worker="w", lease=30)
        change = job.fail(422, "It cannot be decoded.")
        sides = [
            threading.Thread(target=lambda job=job: told.stores.jobs.delete(job.id, "ada")),
            threading.Thread(target=lambda job=job, change=change: attempt(told, job, change)),
        ]
        for side in sides:
            side.start()
        for side in sides:
            side.join()
        told_of = [delivery.kind for delivery in told.deliveries(job)]
        happened = [event.kind for event in told.stores.events.of_job(job.id)]
        # Failed and then removed, or cancelled: never both.
        assert told_of in ([Status.FAILED], [Status.CANCELLED])
        assert (Status.CANCELLED in told_of) == ("cancelled" in happened)
        assert (Status.FAILED in told_of) == ("failed" in happened)


def attempt(told, job, change) -> None:
    with suppress(TransitionRefused):
        told.stores.jobs.apply(job, change)


def test_a_job_without_a_secret_is_told_unsigned(told, hook) -> None:
    told.completed(hook.url, secret=None)
    told.deliver()
    (got,) = hook.wait()
    assert "webhook-signature" not in got.headers
    assert got.headers["webhook-id"]


def test_a_secret_that_nobody_can_decrypt_is_no_reason_to_send_unsigned(told, hook) -> None:
    job = told.completed(hook.url, secret="gAAAAAB-somebody-elses")
    told.deliver()
    assert "THUMBNAILER_SECRET_KEYS" in told.settled(job).error
    assert told.settled(job).state == "waiting"
    assert hook.received == []


def test_a_mistake_of_our_own_is_tried_again_and_given_up_in_the_end(told, hook, monkeypatch) -> None:
    monkeypatch.setattr(delivering, "PAUSES", (0,))
    monkeypatch.setattr(delivering, "body_of", lambda *_: 1 / 0)
    job = told.completed(hook.url)
    told.deliver()
    until(lambda: told.deliveries(job)[0].state == "failed")
    assert told.settled(job).tries == 2
    assert "something went wrong here" in told.settled(job).error


@pytest.mark.parametrize("template", ["slack", "teams"])
def test_a_chat_is_told_in_its_own_shape_and_names_cannot_call_everybody(told, hook, template) -> None:
    job = told.completed(hook.url, template=template)
    told.deliver()
    (got,) = hook.wait()
    text = got.body.decode()
    assert "cat.jpg" in text
    assert f"/jobs/{job.id}" in text
    if template == "slack":
        assert list(got.json) == ["text"]
    else:
        card = got.json["attachments"][0]
        assert card["contentType"] == "application/vnd.microsoft.card.adaptive"
        assert card["content"]["type"] == "AdaptiveCard"


@pytest.mark.parametrize(
    ("said", "state"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ncut short", "delivered"),
        (b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", "delivered"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", "delivered"),
        (b"HTTP/1.1 410 Gone\r\nContent-Length: 9\r\n\r\n", "failed"),
    ],
)
@pytest.mark.parametrize("closes", [True, False])
def test_a_status_counts_whatever_becomes_of_the_body_behind_it(told, said, state, closes) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def answer() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(said)
            if not closes:
                over.wait(10)

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    told.wait_no_longer_than(1.0)
    job = told.completed(f"http://127.0.0.1:{listener.getsockname()[1]}/")
    told.deliver()
    assert told.settled(job).state == state
    over.set()
    thread.join(12)
    listener.close()


def test_an_answer_without_end_and_one_that_drips_are_cut_off(told, monkeypatch) -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\n")
            for _ in range(100):
                try:
                    connection.sendall(b"X-Slow: 1\r\n")
                except OSError:
                    return
                time.sleep(0.1)

    thread = threading.Thread(target=drip, daemon=True)
    thread.start()
    told.wait_no_longer_than(1.0)
    job = told.completed(f"http://127.0.0.1:{listener.getsockname()[1]}/")
    began = time.monotonic()
    told.deliver()
    assert told.settled(job).error == "it did not answer in time"
    assert time.monotonic() - began < 8
    listener.close()
    thread.join(12)
