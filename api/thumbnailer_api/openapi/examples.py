"""An example for each parameter, body and answer of the document: the fields' own examples, and whole stories."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from thumbnailer_api import problems
from thumbnailer_api.openapi.stories import DETAILS, STORIES

Json = dict[str, Any]

JSON = "application/json"
BYTES = "(the bytes of a picture)"
TEXTS = {
    "date-time": "2026-11-24T07:07:42.123Z",
    "date": "2026-11-24",
    "uuid": "3b241101-e2bb-4255-8caf-4136c566a962",
    "uri": "https://example.com/thumbnails",
}
REQUEST = "5f6b1e0c8d3a4f0e9b7c2a1d4e6f8091"


def with_examples(document: Json) -> Json:
    """Fill in what an operation does not show itself."""
    examples = Examples(document["components"]["schemas"])
    for call in calls_of(document):
        for parameter in call["parameters"]:
            parameter.setdefault("example", examples.of(parameter["schema"]))
        for content in call.get("requestBody", {}).get("content", {}).values():
            content.setdefault("example", examples.asked(content["schema"]))
        for status, answer in call["responses"].items():
            for header in answer["headers"].values():
                if "schema" in header:
                    header.setdefault("example", examples.of(header["schema"]))
            for kind, content in answer.get("content", {}).items():
                content["examples"] = examples.answers(call["operationId"], status, kind, content["schema"], answer)
    return document


def calls_of(document: Json) -> Iterator[Json]:
    for calls in document["paths"].values():
        yield from calls.values()


class Examples:
    """Examples of the shapes by name."""

    def __init__(self, schemas: Json) -> None:
        self._schemas = schemas

    def answers(self, operation: str, status: str, kind: str, schema: Json, answer: Json) -> Json:
        """What is answered, by the names of the examples."""
        if kind == "application/problem+json":
            return {name: {"value": problem(name)} for name in re.findall("/problems/([a-z-]+)", answer["description"])}
        if kind != JSON:
            return {"picture": {"value": BYTES}}
        told = STORIES.get(operation, {})
        return {"answer": {"value": self.of(schema) | told if "$ref" in schema else told or {}}}

    def asked(self, schema: Json) -> Any:
        """What may be sent: what has an example of its own, or has to be there."""
        schema = self._resolved(schema)
        if "properties" not in schema:
            return BYTES
        wanted = {
            name: field
            for name, field in schema["properties"].items()
            if "examples" in field or name in schema.get("required", ())
        }
        return {name: self.of(field) for name, field in wanted.items()}

    def of(self, schema: Json) -> Any:  # noqa: C901, PLR0911 - one line for each kind of schema
        """A value of this shape."""
        schema = self._resolved(schema)
        if "examples" in schema:
            return schema["examples"][0]
        if schema.get("default") is not None:
            return schema["default"]
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return schema["enum"][0]
        if "anyOf" in schema:
            return self.of(schema["anyOf"][0])
        match schema.get("type"):
            case "object":
                return {name: self.of(field) for name, field in schema.get("properties", {}).items()}
            case "array":
                return [self.of(schema["items"])]
            case "integer" | "number":
                return schema.get("minimum", 1)
            case "boolean":
                return True
            case "null":
                return None
        return TEXTS.get(schema.get("format", ""), "text")

    def _resolved(self, schema: Json) -> Json:
        if "$ref" not in schema:
            return schema
        found = self._schemas[schema["$ref"].rpartition("/")[2]]
        return {**found, **{name: value for name, value in schema.items() if name != "$ref"}}


def problem(name: str) -> Json:
    """A problem as it is answered."""
    kind = problems.every_problem()[name]
    return {
        "type": kind.type,
        "title": kind.title,
        "status": kind.status,
        "detail": DETAILS.get(name) or said(name) or f"{kind.title}.",
        "request_id": REQUEST,
    }


def said(name: str) -> str | None:
    """What the service says of it, where that is always the same."""
    for error, kind in problems.PROBLEMS.items():
        if kind.name == name:
            return problems.DETAILS.get(error) or getattr(error, "detail", None)
    return None
