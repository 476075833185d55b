"""The form of answers."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Response

from thumbnailer_api.wire.base import Answer


def json_answer(answer: Answer, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer in JSON; nobody but the caller may keep it, since jobs change."""
    body = answer.model_dump_json(by_alias=True)
    return Response(body, status, {"Cache-Control": "no-store", **(headers or {})}, "application/json")
