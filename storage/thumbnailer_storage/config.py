"""Settings: how every program of ours reads them, and those of the stores.

A settings class is a frozen pydantic model; its field `port` is read from `THUMBNAILER_PORT`. A wrong value, or a
variable that no program of ours knows, is a `SettingError` at start.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from thumbnailer_storage.errors import SettingError
from thumbnailer_storage.jobs.model import Priority

PREFIX = "THUMBNAILER_"

EVERY_NAME = frozenset(
    {
        *("AUTH", "DATA", "DATABASE", "HOST", "INSECURE_NO_AUTH", "KEY", "OBJECTS", "PORT", "QUEUE", "QUEUES", "URL"),
        *("API_HEALTH_PORT", "HOUSEKEEPER_HEALTH_PORT", "WORKER_HEALTH_PORT", "LOG_FORMAT", "LOG_LEVEL"),
        *("BODY_SECONDS", "DRAIN_SECONDS", "MAX_UPLOAD_BYTES", "PROXIES", "THREADS"),
        *("MAX_OUTPUTS", "MAX_OUTPUT_PIXELS", "PRESETS"),
        *("CHILD_CPU_SECONDS", "CHILD_MEMORY_MIB", "CONCURRENCY", "GRACE_SECONDS", "LEASE_SECONDS", "MISSING_SECONDS"),
        *("CLASSES", "MAX_FRAMES", "MAX_PIXELS", "SCRATCH"),
        *("EXPIRE_SECONDS", "KEEP_RECORDS_SECONDS", "KEEP_SECONDS", "KEEP_SECONDS_MAX"),
        *("OIDC_AUDIENCE", "OIDC_ISSUER", "OIDC_JWKS_URL", "OIDC_OWNER_CLAIM", "OIDC_OWNER_PREFIX"),
        *("OIDC_SCOPES", "OIDC_SCOPE_CLAIM", "OIDC_SCOPE_PREFIX"),
        *("OWNER_BYTES_PER_DAY", "OWNER_JOBS_WAITING", "OWNER_REQUESTS_PER_MINUTE"),
        *("BORROWS",),
        *("HOUSEKEEPING_SECONDS", "RESEND_SECONDS", "SPOT_PRICES", "SWEEP_SECONDS"),
        *("SECRET_KEYS", "WEBHOOK_INSECURE_HTTP", "WEBHOOK_NETWORKS", "WEBHOOK_PORTS"),
        *("CREATE_BUCKET", "DATABASE_CONNECTIONS", "DOWNLOADS", "DOWNLOADS_URL", "QUEUE_LIMIT", "START_SECONDS"),
    }
)
"""The settings of all programs: they may share one environment, so each has to know the others' names.

tests/test_settings.py holds this to the settings classes and to docs/settings.md.
"""

SECRETS = frozenset({"secret_keys"})
"""Settings whose values are never shown."""

LINK_VARIABLE = re.compile(r"(SERVICE_(HOST|PORT.*)|PORT(_\d+_(TCP|UDP).*)?)$")
"""What Kubernetes puts into pods beside a Service named `thumbnailer...`; its `PORT` is an address, ours a number."""


class Settings(BaseModel):
    """What all settings classes share: frozen, and strict about names."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


S = TypeVar("S", bound=Settings)

QUEUE_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
"""SQS allows 80 characters for the whole name, with the prefix; a record's class has room for 40."""


def listed(value: object) -> object:
    return tuple(value.replace(" ", "").split(",")) if isinstance(value, str) else value


def queue_names(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names) or not all(QUEUE_NAME.fullmatch(name) for name in names):
        raise ValueError("name each once, in up to 40 small letters, digits and -, separated by commas: express,gpu")
    return names


Listed = Annotated[tuple[str, ...], BeforeValidator(listed)]
QueueNames = Annotated[Listed, AfterValidator(queue_names)]


def load(kind: type[S], environ: Mapping[str, str]) -> S:
    """The settings of one class from the environment; raises SettingError for the first one that is wrong."""
    given = {name.removeprefix(PREFIX): value for name, value in environ.items() if name.startswith(PREFIX)}
    given = {name: value for name, value in given.items() if not is_link_variable(name, value)}
    refuse_unknown(given)
    values = {name.lower(): value for name, value in given.items() if name.lower() in kind.model_fields and value != ""}
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise SettingError(describe(error, values)) from None


def is_link_variable(name: str, value: str) -> bool:
    if name == "PORT":
        return "://" in value
    return name not in EVERY_NAME and bool(LINK_VARIABLE.search(name))


def refuse_unknown(given: Mapping[str, str]) -> None:
    for name in sorted(given.keys() - EVERY_NAME):
        near = get_close_matches(name, EVERY_NAME, n=1, cutoff=0.0)[0]
        raise SettingError(f"{PREFIX}{name} is no setting of ours: did you mean {PREFIX}{near}?")


