"""Keys: who has none, or a wrong one, learns nothing; who has one sees what is their owner's, and nothing else."""

import re
import shutil
import sqlite3
import subprocess
import threading
import time
from contextlib import closing

import httpx
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from thumbnailer_api import app
from thumbnailer_storage.jobs.database import BUSY_SECONDS
from thumbnailer_storage.jobs.key_format import new_key
from thumbnailer_storage.jobs.keys import NewKey

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def job(guarded):
    """A complete job of ada's, with a webhook."""
    return guarded.completed(asked={"webhook": "https://example.com/thumbnails"})


@pytest.fixture(scope="module")
def eve(guarded) -> dict[str, str]:
    return {"Authorization": f"Bearer {guarded.new_key('laptop', 'eve')}"}


def asked(service, method: str, path: str, job: object, headers: dict[str, str], **more) -> httpx.Response:
    """One call by a caller who sends these headers and no others."""
    address = path.replace("<job>", str(job)).replace("<n>", "0")
    with httpx.Client(base_url=service.url, trust_env=False) as http:
        return http.request(method, address, headers=headers, **more)


def test_a_job_belongs_to_the_owner_and_not_to_the_key(guarded, eve, small) -> None:
    mine = asked(guarded, "POST", "/jobs", "", eve, content=small).json()["id"]
    second = {"Authorization": f"Bearer {guarded.new_key('phone', 'eve')}"}
    guarded.stores.keys.revoke("laptop", "eve")
    assert asked(guarded, "GET", "/jobs/<job>", mine, eve).status_code == 401
    assert asked(guarded, "GET", "/jobs/<job>", mine, second).status_code == 200
    assert guarded.http.get(f"/jobs/{mine}").status_code == 404


@pytest.mark.parametrize("expect", ["", "Expect: 100-continue\r\n"])
def test_an_upload_without_a_key_is_refused_at_its_head(guarded, expect) -> None:
    begun = time.monotonic()
    connection = guarded.connect(
        f"POST /jobs HTTP/1.1\r\nHost: x\r\n{expect}Content-Length: {20 * MIB}\r\n\r\n".encode()
    )
    answer = b""
    while piece := connection.recv(65536):
        answer += piece
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"100 Continue" not in answer
    assert time.monotonic() - begun < 5


def test_the_scheme_is_spelled_as_one_likes(guarded) -> None:
    key = guarded.http.headers["Authorization"].removeprefix("Bearer ")
    for scheme in ("bearer", "BEARER", "Bearer "):
        assert asked(guarded, "GET", "/queue", "", {"Authorization": f"{scheme} {key}"}).status_code == 200


def test_the_documents_are_open_and_say_that_a_key_is_needed(guarded) -> None:
    for method, path, _ in app.OPEN_ROUTES:
        assert asked(guarded, method, path.replace("<name>", "no-key"), "", {}).status_code in (200, 302)
    document = asked(guarded, "GET", "/openapi.json", "", {}).json()
    OpenAPIV31SpecValidator(document).validate()
    assert document["security"] == [{"key": []}]
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    for path, calls in document["paths"].items():
        for call in calls.values():
            assert ({"401", "403"} <= set(call["responses"])) is (path != "/openapi.json")
            assert (call["security"] == []) is (path == "/openapi.json")
    assert document["paths"]["/jobs/{job}"]["delete"]["security"] == [{"key": ["cancel"]}]
    page = asked(guarded, "GET", "/docs", "", {}).text
    assert "export THUMBNAILER_KEY=" in page
    assert "{{" not in page


