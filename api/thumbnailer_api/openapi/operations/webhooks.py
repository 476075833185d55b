"""Webhooks and their deliveries."""

from __future__ import annotations

from thumbnailer_api.openapi.operations.jobs import JOB
from thumbnailer_api.openapi.pieces import Json, header, ok, operation, ref
from thumbnailer_storage.jobs.model import TOLD

DELIVERY = {
    "name": "delivery",
    "in": "path",
    "required": True,
    "description": "The delivery's `id`.",
    "schema": {"type": "string", "format": "uuid"},
}
PUT_PROBLEMS = (
    "malformed-request",
    "body-cut",
    "invalid-request",
    "wrong-content-type",
    "too-large",
    "too-slow",
    "busy",
)
EXAMPLE_ID = "8f14e45f-ceea-467f-a8d5-1c6d2f0b9a3e"
EXAMPLE = {"url": "https://example.com/thumbnails", "events": ["complete", "failed"]}
HOW = (
    "The receiver gets a POST with `type` (such as `job.complete`), `timestamp` and `data`, the job; its headers and "
    "signature are those of Standard Webhooks. What is not answered with 2xx is tried again for a day; 410 ends it. "
    "Each may come twice: `webhook-id` tells."
)


def called() -> Json:
    """What a receiver gets, under `webhooks` of the document."""
    text = {"type": "string"}
    signed = "`v1,` and the HMAC-SHA256 of `<webhook-id>.<webhook-timestamp>.<body>` in base64; only with a secret."
    headers = [
        header("webhook-id", "The delivery's id: the same each time that it is tried.", EXAMPLE_ID),
        header("webhook-timestamp", "When it was sent, in Unix time.", "1795504062"),
        header("webhook-signature", signed, "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="),
    ]
    told = {
        "type": "object",
        "required": ["type", "timestamp", "data"],
        "properties": {
            "type": {**text, "enum": [f"job.{status}" for status in TOLD]},
            "timestamp": {**text, "format": "date-time"},
            "data": ref("Job"),
        },
    }
    return {
        "post": {
            "operationId": "jobEvent",
            "summary": "What became of a job",
            "description": HOW,
            "parameters": headers,
            "requestBody": {"required": True, "content": {"application/json": {"schema": told}}},
            "responses": {
                "2XX": {"description": "Taken."},
                "410": {"description": "No more of this job."},
                "default": {"description": "Tried again."},
            },
            "security": [],
        }
    }


def put_webhook() -> Json:
    body = {
        "description": "Who is told, and what.",
        "required": True,
        "content": {"application/json": {"schema": ref("WebhookAsked"), "example": EXAMPLE}},
    }
    return operation(
        "Set your default webhook",
        f"Those of your jobs have it that name no webhook. {HOW} Where there is no secret yet and none is named, "
        "one is made and shown this once.",
        ok(200, "The webhook.", ref("DefaultWebhook")),
        id="setDefaultWebhook",
        problems=PUT_PROBLEMS,
        body=body,
        curl=(
            "curl -X PUT -H 'Content-Type: application/json' -d '{\"url\": \"https://example.com/thumbnails\"}' "
            "$URL/webhook",
        ),
    )


def get_webhook() -> Json:
    return operation(
        "Look at your default webhook",
        "Its secret is not shown.",
        ok(200, "The webhook.", ref("DefaultWebhook")),
        id="getDefaultWebhook",
        problems=("webhook-not-found",),
        curl=("curl $URL/webhook",),
    )


def delete_webhook() -> Json:
    return operation(
        "Remove your default webhook",
        "Jobs that were accepted before keep it.",
        ok(200, "The webhook that was removed.", ref("DefaultWebhook")),
        id="removeDefaultWebhook",
        problems=("webhook-not-found",),
        curl=("curl -X DELETE $URL/webhook",),
    )


def get_deliveries() -> Json:
    return operation(
        "What a job's receiver was told",
        "In order, with the outcome of the last try. Empty where nobody is told anything, or nothing happened yet.",
        ok(200, "The deliveries.", ref("Deliveries")),
        id="listDeliveries",
        problems=("job-not-found",),
        parameters=[JOB],
        curl=("curl $URL/jobs/$JOB/deliveries",),
    )


def post_delivery() -> Json:
    return operation(
        "Tell a receiver again",
        "The delivery is tried now, whatever became of it, and as often as a new one. Its `webhook-id` stays.",
        ok(202, "The delivery.", ref("Delivery")),
        id="redeliver",
        problems=("job-not-found", "delivery-not-found"),
        parameters=[JOB, DELIVERY],
        curl=("curl -X POST $URL/jobs/$JOB/deliveries/$DELIVERY",),
    )
