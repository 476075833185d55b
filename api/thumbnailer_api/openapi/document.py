"""The whole document."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from pydantic.json_schema import models_json_schema

from thumbnailer_api.intake.asking import JobAsked
from thumbnailer_api.openapi import operations
from thumbnailer_api.openapi.pieces import REQUEST_ID, Json
from thumbnailer_api.wire import EventsAnswer, JobAnswer, JobsAnswer, ProblemAnswer, QueueAnswer

ABOUT = """Send an image and get thumbnails of it. A job is accepted at once and worked on later: ask for it with
`Prefer: wait=20` until it is complete, then fetch its outputs.

Every answer has an `X-Request-Id`; one that you send is kept. Errors are `application/problem+json` with a stable
`type`. A job's `location` is a path of this service, never a host. Fields and parameters that are not described here
are refused, never ignored."""


def document(most: int) -> Json:
    """The whole document; `most` is the largest image in bytes."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Thumbnailer", "version": version("thumbnailer-api"), "description": ABOUT},
        "servers": [{"url": "/"}],
        "paths": {
            "/jobs": {"post": operations.post_job(most), "get": operations.get_jobs()},
            "/jobs/{job}": {"get": operations.get_job()},
            "/jobs/{job}/events": {"get": operations.get_events()},
            "/jobs/{job}/outputs/{n}": {"get": operations.get_output()},
            "/queue": {"get": operations.get_queue()},
            "/openapi.json": {"get": operations.get_document()},
        },
        "components": {"schemas": schemas(), "headers": {"X-Request-Id": REQUEST_ID}},
    }


def schemas() -> Json:
    """The shapes by name: those that are asked as they are validated, those of answers as they are written."""
    asked, answered = (JobAsked,), (JobAnswer, JobsAnswer, EventsAnswer, QueueAnswer, ProblemAnswer)
    _, made = models_json_schema(
        [*((model, "validation") for model in asked), *((model, "serialization") for model in answered)],
        ref_template="#/components/schemas/{model}",
    )
    found: Json = renamed(made["$defs"])
    outputs = found["JobAsked"]["properties"]["outputs"]
    found["JobAsked"]["properties"]["output"] = {**outputs, "description": "Another name for `outputs`."}
    return found


def renamed(made: Any) -> Any:
    """The models' names without what tells our classes apart: `Job` for JobAnswer."""
    if isinstance(made, dict):
        return {key.removesuffix("Answer"): renamed(value) for key, value in made.items()}
    if isinstance(made, list):
        return [renamed(value) for value in made]
    return made.removesuffix("Answer") if isinstance(made, str) else made