def test_the_document_of_a_service_without_keys_says_nothing_of_them(service) -> None:
    document = service.http.get("/openapi.json").json()
    assert "security" not in document
    assert "securitySchemes" not in document["components"]
    assert "401" not in document["paths"]["/jobs"]["get"]["responses"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl on this machine")
def test_the_curl_examples_work_with_the_key_in_the_environment(guarded, job, small, tmp_path) -> None:
    (tmp_path / "photo.jpg").write_bytes(small)
    spare = str(guarded.stores.keys.add(NewKey("spare", "ada"), new_key()).id)
    document = guarded.http.get("/openapi.json").json()
    key = guarded.http.headers["Authorization"].removeprefix("Bearer ")
    environment = {
        "URL": guarded.url,
        "JOB": str(job.id),
        "KEY": spare,
        "DELIVERY": str(guarded.stores.deliveries.of_job(job.id)[0].id),
        "THUMBNAILER_KEY": key,
        "PATH": "/usr/bin:/bin",
    }
    lines = [line for calls in document["paths"].values() for call in calls.values() for line in call["x-curl"]]
    for line in sorted(lines, key=lambda line: "-X DELETE" in line):  # what is deleted has no outputs any more
        command = line.replace("curl ", "curl --silent --fail-with-body ", 1)
        ran = subprocess.run(
            ["/bin/bash", "-c", command], cwd=tmp_path, env=environment, capture_output=True, timeout=60, check=False
        )
        assert ran.returncode == 0, (line, ran.stdout, ran.stderr)


def last_used(service, name: str) -> object:
    return next(key.last_used for key in service.stores.keys.all() if key.name == name)


def wait_until_noted(service, name: str) -> None:
    deadline = time.monotonic() + 20
    while last_used(service, name) is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_last_use_of_a_key_is_noted_once_for_many_requests(guarded) -> None:
    headers = {"Authorization": f"Bearer {guarded.new_key('busy', 'ada')}"}
    for _ in range(20):
        assert asked(guarded, "GET", "/queue", "", headers).status_code == 200
    wait_until_noted(guarded, "busy")
    noted = last_used(guarded, "busy")
    for _ in range(5):
        asked(guarded, "GET", "/queue", "", headers)
    time.sleep(1.5)
    assert last_used(guarded, "busy") == noted


def test_a_use_that_cannot_be_written_neither_fails_nor_delays_a_request(guarded) -> None:
    headers = {"Authorization": f"Bearer {guarded.new_key('hindered', 'ada')}"}
    with closing(sqlite3.connect(guarded.stores.settings.data / "thumbnailer.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        deadline = time.monotonic() + BUSY_SECONDS + 1
        while time.monotonic() < deadline:
            answer = asked(guarded, "GET", "/queue", "", headers)
            assert answer.status_code == 200
            assert answer.elapsed.total_seconds() < 2
            time.sleep(0.2)
        assert last_used(guarded, "hindered") is None
        other.execute("ROLLBACK")
    assert httpx.get(f"{guarded.health}/healthz").status_code == 200
    asked(guarded, "GET", "/queue", "", headers)
    wait_until_noted(guarded, "hindered")


def test_what_is_noted_is_written_before_the_end_and_health_knows_who_writes(start, monkeypatch) -> None:
    service = start(auth="keys")
    uses = service.api.wiring.authenticator._uses
    monkeypatch.setattr(uses, "_thread", threading.Thread())
    assert httpx.get(f"{service.health}/healthz").status_code == 503
    monkeypatch.undo()
    assert httpx.get(f"{service.health}/healthz").status_code == 200
    headers = {"Authorization": f"Bearer {service.new_key('last', 'ada')}"}
    assert asked(service, "GET", "/queue", "", headers).status_code == 200
    uses.stop()
    assert last_used(service, "last") is not None


def test_a_database_that_does_not_answer_refuses_nobodys_key(guarded, tmp_path, monkeypatch) -> None:
    from thumbnailer_storage.jobs.database import Database

    away = Database(f"sqlite:///{tmp_path / 'no' / 'such' / 'folder'}")
    monkeypatch.setattr(guarded.stores.keys, "_database", away)
    answer = guarded.http.get("/queue")
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/store-unavailable")
    assert answer.headers["retry-after"]
    away.close()


def test_logs_name_owner_and_key_and_never_hold_a_key(program, image) -> None:
    assert program.run("migrate").returncode == 0
    mine, lost = (program.run("keys", "create", name, "--owner", "ada").stdout.strip() for name in ("laptop", "lost"))
    api = program.start("serve", AUTH="keys", HOST="0.0.0.0", LOG_FORMAT="json", LOG_LEVEL="debug")  # noqa: S104
    api.wait_until_ready()
    wrong = new_key()
    with httpx.Client(base_url=api.url, trust_env=False) as http:
        assert http.post("/jobs", content=image(1000), headers={"Authorization": f"Bearer {mine}"}).status_code == 202
        assert http.get("/queue", headers={"Authorization": f"Bearer {lost}"}).status_code == 200
        assert program.run("keys", "revoke", "lost").returncode == 0
        for key, path in ((lost, "/queue"), (wrong, "/queue"), (wrong, f"/jobs/{mine}"), (mine[:-1], "/jobs")):
            answer = http.get(path, headers={"Authorization": f"Bearer {key}"})
            assert (answer.status_code, answer.json()["type"]) == (401, "/problems/wrong-key")
        assert http.get(f"/jobs/{wrong}", headers={"Authorization": f"Bearer {mine}"}).status_code == 404
        metrics = httpx.get(f"{api.health}/metrics", trust_env=False).text
    assert api.stop() == 0
    log = api.log.read_text()
    assert '"auth": "keys"' in log
    assert re.search(r'"route": "/jobs", "status": 202.*"owner": "ada", "key": "laptop"', log)
    for key in (mine, lost, wrong):
        assert key[4:-1] not in log + metrics


def test_a_key_that_was_made_elsewhere_lets_in_once_it_is_registered(guarded) -> None:
    key = "thn_" + "Zz09" * 10
    guarded.stores.keys.add(NewKey("chart", "ada"), key)
    assert asked(guarded, "GET", "/queue", None, {"Authorization": f"Bearer {key}"}).status_code == 200
