"""Jobs, their outputs, the queue, and this description."""

from __future__ import annotations

from thumbnailer_api.intake.asking import CancelAsked, ListAsked
from thumbnailer_api.intake.offer import Offer
from thumbnailer_api.openapi.pieces import Json, described, header, ok, operation, options_of, query, ref
from thumbnailer_storage.jobs.pictures import FORMATS

JOB = {
    "name": "job",
    "in": "path",
    "required": True,
    "description": "The job's `id`.",
    "schema": {"type": "string", "format": "uuid"},
}
N = {
    "name": "n",
    "in": "path",
    "required": True,
    "description": "Which output, from 0 in the order asked.",
    "schema": {"type": "integer", "minimum": 0},
}


POST_PROBLEMS = (
    *("malformed-request", "body-cut", "invalid-request", "no-image", "wrong-content-type", "too-large", "too-slow"),
    *("idempotency-mismatch", "idempotency-in-flight", "busy", "too-many"),
)


ABOUT_A_JOB = ("getJob", "deleteJob", "listEvents", "listDeliveries")
THIS_JOB = {"job": "$response.body#/id"}
"""Where the answer to an image leads."""


def post_job(offer: Offer) -> Json:
    options = [
        query(
            "output",
            "A picture to make, for an image sent as the body: `format=webp,size=200x200,fit=pad`. Repeatable.",
            {"type": "array", "items": {"type": "string"}},
            example=["format=webp,size=200x200"],
        ),
        query("priority", "Which queue it waits in, for an image sent as the body.", ref("Priority")),
        query(
            "expires_in",
            "For how many seconds after its finish it is kept, for an image sent as the body.",
            {"type": "integer", "minimum": 1, "maximum": offer.keep_seconds_max},
        ),
    ]
    told = "Who is told what becomes of it, for an image sent as the body: an address, or `false` for nobody."
    options.append(query("webhook", told, {"type": "string"}, example="https://example.com/thumbnails"))
    if offer.classes:
        named = {"type": "string", "enum": list(offer.classes)}
        options.append(query("class", "The kind of machine to run on, for an image sent as the body.", named))
    asked = {"outputs": [{"format": "png", "size": "100,100"}, {"format": "jpeg", "size": "200x200", "quality": 80}]}
    form = {
        "schema": {
            "type": "object",
            "required": ["image"],
            "properties": {
                "image": {"type": "string", "contentMediaType": "application/octet-stream"},
                "job": ref("JobAsked"),
            },
            "additionalProperties": False,
        },
        "encoding": {"job": {"contentType": "application/json"}, "image": {"contentType": "image/*"}},
        "example": {"image": "@photo.jpg", "job": asked},
    }
    body = {
        "description": "A form with the parts `image` and, if you like, `job` (JSON), in any order; or the image "
        f"itself, of whatever content type. At most {offer.max_upload_bytes} bytes of JPEG, PNG, WebP, GIF, TIFF, BMP, "
        "AVIF or HEIC. A body that sends nothing for ten seconds is given up.",
        "required": True,
        "content": {"multipart/form-data": form, "image/*": {"schema": {}}, "application/octet-stream": {"schema": {}}},
    }
    key = header(
        "Idempotency-Key",
        "1 to 255 printable ASCII characters, such as a UUID, new for each image that you send: the same request "
        "with the same key within a day gets the same job, so that one whose answer was lost can be sent again.",
        "0b1e7f4c-5d0a-4a52-9c0e-6f1d2f3a4b5c",
    )
    key["schema"] |= {"minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"}
    headers = {
        "Location": {"description": "The path of the job.", "schema": {"type": "string"}},
        "Idempotency-Replayed": {
            "description": "`true` where the key stood for this job already: it is shown as it now is.",
            "schema": {"type": "string", "enum": ["true"]},
        },
    }
    accepted = ok(202, "The job is accepted.", ref("Job"), headers)
    accepted["202"]["links"] = {name: {"operationId": name, "parameters": THIS_JOB} for name in ABOUT_A_JOB}
    return operation(
        "Send an image",
        "Accepts a job: when this answers 202, image and job are durable. Asked for nothing, it makes one picture of "
        "exactly 100x100.",
        accepted,
        id="submitJob",
        problems=POST_PROBLEMS,
        parameters=[*options, key],
        body=body,
        curl=(
            "curl -F image=@photo.jpg $URL/jobs",
            'curl -F image=@photo.jpg -F \'job={"outputs": [{"format": "webp", "size": "200x200"}]}\' $URL/jobs',
            'curl --data-binary @photo.jpg "$URL/jobs?output=format=png,size=64x64&priority=express"',
        ),
    )


