"""Keys and whom they belong to: every query about them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Connection, Row, bindparam, case, exc, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from thumbnailer_storage.errors import InvalidKey, KeyExists, KeyNotFound
from thumbnailer_storage.jobs.clocks import clock
from thumbnailer_storage.jobs.cursors import cursor_after, older_than
from thumbnailer_storage.jobs.database import Database
from thumbnailer_storage.jobs.events import write_owner_event
from thumbnailer_storage.jobs.key_format import PREFIX, hash_of, is_well_formed
from thumbnailer_storage.jobs.model import NOBODY, Act
from thumbnailer_storage.jobs.tables import NAME_LENGTH, OWNER_LENGTH, facts, keys

USED_SECONDS = 60
"""How old `last_used` gets before it is written again."""
FIRST_KEY = "first key"
"""The fact that a first key was made; it outlives the key."""

OVER = keys.c.end <= clock()
STATE = case((keys.c.revoked.is_not(None), "revoked"), (OVER, "ended"), else_="live").label("state")
KEY_COLUMNS = (*(column for column in keys.c if column.name != "hash"), STATE)
IS_STALE = or_(keys.c.last_used.is_(None), keys.c.last_used < clock(-USED_SECONDS))
FIND = select(keys.c.id, keys.c.name, keys.c.owner, keys.c.scopes, IS_STALE.label("stale")).where(
    keys.c.hash == bindparam("hash"), keys.c.revoked.is_(None), or_(keys.c.end.is_(None), keys.c.end > clock())
)


class Scope(StrEnum):
    """What a caller may do. None holds another: who makes keys need not see anybody's pictures."""

    SUBMIT = "submit"
    READ = "read"
    CANCEL = "cancel"
    ADMIN = "admin"


USUAL = (Scope.SUBMIT, Scope.READ, Scope.CANCEL)
"""What a key may do that was made without a word about it."""


@dataclass(frozen=True, slots=True)
class Key:
    """What is known of a key; `state` is live, ended or revoked."""

    id: UUID
    name: str
    owner: str
    start: datetime
    end: datetime | None
    revoked: datetime | None
    last_used: datetime | None
    scopes: tuple[Scope, ...]
    state: str


@dataclass(frozen=True, slots=True)
class KeyInUse:
    """A live key that somebody has shown; `stale` where its last use should be noted again."""

    id: UUID
    name: str
    owner: str
    scopes: frozenset[Scope]
    stale: bool


@dataclass(frozen=True, slots=True)
class KeyPage:
    """Some keys, newest first, and where the next page starts; None after the last."""

    keys: list[Key]
    next: str | None


@dataclass(frozen=True, slots=True)
class NewKey:
    """What a key is to be called, whose it is, when it ends, if ever, and what it may do. Raises InvalidKey.

    A name stands in logs, so it must not be a key; `revoke` has to tell it from an id.
    """

    name: str
    owner: str
    days: int | None = None
    end: datetime | None = None
    scopes: tuple[Scope, ...] = USUAL

    def __post_init__(self) -> None:
        for what, value, most in (("name", self.name, NAME_LENGTH), ("owner", self.owner, OWNER_LENGTH)):
            if not (value.isprintable() and value.strip() == value and 1 <= len(value) <= most):
                raise InvalidKey(f"the {what} has to be 1 to {most} printable characters")
            if value.startswith(PREFIX) or (what == "name" and as_id(value)):  # owners of tokens often are ids
                raise InvalidKey(f"the {what} must be neither a key nor an id: choose a word such as `laptop`")
        if not self.scopes:
            raise InvalidKey(f"a key without scopes could do nothing: give it some of {', '.join(Scope)}")


