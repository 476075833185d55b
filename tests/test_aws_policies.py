"""The IAM policies in docs/aws are held to the calls that the programs make."""

from __future__ import annotations

import ast
import json
import socket
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import boto3
import httpx
import pytest
from botocore.exceptions import ClientError
from conftest import noise
from containers import ROOT, Servers, client
from service import Program, Service, wait_until

from thumbnailer_api.config import ApiSettings
from thumbnailer_storage.config import StorageSettings, load
from thumbnailer_storage.jobs.model import Job, Source, Status
from thumbnailer_storage.jobs.pictures import Output

POLICIES = ROOT / "docs" / "aws"
STORAGE = ROOT / "storage" / "thumbnailer_storage"
PACKAGES = {"api": "thumbnailer_api", "worker": "thumbnailer_worker", "housekeeper": "thumbnailer_api"}
PORTS = {name: f"THUMBNAILER_{name.upper()}_HEALTH_PORT" for name in PACKAGES}

# From "Required permissions for Amazon S3 API operations" in the user guide of S3, and from the reference of SQS's
# AddPermission: leave for a call is leave for its batch. A missing object is told from a forbidden one only to those
# who may list (GetObject's reference); the object's name then counts as the prefix.
ACTIONS = {
    ("s3", "PutObject"): "s3:PutObject",
    ("s3", "CreateMultipartUpload"): "s3:PutObject",
    ("s3", "UploadPart"): "s3:PutObject",
    ("s3", "CompleteMultipartUpload"): "s3:PutObject",
    ("s3", "AbortMultipartUpload"): "s3:AbortMultipartUpload",
    ("s3", "GetObject"): "s3:GetObject",
    ("s3", "HeadObject"): "s3:GetObject",
    ("s3", "DeleteObjects"): "s3:DeleteObject",
    ("s3", "ListObjectsV2"): "s3:ListBucket",
    ("s3", "ListMultipartUploads"): "s3:ListBucketMultipartUploads",
    ("s3", "Missing"): "s3:ListBucket",
    ("sqs", "GetQueueUrl"): "sqs:GetQueueUrl",
    ("sqs", "GetQueueAttributes"): "sqs:GetQueueAttributes",
    ("sqs", "SendMessageBatch"): "sqs:SendMessage",
    ("sqs", "ReceiveMessage"): "sqs:ReceiveMessage",
    ("sqs", "ChangeMessageVisibility"): "sqs:ChangeMessageVisibility",
    ("sqs", "ChangeMessageVisibilityBatch"): "sqs:ChangeMessageVisibility",
    ("sqs", "DeleteMessage"): "sqs:DeleteMessage",
    ("ec2", "DescribeSpotPriceHistory"): "ec2:DescribeSpotPriceHistory",
}
OF_NO_PROGRAM = {("s3", "CreateBucket"), ("sqs", "PurgeQueue")}
"""An administrator makes the bucket on AWS; only tests and benchmarks purge a queue."""
ON_BUCKETS = {"s3:ListBucket", "s3:ListBucketMultipartUploads"}
ONLY_IN_TROUBLE = {
    ("api", "s3:GetObject", "uploads/*"): "a put whose first reply was lost looks whose object is there",
    ("worker", "s3:GetObject", "results/*"): "the same",
    ("worker", "s3:AbortMultipartUpload", "results/*"): "a child's long result could not be read to its end",
    ("api", "s3:PutObject", "marker"): "the program that starts first marks the bucket: here the housekeeper",
}
REGION, ACCOUNT = "eu-central-1", "123456789012"


@dataclass(frozen=True)
class Call:
    """What IAM judges: an action on a resource, and for a list its prefix."""

    action: str
    resource: str
    prefix: str | None = None


@dataclass(frozen=True)
class Grant:
    """One action on one resource of an Allow statement, and the prefixes that it is limited to."""

    action: str
    resource: str
    prefixes: tuple[str, ...] = ()

    def allows(self, call: Call) -> bool:
        return (
            call.action == self.action
            and fnmatchcase(call.resource, self.resource)
            and (not self.prefixes or any(fnmatchcase(call.prefix or "", prefix) for prefix in self.prefixes))
        )


def policy(program: str, **names: str) -> dict[str, Any]:
    """The policy of a program, with its placeholders filled in."""
    text = (POLICIES / f"{program}.json").read_text()
    filled: dict[str, Any] = json.loads(string.Template(text).substitute(REGION=REGION, ACCOUNT=ACCOUNT, **names))
    return filled


