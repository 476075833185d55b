"""What EC2 says of spot prices, from a server that speaks its protocol."""

import re
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from urllib.parse import parse_qs

import boto3
import pytest
from botocore.config import Config

from thumbnailer_storage import aws
from thumbnailer_storage.errors import PriceUnavailable, SettingError

HEAD = "<?xml version='1.0' encoding='UTF-8'?>"
SPACE = "xmlns='http://ec2.amazonaws.com/doc/2016-11-15/'"
Answer = Callable[[dict[str, str]], tuple[int, str]]


class Ec2(HTTPServer):
    """Answers as a test says, and keeps what it was asked."""

    answer: Answer
    asked: list[dict[str, str]]


class Handler(BaseHTTPRequestHandler):
    server: Ec2

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        asked = {name: values[0] for name, values in parse_qs(body).items()}
        self.server.asked.append({**asked, "signed": self.headers["Authorization"]})
        status, text = self.server.answer(asked)
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        pass


def page(*entries: tuple[str, str, str], token: str = "") -> tuple[int, str]:
    items = "".join(
        f"<item><instanceType>g4dn.xlarge</instanceType><productDescription>Linux/UNIX</productDescription>"
        f"<spotPrice>{price}</spotPrice><timestamp>{at}</timestamp><availabilityZone>{zone}</availabilityZone></item>"
        for zone, price, at in entries
    )
    return 200, (
        f"{HEAD}<DescribeSpotPriceHistoryResponse {SPACE}><requestId>1</requestId><spotPriceHistorySet>{items}"
        f"</spotPriceHistorySet><nextToken>{token}</nextToken></DescribeSpotPriceHistoryResponse>"
    )


def refusal(status: int, code: str) -> tuple[int, str]:
    return status, (
        f"{HEAD}<Response><Errors><Error><Code>{code}</Code><Message>not so</Message></Error></Errors>"
        "<RequestID>1</RequestID></Response>"
    )


@pytest.fixture
def ec2(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ec2]:
    with Ec2(("127.0.0.1", 0), Handler) as server:
        server.asked = []
        given = {
            "AWS_ENDPOINT_URL_EC2": f"http://127.0.0.1:{server.server_address[1]}",
            "AWS_REGION": "eu-west-3",
            "AWS_ACCESS_KEY_ID": "anybody",
            "AWS_SECRET_ACCESS_KEY": "anything",
        }
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_the_price_is_that_of_the_cheapest_zone_now(ec2: Ec2) -> None:
    pages = {
        None: page(("a", "0.300", "2026-11-24T10:00:00Z"), ("b", "0.100", "2026-11-20T10:00:00Z"), token="more"),
        "more": page(("b", "0.2500", "2026-11-24T11:00:00Z"), ("c", "0.2600", "2026-11-24T01:00:00Z")),
    }
    ec2.answer = lambda asked: pages[asked.get("NextToken")]
    assert aws.SpotPrices().cheapest("g4dn.xlarge") == 0.25
    first, second = ec2.asked
    assert first.items() >= {
        ("Action", "DescribeSpotPriceHistory"),
        ("InstanceType.1", "g4dn.xlarge"),
        ("ProductDescription.1", "Linux/UNIX"),
    }
    assert re.match(r"\d{4}-\d\d-\d\dT", first["StartTime"])
    assert second["NextToken"] == "more"
    assert "/eu-west-3/ec2/aws4_request" in first["signed"]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (page(), "EC2 has no spot price of a g4dn.xlarge in eu-west-3"),
        (refusal(403, "UnauthorizedOperation"), "UnauthorizedOperation"),
        (refusal(400, "InvalidParameterValue"), "InvalidParameterValue"),
        ((503, "busy"), "EC2 does not say what a g4dn.xlarge costs"),
        ((200, "<html>a proxy</html>"), "g4dn.xlarge"),
    ],
    ids=["none", "forbidden", "an unknown type", "busy", "no EC2"],
)
def test_without_an_answer_the_price_is_unavailable_and_the_reason_is_told(
    ec2: Ec2, answer: tuple[int, str], says: str
) -> None:
    ec2.answer = lambda _: answer
    with pytest.raises(PriceUnavailable, match=says):
        aws.SpotPrices().cheapest("g4dn.xlarge")
    assert len(ec2.asked) <= 2


def test_without_a_region_there_is_no_price(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    with pytest.raises(SettingError, match="AWS_REGION"):
        aws.SpotPrices()


def test_the_region_is_that_of_aws_region_which_boto3_does_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert aws.client("sqs", Config()).meta.region_name == "eu-west-1"
    monkeypatch.setenv("AWS_REGION", "eu-west-3")
    assert aws.client("sqs", Config()).meta.region_name == "eu-west-3"
    assert boto3.session.Session().region_name == "eu-west-1", "boto3 reads it now: aws_region() is of no use any more"
