"""Errors."""

from __future__ import annotations

from pydantic import Field

from thumbnailer_api.wire.base import Answer, is_none


class Mistake(Answer):
    """One field of a request, and what is wrong with it."""

    field: str
    message: str


class ProblemAnswer(Answer):
    """An error (RFC 9457)."""

    type: str = Field(description="Which kind of error: stable, and a path of this service that explains it.")
    title: str
    status: int
    detail: str = Field(description="What happened, and what to do about it.")
    request_id: str = Field(description="Also in X-Request-Id, and on the service's log lines.")
    errors: list[Mistake] | None = Field(default=None, exclude_if=is_none, description="The fields that are wrong.")