def grants(document: Mapping[str, Any]) -> Iterator[Grant]:
    for statement in document["Statement"]:
        assert statement["Effect"] == "Allow"
        assert set(statement) <= {"Sid", "Effect", "Action", "Resource", "Condition"}
        condition = statement.get("Condition", {"StringLike": {"s3:prefix": ()}})
        assert list(condition) == ["StringLike"]
        assert list(condition["StringLike"]) == ["s3:prefix"]
        prefixes = condition["StringLike"]["s3:prefix"]
        for action in statement["Action"]:
            for resource in statement["Resource"]:
                yield Grant(action, resource, (prefixes,) if isinstance(prefixes, str) else prefixes)


def calls(recorded: Path) -> set[Call]:
    """What a program asked of AWS, as IAM would see it."""
    return {call for line in recorded.read_text().splitlines() for call in judged(json.loads(line))}


def judged(line: Mapping[str, Any]) -> Iterator[Call]:
    action = ACTIONS[line["service"], line["operation"]]
    if line["service"] == "ec2":
        yield Call(action, "*")
    elif line["service"] == "sqs":
        yield Call(action, f"arn:aws:sqs:{REGION}:{ACCOUNT}:{line['queue']}")
    elif action in ON_BUCKETS:
        for prefix in line["keys"] or [line["prefix"]]:
            yield Call(action, f"arn:aws:s3:::{line['bucket']}", prefix)
    else:
        for key in line["keys"]:
            yield Call(action, f"arn:aws:s3:::{line['bucket']}/{key}")


