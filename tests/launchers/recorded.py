"""Run a program so that each of its calls to S3 and SQS is written to a file, one JSON object a line.

A call that was answered with 404 is written once more, as the operation "Missing". An address that is presigned counts
as a call: who follows it acts for the program.
"""

import importlib
import json
import sys
from pathlib import Path

import boto3

from thumbnailer_api.housekeeping import sweep

package, file, _, *arguments = sys.argv[1:]
original = boto3.session.Session.client


def write(service, operation, params):
    keys = [each["Key"] for each in params.get("Delete", {}).get("Objects", [])]
    told = {
        "service": service,
        "operation": operation,
        "bucket": params.get("Bucket"),
        "keys": keys or ([params["Key"]] if "Key" in params else []),
        "prefix": params.get("Prefix"),
        "queue": params.get("QueueName") or params.get("QueueUrl", "").rsplit("/", 1)[-1],
    }
    with Path(file).open("a") as lines:
        lines.write(json.dumps(told) + "\n")


def asked(params, model, context, **_):
    context["asked"] = dict(params)
    write(model.service_model.service_name, model.name, params)


def answered(http_response, model, context, **_):
    if http_response.status_code == 404 and "asked" in context:
        write(model.service_model.service_name, "Missing", context["asked"])


def client(self, *given, **more):
    made = original(self, *given, **more)
    made.meta.events.register("before-parameter-build", asked)
    made.meta.events.register("after-call", answered)
    return made


boto3.session.Session.client = client
sweep.SAFETY_SECONDS = 0.0
importlib.import_module(f"{package}.cli").main(arguments)
