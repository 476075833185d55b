"""Clients of AWS's protocols; endpoint and credentials or role are boto3's own settings. And what EC2's spot costs."""

from __future__ import annotations

from datetime import UTC, datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Literal, overload

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from thumbnailer_storage.config import aws_region
from thumbnailer_storage.errors import PriceUnavailable, SettingError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

ANY_REGION = "us-east-1"
"""For a store that is not AWS and knows no regions: requests are signed with one all the same."""
PATIENCE = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 2})
"""For the price, which nobody waits for."""


@overload
def client(service: Literal["s3"], config: Config, endpoint: str | None = None) -> S3Client: ...
@overload
def client(service: Literal["sqs"], config: Config) -> SQSClient: ...
@overload
def client(service: Literal["ec2"], config: Config) -> Any: ...
def client(service: Literal["s3", "sqs", "ec2"], config: Config, endpoint: str | None = None) -> Any:
    """A client of the service, at its own endpoint or another; safe for all threads.

    Raises botocore's errors where its settings are wrong.
    """
    session = boto3.session.Session(region_name=aws_region())
    region = session.region_name or ANY_REGION
    return session.client(service, config=config, endpoint_url=endpoint, region_name=region)


class SpotPrices:
    """What EC2's spot instances cost in our region. Raises SettingError where none is set: prices differ."""

    def __init__(self) -> None:
        self._region = boto3.session.Session(region_name=aws_region()).region_name
        if self._region is None:
            raise SettingError("THUMBNAILER_SPOT_PRICES is set and AWS_REGION is not: each region has its prices")
        self._ec2 = client("ec2", PATIENCE)

    def cheapest(self, instance: str) -> float:
        """Dollars an hour in the cheapest zone now, with Linux. Raises PriceUnavailable."""
        history = self._ec2.get_paginator("describe_spot_price_history").paginate(
            InstanceTypes=[instance],
            ProductDescriptions=["Linux/UNIX"],
            StartTime=datetime.now(UTC),  # gives what counts now, which began earlier
        )
        try:
            found = [entry for page in history for entry in page.get("SpotPriceHistory", ())]
        except (BotoCoreError, ClientError, ResponseParserError) as error:
            raise PriceUnavailable(f"EC2 does not say what a {instance} costs: {error}") from error
        found.sort(key=itemgetter("Timestamp"))
        latest = {entry["AvailabilityZone"]: float(entry["SpotPrice"]) for entry in found}
        if not latest:
            raise PriceUnavailable(f"EC2 has no spot price of a {instance} in {self._region}")
        return min(latest.values())
