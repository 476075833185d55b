"""An admin's key makes, lists and revokes keys, of any owner; nobody else's does."""

import json

import httpx
import pytest
from sqlalchemy import select

from thumbnailer_storage.jobs.key_format import is_well_formed, new_key
from thumbnailer_storage.jobs.keys import Scope
from thumbnailer_storage.jobs.tables import events


@pytest.fixture(scope="module")
def admin(guarded):
    """Calls with root's key, which may do nothing but make keys."""
    key = guarded.new_key("root's key", "root", scopes=(Scope.ADMIN,))
    with httpx.Client(base_url=guarded.url, trust_env=False, headers={"Authorization": f"Bearer {key}"}) as http:
        yield http


def made(admin, **asked) -> dict:
    answer = admin.post("/keys", json=asked)
    assert answer.status_code == 201, answer.text
    return answer.json()


def works(service, key: str) -> int:
    return httpx.get(f"{service.url}/queue", headers={"Authorization": f"Bearer {key}"}, trust_env=False).status_code


def test_a_key_is_made_for_any_owner_shown_once_and_works_until_it_is_revoked(guarded, admin) -> None:
    answer = admin.post("/keys", json={"name": "ci", "owner": "build", "scopes": ["read"], "days": 90})
    key = answer.json()
    assert (answer.headers["location"], answer.headers["cache-control"]) == (f"/keys/{key['id']}", "no-store")
    assert is_well_formed(key["key"])
    assert (key["name"], key["owner"], key["scopes"], key["state"]) == ("ci", "build", ["read"], "live")
    assert works(guarded, key["key"]) == 200
    for shown in (admin.get("/keys"), admin.get(f"/keys/{key['id']}")):
        assert key["key"] not in shown.text
    for _ in range(2):
        revoked = admin.delete(f"/keys/{key['id']}")
        assert (revoked.status_code, revoked.json()["state"]) == (200, "revoked")
    assert works(guarded, key["key"]) == 401


def test_left_out_a_key_is_the_admins_own_with_the_usual_scopes_and_no_end(admin) -> None:
    key = made(admin, name="mine")
    assert (key["owner"], key["scopes"], key["end"]) == ("root", ["submit", "read", "cancel"], None)
    assert made(admin, name="later", end="2999-01-31T00:00:00+01:00")["end"] == "2999-01-30T23:00:00.000Z"


def test_pages_lead_through_all_keys_of_an_owner_and_their_cursors_stay_good(admin) -> None:
    for n in range(5):
        made(admin, name=f"page {n}", owner="pages")
    names, cursor = [], ""
    for _ in range(5):
        page = admin.get(f"/keys?owner=pages&limit=2{cursor}").json()
        names += [key["name"] for key in page["keys"]]
        made(admin, name=f"in between {len(names)}", owner="pages")
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert names == [f"page {n}" for n in (4, 3, 2, 1, 0)]


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "a\nb"}, "printable"),
        ({"name": "\ud800"}, ""),
        ({"name": new_key()}, "neither a key nor an id"),
        ({"name": "x", "owner": ""}, "owner"),
        ({"name": "x", "owner": "a\0"}, "owner"),
        ({"name": "x", "scopes": []}, "scopes"),
        ({"name": "x", "scopes": ["root"]}, "scopes.0"),
        ({"name": "x", "scopes": "admin"}, "scopes"),
        ({"name": "x", "days": 0}, "days"),
        ({"name": "x", "days": 1, "end": "2999-01-31T00:00:00Z"}, "leave one of them out"),
        ({"name": "x", "end": "2001-01-31T00:00:00Z"}, "is over already"),
        ({"name": "x", "end": "2999-01-31"}, "end"),
        ({"name": "x", "key": "thn_mine"}, "key: there is no such field"),
    ],
)
def test_a_key_that_cannot_be_is_refused_by_the_field_that_is_wrong(guarded, admin, asked, field) -> None:
    before = len(guarded.stores.keys.all())
    answer = admin.post("/keys", content=json.dumps(asked), headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)
    assert field in answer.json()["detail"]
    assert len(guarded.stores.keys.all()) == before


def test_a_name_that_the_owner_has_given_already_is_a_conflict(guarded, admin) -> None:
    made(admin, name="taken", owner="ada")
    before = len(guarded.stores.keys.all())
    answer = admin.post("/keys", json={"name": "taken", "owner": "ada"})
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/key-exists")
    assert answer.json()["detail"].startswith("There is a key 'taken' of ada already")
    assert len(guarded.stores.keys.all()) == before


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b'{"name": "x"}', {"Content-Type": "text/plain"}, 415),
        (b'{"name": "x"}', {}, 415),
        (b"name=x", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
        (b"\x1f\x8b", {"Content-Type": "application/json", "Content-Encoding": "gzip"}, 415),
        (b"", {"Content-Type": "application/json"}, 400),
        (b"{", {"Content-Type": "application/json"}, 400),
        (b"[" * 60_000, {"Content-Type": "application/json"}, 400),
        (b'{"name":' * 5_000, {"Content-Type": "application/json"}, 400),
        (b"9" * 60_000, {"Content-Type": "application/json"}, 400),
        (b" " * 70_000, {"Content-Type": "application/json"}, 413),
    ],
    ids=["text", "untyped", "form", "coded", "empty", "cut", "deep list", "deep object", "long number", "long"],
)
def test_a_body_that_is_no_small_json_is_refused(admin, content, headers, status) -> None:
    answer = admin.post("/keys", content=content, headers=headers)
    assert answer.status_code == status, answer.text
    assert len(answer.content) < 2000


@pytest.mark.parametrize(
    "query", ["owner=", "owner=a%00b", "owner=" + "x" * 201, "limit=0", "limit=201", "cursor=x", "all=1"]
)
def test_a_list_that_cannot_be_is_refused(admin, query) -> None:
    assert admin.get(f"/keys?{query}").status_code == 422


def test_ids_that_name_no_key_get_one_answer_which_does_not_repeat_them(guarded, admin) -> None:
    secret = guarded.new_key("pasted", "ada")
    answers = set()
    for name in (secret, "42", "3b241101-e2bb-4255-8caf-4136c566a962"):
        for call in (admin.get, admin.delete):
            answer = call(f"/keys/{name}", headers={"X-Request-Id": "one"})
            answers.add((answer.status_code, answer.text))
    ((status, text),) = answers
    assert (status, json.loads(text)["type"]) == (404, "/problems/key-not-found")


def test_making_and_revoking_tell_who_did_it_and_from_where(guarded, admin) -> None:
    key = made(admin, name="told", owner="told")
    admin.delete(f"/keys/{key['id']}", headers={"X-Request-Id": "the-second"})
    with guarded.stores.database.read() as connection:
        first, second = connection.execute(select(events).where(events.c.owner == "told").order_by(events.c.id)).all()
    assert (first.kind, second.kind, second.request) == ("key-made", "key-revoked", "the-second")
    assert {(row.by, row.address, row.key) for row in (first, second)} == {("root's key", "127.0.0.1", "told")}
