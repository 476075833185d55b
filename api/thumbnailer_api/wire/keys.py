"""Keys, as admins see them."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field

from thumbnailer_api.wire.base import Answer, Moment
from thumbnailer_storage.jobs.keys import Key, Scope


class KeyAnswer(Answer):
    """What is known of a key; the key itself is kept nowhere."""

    id: str = Field(json_schema_extra={"format": "uuid"})
    name: str = Field(description="What logs and events call it.", examples=["laptop"])
    owner: str = Field(description="Whom the jobs belong to that are sent with it.", examples=["ada"])
    scopes: list[Scope] = Field(description="What it may do.")
    state: Literal["live", "ended", "revoked"]
    start: Moment
    end: Moment | None = Field(description="From when on it is refused; null: never.")
    revoked: Moment | None = Field(description="Since when it is refused; null: it is not.")
    last_used: Moment | None = Field(description="To the minute; null: never.")

    @classmethod
    def of(cls, key: Key) -> Self:
        return cls(**told(key))


class NewKeyAnswer(KeyAnswer):
    """A key that was just made, and the only time that it is shown."""

    key: str = Field(description="What callers send as `Authorization: Bearer <key>`.", examples=["thn_…"])

    @classmethod
    def of_new(cls, made: Key, key: str) -> Self:
        return cls(**told(made), key=key)


def told(key: Key) -> dict[str, Any]:
    return {name: getattr(key, name) for name in KeyAnswer.model_fields} | {
        "id": str(key.id),
        "scopes": list(key.scopes),
    }


class KeysAnswer(Answer):
    """A page of keys, newest first."""

    keys: list[KeyAnswer]
    next: str | None = Field(description="`cursor` of the next page; null after the last.")
