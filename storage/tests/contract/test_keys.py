"""What every database has to do for the keys."""

import threading
import time
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import insert, select, text, update
from sqlalchemy.dialects import sqlite

from thumbnailer_storage.errors import InvalidCursor, InvalidKey, KeyNotFound
from thumbnailer_storage.jobs.clocks import clock
from thumbnailer_storage.jobs.key_format import hash_of, new_key
from thumbnailer_storage.jobs.keys import FIND, USUAL, Key, NewKey, Scope
from thumbnailer_storage.jobs.model import Act
from thumbnailer_storage.jobs.tables import events, keys
from thumbnailer_storage.opening import Stores

LAPTOP = NewKey("laptop", "ada")


def made(stores: Stores, new: NewKey = LAPTOP) -> tuple[Key, str]:
    key = new_key()
    return stores.keys.add(new, key), key


def set_ago(stores: Stores, key: Key, column: str, seconds: float) -> None:
    with stores.database.write() as connection:
        connection.execute(update(keys).where(keys.c.id == key.id).values({column: clock(-seconds)}))


def test_a_key_is_found_by_its_text_and_by_no_other(stores: Stores) -> None:
    made_key, key = made(stores)
    found = stores.keys.find(key)
    assert found is not None
    assert (found.id, found.name, found.owner) == (made_key.id, "laptop", "ada")
    assert stores.keys.find(new_key()) is None
    assert (made_key.state, made_key.end, made_key.revoked, made_key.last_used) == ("live", None, None, None)
    assert made_key.start.tzinfo is not None


def test_the_key_itself_is_kept_nowhere(stores: Stores) -> None:
    _, key = made(stores)
    with stores.database.read() as connection:
        for row in connection.execute(text("SELECT * FROM keys")):
            assert key not in repr(row)
            assert key[4:20] not in repr(row)


def test_a_key_may_do_what_it_was_made_for_and_the_usual_otherwise(stores: Stores) -> None:
    for new, scopes in ((LAPTOP, USUAL), (NewKey("b", "ada", scopes=(Scope.ADMIN,)), (Scope.ADMIN,))):
        made_key, key = made(stores, new)
        found = stores.keys.find(key)
        assert found is not None
        assert (made_key.scopes, found.scopes) == (scopes, frozenset(scopes))
    with pytest.raises(InvalidKey, match="could do nothing"):
        NewKey("c", "ada", scopes=())


def test_a_key_of_a_release_without_scopes_has_the_usual_ones_and_unknown_ones_count_for_nothing(
    stores: Stores,
) -> None:
    key = new_key()
    row = {"id": uuid4(), "name": "old", "owner": "ada", "hash": hash_of(key), "start": clock()}
    with stores.database.write() as connection:
        connection.execute(insert(keys).values(row))
    found = stores.keys.find(key)
    assert found is not None
    assert found.scopes == frozenset(USUAL)
    with stores.database.write() as connection:
        connection.execute(update(keys).values(scopes="read,fly"))
    found = stores.keys.find(key)
    assert found is not None
    assert found.scopes == {Scope.READ}


def test_a_key_is_looked_up_by_its_whole_hash_through_an_index_and_compared_with_no_other(stores: Stores) -> None:
    """How long a look-up takes tells of the hash at most, and no guess comes near to one: that is the constant time."""
    _, key = made(stores)
    statement = str(FIND.compile(dialect=sqlite.dialect()))
    assert statement.count("keys.hash") == 1
    assert "keys.hash = " in statement
    guesses = {hash_of(f"{key[:-n]}{'!' * n}")[:4] for n in range(1, 9)}  # each is right but for its end
    assert len(guesses) > 4
    assert hash_of(key)[:8] not in {hash_of(f"{key[:-1]}{letter}")[:8] for letter in "!?-"}
    explain = "EXPLAIN QUERY PLAN" if stores.database.embedded else "EXPLAIN"
    with stores.database.read() as connection:
        if not stores.database.embedded:
            connection.execute(text("SET LOCAL enable_seqscan = off"))  # a table of one row needs no index otherwise
        shown = connection.execute(text(f"{explain} SELECT id FROM keys WHERE hash = 'x'"))  # noqa: S608 - our own words
        plan = " ".join(str(row) for row in shown)
    assert "keys_by_hash" in plan or "sqlite_autoindex_keys" in plan