def get_jobs() -> Json:
    return operation(
        "List your jobs",
        "Newest first. `next` is the `cursor` of the page that follows.",
        ok(200, "A page of jobs.", ref("Jobs")),
        id="listJobs",
        problems=("invalid-request",),
        parameters=options_of(ListAsked),
        curl=('curl "$URL/jobs?status=complete&limit=10"',),
    )


def delete_jobs() -> Json:
    return operation(
        "Cancel many jobs",
        "All of yours that stand in one status and fit the rest, 20,000 at most in one call. What comes meanwhile may "
        "or may not be among them.",
        ok(200, "How many were cancelled.", ref("Cancelled")),
        problems=("invalid-request",),
        parameters=options_of(CancelAsked),
        curl=('curl -X DELETE "$URL/jobs?status=pending"',),
        id="cancelJobs",
    )


def get_job() -> Json:
    prefer = header(
        "Prefer",
        "`wait=20` holds the answer until the job is finished or the time (at most 60 seconds) is up.",
        "wait=20",
    )
    headers = {
        "Preference-Applied": {
            "description": "`wait=20` where the wait was done; not there when too many callers wait already.",
            "schema": {"type": "string"},
        },
        "Retry-After": {
            "description": "While it runs: ask again so many seconds later.",
            "schema": {"type": "integer"},
        },
    }
    return operation(
        "Look at a job",
        "The job as it now is.",
        ok(200, "The job.", ref("Job"), headers),
        id="getJob",
        problems=("job-not-found",),
        parameters=[JOB, prefer],
        curl=("curl -H 'Prefer: wait=20' $URL/jobs/$JOB",),
    )


def delete_job() -> Json:
    return operation(
        "Cancel a job, or remove the data of a finished one",
        "A job that waits never starts, one that runs is stopped within seconds: `cancelled`. What a finished job was "
        "sent and made is removed: `expired`. Outputs answer 410 from then on. The same again changes nothing.",
        ok(200, "The job as it now is.", ref("Job")),
        id="deleteJob",
        problems=("job-not-found",),
        parameters=[JOB],
        curl=("curl -X DELETE $URL/jobs/$JOB",),
    )


def get_events() -> Json:
    return operation(
        "What happened to a job",
        "In order: accepted, claimed, released, rescued, completed, failed and so on.",
        ok(200, "The events.", ref("Events")),
        id="listEvents",
        problems=("job-not-found",),
        parameters=[JOB],
        curl=("curl $URL/jobs/$JOB/events",),
    )


def get_output() -> Json:
    bytes_of: Json = {form.media_type: {"schema": {}} for form in FORMATS.values()}
    text = {"type": "string"}
    headers = {
        "ETag": {"description": "Strong: outputs never change.", "schema": text},
        "Accept-Ranges": {"schema": text},
        "Content-Length": {"schema": {"type": "integer"}},
    }
    whole = {"200": described("The picture.", bytes_of, headers)}
    ranged = {"Content-Range": {"schema": text}, **headers}
    part = {"206": described("The part that was asked for.", bytes_of, ranged)}
    elsewhere = {
        "307": described(
            "Where the service is set up so: the object store has it, at an address that works for two minutes.",
            {},
            {"Location": {"schema": text}},
        )
    }
    same = {"304": described("You have it already.", {}, {"ETag": {"schema": text}})}
    return operation(
        "Fetch a picture",
        "The bytes of one output of a complete job.",
        whole | part | same | elsewhere,
        id="getOutput",
        problems=("output-not-found", "job-not-found", "not-finished", "job-failed", "gone", "range-outside", "busy"),
        parameters=[
            JOB,
            N,
            header("Range", "One range of bytes; several are answered with the whole.", "bytes=0-99"),
            header("If-Range", "The range counts only while the output still has this ETag.", None),
            header("If-None-Match", "304 where the output still has this ETag.", None),
        ],
        curl=("curl -L -o thumbnail.jpg $URL/jobs/$JOB/outputs/0",),
    )


def get_queue() -> Json:
    return operation(
        "The state of the queues",
        "Your jobs by status, and for each queue how much stands in it and the age of the oldest job that waits.",
        ok(200, "Your jobs and the queues.", ref("Queue")),
        id="getQueue",
        problems=(),
        curl=("curl $URL/queue",),
    )


def get_document() -> Json:
    return operation(
        "This description",
        "OpenAPI 3.1. /docs shows it to people.",
        ok(200, "The document.", {"type": "object"}),
        id="getDescription",
        problems=(),
        curl=("curl $URL/openapi.json",),
    )
