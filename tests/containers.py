"""The stores of compose.yaml as test servers: on free ports, started when first asked for, removed at the end.

What runs here is what users run: the images, settings and limits are those of compose.yaml. VersityGW is beside them,
so that not MinIO alone says what S3 is.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn
from uuid import uuid4

import boto3
import psycopg
import pytest
from service import free_ports

from thumbnailer_storage.jobs.model import Priority

ROOT = Path(__file__).parent.parent
FILES = (ROOT / "compose.yaml", ROOT / "tests" / "versitygw" / "compose.yaml")
PORTS = {
    "postgres": "POSTGRES_PORT",
    "minio": "MINIO_PORT",
    "versitygw": "VERSITYGW_PORT",
    "elasticmq": "ELASTICMQ_PORT",
}
"""The store services, and the variable that says where each is published."""
PATIENCE = 120
BUILD_PATIENCE = 1800
"""MinIO and VersityGW are built from source once on a machine."""


def needed(what: str) -> NoReturn:
    """Skip the test for want of something, or fail it where CI says that all of it has to be there."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what}, and CI=true says that it has to be there")
    pytest.skip(what)


def find_engine() -> None:
    """Return where there is a container engine with compose; skip or fail where there is none."""
    if shutil.which("docker") is None:
        needed("there is no docker on this machine")
    for command in (["docker", "info"], ["docker", "compose", "version"]):
        asked = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if asked.returncode:
            needed(f"`{' '.join(command)}` says: {asked.stderr.strip()[:200]}")


class Servers:
    """One project of docker compose, of this process alone."""

    def __init__(self) -> None:
        find_engine()
        self.project = f"thumbnailer-test-{os.getpid()}"
        self.ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        self._environment = {**os.environ, **{PORTS[name]: str(port) for name, port in self.ports.items()}}
        services = json.loads(self.compose("config", "--format", "json").stdout)["services"]
        self._settings: dict[str, Mapping[str, str]] = {name: services[name].get("environment", {}) for name in PORTS}
        self._up: set[str] = set()

    def compose(self, *arguments: str, patience: int = PATIENCE) -> subprocess.CompletedProcess[str]:
        files = [part for file in FILES for part in ("--file", str(file))]
        command = ["docker", "compose", "--project-name", self.project, *files, *arguments]
        ended = subprocess.run(
            command, env=self._environment, capture_output=True, text=True, timeout=patience, check=False
        )
        assert ended.returncode == 0, f"{' '.join(command)}: {ended.stderr[-2000:]}"
        return ended

    def up(self, *services: str) -> None:
        """Start services and wait until they are healthy; nothing where they run already."""
        if missing := [service for service in services if service not in self._up]:
            self.compose("up", "--detach", "--wait", "--no-deps", *missing, patience=BUILD_PATIENCE)
            self._up |= set(missing)

    def stop(self, service: str) -> None:
        """Stop a server as an outage would."""
        self.compose("kill", service)

    def start(self, service: str) -> None:
        self.compose("up", "--detach", "--wait", "--no-deps", service)

    def pause(self, service: str) -> None:
        """Freeze a server: it takes connections and does not answer."""
        self.compose("pause", service)

    def unpause(self, service: str) -> None:
        self.compose("unpause", service)

    def down(self) -> None:
        self.compose("down", "--volumes", "--timeout", "5")

    @contextmanager
    def database(self) -> Iterator[str]:
        """The address of an empty database, dropped afterwards."""
        self.up("postgres")
        name = f"test_{uuid4().hex}"
        given = self._settings["postgres"]
        address = f"{given['POSTGRES_USER']}:{given['POSTGRES_PASSWORD']}@127.0.0.1:{self.ports['postgres']}"
        with psycopg.connect(f"postgresql://{address}/{given['POSTGRES_DB']}", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'")
        yield f"postgresql+psycopg://{address}/{name}"
        with psycopg.connect(f"postgresql://{address}/{given['POSTGRES_DB']}", autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def minio(self) -> dict[str, str]:
        """What boto3 has to know of MinIO."""
        self.up("minio")
        given = self._settings["minio"]
        return {
            "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{self.ports['minio']}",
            "AWS_ACCESS_KEY_ID": given["MINIO_ROOT_USER"],
            "AWS_SECRET_ACCESS_KEY": given["MINIO_ROOT_PASSWORD"],
            "AWS_REGION": "us-east-1",
        }

    def versitygw(self) -> dict[str, str]:
        """What boto3 has to know of VersityGW."""
        self.up("versitygw")
        given = self._settings["versitygw"]
        return {
            "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{self.ports['versitygw']}",
            "AWS_ACCESS_KEY_ID": given["ROOT_ACCESS_KEY"],
            "AWS_SECRET_ACCESS_KEY": given["ROOT_SECRET_KEY"],
            "AWS_REGION": "us-east-1",
        }

    @contextmanager
    def bucket(self) -> Iterator[str]:
        """An empty bucket of MinIO's, removed afterwards with all that is in it."""
        with bucket(self.minio()) as name:
            yield name

    def elasticmq(self) -> dict[str, str]:
        """What boto3 has to know of ElasticMQ, which takes any credentials."""
        self.up("elasticmq")
        return {
            "AWS_ENDPOINT_URL_SQS": f"http://127.0.0.1:{self.ports['elasticmq']}",
            "AWS_ACCESS_KEY_ID": "anybody",
            "AWS_SECRET_ACCESS_KEY": "anything",
            "AWS_REGION": "elasticmq",
        }

    @contextmanager
    def queues(self, *more: str) -> Iterator[str]:
        """The prefix of queues that exist for each priority and for `more`, removed afterwards."""
        sqs = client("sqs", self.elasticmq())
        prefix = f"test-{uuid4().hex[:12]}"
        urls = [sqs.create_queue(QueueName=f"{prefix}-{name}")["QueueUrl"] for name in (*Priority, *more)]
        yield prefix
        for url in urls:
            sqs.delete_queue(QueueUrl=url)

    @contextmanager
    def settings(self) -> Iterator[dict[str, str]]:
        """The environment of a service on these stores, all of them empty."""
        with self.database() as database, self.bucket() as bucket, self.queues() as prefix:
            yield {
                **self.elasticmq(),
                **self.minio(),
                "THUMBNAILER_DATABASE": database,
                "THUMBNAILER_OBJECTS": f"s3://{bucket}/pictures",
                "THUMBNAILER_QUEUE": f"sqs://{prefix}",
            }


@contextmanager
def bucket(access: Mapping[str, str]) -> Iterator[str]:
    """An empty bucket of the store that `access` leads to, removed afterwards with all that is in it."""
    s3, name = client("s3", access), f"test-{uuid4().hex}"
    s3.create_bucket(Bucket=name)
    yield name
    for upload in s3.list_multipart_uploads(Bucket=name).get("Uploads", ()):
        s3.abort_multipart_upload(Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"])
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=name):
        if found := page.get("Contents"):
            s3.delete_objects(Bucket=name, Delete={"Objects": [{"Key": stored["Key"]} for stored in found]})
    s3.delete_bucket(Bucket=name)


def client(service: str, access: Mapping[str, str]) -> Any:
    """A client of the test's own, beside the ones that are tested."""
    return boto3.client(  # type: ignore[call-overload]
        service,
        endpoint_url=access[f"AWS_ENDPOINT_URL_{service.upper()}"],
        aws_access_key_id=access["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=access["AWS_SECRET_ACCESS_KEY"],
        region_name=access["AWS_REGION"],
    )
