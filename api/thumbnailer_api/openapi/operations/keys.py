"""Keys."""

from __future__ import annotations

from thumbnailer_api.intake.keys import KeysAsked
from thumbnailer_api.openapi.pieces import Json, ok, operation, query, ref

KEY = {
    "name": "key",
    "in": "path",
    "required": True,
    "description": "The key's `id`, not the key.",
    "schema": {"type": "string", "format": "uuid"},
}
BODY_PROBLEMS = (
    "malformed-request",
    "body-cut",
    "invalid-request",
    "wrong-content-type",
    "too-large",
    "too-slow",
    "busy",
)


def post_key() -> Json:
    asked = {"name": "laptop", "owner": "ada", "scopes": ["submit", "read"], "days": 90}
    body = {
        "description": "What it is called, whose it is, what it may do and when it ends.",
        "required": True,
        "content": {"application/json": {"schema": ref("KeyAsked"), "example": asked}},
    }
    return operation(
        "Make a key",
        "For yourself or any other owner. The answer shows the key, this once: only its hash is kept.",
        ok(
            201,
            "The key is made.",
            ref("NewKey"),
            {"Location": {"description": "Its path.", "schema": {"type": "string"}}},
        ),
        id="createKey",
        problems=(*BODY_PROBLEMS, "key-exists"),
        body=body,
        curl=(
            """curl -H 'Content-Type: application/json' -d '{"name": "ci", "owner": "build", "days": 90}' $URL/keys""",
        ),
    )


def get_keys() -> Json:
    described = KeysAsked.model_json_schema()["properties"]
    parameters = [
        query(name, schema.pop("description"), {key: value for key, value in schema.items() if key != "title"})
        for name, schema in described.items()
    ]
    return operation(
        "List keys",
        "Newest first, also those that are revoked or ended. `next` is the `cursor` of the page that follows.",
        ok(200, "A page of keys.", ref("Keys")),
        id="listKeys",
        problems=("invalid-request",),
        parameters=parameters,
        curl=('curl "$URL/keys?owner=ada&limit=10"',),
    )


def get_key() -> Json:
    return operation(
        "Look at a key",
        "What is known of it.",
        ok(200, "The key.", ref("Key")),
        id="getKey",
        problems=("key-not-found",),
        parameters=[KEY],
        curl=("curl $URL/keys/$KEY",),
    )


def delete_key() -> Json:
    return operation(
        "Revoke a key",
        "It is refused from now on, by every copy of the service, and stays listed. This cannot be taken back; the "
        "same again changes nothing.",
        ok(200, "The key as it now is.", ref("Key")),
        id="revokeKey",
        problems=("key-not-found",),
        parameters=[KEY],
        curl=("curl -X DELETE $URL/keys/$KEY",),
    )
