"""An image that may have arrived is sent again, and makes one job."""

from __future__ import annotations

import io

import pytest

from thumbnailer import Refused, ServiceFault

BUSY = (503, {}, b'{"title": "Busy", "status": 503, "detail": "Try again later."}')


def test_an_image_is_sent_again_whole_if_the_service_was_busy(service, client, no_pauses):
    service.scripted = [BUSY]
    assert service.bodies[client.submit(io.BytesIO(b"all of it")).id] == b"all of it"


IN_FLIGHT = b'{"type": "/problems/idempotency-in-flight", "title": "Under way", "status": 409}'


def keys_sent(service):
    return [headers["Idempotency-Key"] for method, _, headers in service.requests if method == "POST"]


@pytest.mark.parametrize("answer", [None, (502, {}, b""), BUSY, (409, {"Retry-After": "0"}, IN_FLIGHT)])
def test_an_image_that_may_have_been_accepted_is_sent_again_as_the_same(service, client, no_pauses, answer):
    service.scripted = [answer, answer]
    assert client.submit(b"an image").status == "pending"
    first, second, third = keys_sent(service)
    assert first == second == third
    assert len(service.jobs) == 1


def test_a_lost_answer_is_asked_for_again_and_makes_no_second_job(service, client, no_pauses):
    service.loses_answers = 2
    job = client.submit(io.BytesIO(b"all of it"))
    assert list(service.jobs) == [job.id]
    assert len(keys_sent(service)) == 3


def test_each_call_has_a_key_of_its_own_unless_it_is_given_one(service, client):
    jobs = {client.submit(b"an image").id for _ in range(3)}
    mine = {client.submit(b"an image", idempotency_key="order-17").id for _ in range(3)}
    assert (len(jobs), len(mine)) == (3, 1)
    assert len(set(keys_sent(service))) == 4


@pytest.mark.parametrize("answer", [(500, {}, b""), (422, {}, b'{"type": "/problems/idempotency-mismatch"}')])
def test_an_image_that_cannot_be_accepted_is_not_sent_again(service, client, answer):
    service.scripted = [answer]
    with pytest.raises((ServiceFault, Refused)):
        client.submit(b"an image")
    assert len(service.requests) == 1
