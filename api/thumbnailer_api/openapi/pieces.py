"""What operations are made of."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from thumbnailer_api.problems import every_problem

Json = dict[str, Any]

ALWAYS = ("internal-error", "store-unavailable")
REQUEST_ID = {
    "description": "The request's id: yours if you sent one, else ours. It is on the service's log lines.",
    "schema": {"type": "string"},
}


TEXT = {"type": "string"}
TOLD_WITH = {
    429: {
        "Retry-After": {"description": "Ask again so many seconds later.", "schema": {"type": "integer"}},
        "RateLimit-Policy": {"description": "Your limits (draft-ietf-httpapi-ratelimit-headers).", "schema": TEXT},
        "RateLimit": {"description": "What is left of them, and in how many seconds there is more.", "schema": TEXT},
    }
}
"""Headers of problems, by status."""


def operation(
    summary: str,
    description: str,
    responses: Json,
    *,
    problems: tuple[str, ...],
    curl: tuple[str, ...],
    id: str = "",  # noqa: A002 - the field's name
    parameters: list[Json] | None = None,
    body: Json | None = None,
) -> Json:
    """What a call is; `id` is what programs made from the description call it, so it stays."""
    asked = {"requestBody": body} if body else {}
    return {
        "operationId": id,
        "summary": summary,
        "description": description,
        "parameters": parameters or [],
        **asked,
        "responses": responses | refusals((*problems, *ALWAYS)),
        "x-curl": list(curl),
    }


def ok(status: int, description: str, schema: Json, headers: Json | None = None) -> Json:
    return {str(status): described(description, {"application/json": {"schema": schema}}, headers or {})}


def refusals(names: tuple[str, ...]) -> Json:
    """One response for each status, which may have several problems."""
    found: dict[int, list[str]] = {}
    for name in names:
        found.setdefault(every_problem()[name].status, []).append(name)
    content = {"application/problem+json": {"schema": ref("Problem")}}
    return {
        str(status): described(" or ".join(f"`/problems/{name}`" for name in kinds), content, TOLD_WITH.get(status, {}))
        for status, kinds in sorted(found.items())
    }


def described(description: str, content: Json, headers: Json) -> Json:
    ours = {"X-Request-Id": {"$ref": "#/components/headers/X-Request-Id"}}
    return {"description": description, "headers": ours | headers, **({"content": content} if content else {})}


def query(name: str, description: str, schema: Json, *, example: object = None) -> Json:
    shown = {} if example is None else {"example": example}
    return {"name": name, "in": "query", "description": description, "schema": schema, **shown}


def header(name: str, description: str, example: str | None) -> Json:
    shown = {} if example is None else {"example": example}
    return {"name": name, "in": "header", "description": description, "schema": {"type": "string"}, **shown}


def ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def options_of(asked: type[BaseModel]) -> list[Json]:
    """The query's options, as the model that judges them describes them."""
    schema = asked.model_json_schema(ref_template="#/components/schemas/{model}")
    return [
        {
            **query(name, field.pop("description"), {key: value for key, value in field.items() if key != "title"}),
            "required": name in schema.get("required", ()),
        }
        for name, field in schema["properties"].items()
    ]