def test_every_call_in_the_code_has_a_known_action() -> None:
    known = {operation for service, operation in ACTIONS.keys() | OF_NO_PROGRAM}
    for file, service in (("objects/s3.py", "s3"), ("queues/sqs.py", "sqs"), ("aws.py", "ec2")):
        operations = {name: operation for operation, name in methods(service)}
        tree = ast.parse((STORAGE / file).read_text())
        used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        used |= {
            node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        assert {operations[name] for name in used & operations.keys()} <= known, file


def methods(service: str) -> list[tuple[str, str]]:
    """Each operation of a service, and boto3's method for it."""
    made = boto3.client(service, region_name=REGION)  # type: ignore[call-overload]
    return [(operation, name) for name, operation in made.meta.method_to_api_mapping.items()]


def test_keda_may_read_depths_and_nothing_else() -> None:
    assert [grant.action for grant in grants(policy("keda", QUEUE_PREFIX="thumbnailer"))] == ["sqs:GetQueueAttributes"]


def test_a_policy_keeps_to_its_own_prefix_and_queues() -> None:
    names = {"BUCKET": "bucket", "PREFIX": "ours", "QUEUE_PREFIX": "ours"}
    for program in PACKAGES:
        for grant in grants(policy(program, **names)):
            for resource, prefix in (
                ("arn:aws:s3:::bucket/theirs/uploads/1", None),
                (f"arn:aws:sqs:{REGION}:{ACCOUNT}:theirs-express", None),
                ("arn:aws:s3:::bucket", "theirs/"),
            ):
                # S3 lists the unfinished uploads of a whole bucket to the sweep, which aborts its own alone.
                # EC2's prices are nobody's own.
                if grant.action not in ("s3:ListBucketMultipartUploads", "ec2:DescribeSpotPriceHistory"):
                    assert not grant.allows(Call(grant.action, resource, prefix)), (program, grant)


def test_the_settings_in_the_docs_are_ours() -> None:
    block = (ROOT / "docs/aws.md").read_text().split("```ini\n")[1].split("```")[0]
    settings = dict(line.split("=", 1) for line in block.splitlines())
    assert load(StorageSettings, settings).queue_limit == 0
    assert load(ApiSettings, settings).auth == "keys"
    assert not any("ENDPOINT" in name or "KEY" in name for name in settings)


@pytest.mark.parametrize("file", sorted(POLICIES.glob("[!l]*.json")), ids=lambda file: file.stem)  # not lifecycle
def test_every_file_is_a_policy_once_its_names_are_filled_in(file: Path) -> None:
    names = ("BUCKET", "PREFIX", "REGION", "ACCOUNT", "QUEUE_PREFIX", "NAMESPACE", "SERVICE_ACCOUNT", "OIDC")
    filled = string.Template(file.read_text()).substitute(dict.fromkeys(names, "name"))
    assert json.loads(filled)["Version"] == "2012-10-17"


class Recorded:
    """The three programs on real stores, each with the objects' rights of its policy, which MinIO enforces."""

    def __init__(self, service: Service, servers: Servers, folder: Path) -> None:
        self.service = service
        self.bucket, self.prefix = service.settings["THUMBNAILER_OBJECTS"].removeprefix("s3://").split("/")
        self.queues = service.settings["THUMBNAILER_QUEUE"].removeprefix("sqs://")
        self.names = {"BUCKET": self.bucket, "PREFIX": self.prefix, "QUEUE_PREFIX": self.queues}
        self.s3, self.sqs = client("s3", servers.minio()), client("sqs", servers.elasticmq())
        self._servers = servers
        self._folder = folder

    def start(self, name: str, **more: str) -> Program:
        command = self.service._command("", ("recorded", PACKAGES[name], self.file(name)))
        arguments = {"api": ["serve"], "housekeeper": ["housekeeper"], "worker": []}[name]
        program = self.service.start(name, *command, *arguments, port=PORTS[name], **self._role(name), **more)
        program.wait_until_ready()
        return program

    def file(self, name: str) -> Path:
        return self._folder / f"{name}.calls"

    def _role(self, name: str) -> dict[str, str]:
        """Credentials for a session that may do what the policy says of S3."""
        document = policy(name, **self.names)
        document["Statement"] = [each for each in document["Statement"] if each["Action"][0].startswith("s3:")]
        access = self._servers.minio()
        sts = client("sts", {**access, "AWS_ENDPOINT_URL_STS": access["AWS_ENDPOINT_URL_S3"]})
        given = sts.assume_role(
            RoleArn="arn:minio:iam:::role/any", RoleSessionName=name, Policy=json.dumps(document), DurationSeconds=900
        )["Credentials"]
        return {
            "AWS_ACCESS_KEY_ID": given["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
            "AWS_SESSION_TOKEN": given["SessionToken"],
        }

    def forbidden(self, name: str) -> None:
        """MinIO does enforce the policies: what none of the rights is for is refused."""
        role = self._role(name)
        s3 = boto3.client(
            "s3",
            endpoint_url=self._servers.minio()["AWS_ENDPOINT_URL_S3"],
            region_name="us-east-1",
            aws_access_key_id=role["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=role["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=role["AWS_SESSION_TOKEN"],
        )
        with pytest.raises(ClientError, match="AccessDenied"):
            s3.delete_object(Bucket=self.bucket, Key=f"{self.prefix}/marker")
        with pytest.raises(ClientError, match="AccessDenied"):
            s3.put_object(Bucket=self.bucket, Key="others/uploads/1", Body=b"")

    def remove(self, key: str) -> None:
        self.s3.delete_object(Bucket=self.bucket, Key=f"{self.prefix}/{key}")

    def send(self, body: str) -> None:
        url = self.sqs.get_queue_url(QueueName=f"{self.queues}-express")["QueueUrl"]
        self.sqs.send_message(QueueUrl=url, MessageBody=body)

    def stored(self) -> set[str]:
        found = self.s3.list_objects_v2(Bucket=self.bucket).get("Contents", ())
        return {stored["Key"].removeprefix(f"{self.prefix}/") for stored in found}

    def unfinished(self) -> int:
        return len(self.s3.list_multipart_uploads(Bucket=self.bucket).get("Uploads", ()))


@pytest.fixture
def recorded(real_service: Service, servers: Servers, tmp_path: Path) -> Recorded:
    return Recorded(real_service, servers, tmp_path)


@pytest.mark.timeout(400)  # many steps, each quick, one after the other
def test_the_policies_allow_what_the_programs_do_and_nothing_more(
    recorded: Recorded, small: bytes, slow: dict[str, object]
) -> None:
    service = recorded.service
    # Whether EC2 answers is all the same: the call is what IAM judges.
    priced = {"THUMBNAILER_SPOT_PRICES": "g4dn.xlarge", "AWS_ENDPOINT_URL_EC2": "http://127.0.0.1:1"}
    recorded.start("housekeeper", THUMBNAILER_SWEEP_SECONDS="0.5", THUMBNAILER_BODY_SECONDS="3", **priced)
    api = recorded.start("api")
    missing = service.submit(api, small)
    recorded.remove(f"uploads/{missing}")
    worker = recorded.start("worker", THUMBNAILER_MISSING_SECONDS="0")
    done = way_of_a_user(recorded, api, small)
    service.submit(api, **slow)  # type: ignore[arg-type]
    recorded.send("hello")
    cut_off(api)
    what_the_housekeeper_mends(recorded, small)
    ledger = {job.id: (job.status, job.code) for job in service.wait_until_all_final()}
    assert ledger.pop(missing) == (Status.FAILED, 404)
    assert set(ledger.values()) == {(Status.COMPLETE, 200)}
    wait_until("the foreign message is gone", lambda: worker.metric("thumbnailer_foreign_messages_total"))
    what_is_gone(recorded, api, done)
    for program in PACKAGES:
        hold(recorded, program)
        recorded.forbidden(program)


def way_of_a_user(recorded: Recorded, api: Program, small: bytes) -> Job:
    """Small and long pictures both ways: streamed, looked at, fetched from the store; returns the small one's job."""
    jobs = [
        recorded.service.submit(api, small),
        recorded.service.submit(api, noise(1400, 1400, "PNG"), output="format=png,size=1400x1400"),
    ]
    redirecting = recorded.start("api", THUMBNAILER_DOWNLOADS="redirect")
    for job in jobs:
        recorded.service.wait_for(job, Status.COMPLETE)
        path = f"/jobs/{job}/outputs/0"
        streamed = httpx.get(api.url + path)
        assert httpx.head(api.url + path).headers["Content-Length"] == str(len(streamed.content))
        assert httpx.get(redirecting.url + path, follow_redirects=True).content == streamed.content
    return recorded.service.job(jobs[0])


def cut_off(api: Program) -> None:
    """An upload that ends in the middle of its second part."""
    address = urlsplit(api.url)
    with socket.create_connection((address.hostname, address.port)) as caller:
        caller.sendall(b"POST /jobs HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 9000000\r\n\r\n")
        caller.sendall(noise(1400, 1400, "PNG")[:5_500_000])


def what_the_housekeeper_mends(recorded: Recorded, small: bytes) -> None:
    """A job whose message was never sent, an upload without a job, and one that was never ended."""
    stores, unsent, orphan = recorded.service.stores, uuid4(), f"uploads/{uuid4()}"
    stores.objects.put(f"uploads/{unsent}", [small])
    source = Source(bytes=len(small), sha256="0" * 64, filename=None)
    stores.jobs.add(Job.new(id=unsent, owner="nobody", source=source, outputs=(Output(),)))
    stores.objects.put(orphan, [small])
    recorded.s3.create_multipart_upload(Bucket=recorded.bucket, Key=f"{recorded.prefix}/uploads/{uuid4()}")
    wait_until("the orphan is swept", lambda: orphan not in recorded.stored())
    wait_until("the unfinished upload is aborted", lambda: not recorded.unfinished())
    recorded.service.wait_for(unsent, Status.COMPLETE)


def what_is_gone(recorded: Recorded, api: Program, job: Job) -> None:
    """A result that somebody removed, asked for; and a result of an attempt that lost, which the sweep removes."""
    assert job.outputs[0].result
    lost = job.result_key(job.outputs[0].result).replace(f"/{job.attempt}/", "/9/")
    recorded.service.stores.objects.put(lost, [b"x"])
    wait_until("the lost attempt's result is swept", lambda: lost not in recorded.stored())
    recorded.remove(job.result_key(job.outputs[0].result))
    assert httpx.head(f"{api.url}/jobs/{job.id}/outputs/0").status_code >= 400


def hold(recorded: Recorded, program: str) -> None:
    """Each call has a grant, and each grant a call."""
    made = calls(recorded.file(program))
    given = list(grants(policy(program, **recorded.names)))
    assert [call for call in made if not any(grant.allows(call) for grant in given)] == [], program
    idle = {(program, grant.action, below(recorded, grant)) for grant in given if not any(map(grant.allows, made))}
    assert idle == {each for each in ONLY_IN_TROUBLE if each[0] == program}


def below(recorded: Recorded, grant: Grant) -> str:
    return grant.resource.removeprefix(f"arn:aws:s3:::{recorded.bucket}/{recorded.prefix}/")
