"""The whole document."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.metadata import version
from typing import Any

from pydantic.json_schema import models_json_schema

from thumbnailer_api.intake.asking import JobAsked
from thumbnailer_api.intake.keys import KeyAsked
from thumbnailer_api.intake.offer import Offer
from thumbnailer_api.intake.webhooks import WebhookAsked
from thumbnailer_api.openapi.examples import with_examples
from thumbnailer_api.openapi.operations import accounts, jobs, keys, limits, webhooks
from thumbnailer_api.openapi.pieces import REQUEST_ID, Json, refusals
from thumbnailer_api.wire.accounts import EventPageAnswer, UsageAnswer
from thumbnailer_api.wire.jobs import CancelledAnswer, EventsAnswer, JobAnswer, JobsAnswer
from thumbnailer_api.wire.keys import KeyAnswer, KeysAnswer, NewKeyAnswer
from thumbnailer_api.wire.limits import LimitsAnswer
from thumbnailer_api.wire.problems import ProblemAnswer
from thumbnailer_api.wire.queue import QueueAnswer
from thumbnailer_api.wire.webhooks import DefaultWebhookAnswer, DeliveriesAnswer

ABOUT = """Send an image and get thumbnails of it. A job is accepted at once and worked on later: ask for it with
`Prefer: wait=20` until it is complete, then fetch its outputs.

Every answer has an `X-Request-Id`; one that you send is kept. Errors are `application/problem+json` with a stable
`type`. A job's `location` is a path of this service, never a host. Fields and parameters that are not described here
are refused, never ignored."""


KEYS = """

