"""`thumbnailer usage`, `limits`, `keys`, `webhook`, `deliveries` and `events` without a job, on the stand-in."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from stand_in import DELIVERY


def test_usage_is_a_line_for_each_day_and_priority(thumbnailer, service):
    code, out, _ = thumbnailer("usage", "--since", "2026-11-01", "--until", "2026-11-24", "--owner", "ada")
    assert (code, out) == (0, "2026-11-24\texpress\t3\t4096\t1.5\n")
    assert service.requests[0][1] == "/usage?since=2026-11-01&until=2026-11-24&owner=ada"


def test_usage_of_the_last_days_can_be_asked_for(thumbnailer, service):
    assert thumbnailer("usage", "--since", "7d")[0] == 0
    week_ago = datetime.now(UTC).date() - timedelta(days=7)
    assert service.requests[0][1] == f"/usage?since={week_ago}"


def test_limits_say_what_is_used_and_what_is_allowed(thumbnailer):
    assert thumbnailer("limits")[1] == "requests a minute\t2\t60\njobs waiting\t4\t\nbytes a day\t700\t1000\n"


def test_a_made_key_is_all_that_is_printed(thumbnailer, service):
    code, out, err = thumbnailer("keys", "create", "ci", "--owner", "build", "--scopes", "read, submit", "--days", "90")
    (key,) = service.keys
    assert (code, out) == (0, "thn_sesame\n")
    assert err == f"thumbnailer: The key ci of build (id {key}). It is shown this once.\n"
    assert service.keys[key]["scopes"] == ["read", "submit"]


def test_keys_are_listed_and_revoked(thumbnailer, service):
    thumbnailer("keys", "create", "ci")
    (key,) = service.keys
    row = f"{key}\tci\tada\t{{}}\tsubmit,read,cancel\t2026-11-24T07:07:00.123Z\t\t\n"
    assert thumbnailer("keys", "list")[1] == row.format("live")
    assert thumbnailer("keys", "revoke", key)[1] == row.format("revoked")
    assert "key" not in json.loads(thumbnailer("keys", "list", "--json")[1])


def test_a_key_that_cannot_be_revoked_is_named_and_holds_up_no_other(thumbnailer, service):
    for name in ("a", "b"):
        thumbnailer("keys", "create", name)
    first, last = service.keys
    code, out, err = thumbnailer("keys", "revoke", first, "typo", last)
    assert code == 4
    assert [line.split("\t")[0] for line in out.splitlines()] == [first, last]
    assert {key["state"] for key in service.keys.values()} == {"revoked"}
    assert "thumbnailer: typo: " in err


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xd8\xff\xe0"])
def test_a_file_that_holds_no_secret_is_refused(thumbnailer, service, tmp_path, content):
    (tmp_path / "secret").write_bytes(content)
    code, _, err = thumbnailer("webhook", "set", "https://example.com/x", "--secret-file", str(tmp_path / "secret"))
    assert code == 2
    assert "no secret in the file" in err
    assert service.requests == []


def test_a_webhook_whose_answer_was_lost_is_not_set_again_since_its_secret_would_be_lost(thumbnailer, service):
    service.scripted = [None]
    code, _, err = thumbnailer("webhook", "set", "https://example.com/x")
    assert code == 3
    assert "webhook show" in err
    assert len(service.requests) == 1


def test_the_default_webhook_is_set_shown_and_removed(thumbnailer, service, tmp_path):
    code, out, err = thumbnailer("webhook", "show")
    assert (code, out) == (0, "")
    assert "thumbnailer webhook set https://" in err
    options = ["--event", "failed", "--secret-file", "-", "--template", "slack"]
    thumbnailer("webhook", "set", "https://example.com/x", *options, stdin="whsec_c2VjcmV0\n")
    assert service.submitted == [
        {"url": "https://example.com/x", "events": ["failed"], "secret": "whsec_c2VjcmV0", "template": "slack"}
    ]
    assert thumbnailer("webhook", "show")[1] == "https://example.com/x\tfailed\t\n"
    assert thumbnailer("webhook", "remove") == (0, "", "")
    assert service.webhook is None


def test_a_secret_is_printed_when_it_is_made_and_said_to_be_kept_after_that(thumbnailer, service):
    assert thumbnailer("webhook", "set", "https://example.com/x")[1] == "whsec_made\n"
    code, out, err = thumbnailer("webhook", "set", "https://example.com/y")
    assert (code, out) == (0, "")
    assert "It keeps the secret that it had, so none is printed." in err
    given = thumbnailer("webhook", "set", "https://example.com/y", "--secret-file", "-", stdin="whsec_c2VjcmV0\n")
    assert "keeps" not in given[2]


def test_deliveries_are_told_and_sent_again(thumbnailer, service):
    job = service.accept("a.jpg", b"an image", {})["id"]
    row = "6f0e\tcomplete\t{}\t{}\t\t500\tThe receiver answered 500.\n"
    assert thumbnailer("deliveries", job)[1] == row.format("failed", 3)
    assert thumbnailer("redeliver", job, DELIVERY["id"])[1] == row.format("waiting", 0)
    assert service.requests[-1][:2] == ("POST", f"/jobs/{job}/deliveries/6f0e")


def test_events_of_all_say_whose_and_by_whom(thumbnailer, service):
    _, out, _ = thumbnailer("events", "--owner", "ada", "--since", "2026-11-24T07:00:00Z")
    assert out == "2026-11-24T07:07:00.123Z\tada\t\taccepted\tlaptop\t192.0.2.7\tThe job was\\taccepted.\n"
    assert service.requests[0][1].startswith("/events?owner=ada&since=2026-11-24T07%3A00%3A00")


NO_KEY = b'{"type": "/problems/no-key", "title": "A key is needed", "detail": "This service wants a key."}'
SCOPE = b'{"type": "/problems/missing-scope", "title": "No", "detail": "It takes the scope admin."}'
TOO_MANY = b'{"type": "/problems/too-many", "title": "Too many", "detail": "The day is used up."}'


@pytest.mark.parametrize(
    ("status", "problem", "code", "says"),
    [
        (401, NO_KEY, 4, "Set THUMBNAILER_KEY to yours"),
        (403, SCOPE, 4, "It takes the scope admin."),
        (429, TOO_MANY, 3, "thumbnailer limits says what is allowed"),
    ],
)
def test_a_refusal_says_what_to_do(thumbnailer, service, status, problem, code, says):
    service.scripted = [(status, {"Retry-After": "3600"}, problem)]
    ended, _, err = thumbnailer("keys", "list")
    assert ended == code
    assert says in err
    assert len(service.requests) == 1
