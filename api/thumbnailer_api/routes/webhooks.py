"""The webhook that an owner's jobs have where they name none."""

from __future__ import annotations

from flask import Response, g, request

from thumbnailer_api.intake.json_body import json_asked
from thumbnailer_api.intake.webhooks import WebhookAsked
from thumbnailer_api.routes.shaping import json_answer
from thumbnailer_api.wire.webhooks import DefaultWebhookAnswer
from thumbnailer_api.wiring import Wiring
from thumbnailer_storage.errors import WebhookNotFound


def put(wiring: Wiring) -> Response:
    """Set it; jobs that were accepted before keep what they have."""
    with wiring.transfers.one():
        asked = json_asked(WebhookAsked, request.environ["wsgi.input"], request.headers)
    webhook, made = wiring.hooks.set_default(g.owner, asked)
    return json_answer(DefaultWebhookAnswer.with_secret(webhook, made))


def get(wiring: Wiring) -> Response:
    """Look at it."""
    webhook = wiring.hooks.default(g.owner)
    if webhook is None:
        raise WebhookNotFound("you have no default webhook: PUT /webhook sets one")
    return json_answer(DefaultWebhookAnswer.with_secret(webhook, None))


def delete(wiring: Wiring) -> Response:
    """Remove it; answers with what was removed."""
    return json_answer(DefaultWebhookAnswer.with_secret(wiring.hooks.callbacks.remove_default(g.owner), None))