def test_a_revoked_key_is_refused_from_the_same_moment_on(stores: Stores) -> None:
    made_key, key = made(stores)
    revoked = stores.keys.revoke("laptop")
    assert (revoked.id, revoked.state) == (made_key.id, "revoked")
    assert stores.keys.find(key) is None
    assert stores.keys.revoke(str(made_key.id)) == revoked


def test_a_key_ends_by_the_databases_clock(stores: Stores) -> None:
    made_key, key = made(stores, NewKey("laptop", "ada", days=1))
    assert made_key.end is not None
    assert timedelta(hours=23) < made_key.end - made_key.start < timedelta(hours=25)
    assert stores.keys.find(key) is not None
    set_ago(stores, made_key, "end", 0.01)
    assert stores.keys.find(key) is None
    assert [known.state for known in stores.keys.all()] == ["ended"]


def test_an_end_can_be_named_and_must_lie_ahead(stores: Stores) -> None:
    end = datetime(2999, 1, 1, tzinfo=UTC)
    assert made(stores, NewKey("laptop", "ada", end=end))[0].end == end
    with pytest.raises(InvalidKey, match="is over already"):
        made(stores, NewKey("another", "ada", end=datetime(2020, 1, 1, tzinfo=UTC)))
    assert [known.name for known in stores.keys.all()] == ["laptop"]


def test_an_owner_has_several_keys_of_different_names(stores: Stores) -> None:
    (_, first), (_, second) = made(stores), made(stores, NewKey("laptop-2", "ada"))
    with pytest.raises(InvalidKey, match="'laptop' of ada already"):
        made(stores)
    stores.keys.revoke("laptop", "ada")
    assert stores.keys.find(first) is None
    assert stores.keys.find(second) is not None
    made(stores)  # a name that was revoked is free again
    assert [known.state for known in stores.keys.all("ada") if known.name == "laptop"] == ["revoked", "live"]


def test_a_key_is_registered_once(stores: Stores) -> None:
    _, key = made(stores)
    with pytest.raises(InvalidKey, match="this very key"):
        stores.keys.add(NewKey("another", "eve"), key)


def test_a_name_that_several_owners_use_is_told_apart_by_owner_or_id(stores: Stores) -> None:
    made(stores)
    (hers, _) = made(stores, NewKey("laptop", "eve"))
    with pytest.raises(InvalidKey, match=r"ada, eve.*--owner"):
        stores.keys.revoke("laptop")
    assert stores.keys.revoke("laptop", "eve").id == hers.id
    assert stores.keys.revoke("laptop").owner == "ada"
    for which, owner in (("desktop", None), ("laptop", "bob"), (str(uuid4()), None), (str(hers.id), "ada")):
        with pytest.raises(KeyNotFound):
            stores.keys.revoke(which, owner)


def test_keys_are_listed_by_owner(stores: Stores) -> None:
    made(stores, NewKey("b", "eve"))
    made(stores)
    assert [(known.owner, known.name) for known in stores.keys.all()] == [("ada", "laptop"), ("eve", "b")]
    assert [known.name for known in stores.keys.all("eve")] == ["b"]
    assert stores.keys.all("bob") == []


def test_pages_of_keys_come_newest_first_and_stay_in_place_while_others_are_made(stores: Stores) -> None:
    names = []
    for n in range(7):
        names.append(made(stores, NewKey(f"key {n}", ("ada", "eve")[n % 2]))[0].name)
        time.sleep(0.002)  # of one millisecond any may be the newest
    seen, cursor = [], None
    for _ in range(10):
        page = stores.keys.page(limit=2, cursor=cursor)
        seen += [known.name for known in page.keys]
        made(stores, NewKey(f"later {len(seen)}", "ada"))
        if (cursor := page.next) is None:
            break
    assert seen == names[::-1]
    assert [known.owner for known in stores.keys.page("eve").keys] == ["eve"] * 3
    assert stores.keys.page("eve", limit=3).next is None
    with pytest.raises(InvalidCursor):
        stores.keys.page(cursor="nonsense")


