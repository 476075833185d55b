"""What the client makes of limits, scopes, expiry and webhooks, and of services that know none of them."""

from __future__ import annotations

import pytest

from thumbnailer import Client, Conflict, MissingScope, NoKey, TooMany


def test_a_rate_limit_is_waited_for_as_told_and_uses_up_no_try(service, client, no_pauses):
    service.scripted = [(429, {"Retry-After": "4"}, b'{"title": "Too many"}')] * 10
    client.submit(b"an image")
    assert len(no_pauses) == 10
    assert all(4 <= pause < 5 for pause in no_pauses)


def test_the_patience_with_a_rate_limit_ends(service, client, no_pauses):
    service.scripted = [(429, {"Retry-After": "25"}, b'{"title": "Too many"}')] * 10
    with pytest.raises(TooMany) as refused:
        client.submit(b"an image")
    assert refused.value.retry_after == 25
    assert len(no_pauses) == 2


@pytest.mark.parametrize(("asked", "tries"), [({"Retry-After": "4"}, 2), ({"Retry-After": "7"}, 1), ({}, 4)])
def test_a_caller_of_less_patience_waits_no_longer(service, no_pauses, asked, tries):
    service.scripted = [(429, asked, b'{"title": "Too many"}')] * 10
    with Client(service.url, patience=6) as client, pytest.raises(TooMany):
        client.submit(b"an image")
    assert len(service.requests) == tries


def test_what_an_older_service_does_not_say_is_none(service, client):
    job = client.submit(b"an image")
    (event,) = client.events(job.id)
    assert (job.webhook, job.request_id, job.outputs[0].preset) == (None, None, None)
    assert (event.job, event.owner) == (None, None)


def test_expiry_and_webhook_are_asked_for(service, client):
    client.submit(b"an image", expires_in=60, webhook="https://example.com/x")
    client.submit(b"an image", webhook={"url": "https://example.com/x", "events": ["failed"]})
    client.submit(b"an image", webhook=False)
    assert service.submitted == [
        {"expires_in": 60, "webhook": {"url": "https://example.com/x"}},
        {"webhook": {"url": "https://example.com/x", "events": ["failed"]}},
        {"webhook": False},
    ]


def test_without_a_default_webhook_there_is_none(client):
    assert client.webhook.get() is None


@pytest.mark.parametrize(
    ("status", "name", "kind"),
    [
        (401, "no-key", NoKey),
        (403, "missing-scope", MissingScope),
        (409, "not-finished", Conflict),
        (429, "too-many", TooMany),
    ],
)
def test_each_refusal_has_a_kind_of_its_own(service, client, status, name, kind):
    body = f'{{"type": "/problems/{name}", "title": "No"}}'.encode()
    service.scripted = [(status, {"Retry-After": "100"}, body)]
    with pytest.raises(kind):
        client.queue()
