"""Clients of AWS's protocols; endpoint, region and credentials or role are boto3's own settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

ANY_REGION = "us-east-1"
"""For a store that is not AWS and knows no regions: requests are signed with one all the same."""


@overload
def client(service: Literal["s3"], config: Config, endpoint: str | None = None) -> S3Client: ...
@overload
def client(service: Literal["sqs"], config: Config) -> SQSClient: ...
def client(service: Literal["s3", "sqs"], config: Config, endpoint: str | None = None) -> Any:
    """A client of the service, at its own endpoint or another; safe for all threads.

    Raises botocore's errors where its settings are wrong.
    """
    session = boto3.session.Session()
    region = session.region_name or ANY_REGION
    return session.client(service, config=config, endpoint_url=endpoint, region_name=region)
