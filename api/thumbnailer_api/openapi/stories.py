"""What the examples tell: one job, from its image to its end; only what the shapes cannot say themselves."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

ID = "3b241101-e2bb-4255-8caf-4136c566a962"
DAY = "2026-11-24"
OUTPUT: Json = {
    "format": "webp", "size": "200x200", "fit": "cover", "quality": 80, "background": None, "enlarge": None,
    "lossless": None, "crop": "centre", "preset": None,
}  # fmt: skip
MADE = OUTPUT | {
    "location": f"/jobs/{ID}/outputs/0", "width": 200, "height": 200, "bytes": 6148, "media_type": "image/webp",
}  # fmt: skip
TOLD = ["complete", "failed", "cancelled"]
PENDING: Json = {
    "id": ID, "status": "pending", "priority": "express", "class": None, "start": f"{DAY}T07:07:42.123Z",
    "claimed": None, "finish": None, "location": f"/jobs/{ID}", "code": 202,
    "message": "The job waits for a worker.", "attempts": 0, "expires": None,
    "expires_in": 604800, "request_id": "5f6b1e0c8d3a4f0e9b7c2a1d4e6f8091", "metadata": {"album": "cats"},
    "filename": "cat.jpg", "source": {"bytes": 430080, "format": None, "width": None, "height": None},
    "outputs": [OUTPUT],
    "webhook": {"url": "https://example.com/thumbnails", "events": TOLD, "template": None, "signed": True},
}  # fmt: skip
COMPLETE = PENDING | {
    "status": "complete", "claimed": f"{DAY}T07:07:42.187Z", "finish": f"{DAY}T07:07:42.301Z",
    "location": f"/jobs/{ID}/outputs/0", "code": 200, "message": "The pictures are made.", "attempts": 1,
    "expires": "2026-12-01T07:07:42.301Z",
    "source": {"bytes": 430080, "format": "jpeg", "width": 1280, "height": 960}, "outputs": [MADE],
}  # fmt: skip
CANCELLED = PENDING | {
    "status": "cancelled", "finish": f"{DAY}T07:07:43.008Z", "code": 410, "message": "The job was cancelled.",
}  # fmt: skip
ACCEPTED: Json = {
    "at": f"{DAY}T07:07:42.123Z", "last": f"{DAY}T07:07:42.123Z", "kind": "accepted", "attempt": 0,
    "message": "The job was accepted.", "count": 1, "by": "laptop", "address": "192.0.2.1",
    "request_id": "5f6b1e0c8d3a4f0e9b7c2a1d4e6f8091",
}  # fmt: skip
DELIVERY: Json = {
    "id": "8f14e45f-ceea-467f-a8d5-1c6d2f0b9a3e", "event": "complete", "at": f"{DAY}T07:07:42.301Z",
    "state": "delivered", "tries": 1, "last": f"{DAY}T07:07:43.020Z", "next": None, "answer": 204, "error": None,
}  # fmt: skip
QUEUE: Json = {"waiting": 12, "in_flight": 4, "delayed": 0, "oldest_seconds": 3.204}

STORIES: dict[str, Json] = {
    "submitJob": PENDING,
    "getJob": COMPLETE,
    "deleteJob": CANCELLED,
    "listJobs": {"jobs": [COMPLETE], "next": None},
    "listEvents": {"events": [ACCEPTED]},
    "listAllEvents": {"events": [ACCEPTED | {"job": ID, "owner": "ada"}], "next": None},
    "getUsage": {
        "owner": "ada",
        "since": DAY,
        "until": DAY,
        "days": [{"day": DAY, "priority": "standard", "jobs": 96, "bytes": 41287680, "compute_seconds": 11.2}],
    },
    "listDeliveries": {"deliveries": [DELIVERY]},
    "redeliver": DELIVERY | {"state": "waiting", "next": f"{DAY}T09:00:00.000Z"},
    "setDefaultWebhook": {"events": TOLD, "template": None, "signed": True},
    "getDefaultWebhook": {"events": TOLD, "template": None, "signed": True},
    "removeDefaultWebhook": {"events": TOLD, "template": None, "signed": True},
    "getQueue": {"jobs": {"pending": 3, "complete": 96}, "queues": {"standard": QUEUE}},
    "getDescription": {"openapi": "3.1.0", "info": {"title": "Thumbnailer"}},
}
"""By the operation: what its answer says in place of, or beside, the examples of the fields."""

DETAILS = {
    "malformed-request": "The form is not multipart as it should be: too much of it is in no part.",
    "body-cut": "The body ended too early: send it again, whole.",
    "invalid-request": "The part `job` is not as it should be: priority: 'now' is none of express, standard, economy.",
    "no-image": "This is text, and no image that can be read here: send JPEG, PNG, WebP, GIF, TIFF, BMP, AVIF or HEIC.",
    "wrong-content-type": "JSON holds no image: send a form with a part `image`, or the image itself.",
    "too-large": "The body is larger than the 52428800 bytes that are allowed: send a smaller image.",
    "too-slow": "The body sent nothing for ten seconds: send it again over a faster connection.",
    "busy": "As many images arrive as this service takes at a time: send it again in a moment.",
    "output-not-found": "The job has the outputs 0 to 1.",
    "wrong-token": "The token that was sent is not valid here: it may have ended, or be meant for another service.",
    "issuer-unavailable": "The issuer of your token does not answer, so that nobody can tell whether it is good.",
    "missing-scope": "This needs the scope `cancel`, which your key or token does not have: ask for one that has it.",
    "too-many": "60 jobs may be sent in a minute: send this one again in 1 s.",
    "key-exists": "There is a key 'laptop' of ada already: revoke that one first, or choose another name.",
    "webhook-not-found": "You have no default webhook: PUT /webhook sets one.",
    "delivery-not-found": f"There is no delivery {ID} of this job.",
    "job-not-found": f"There is no job {ID}.",
    "not-finished": "The job is processing: ask for it with `Prefer: wait=20` until it is complete.",
    "job-failed": "The image cannot be decoded: send another.",
    "gone": "The job is expired and its data is removed: send the image again.",
    "range-outside": "The output has 6148 bytes.",
    "method-not-allowed": "Allowed here: GET, HEAD.",
}
"""What varies with the request."""
