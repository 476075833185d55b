"""Asking to be called back: with a job, or for all of one's jobs."""

from __future__ import annotations

import json
import stat
from uuid import UUID, uuid4

import pytest
from cryptography.fernet import Fernet
from receivers import SECRET

from thumbnailer_api.webhooks.secret_keys import NoSecretKeys, SecretKeys, WrongSecretKeys
from thumbnailer_storage.config import StorageSettings
from thumbnailer_storage.jobs.model import Job, Source, Webhook
from thumbnailer_storage.opening import open_stores

URL = "https://example.com/thumbnails"
USUAL = ["complete", "failed", "cancelled"]


def posted(service, webhook):
    return service.post(data={"job": json.dumps({"webhook": webhook})})


@pytest.fixture(autouse=True)
def no_default(request):
    yield
    if "service" in request.fixturenames:
        request.getfixturevalue("service").http.delete("/webhook")


def test_a_job_shows_its_webhook_and_never_the_secret(service) -> None:
    answer = posted(service, {"url": URL, "secret": SECRET, "events": ["failed", "complete"]})
    assert answer.status_code == 202, answer.text
    assert answer.json()["webhook"] == {
        "url": URL,
        "events": ["complete", "failed"],
        "template": None,
        "signed": True,
    }
    again = service.http.get(answer.headers["location"])
    assert again.json()["webhook"] == answer.json()["webhook"]
    assert SECRET not in answer.text + again.text


def test_the_secret_is_encrypted_at_rest(service) -> None:
    job = posted(service, {"url": URL, "secret": SECRET}).json()["id"]
    kept = service.stores.callbacks.of_job(UUID(job)).secret
    assert SECRET not in kept
    assert service.api.wiring.hooks.keys.decrypt(kept) == SECRET
    database = (service.stores.settings.data / "thumbnailer.db").read_bytes()
    assert SECRET.encode() not in database


def test_an_image_as_the_body_names_its_webhook_in_the_query(service, small) -> None:
    answer = service.http.post("/jobs", params={"webhook": URL}, content=small)
    assert answer.json()["webhook"] == {"url": URL, "events": USUAL, "template": None, "signed": False}
    service.http.put("/webhook", json={"url": URL})
    assert service.http.post("/jobs", params={"webhook": "false"}, content=small).json()["webhook"] is None


@pytest.mark.parametrize(
    ("webhook", "field"),
    [
        ({"url": "http://example.com/"}, "webhook.url"),
        ({"url": "https://169.254.169.254/latest"}, "webhook.url"),
        ({"url": "https://[::1]/"}, "webhook.url"),
        ({"url": "https://2130706433/"}, "webhook.url"),
        ({"url": "https://example.com:22/"}, "webhook.url"),
        ({"url": "https://a:b@example.com/"}, "webhook.url"),
        ({"url": "https://example.com/" + "x" * 2000}, "webhook"),
        ({"url": URL, "events": []}, "webhook"),
        ({"url": URL, "events": ["processing"]}, "webhook"),
        ({"url": URL, "secret": "short"}, "webhook"),
        ({"url": URL, "secret": "whsec_" + "A" * 8}, "webhook"),
        ({"url": URL, "template": "irc"}, "webhook"),
        ({"url": URL, "headers": {}}, "webhook"),
        ({}, "webhook"),
        (True, "webhook"),
        (7, "webhook"),
    ],
    ids=str,
)
def test_a_webhook_that_cannot_be_is_refused_at_once_by_name(service, nothing_left, webhook, field) -> None:
    answer = posted(service, webhook)
    assert answer.status_code == 422, answer.text
    assert answer.json()["type"] == "/problems/invalid-request"
    assert any(mistake["field"].startswith(field) for mistake in answer.json()["errors"])


def test_a_default_is_taken_by_those_jobs_that_name_none_and_stays_with_them(service) -> None:
    made = service.http.put("/webhook", json={"url": URL, "events": ["failed"]})
    assert made.status_code == 200, made.text
    job = service.post().json()
    assert job["webhook"] == {"url": URL, "events": ["failed"], "template": None, "signed": True}
    assert posted(service, None).json()["webhook"] is None
    assert posted(service, False).json()["webhook"] is None
    assert posted(service, "https://example.org/").json()["webhook"]["url"] == "https://example.org/"
    assert service.http.delete("/webhook").json()["url"] == URL
    assert service.http.get(f"/jobs/{job['id']}").json()["webhook"] == job["webhook"]
    assert service.post().json()["webhook"] is None


def test_a_default_without_a_secret_gets_one_that_is_shown_once_and_kept(service) -> None:
    made = service.http.put("/webhook", json={"url": URL}).json()
    assert made["secret"].startswith("whsec_")
    assert made["signed"]
    shown = service.http.get("/webhook").json()
    assert shown == {"url": URL, "events": USUAL, "template": None, "signed": True}
    assert "secret" not in service.http.put("/webhook", json={"url": "https://example.org/"}).json()
    hooks = service.api.wiring.hooks
    assert hooks.keys.decrypt(hooks.default("nobody").secret) == made["secret"]
    # A job that names no secret is signed with it.
    job = posted(service, {"url": "https://example.net/"}).json()["id"]
    kept = service.stores.callbacks.of_job(UUID(job)).secret
    assert hooks.keys.decrypt(kept) == made["secret"]


def test_a_default_for_a_chat_needs_no_secret(service) -> None:
    made = service.http.put("/webhook", json={"url": "https://hooks.slack.com/services/x", "template": "slack"}).json()
    assert (made["signed"], made["template"]) == (False, "slack")
    assert "secret" not in made


