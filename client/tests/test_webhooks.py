"""What the client believes, and what it does not."""

import base64
import hmac
import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from standardwebhooks import Webhook as Library

from thumbnailer.webhooks import NotVerified, verify

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + base64.b64encode(b"another secret of twenty-four").decode()
BODY = json.dumps({"type": "job.complete", "timestamp": "2026-11-24T07:07:42.123Z", "data": {"id": "x"}})


def signed(body: str = BODY, secret: str = SECRET, at: float | None = None) -> dict[str, str]:
    """Headers as somebody else's library makes them."""
    moment = datetime.fromtimestamp(time.time() if at is None else at, UTC)
    signature = Library(secret).sign("msg_1", moment, body)
    return {"webhook-id": "msg_1", "webhook-timestamp": str(int(moment.timestamp())), "webhook-signature": signature}


def test_what_another_library_signed_is_believed() -> None:
    assert verify(BODY, signed(), SECRET)["data"] == {"id": "x"}
    assert verify(BODY.encode(), signed(), SECRET)["type"] == "job.complete"


def test_the_case_of_headers_is_no_matter() -> None:
    assert verify(BODY, {name.title(): value for name, value in signed().items()}, SECRET)


def test_one_of_several_signatures_and_one_of_several_secrets_is_enough() -> None:
    headers = signed()
    headers["webhook-signature"] = f"v1a,xyz v1,AAAA {signed(secret=OTHER)['webhook-signature']}"
    assert verify(BODY, headers, OTHER)
    assert verify(BODY, signed(), [OTHER, SECRET])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"webhook-signature": ""}, "is the webhook signed"),
        ({"webhook-id": ""}, "webhook-id is missing"),
        ({"webhook-id": "msg_2"}, "No signature is right"),
        ({"webhook-timestamp": "soon"}, "no Unix time"),
        ({"webhook-timestamp": "1e9"}, "no Unix time"),
        ({"webhook-timestamp": "9" * 400}, "no Unix time"),
        ({"webhook-signature": "v1,"}, "No signature is right"),
        ({"webhook-signature": "v1,!!!"}, "No signature is right"),
        ({"webhook-signature": "v2,AAAA"}, "No signature is right"),
    ],
)
def test_headers_that_were_tampered_with_are_not_believed(change: dict[str, str], reason: str) -> None:
    with pytest.raises(NotVerified, match=reason):
        verify(BODY, signed() | change, SECRET)


def test_another_body_and_another_secret_are_not_believed() -> None:
    with pytest.raises(NotVerified):
        verify(BODY + " ", signed(), SECRET)
    with pytest.raises(NotVerified):
        verify(BODY, signed(), OTHER)


@pytest.mark.parametrize("seconds", [-600, 600])
def test_what_is_old_or_of_the_future_is_not_believed(seconds: int) -> None:
    headers = signed(at=time.time() + seconds)
    with pytest.raises(NotVerified, match="too old"):
        verify(BODY, headers, SECRET)
    assert verify(BODY, headers, SECRET, tolerance=1000)


@pytest.mark.parametrize("body", ["no json", "[1]", ""])
def test_a_signed_body_that_is_none_of_ours_is_refused(body: str) -> None:
    with pytest.raises(NotVerified, match="signed"):
        verify(body, signed(body), SECRET)


@pytest.mark.parametrize("secret", ["not base64!", "", "whsec_", [""], [SECRET, ""], [], "whsec_YWJj", None])
def test_a_secret_that_is_none_is_the_callers_mistake_and_believes_nobody(secret: Any) -> None:
    headers = signed() | {"webhook-id": "msg_1"}
    said = f"msg_1.{headers['webhook-timestamp']}.{BODY}".encode()
    by_nothing = base64.b64encode(hmac.digest(b"", said, "sha256")).decode()
    with pytest.raises(ValueError, match=r"^(The secret is none|No secret)"):
        verify(BODY, headers | {"webhook-signature": f"v1,{by_nothing}"}, secret)