class KeyStore:
    """The keys. Every method raises DatabaseUnavailable where the database does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, new: NewKey, key: str, act: Act = NOBODY) -> Key:
        """Register a key, of which only the hash is kept. Raises InvalidKey where it, its name or its end is no good.

        Names are unique among those keys of an owner that are not revoked, so that a name says which one to revoke.
        """
        with self._database.write() as connection:
            return added(connection, new, key, act)

    def add_first(self, new: NewKey, obtain: Callable[[], str], act: Act = NOBODY) -> Key | None:
        """Register what `obtain` returns, once in the life of this database; None ever after, also once it is revoked.

        Of several copies at once one wins. `obtain` is called before the commit: where it brings the key to safety,
        no key is lost. Raises InvalidKey.
        """
        with self._database.write() as connection:
            upsert = sqlite.insert if self._database.embedded else postgresql.insert
            once = upsert(facts).values(name=FIRST_KEY, value="made").on_conflict_do_nothing().returning(facts.c.name)
            first = connection.execute(once).first() is not None
            return added(connection, new, obtain(), act) if first else None

    def find(self, key: str) -> KeyInUse | None:
        """The key as it is now, by the database's clock; None where it is unknown, revoked or ended.

        It is looked up by its hash: how long that takes says nothing about the key.
        """
        with self._database.read() as connection:
            row = connection.execute(FIND, {"hash": hash_of(key)}).one_or_none()
        if row is None:
            return None
        return KeyInUse(row.id, row.name, row.owner, frozenset(known_scopes(row.scopes)), bool(row.stale))

    def note_used(self, ids: Collection[UUID]) -> None:
        """Remember that the keys were used just now, unless another process did so within the minute."""
        with self._database.write() as connection:
            connection.execute(update(keys).where(keys.c.id.in_(ids), IS_STALE).values(last_used=clock()))

    def all(self, owner: str | None = None) -> list[Key]:
        """Every key, of one owner or of all of them, oldest first."""
        wanted = select(*KEY_COLUMNS).order_by(keys.c.owner, keys.c.start, keys.c.id)
        with self._database.read() as connection:
            rows = connection.execute(wanted if owner is None else wanted.where(keys.c.owner == owner)).all()
        return [to_key(row) for row in rows]

    def page(self, owner: str | None = None, *, limit: int = 50, cursor: str | None = None) -> KeyPage:
        """Keys of one owner or of all of them, newest first; raises InvalidCursor."""
        wanted: list[ColumnElement[bool]] = [] if owner is None else [keys.c.owner == owner]
        wanted += [] if cursor is None else [older_than(cursor, keys.c.start, keys.c.id)]
        newest = select(*KEY_COLUMNS).where(*wanted).order_by(keys.c.start.desc(), keys.c.id.desc()).limit(limit + 1)
        with self._database.read() as connection:
            rows = connection.execute(newest).all()
        last = rows[limit - 1] if len(rows) > limit else None
        return KeyPage(
            [to_key(row) for row in rows[:limit]], None if last is None else cursor_after(last.start, last.id)
        )

    def get(self, key: UUID) -> Key:
        """What is known of one key; raises KeyNotFound."""
        with self._database.read() as connection:
            row = connection.execute(select(*KEY_COLUMNS).where(keys.c.id == key)).one_or_none()
        if row is None:
            raise KeyNotFound(f"there is no key {key}")
        return to_key(row)

    def revoke(self, which: str, owner: str | None = None, act: Act = NOBODY) -> Key:
        """Refuse a key from now on, by its id or its name; one that is revoked already stays as it is.

        Raises KeyNotFound, and InvalidKey where several owners have a key of that name.
        """
        with self._database.write() as connection:
            found = the_one(matching(connection, which, owner), which)
            if found.revoked is None:
                connection.execute(update(keys).where(keys.c.id == found.id).values(revoked=clock()))
                told = f"The key {found.name!r} was revoked."
                write_owner_event(connection, found.owner, "key-revoked", act, found.name, told)
            return to_key(connection.execute(select(*KEY_COLUMNS).where(keys.c.id == found.id)).one())


def added(connection: Connection, new: NewKey, key: str, act: Act) -> Key:
    if not is_well_formed(key):
        raise InvalidKey(
            f"that is no key: one is {PREFIX}, 30 random characters and 6 of a checksum, and no line break"
        )
    if new.end is not None and new.end <= connection.execute(select(clock())).scalar_one():
        raise InvalidKey(f"the end {new.end.isoformat()} is over already: name a later one")
    end = new.end if new.days is None else clock(new.days * 86400)
    values = {"id": uuid4(), "name": new.name, "owner": new.owner, "hash": hash_of(key), "start": clock(), "end": end}
    values["scopes"] = ",".join(scope for scope in Scope if scope in new.scopes)
    told = f"The key {new.name!r} was made, with the scopes {values['scopes']}."
    try:
        connection.execute(insert(keys).values(values))
    except exc.IntegrityError:
        raise KeyExists(
            f"there is a key {new.name!r} of {new.owner} already, or this very key is registered: revoke that one "
            "first, or choose another name"
        ) from None
    write_owner_event(connection, new.owner, "key-made", act, new.name, told)
    return to_key(connection.execute(select(*KEY_COLUMNS).where(keys.c.id == values["id"])).one())


def matching(connection: Connection, which: str, owner: str | None) -> Sequence[Any]:
    """The keys of that id or name, live ones first."""
    by_id = as_id(which)
    wanted = select(keys.c.id, keys.c.name, keys.c.owner, keys.c.revoked).where(
        keys.c.id == by_id if by_id else keys.c.name == which, *(() if owner is None else (keys.c.owner == owner,))
    )
    return connection.execute(wanted.order_by(keys.c.revoked.is_not(None), keys.c.revoked.desc())).all()


def the_one(found: Sequence[Any], which: str) -> Any:
    live = [row for row in found if row.revoked is None] or found[:1]
    if not live:
        raise KeyNotFound(f"there is no key {which!r}: `keys list` shows all of them")
    if len(live) > 1:
        owners = ", ".join(sorted(row.owner for row in live))
        raise InvalidKey(f"several owners have a key {which!r} ({owners}): say which one's with --owner")
    return live[0]


def as_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def known_scopes(text: str) -> tuple[Scope, ...]:
    """Those of the scopes in a record that this release knows: a later one may have more."""
    return tuple(scope for scope in Scope if scope.value in text.split(","))


def to_key(row: Row[Any]) -> Key:
    return Key(**{**row._mapping, "scopes": known_scopes(row.scopes)})
