"""Keys: an admin's key makes, lists and revokes everybody's."""

from __future__ import annotations

from uuid import UUID

from flask import Response, g, request

from thumbnailer_api.intake.json_body import json_asked
from thumbnailer_api.intake.keys import KeyAsked, KeysAsked
from thumbnailer_api.intake.queries import options
from thumbnailer_api.routes.jobs import act
from thumbnailer_api.routes.shaping import json_answer
from thumbnailer_api.wire.keys import KeyAnswer, KeysAnswer, NewKeyAnswer
from thumbnailer_api.wiring import Wiring
from thumbnailer_storage.errors import KeyNotFound
from thumbnailer_storage.jobs.key_format import new_key


def post(wiring: Wiring) -> Response:
    """Make a key; the answer is the only place where it is."""
    with wiring.transfers.one():
        asked = json_asked(KeyAsked, request.environ["wsgi.input"], request.headers)
    key = new_key()
    made = wiring.stores.keys.add(asked.new(g.owner), key, act())
    return json_answer(NewKeyAnswer.of_new(made, key), 201, {"Location": f"/keys/{made.id}"})


def newest(wiring: Wiring) -> Response:
    """Keys of everybody, or of one owner, newest first."""
    asked = options(KeysAsked, request.environ["QUERY_STRING"])
    page = wiring.stores.keys.page(**dict(asked))
    return json_answer(KeysAnswer(keys=[KeyAnswer.of(key) for key in page.keys], next=page.next))


def get(wiring: Wiring, key: str) -> Response:
    """What is known of a key."""
    return json_answer(KeyAnswer.of(wiring.stores.keys.get(key_id(key))))


def delete(wiring: Wiring, key: str) -> Response:
    """Revoke a key; the same again changes nothing."""
    return json_answer(KeyAnswer.of(wiring.stores.keys.revoke(str(key_id(key)), act=act())))


def key_id(text: str) -> UUID:
    """The id in an address; raises KeyNotFound where it is none. It is not repeated: it may be a key itself."""
    try:
        return UUID(text)
    except ValueError:
        raise KeyNotFound("there is no such key") from None
