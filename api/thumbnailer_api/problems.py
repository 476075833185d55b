"""The one table from errors to answers (RFC 9457)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import structlog
from flask import Response, g
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from thumbnailer_api import errors, metrics
from thumbnailer_api.wire.problems import Mistake, ProblemAnswer
from thumbnailer_storage.errors import (
    DeliveryNotFound,
    InvalidCursor,
    InvalidJob,
    InvalidKey,
    JobNotFound,
    KeyExists,
    KeyNotFound,
    ObjectMissing,
    StoreUnavailable,
    SubmissionInFlight,
    WebhookNotFound,
)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Problem:
    """A kind of error as callers see it; `retry_after` is in seconds."""

    name: str
    status: int
    title: str
    retry_after: int | None = None

    @property
    def type(self) -> str:
        return f"/problems/{self.name}"


INTERNAL = Problem("internal-error", 500, "We made a mistake")

PROBLEMS: Mapping[type[Exception], Problem] = MappingProxyType(
    {
        errors.NoKey: Problem("no-key", 401, "A key is needed"),
        errors.WrongKey: Problem("wrong-key", 401, "The key is not valid"),
        errors.WrongToken: Problem("wrong-token", 401, "The token is not valid"),
        errors.IssuerUnavailable: Problem("issuer-unavailable", 503, "The token cannot be judged now", retry_after=5),
        errors.MissingScope: Problem("missing-scope", 403, "The key may not do this"),
        errors.TooMany: Problem("too-many", 429, "A limit is reached"),
        errors.Malformed: Problem("malformed-request", 400, "The request is malformed"),
        errors.BodyCut: Problem("body-cut", 400, "The body ended too early"),
        errors.Invalid: Problem("invalid-request", 422, "The request asks for something that we do not do"),
        errors.IdempotencyMismatch: Problem("idempotency-mismatch", 422, "The key belongs to another request"),
        SubmissionInFlight: Problem(
            "idempotency-in-flight", 409, "A request with this key is under way", retry_after=5
        ),
        errors.NoImage: Problem("no-image", 415, "That is no image"),
        errors.WrongContentType: Problem("wrong-content-type", 415, "The body is of a type that we do not take"),
        errors.TooLarge: Problem("too-large", 413, "The body is too large"),
        errors.TooSlow: Problem("too-slow", 408, "The body came too slowly"),
        errors.Busy: Problem("busy", 503, "The service is busy", retry_after=2),
        errors.NoSuchOutput: Problem("output-not-found", 404, "There is no such output"),
        errors.NotFinished: Problem("not-finished", 409, "The job is not finished", retry_after=1),
        errors.JobFailed: Problem("job-failed", 409, "The job failed"),
        errors.Gone: Problem("gone", 410, "The output is gone"),
        errors.RangeOutside: Problem("range-outside", 416, "The range lies outside the output"),
        InvalidJob: Problem("invalid-request", 422, "The request asks for something that we do not do"),
        InvalidCursor: Problem("invalid-request", 422, "The request asks for something that we do not do"),
        InvalidKey: Problem("invalid-request", 422, "The request asks for something that we do not do"),
        KeyExists: Problem("key-exists", 409, "The owner has a key of that name"),
        KeyNotFound: Problem("key-not-found", 404, "There is no such key"),
        WebhookNotFound: Problem("webhook-not-found", 404, "There is no default webhook"),
        DeliveryNotFound: Problem("delivery-not-found", 404, "There is no such delivery"),
        JobNotFound: Problem("job-not-found", 404, "There is no such job"),
        ObjectMissing: Problem("gone", 410, "The output is gone"),
        StoreUnavailable: Problem("store-unavailable", 503, "A store cannot be used just now", retry_after=2),
        NotFound: Problem("not-found", 404, "There is no such address"),
        MethodNotAllowed: Problem("method-not-allowed", 405, "This address does not do that"),
        HTTPException: Problem("malformed-request", 400, "The request is malformed"),
        Exception: INTERNAL,
    }
)

DETAILS: Mapping[type[Exception], str] = MappingProxyType(
    {
        KeyNotFound: "There is no key of that id: GET /keys lists all of them.",
        ObjectMissing: "The output was removed: send the image again.",
        StoreUnavailable: "One of the service's stores does not answer: try again in a moment.",
        NotFound: "There is nothing at this address: /docs says what there is.",
        Exception: "Something went wrong here, and nothing is wrong with the request: try again, or tell whoever runs "
        "the service the request_id.",
    }
)
"""What is said where the error's own text is for us and not for the caller."""


def answer(error: Exception) -> Response:
    """The answer to an error; what is our own mistake is logged, and never shown."""
    kind = kind_of(error)
    problem = PROBLEMS[kind]
    if kind is Exception:
        log.error("a request failed", request_id=g.request_id, exc_info=error)
    elif problem.status >= 500 or kind is ObjectMissing:
        log.warning("a request was refused", request_id=g.request_id, reason=str(error))
    metrics.problems.labels(problem.name).inc()
    body = ProblemAnswer(
        type=problem.type,
        title=problem.title,
        status=problem.status,
        detail=detail_of(error, kind),
        request_id=g.request_id,
        errors=[Mistake(field=field, message=message) for field, message in getattr(error, "fields", ())] or None,
    )
    return Response(body.model_dump_json(), problem.status, headers_of(error, problem), "application/problem+json")


def kind_of(error: Exception) -> type[Exception]:
    """The nearest of the error's classes that the table has."""
    return next(kind for kind in type(error).__mro__ if kind in PROBLEMS)


def detail_of(error: Exception, kind: type[Exception]) -> str:
    if isinstance(error, MethodNotAllowed):
        return f"Allowed here: {', '.join(sorted(error.valid_methods or ()))}."
    if isinstance(error, HTTPException):
        return DETAILS.get(kind) or error.description or "The request could not be understood."
    text = str(error)
    return DETAILS.get(kind) or (text if isinstance(error, errors.ApiError) else f"{text[:1].upper()}{text[1:]}.")


def headers_of(error: Exception, problem: Problem) -> Iterator[tuple[str, str]]:
    if problem.retry_after is not None:
        yield "Retry-After", str(problem.retry_after)
    if isinstance(error, MethodNotAllowed):
        yield "Allow", ", ".join(sorted(error.valid_methods or ()))
    if isinstance(error, errors.Unauthenticated | errors.MissingScope):
        yield "WWW-Authenticate", error.challenge
    if isinstance(error, errors.TooMany):
        yield from error.headers.items()
    if isinstance(error, errors.RangeOutside):
        yield "Content-Range", f"bytes */{error.length}"


def every_problem() -> dict[str, Problem]:
    """All kinds of errors by name, for the documents."""
    return {problem.name: problem for problem in PROBLEMS.values()}
