"""Every route by every kind of caller who may not: one table, made from app.ROUTES.

A route that is added there is in this table at once. It asks for one thing here: where its path has a new `<name>`,
PLACES says what to call in its place. A route that names a job answers alike for another owner's and for one that
nobody has; a route that names none says nothing of another owner.
"""

import re
import time
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import update

from thumbnailer_api import app
from thumbnailer_storage.jobs.clocks import clock
from thumbnailer_storage.jobs.key_format import new_key
from thumbnailer_storage.jobs.keys import USUAL, Scope
from thumbnailer_storage.jobs.tables import keys

EVERY_ROUTE = [pytest.param(method, path, scope, id=f"{method} {path}") for method, path, _, scope in app.ROUTES]
PLACES = {"n": "0", "key": "3b241101-e2bb-4255-8caf-4136c566a962", "delivery": "3b241101-e2bb-4255-8caf-4136c566a962"}
UNKNOWN = "0a6e4a0e-7a35-4d5c-9a53-0d5a4d4b1c11"


def no_key(_) -> str | None:
    return None


def another_scheme(_) -> str:
    return "Basic YWRhOnNlc2FtZQ=="


def malformed(_) -> str:
    return "Bearer sesame"


def nothing_after_bearer(_) -> str:
    return "Bearer"


def bad_checksum(service) -> str:
    key = service.new_key("checked", "bob")
    service.stores.keys.revoke("checked", "bob")
    return f"Bearer {key[:-1]}{'a' if key[-1] != 'a' else 'b'}"


def two_keys(service) -> str:
    return f"{service.http.headers['Authorization']}, Bearer {new_key()}"


def unknown(_) -> str:
    return f"Bearer {new_key()}"


def unknown_made_elsewhere(_) -> str:
    return f"Bearer thn_{'0aZ9' * 10}"


def revoked(service) -> str:
    key = service.new_key("lost", "ada")
    service.stores.keys.revoke("lost", "ada")
    return f"Bearer {key}"


def ended(service) -> str:
    key = service.new_key(f"short {time.monotonic()}", "ada", days=1)
    with service.stores.database.write() as connection:
        connection.execute(update(keys).where(keys.c.end.is_not(None)).values(end=clock(-0.01)))
    return f"Bearer {key}"


REFUSED = {
    no_key: "no-key",
    another_scheme: "no-key",
    malformed: "wrong-key",
    nothing_after_bearer: "wrong-key",
    bad_checksum: "wrong-key",
    two_keys: "wrong-key",
    unknown: "wrong-key",
    unknown_made_elsewhere: "wrong-key",
    revoked: "wrong-key",
    ended: "wrong-key",
}


@pytest.fixture(scope="module")
def job(guarded):
    """A complete job of ada's."""
    return guarded.completed()


def asked(service, method: str, path: str, job: object, headers: dict[str, str], **more) -> httpx.Response:
    """One call by a caller who sends these headers and no others."""
    address = re.sub("<([a-z]+)>", lambda name: {"job": str(job), **PLACES}[name[1]], path)
    with httpx.Client(base_url=service.url, trust_env=False) as http:
        return http.request(method, address, headers=headers, **more)


def bearer(service, owner: str, scopes: tuple[Scope, ...] = USUAL) -> dict[str, str]:
    return {"Authorization": f"Bearer {service.new_key(uuid4().hex[:20] + '-', owner, scopes=scopes)}"}


@pytest.mark.parametrize("sends", REFUSED, ids=lambda sends: sends.__name__)
@pytest.mark.parametrize(("method", "path", "scope"), EVERY_ROUTE)
def test_whoever_has_no_valid_key_is_told_so_and_nothing_else(guarded, job, small, method, path, scope, sends) -> None:
    sent = sends(guarded)
    headers = {} if sent is None else {"Authorization": sent}
    more = {"content": small} if method == "POST" else {}
    before = guarded.uploads()
    for one in (method, "HEAD") if method == "GET" else (method,):
        answer = asked(guarded, one, path, job.id, headers, **more)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith('Bearer realm="thumbnailer"')
    answer = asked(guarded, method, path, job.id, headers, **more)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == f"/problems/{REFUSED[sends]}"
    if sent is not None:
        assert sent.split()[-1] not in answer.text.replace("Bearer", "")
    assert guarded.uploads() == before


def test_all_wrong_keys_get_one_and_the_same_answer(guarded) -> None:
    answers = set()
    for sends, kind in REFUSED.items():
        if kind == "wrong-key":
            answer = asked(guarded, "GET", "/queue", "", {"Authorization": sends(guarded), "X-Request-Id": "one"})
            answers.add((answer.status_code, answer.headers["www-authenticate"], answer.text))
    assert len(answers) == 1


@pytest.mark.parametrize(("method", "path", "scope"), EVERY_ROUTE)
def test_all_scopes_but_the_one_that_it_needs_are_not_enough(guarded, job, small, method, path, scope) -> None:
    others = tuple(other for other in Scope if other is not scope)
    before = guarded.uploads()
    answer = asked(guarded, method, path, job.id, bearer(guarded, "ada", others), content=small)
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/missing-scope")
    assert f"`{scope}`" in answer.json()["detail"]
    assert answer.headers["www-authenticate"].endswith(f'error="insufficient_scope", scope="{scope}"')
    assert guarded.uploads() == before
    assert guarded.http.get(f"/jobs/{job.id}").json()["status"] == "complete"


@pytest.mark.parametrize(("method", "path", "scope"), EVERY_ROUTE)
def test_the_scope_that_it_needs_is_enough(guarded, small, method, path, scope) -> None:
    mine = bearer(guarded, "bob", (scope,))
    more = {"content": small} if path == "/jobs" and method == "POST" else {}
    assert asked(guarded, method, path, UNKNOWN, mine, **more).status_code not in (401, 403, 500)


@pytest.mark.parametrize(("method", "path", "scope"), EVERY_ROUTE)
def test_another_owners_job_does_not_exist(guarded, job, small, method, path, scope) -> None:
    stranger = bearer(guarded, f"stranger to {method} {path}")
    more = {"content": small} if path == "/jobs" and method == "POST" else {}
    same = {**stranger, "X-Request-Id": "one", "Prefer": "wait=20"}
    theirs, nobodys = (asked(guarded, method, path, wanted, same, **more) for wanted in (job.id, UNKNOWN))
    assert theirs.elapsed.total_seconds() < 10
    if "<job>" not in path:
        assert str(job.id) not in theirs.text
        assert '"ada"' not in theirs.text
        return
    assert (theirs.status_code, theirs.json()["type"]) == (404, "/problems/job-not-found")
    assert theirs.text.replace(str(job.id), UNKNOWN) == nobodys.text
    told = [{name: value for name, value in answer.headers.items() if name != "date"} for answer in (theirs, nobodys)]
    assert told[0] == told[1]
    assert guarded.http.get(f"/jobs/{job.id}").json()["status"] == "complete"