def test_a_key_is_looked_at_by_its_id(stores: Stores) -> None:
    made_key, _ = made(stores)
    assert stores.keys.get(made_key.id) == made_key
    with pytest.raises(KeyNotFound):
        stores.keys.get(uuid4())


def test_making_and_revoking_are_events_of_the_keys_owner_each_once(stores: Stores) -> None:
    act = Act("root", "192.0.2.7", "request-1")
    key = new_key()
    stores.keys.add(NewKey("laptop", "ada", scopes=(Scope.READ,)), key, act)
    with pytest.raises(InvalidKey):
        stores.keys.add(NewKey("laptop", "ada"), new_key(), act)
    stores.keys.revoke("laptop", act=act)
    stores.keys.revoke("laptop", act=act)
    with stores.database.read() as connection:
        rows = connection.execute(select(events).order_by(events.c.id)).all()
    assert [(row.job, row.owner, row.kind, row.key) for row in rows] == [
        (None, "ada", "key-made", "laptop"), (None, "ada", "key-revoked", "laptop")
    ]  # fmt: skip
    assert {(row.by, row.address, row.request) for row in rows} == {("root", "192.0.2.7", "request-1")}
    assert rows[0].message.endswith("with the scopes read.")
    assert key not in repr(rows)


def test_a_use_is_to_be_noted_once_a_minute(stores: Stores) -> None:
    made_key, key = made(stores)
    for seconds in (None, 59, 61):
        if seconds:
            set_ago(stores, made_key, "last_used", seconds)
        found = stores.keys.find(key)
        assert found is not None
        assert found.stale is (seconds != 59)
    stores.keys.note_used([made_key.id])
    found = stores.keys.find(key)
    assert found is not None
    assert not found.stale
    (known,) = stores.keys.all()
    assert known.last_used is not None


@pytest.mark.parametrize(
    ("name", "owner"),
    [("", "ada"), (" x", "ada"), ("x" * 101, "ada"), ("a\nb", "ada"), (new_key(), "ada"), (str(uuid4()), "ada"),
     ("x", ""), ("x", "y" * 201), ("x", new_key())],
    ids=["no name", "a space before", "too long", "two lines", "a key", "an id", "no owner", "a long owner", "a key's"],
)  # fmt: skip
def test_a_name_that_would_mislead_is_refused(name: str, owner: str) -> None:
    with pytest.raises(InvalidKey, match=r"has to be|must be"):
        NewKey(name, owner)


def test_what_is_no_key_is_not_registered(stores: Stores) -> None:
    with pytest.raises(InvalidKey, match="that is no key"):
        stores.keys.add(LAPTOP, "sesame")


def test_the_first_key_is_made_once_also_after_it_was_revoked(stores: Stores) -> None:
    key = new_key()
    first = stores.keys.add_first(LAPTOP, lambda: key)
    assert first is not None
    assert stores.keys.find(key) is not None
    stores.keys.revoke(str(first.id))
    assert stores.keys.add_first(LAPTOP, new_key) is None
    assert stores.keys.find(key) is None


def test_a_first_key_that_could_not_be_brought_to_safety_is_not_made(stores: Stores) -> None:
    def no_space() -> str:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        stores.keys.add_first(LAPTOP, no_space)
    assert stores.keys.all() == []
    assert stores.keys.add_first(LAPTOP, new_key) is not None


def test_of_several_first_keys_at_once_one_wins(stores: Stores) -> None:
    asked: list[str] = []
    outcomes: list[Key | None] = []
    begin = threading.Barrier(6)

    def obtain() -> str:
        asked.append(new_key())
        return asked[-1]

    def run() -> None:
        begin.wait()
        outcomes.append(stores.keys.add_first(LAPTOP, obtain))

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 6
    assert sum(outcome is not None for outcome in outcomes) == 1
    assert len(asked) == len(stores.keys.all()) == 1
