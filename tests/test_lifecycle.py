"""The lifecycle rules in docs/aws are the second fence behind expiry, and not before it."""

import json
import string
from pathlib import Path

import boto3
from botocore.validate import ParamValidator

from thumbnailer_api.config import ApiSettings

FILE = Path(__file__).parent.parent / "docs/aws/lifecycle.json"
LONGEST_IN_A_QUEUE = 14
"""Days: what SQS keeps a message for, at most."""


def rules() -> dict[str, list[dict]]:
    return json.loads(string.Template(FILE.read_text()).substitute(PREFIX="thumbnailer"))


def test_s3_takes_it() -> None:
    s3 = boto3.client("s3", region_name="eu-central-1", aws_access_key_id="nobody", aws_secret_access_key="none")
    shape = s3.meta.service_model.operation_model("PutBucketLifecycleConfiguration").input_shape
    report = ParamValidator().validate({"Bucket": "pictures", "LifecycleConfiguration": rules()}, shape)
    assert not report.has_errors(), report.generate_report()


def test_it_removes_nothing_that_a_job_may_still_need() -> None:
    days = {rule["Filter"]["Prefix"]: rule["Expiration"]["Days"] for rule in rules()["Rules"] if "Expiration" in rule}
    kept = ApiSettings.model_fields["keep_seconds_max"].default / 86400
    assert set(days) == {"thumbnailer/uploads/", "thumbnailer/results/"}
    assert days["thumbnailer/results/"] > kept + 1
    assert days["thumbnailer/uploads/"] > kept + LONGEST_IN_A_QUEUE
