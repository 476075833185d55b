"""What schemathesis cannot learn about our API from its description: how an image looks, and what belongs together."""

from __future__ import annotations

import io
import os
import re
from typing import Any
from uuid import UUID, uuid4

import schemathesis
from hypothesis import strategies
from PIL import Image
from schemathesis import GenerationMode


def picture(kind: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (40, 30), "teal").save(file, kind)
    return file.getvalue()


PICTURES = [picture(kind) for kind in ("JPEG", "PNG", "WEBP", "GIF")]
ADDRESS = "https://thumbnails.invalid/"
SECRET = "whsec_" + "c2Vj" * 10
OUTPUTS = ["format=webp,size=40x30,lossless=true", "size=30,40,fit=pad,background=#102030", "format=jpeg,quality=1"]

for kind in ("image/*", "application/octet-stream"):
    schemathesis.openapi.media_type(kind, strategies.sampled_from(PICTURES))


@schemathesis.hook
def before_load_schema(context: Any, raw_schema: dict[str, Any]) -> None:
    """JSON has no bytes: where the description shows words for a file, there is nothing to send; and keep it short."""
    content = raw_schema["paths"]["/jobs"]["post"]["requestBody"]["content"]
    for kind in ("image/*", "application/octet-stream"):
        del content[kind]["example"]
    content["multipart/form-data"]["example"]["image"] = ""
    for call in raw_schema["paths"]["/jobs/{job}"].values():
        for parameter in call["parameters"]:
            if parameter["name"] == "Prefer":  # nobody has the time
                parameter["example"] = "wait=1"


@schemathesis.deserializer("image/*")
def deserialize(context: Any, response: Any) -> str:
    """A picture, or a part of one, has no shape to compare."""
    return repr(response.content[:20])


@schemathesis.hook
def map_case(context: Any, case: Any) -> Any:
    """Make what is meant to be accepted acceptable, where that takes more than each part being of its shape."""
    if case.meta is None or case.meta.generation.mode is GenerationMode.POSITIVE:
        making = ACCEPTABLE.get(case.operation.label)
        if making:
            making(case)
        case.query.pop("cursor", None)  # only from an answer
        if "owner" in case.query:
            case.query["owner"] = printable(case.query["owner"])
    return case


def a_job(case: Any) -> None:
    if "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = str(uuid4())  # one that came before stands for what came with it
    if isinstance(case.body, dict):
        case.query = {}  # options of a form belong into its part `job`
        a_job_asked(case.body.get("job", {}))
        return
    if "output" in case.query:
        case.query["output"] = OUTPUTS[: len(case.query["output"])] or OUTPUTS[:1]
    if "webhook" in case.query:
        case.query["webhook"] = ADDRESS


def a_job_asked(job: dict[str, Any]) -> None:
    if len(repr(job.get("metadata"))) > 1000:  # 4096 bytes, whatever they are
        job["metadata"] = {}
    if isinstance(job.get("webhook"), str):
        job["webhook"] = ADDRESS
    elif job.get("webhook"):
        a_webhook(job["webhook"])
    for name in job.keys() & {"output", "outputs"}:
        for output in job[name] if isinstance(job[name], list) else [job[name]]:
            an_output(output)


def an_output(output: dict[str, Any]) -> None:
    """Few pixels, since all outputs share a limit; and no field beside one that leaves it no meaning."""
    if "size" in output:
        output["size"] = "x".join(str(int(side) % 300 + 1) for side in re.findall(r"\d+", output["size"]))
    if output.get("quality") is not None or output.get("lossless"):
        output["format"] = "webp"
    if output.get("lossless"):
        output["quality"] = None
    if output.get("fit", "cover") != "cover":
        output["crop"] = None


def a_webhook(webhook: dict[str, Any]) -> None:
    """Where anybody's server may be, and signed as Standard Webhooks has it."""
    webhook["url"] = ADDRESS
    if webhook.get("secret") is not None:
        webhook["secret"] = SECRET


def a_key(case: Any) -> None:
    case.body.pop("end", None)  # has to lie ahead, and stands for `days`
    for name in case.body.keys() & {"name", "owner"}:
        case.body[name] = case.body[name] and printable(case.body[name])


def printable(text: str) -> str:
    return "".join(filter(str.isalnum, text)) or "somebody"


def not_ours(case: Any) -> None:
    if case.path_parameters["key"] == os.environ["LIVE_KEY_ID"]:
        case.path_parameters["key"] = str(UUID(int=0))  # or nothing would be allowed from then on


def some_days(case: Any) -> None:
    case.query.pop("since", None)  # at most a year before the other


ACCEPTABLE = {
    "POST /jobs": a_job,
    "PUT /webhook": lambda case: a_webhook(case.body),
    "POST /keys": a_key,
    "DELETE /keys/{key}": not_ours,
    "GET /usage": some_days,
}


@schemathesis.hook
def before_add_examples(context: Any, examples: list[Any]) -> None:
    """The document shows a name where the bytes of a file are meant."""
    for case in examples:
        map_case(context, case)
        if case.operation.label == "POST /jobs":
            case.body = {**case.body, "image": PICTURES[0]} if isinstance(case.body, dict) else PICTURES[0]