def describe(error: ValidationError, values: Mapping[str, str]) -> str:
    """One line: the variable, its value with secrets masked, and what is allowed."""
    first = error.errors()[0]
    reason = first["msg"].removeprefix("Value error, ")
    if not first["loc"]:
        return reason
    name = str(first["loc"][0])
    shown = "***" if name in SECRETS else masked(values.get(name, ""))
    return f"{PREFIX}{name.upper()} is {shown!r}: {reason[0].lower()}{reason[1:]}"


def masked(value: str) -> str:
    """The value without the password that an address may hold, also one that is mistyped."""
    value = re.sub(r"(://[^:/@\s]*):[^@\s]*@", r"\1:***@", value)
    value = re.sub(r"([?&](?:ssl)?password=)[^&]*", r"\1***", value)
    return re.sub(r"^([^:]*:(?://)?[^:/@]*):.*@", r"\1:***@", value)


def aws_region() -> str | None:
    """`AWS_REGION`, as every SDK of AWS but boto3 reads it; None leaves boto3 to its own settings."""
    return os.environ.get("AWS_REGION") or None


@contextmanager
def blaming(setting: str, port: int) -> Iterator[None]:
    """Name the setting where the system does not let us have its port; raises SettingError for an OSError."""
    try:
        yield
    except OSError as error:
        raise SettingError(f"{setting} is {port}: it cannot be used: {error.strerror}") from error


# What several programs read has one meaning, one default and one limit.
HOST = Field("127.0.0.1", description="Address that the API and the health listeners bind to.")
LEASE_SECONDS = Field(30.0, ge=2, le=3600, description="How long a worker's claim holds without a sign of life.")
GRACE_SECONDS = Field(25.0, ge=0, le=86400, description="How long requests, or a job in hand, may go on after SIGTERM.")
MAX_UPLOAD_BYTES = Field(50 << 20, ge=1, description="The largest image that is taken, in bytes.")


DATABASES = re.compile(r"postgresql\+psycopg://|sqlite:///")
OBJECTS = re.compile(r"s3://[a-z0-9][a-z0-9.-]{2,62}(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*/?\Z|file:///")
"""A bucket is named as S3 names them; a prefix holds what needs no escape in a path."""
QUEUES = re.compile(r"sqs://[A-Za-z0-9_-]{1,40}\Z|sql:\Z")
"""SQS allows 80 characters for the whole name; a queue's own part, QUEUE_NAME, takes up to 40."""


class StorageSettings(Settings):
    """Where records, objects and messages are."""

    data: Path = Field(Path("data"), description="Folder of the embedded stores: the SQLite file and the objects.")
    database: str = Field(
        "",
        description="Address of the records: `postgresql+psycopg://user:password@host/name`, or `sqlite:///path`; by "
        "default a file in the data folder.",
    )
    database_connections: int = Field(
        16, ge=2, le=1000, description="The most connections that one process opens to the database."
    )
    objects: str = Field(
        "",
        description="Address of the images: `s3://bucket/prefix`, or `file:///path`; by default a folder in the data "
        "folder.",
    )
    create_bucket: bool = Field(False, description="`yes` makes the bucket of `s3://` where there is none.")
    queue: str = Field(
        "sql:",
        description="The messages: `sqs://prefix` has a queue `prefix-express` and so on; `sql:` keeps them in a table "
        "of the database.",
    )
    queue_limit: int = Field(
        0,
        ge=0,
        description="The most messages that stand in one queue; further jobs wait as records. 0: no limit. ElasticMQ "
        "needs one, since it keeps all messages in memory.",
    )
    classes: QueueNames = Field(
        (),
        description="Kinds of machines that a job may ask for, such as `gpu`: each has a queue of its own, "
        "which some worker has to serve.",
    )
    start_seconds: float = Field(
        60.0, ge=0, le=86400, description="How long a program waits at start for a store that does not answer."
    )

    @field_validator("classes")
    @classmethod
    def classes_are_no_priorities(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if taken := [name for name in names if name in set(Priority)]:
            raise ValueError(f"{', '.join(taken)} is the queue of a priority: give the class another name")
        return names

    @model_validator(mode="after")
    def addresses_are_known(self) -> Self:
        for name, value, known, allowed in (
            ("database", self.database_url, DATABASES, "start with postgresql+psycopg:// or sqlite:///"),
            ("objects", self.objects_url, OBJECTS, "be s3://bucket, s3://bucket/prefix or start with file:///"),
            ("queue", self.queue, QUEUES, "be sqs://prefix, a prefix of letters, digits, - and _, or sql:"),
        ):
            if not known.match(value):
                raise ValueError(f"{PREFIX}{name.upper()} is {masked(value)!r}: it has to {allowed}")
        return self

    @property
    def queues(self) -> tuple[str, ...]:
        """Every queue that jobs may wait in."""
        return (*Priority, *self.classes)

    @property
    def database_url(self) -> str:
        return self.database or f"sqlite:///{self.data.absolute() / 'thumbnailer.db'}"

    @property
    def objects_url(self) -> str:
        return self.objects or f"file://{self.data.absolute() / 'objects'}"