Each call needs a key: send it as `Authorization: Bearer <key>`. Whoever runs the service makes keys, with
`thumbnailer-api keys create`. Jobs belong to the key's owner: another owner's do not exist for you.
What a key may do is its scopes: `submit`, `read`, `cancel` and `admin`."""

SENT = '-H "Authorization: Bearer $THUMBNAILER_KEY"'
CHALLENGE = {"description": "How to say who calls (RFC 6750).", "schema": {"type": "string"}}
OPEN = {"/openapi.json"}
TAGS = {
    "jobs": "Send images, look at the jobs, cancel them, fetch what they made.",
    "queue": "How much there is to do.",
    "webhook": "Whom the service calls back.",
    "usage": "What was used.",
    "limits": "What may be used.",
    "keys": "Who may call.",
    "events": "Who did what.",
    "openapi.json": "The service about itself.",
}


def document(offer: Offer, scopes: Sequence[tuple[str, str, str]]) -> Json:
    """The whole document; `scopes` are method, path and scope of each route; none where callers need no key."""
    described = without_keys(offer)
    return with_examples(tagged(with_keys(described, scopes) if scopes else described))


def without_keys(offer: Offer) -> Json:
    return {
        "openapi": "3.1.0",
        "info": {"title": "Thumbnailer", "version": version("thumbnailer-api"), "description": ABOUT},
        "servers": [{"url": "/"}],
        "paths": {
            "/jobs": {"post": jobs.post_job(offer), "get": jobs.get_jobs(), "delete": jobs.delete_jobs()},
            "/jobs/{job}": {"get": jobs.get_job(), "delete": jobs.delete_job()},
            "/jobs/{job}/events": {"get": jobs.get_events()},
            "/jobs/{job}/outputs/{n}": {"get": jobs.get_output()},
            "/jobs/{job}/deliveries": {"get": webhooks.get_deliveries()},
            "/jobs/{job}/deliveries/{delivery}": {"post": webhooks.post_delivery()},
            "/webhook": {
                "put": webhooks.put_webhook(),
                "get": webhooks.get_webhook(),
                "delete": webhooks.delete_webhook(),
            },
            "/queue": {"get": jobs.get_queue()},
            "/usage": {"get": accounts.get_usage()},
            "/events": {"get": accounts.get_events()},
            "/limits": {"get": limits.get_limits()},
            "/keys": {"post": keys.post_key(), "get": keys.get_keys()},
            "/keys/{key}": {"get": keys.get_key(), "delete": keys.delete_key()},
            "/openapi.json": {"get": jobs.get_document()},
        },
        "webhooks": {"job": webhooks.called()},
        "components": {"schemas": schemas(offer), "headers": {"X-Request-Id": REQUEST_ID}},
    }


def tagged(described: Json) -> Json:
    """Each call under what it is about, which is what its path begins with."""
    for path, calls in described["paths"].items():
        for call in calls.values():
            call["tags"] = [path.split("/")[1]]
    about = {path.split("/")[1] for path in described["paths"]}
    described["tags"] = [{"name": name, "description": text} for name, text in TAGS.items() if name in about]
    return described


def with_keys(described: Json, scopes: Sequence[tuple[str, str, str]]) -> Json:
    """The document of a service that wants a key with every call that is not open."""
    described["info"]["description"] += KEYS
    described["components"]["securitySchemes"] = {
        "key": {
            "type": "http",
            "scheme": "bearer",
            "description": "A key of the service, `thn_` and 36 or 40 characters; or, where it has an issuer, a token.",
        }
    }
    described["security"] = [{"key": []}]
    needed = {(method.lower(), path.replace("<", "{").replace(">", "}")): scope for method, path, scope in scopes}
    for path, calls in described["paths"].items():
        for method, call in calls.items():
            if path in OPEN:
                call["security"] = []
            else:
                call["security"] = [{"key": [needed[method, path]]}]
                call["description"] += f" Needs the scope `{needed[method, path]}`."
                refused = refusals(("no-key", "wrong-key", "wrong-token", "missing-scope"))
                for answer in refused.values():
                    answer["headers"] |= {"WWW-Authenticate": CHALLENGE}
                call["responses"] = dict(sorted((call["responses"] | refused).items()))
                call["responses"]["503"]["description"] += " or `/problems/issuer-unavailable`"
                call["x-curl"] = [line.replace("curl ", f"curl {SENT} ", 1) for line in call["x-curl"]]
    return described


def schemas(offer: Offer) -> Json:
    """The shapes by name: those that are asked as they are validated, those of answers as they are written."""
    asked = (JobAsked, KeyAsked, WebhookAsked)
    answered = (
        *(JobAnswer, JobsAnswer, CancelledAnswer, EventsAnswer, QueueAnswer, KeyAnswer, NewKeyAnswer, KeysAnswer),
        *(UsageAnswer, LimitsAnswer, EventPageAnswer, ProblemAnswer),
        *(DefaultWebhookAnswer, DeliveriesAnswer),
    )
    _, made = models_json_schema(
        [*((model, "validation") for model in asked), *((model, "serialization") for model in answered)],
        ref_template="#/components/schemas/{model}",
    )
    found: Json = renamed(made["$defs"])
    fields = found["JobAsked"]["properties"]
    fields["output"] = {**fields["outputs"], "description": "Another name for `outputs`."}
    found["JobAsked"]["not"] = {"required": ["output", "outputs"]}
    for outputs in (fields["outputs"], fields["output"]):
        outputs["anyOf"][0]["maxItems"] = offer.max_outputs
    fields["expires_in"]["anyOf"][0] |= {"minimum": 1, "maximum": offer.keep_seconds_max}
    restrict(fields["class"], offer.classes)
    preset = found["OutputAsked"]["properties"]["preset"]
    restrict(preset, [each.name for each in offer.presets])
    preset["description"] += "".join(f" `{each.name}` is `{each.spelling}`." for each in offer.presets)
    return found


def restrict(field: Json, names: Iterable[str]) -> None:
    """Have the field, which may be left out, take these names and no other."""
    del field["anyOf"]
    field["enum"] = [*names, None]


def renamed(made: Any) -> Any:
    """The models' names without what tells our classes apart: `Job` for JobAnswer."""
    if isinstance(made, dict):
        return {key.removesuffix("Answer"): renamed(value) for key, value in made.items()}
    if isinstance(made, list):
        return [renamed(value) for value in made]
    return made.removesuffix("Answer") if isinstance(made, str) else made
