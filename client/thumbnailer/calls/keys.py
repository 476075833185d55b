"""`client.keys`: keys of the service, for those whose own key has the scope admin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from thumbnailer.models import Key
from thumbnailer.retrying import surely_not_accepted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from thumbnailer.connection import Connection


class Keys:
    """Make, list and revoke keys."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(
        self,
        name: str,
        *,
        owner: str | None = None,
        scopes: Iterable[str] = (),
        days: int | None = None,
        end: datetime | None = None,
    ) -> Key:
        """Make a key for an owner, the caller's own where none is named; the answer alone holds it (`key`).

        `scopes` are submit, read, cancel and admin. It ends after `days`, or at `end`, or never.
        After AnswerLost a key may have been made that nobody has: list them, and revoke it.
        """
        asked: dict[str, Any] = {
            "name": name,
            "owner": owner,
            "scopes": list(scopes) or None,
            "days": days,
            "end": end and end.isoformat(),
        }
        given = {field: value for field, value in asked.items() if value is not None}
        return self._connection.ask("POST", "/keys", Key.from_wire, again=surely_not_accepted, json=given)

    def list(self, *, owner: str | None = None, page: int = 100) -> Iterator[Key]:
        """All keys, or those of one owner, `page` of them a request."""
        return self._connection.pages("/keys", {"owner": owner, "limit": page}, _page)

    def get(self, id: str) -> Key:  # noqa: A002 - the field's name
        return self._connection.ask("GET", _path(id), Key.from_wire)

    def revoke(self, id: str) -> Key:  # noqa: A002 - the field's name
        """End a key for good, from the next request on; the same again changes nothing."""
        return self._connection.ask("DELETE", _path(id), Key.from_wire)


def _path(id: str) -> str:  # noqa: A002 - the field's name
    return f"/keys/{quote(id, safe='')}"


def _page(wire: Mapping[str, Any]) -> tuple[list[Key], str | None]:
    return [Key.from_wire(key) for key in wire["keys"]], wire.get("next")