def test_there_may_be_no_default(service) -> None:
    for call in (service.http.get, service.http.delete):
        answer = call("/webhook")
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/webhook-not-found")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"url": 7}', b"[" * 50_000])
def test_a_default_that_cannot_be_read_is_refused(service, body) -> None:
    answer = service.http.put("/webhook", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422), answer.text


def test_deliveries_are_listed_and_told_again_for_the_owner_alone(service) -> None:
    job = service.completed(asked={"webhook": {"url": URL}})
    (listed,) = service.http.get(f"/jobs/{job.id}/deliveries").json()["deliveries"]
    assert {
        "event": "complete",
        "state": "waiting",
        "tries": 0,
        "answer": None,
        "error": None,
    }.items() <= listed.items()
    answer = service.http.post(f"/jobs/{job.id}/deliveries/{listed['id']}")
    assert (answer.status_code, answer.json()["id"]) == (202, listed["id"])
    other = service.job()
    assert service.http.get(f"/jobs/{other}/deliveries").json() == {"deliveries": []}
    for path in (f"/jobs/{other}/deliveries/{listed['id']}", f"/jobs/{job.id}/deliveries/{uuid4()}"):
        missing = service.http.post(path)
        assert (missing.status_code, missing.json()["type"]) == (404, "/problems/delivery-not-found")
    assert service.http.post(f"/jobs/{job.id}/deliveries/x").status_code == 404
    assert service.http.get(f"/jobs/{uuid4()}/deliveries").json()["type"] == "/problems/job-not-found"


def test_without_keys_on_a_shared_database_a_secret_is_refused_and_the_setting_named(tmp_path) -> None:
    shared = StorageSettings(data=tmp_path, database="postgresql+psycopg://a@b/c")
    with pytest.raises(NoSecretKeys, match="THUMBNAILER_SECRET_KEYS"):
        SecretKeys((), shared).encrypt(SECRET)


def test_keys_are_made_once_beside_the_file_and_readable_by_us_alone(tmp_path) -> None:
    storage = StorageSettings(data=tmp_path)
    kept = SecretKeys((), storage).encrypt(SECRET)
    file = tmp_path / "secret-keys"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    written = file.read_bytes()
    assert SecretKeys((), storage).decrypt(kept) == SECRET
    SecretKeys((), storage).encrypt(SECRET)
    assert file.read_bytes() == written
    assert [path.name for path in tmp_path.iterdir()] == ["secret-keys"]


def test_the_first_key_encrypts_and_all_decrypt(tmp_path) -> None:
    storage = StorageSettings(data=tmp_path)
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    kept = SecretKeys((old,), storage).encrypt(SECRET)
    both = SecretKeys((new, old), storage)
    assert both.decrypt(kept) == SECRET
    renewed = both.renew(kept)
    assert SecretKeys((new,), storage).decrypt(renewed) == SECRET
    with pytest.raises(WrongSecretKeys, match="THUMBNAILER_SECRET_KEYS"):
        SecretKeys((new,), storage).decrypt(kept)


def test_the_command_encrypts_all_anew_with_the_first_key(program) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    assert program.run("migrate").returncode == 0
    stores = open_stores(StorageSettings(data=program.folder / "data"))
    kept = SecretKeys((old,), stores.settings).encrypt(SECRET)
    jobs = [Job.new(owner="ada", source=Source(1, "0" * 64), webhook=Webhook(URL, secret=kept)) for _ in range(3)]
    for job in (*jobs, Job.new(owner="ada", source=Source(1, "0" * 64), webhook=Webhook(URL))):
        stores.jobs.add(job)
    stores.callbacks.set_default("ada", Webhook(URL, secret=kept))
    ran = program.run("secrets", "renew", SECRET_KEYS=f"{new},{old}")
    assert (ran.returncode, ran.stdout) == (0, "Secrets encrypted with the first key: 4.\n"), ran.stderr
    alone = SecretKeys((new,), stores.settings)
    for hook in (*[stores.callbacks.of_job(job.id) for job in jobs], stores.callbacks.default("ada")):
        assert alone.decrypt(hook.secret) == SECRET
    again = program.run("secrets", "renew", SECRET_KEYS=f"{new},{old}")
    assert (again.returncode, again.stdout) == (0, "Secrets encrypted with the first key: 0.\n"), again.stderr
    stores.callbacks.set_default("eve", Webhook(URL, secret=kept))
    without = program.run("secrets", "renew", SECRET_KEYS=f"{Fernet.generate_key().decode()},{new}")
    assert without.returncode == 2
    assert without.stdout == "Secrets encrypted with the first key: 4.\n", "one that is lost holds up no other"
    assert "1 other secret" in without.stderr
    assert "THUMBNAILER_SECRET_KEYS" in without.stderr
    assert "Traceback" not in without.stderr
    stores.close()


@pytest.mark.parametrize(
    ("setting", "value", "says"),
    [
        ("WEBHOOK_NETWORKS", "10.0.0.1/8", "by their first address"),
        ("WEBHOOK_NETWORKS", "intern", "10.20.0.0/16"),
        ("WEBHOOK_NETWORKS", "10.0.0.0/8,10.20.0.0", "10.20.0.0 says no size: write it like 10.20.0.0/16"),
        ("WEBHOOK_PORTS", "0", "from 1 to 65535"),
        ("SECRET_KEYS", "hunter2hunter2", "openssl rand"),
    ],
)
def test_a_wrong_setting_is_named_and_a_secret_one_not_repeated(program, setting, value, says) -> None:
    ended = program.run("housekeeper", **{setting: value})
    assert ended.returncode == 2
    assert f"THUMBNAILER_{setting} is " in ended.stderr
    assert says in ended.stderr
    assert "hunter2" not in ended.stderr
