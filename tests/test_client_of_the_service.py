"""Every call of the Python client, and the command's newer ones, against the real service with keys."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from service import BIN, Program, Service, started

from thumbnailer import Client, Conflict, Gone, MissingScope, NotAllowed, NotFound, Refused
from thumbnailer_storage.jobs.keys import Scope

RECEIVER = "https://thumbnails.invalid/told"


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Service]:
    with started(tmp_path, THUMBNAILER_AUTH="keys", THUMBNAILER_OWNER_REQUESTS_PER_MINUTE="60") as service:
        yield service


@pytest.fixture
def api(guarded: Service) -> Program:
    return guarded.api()


@pytest.fixture
def admins(guarded: Service) -> str:
    """A key that may do everything, of the owner ada."""
    asked = ["all", "--owner", "ada", "--scopes", ",".join(Scope)]
    command = [BIN / "thumbnailer-api", "keys", "create", *asked]
    return subprocess.run(command, env=guarded.environment(), check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def client(api: Program, admins: str) -> Iterator[Client]:
    with Client(api.url, admins) as client:
        yield client


@pytest.fixture
def command(guarded: Service, api: Program, admins: str) -> Callable[..., str]:
    """Run the installed command with that key; what it prints."""

    def run(*arguments: str) -> str:
        environment = guarded.environment(THUMBNAILER_URL=api.url, THUMBNAILER_KEY=admins)
        ran = subprocess.run(
            [BIN / "thumbnailer", *arguments], env=environment, capture_output=True, text=True, check=False, timeout=60
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    return run


def test_jobs_are_cancelled_one_by_one_and_together(client: Client, small: bytes, tmp_path: Path) -> None:
    one, *others = [client.submit(small, priority="economy", expires_in=3600) for _ in range(4)]
    assert (one.expires_in, one.webhook) == (3600, None)
    assert one.request_id
    cancelled = client.delete(one)
    assert (cancelled.status, cancelled.code, cancelled.finished) == ("cancelled", 410, True)
    assert client.delete(one.id).status == "cancelled"
    assert client.cancel_all("pending", priority="express") == 0
    assert client.cancel_all("pending", priority="economy", since=datetime.now(UTC) - timedelta(hours=1)) == 3
    assert {job.status for job in client.jobs()} == {"cancelled"}
    with pytest.raises(Gone):
        client.download(others[0], 0, tmp_path / "picture.jpg")
    with pytest.raises(IsADirectoryError, match="Name a file"):
        client.download(others[0])
    told = client.events(one.id)
    assert [(event.kind, event.by) for event in told] == [("accepted", "all"), ("cancelled", "all")]
    assert told[1].address == "127.0.0.1"


def test_what_was_used_and_what_may_be(client: Client, small: bytes) -> None:
    client.submit(small)
    used, may = client.usage(), client.limits()
    assert [(day.priority, day.jobs, day.bytes) for day in used.days] == [("standard", 1, len(small))]
    assert used.owner == "ada"
    assert (may.requests_per_minute, may.jobs_waiting, may.used_jobs_waiting, may.used_bytes) == (
        60,
        None,
        1,
        len(small),
    )
    assert may.used_requests == 1


def test_keys_are_made_for_others_and_revoked(client: Client, api: Program, small: bytes) -> None:
    made = client.keys.create("ci", owner="build", scopes=["submit"], days=1)
    assert (made.owner, made.scopes, made.state) == ("build", ("submit",), "live")
    with Client(api.url, made.key) as other:
        other.submit(small)
        with pytest.raises(MissingScope, match="read"):
            list(other.jobs())
        with pytest.raises(Conflict, match="already"):
            client.keys.create("ci", owner="build")
        assert client.keys.revoke(made.id).state == "revoked"
        with pytest.raises(NotAllowed):
            other.submit(small)
    assert [key.id for key in client.keys.list(owner="build")] == [made.id]
    assert client.keys.get(made.id).key is None
    assert {event.owner for event in client.all_events()} == {"ada", "build"}
    assert [event.kind for event in client.all_events(owner="build", page=2)][:1] == ["key-revoked"]


def test_a_default_webhook_is_taken_by_jobs_that_name_none(client: Client, small: bytes) -> None:
    assert client.webhook.get() is None
    made = client.webhook.set({"url": RECEIVER, "events": ["cancelled"]})
    assert made.secret
    assert made.secret.startswith("whsec_")
    kept = client.webhook.get()
    assert kept is not None
    assert (kept.url, kept.events, kept.signed, kept.secret) == (RECEIVER, ("cancelled",), True, None)
    told, untold = client.submit(small), client.submit(small, webhook=False)
    assert told.webhook is not None
    assert (told.webhook.url, untold.webhook) == (RECEIVER, None)
    client.delete(told)
    (delivery,) = client.deliveries(told)
    assert (delivery.event, delivery.state) == ("cancelled", "waiting")
    assert client.redeliver(told, delivery).id == delivery.id
    with pytest.raises(NotFound):
        client.redeliver(told, "0" * 8)
    client.webhook.remove()
    assert client.webhook.get() is None
    with pytest.raises(Refused, match="https"):
        client.submit(small, webhook="http://127.0.0.1/")


def test_the_command_does_it_too(command: Callable[..., str], tmp_path: Path, small: bytes) -> None:
    (tmp_path / "cat.jpg").write_bytes(small)
    image = str(tmp_path / "cat.jpg")
    assert command("webhook", "set", RECEIVER).startswith("whsec_")
    job = command("submit", image, "--expires-in", "1d").partition("\t")[0]
    assert command("cancel", job) == f"{job}\tcancelled\tcat.jpg\n"
    assert command("deliveries", job).split("\t")[1:3] == ["cancelled", "waiting"]
    command("submit", image, "--no-webhook")
    assert command("cancel", "--all", "--status", "pending", "--yes") == "1\n"
    assert json.loads(command("usage", "--json"))["days"][0]["jobs"] == 2
    assert command("limits").startswith("requests a minute\t")
    key = command("keys", "create", "ci", "--owner", "build").strip()
    assert key.startswith("thn_")
    made = json.loads(command("keys", "list", "--owner", "build", "--json"))
    assert command("keys", "revoke", made["id"]).split("\t")[3] == "revoked"
    assert "\tbuild\t\tkey-revoked\tall\t127.0.0.1\t" in command("events", "--owner", "build")
