"""Objects in a bucket of anything that speaks S3.

A put needs one part of memory. It is one conditional request, or for a longer stream a multipart upload whose end is
conditional: nothing is ever overwritten, and nothing is visible before all of it is there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import cache
from io import BytesIO
from itertools import chain, islice
from typing import TYPE_CHECKING, NoReturn
from uuid import uuid4

from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
)
from botocore.handlers import add_expect_header

from thumbnailer_storage import aws
from thumbnailer_storage.config import masked
from thumbnailer_storage.errors import ObjectExists, ObjectMissing, ObjectsRefused, ObjectsUnavailable, SettingError
from thumbnailer_storage.objects import ADDRESS_SECONDS, CHUNK, PROBE_BYTES, Reading, Stored, checked

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef, GetObjectRequestTypeDef, ObjectIdentifierTypeDef

CONFIG = Config(
    # A caller of ours is answered within 5 s, also while the store is down. The worst is a store that takes
    # connections and is silent: twice 2 s, and a short pause between. AWS advises to try again after 2 s of silence.
    connect_timeout=1.0,
    read_timeout=2.0,
    # Adaptive: on top of trying again it sends less where the store says that it is too much.
    retries={"mode": "adaptive", "total_max_attempts": 2},
    # As many as the API has threads: with fewer, a burst would make connections only to drop them again.
    max_pool_connections=256,
    tcp_keepalive=True,
    signature_version="s3v4",  # botocore still presigns with the one before, which only AWS knows
)
FOLDERS = ("uploads", "results", "check")
"""Where we put what is long, or may be: all else in a bucket that is shared is somebody else's."""
PART = 5 << 20
"""The least that S3 takes as a part that is not the last."""
MOST_DELETED = 1000
TOKEN = "put"  # noqa: S105 - it is no secret
"""The metadata that tells one put from every other, so that it knows its own object again."""
PROOF_SECONDS = 30.0
"""How long a put or a check proves that objects can be stored: probes come every few seconds, and AWS has them paid."""
CONFLICT_TRIES = 5
CONFLICT_PAUSE = 0.2
REFUSED_CODES = frozenset(
    {
        *("NoSuchBucket", "InvalidBucketName", "PermanentRedirect", "AuthorizationHeaderMalformed"),
        *("InvalidAccessKeyId", "SignatureDoesNotMatch", "AccessDenied", "InvalidToken", "ExpiredToken"),
    }
)
REFUSED_STATUSES = frozenset({301, 401, 403, 404})
"""404 is VersityGW's for a user that it does not know."""
SETTINGS_ERRORS = (NoCredentialsError, PartialCredentialsError, ParamValidationError)
CREDENTIALS = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the role and its policy"


class S3Objects:
    """The objects below `prefix/` in a bucket, which `check` makes where `create` says so.

    Raises SettingError where boto3's own settings are wrong.
    """

    def __init__(self, bucket: str, prefix: str = "", *, create: bool = False) -> None:
        self._bucket = bucket
        self._before = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._create = create
        self._s3 = client()
        self._proved = -PROOF_SECONDS
        self._presigning = cache(client)

    def put(self, key: str, chunks: Iterable[bytes]) -> int:
        name, token = self._name(key), uuid4().hex
        parts = parts_of(chunks)
        part = next(parts)
        with self._trouble_in_our_terms():
            if (length := part.tell()) < PART:
                self._put_whole(name, token, part)
            else:
                length = self._put_parts(name, token, part, parts)
        self._proved = time.monotonic()
        return length

    def size(self, key: str) -> int:
        name = self._name(key)
        with self._trouble_in_our_terms():
            try:
                return self._s3.head_object(Bucket=self._bucket, Key=name)["ContentLength"]
            except ClientError as error:
                if status_of(error) != 404:
                    raise
            # An answer to HEAD has no body that says what is missing, the object or the whole bucket.
            found = self._s3.get_object(Bucket=self._bucket, Key=name)
            found["Body"].close()
            return found["ContentLength"]

    def read(self, key: str, start: int = 0, length: int | None = None) -> Reading:
        asked: GetObjectRequestTypeDef = {"Bucket": self._bucket, "Key": self._name(key)}
        if length == 0:
            self.size(key)
            return BodyReading(self, None)
        if start or length is not None:
            asked["Range"] = f"bytes={start}-{'' if length is None else start + length - 1}"
        with self._trouble_in_our_terms():
            try:
                return BodyReading(self, self._s3.get_object(**asked)["Body"])
            except ClientError as error:
                if code_of(error) != "InvalidRange":
                    raise
                return BodyReading(self, None)  # it ends before `start`

    def delete(self, keys: Iterable[str]) -> None:
        names: Iterator[ObjectIdentifierTypeDef] = ({"Key": self._name(key)} for key in keys)
        while batch := list(islice(names, MOST_DELETED)):
            with self._trouble_in_our_terms():
                answer = self._s3.delete_objects(Bucket=self._bucket, Delete={"Objects": batch, "Quiet": True})
            for error in answer.get("Errors", ()):
                if error.get("Code") != "NoSuchKey":
                    self._blame(error.get("Code", ""), error.get("Message", ""))

    def list(self, prefix: str) -> Iterator[Stored]:
        with self._trouble_in_our_terms():
            pages = self._s3.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._before + prefix):
                for found in page.get("Contents", ()):
                    yield Stored(found["Key"].removeprefix(self._before), found["Size"], found["LastModified"])

    def clear_unfinished(self, older: float) -> int:
        before = datetime.now(UTC) - timedelta(seconds=older)
        aborted = 0
        ours = tuple(f"{self._before}{folder}/" for folder in FOLDERS)
        with self._trouble_in_our_terms():
            pages = self._s3.get_paginator("list_multipart_uploads")
            for page in pages.paginate(Bucket=self._bucket):  # MinIO takes a prefix for the name of one object
                for upload in page.get("Uploads", ()):
                    if upload["Key"].startswith(ours) and upload["Initiated"] < before:
                        self._abort(upload["Key"], upload["UploadId"])
                        aborted += 1
        return aborted

    def check(self) -> None:
        if time.monotonic() - self._proved < PROOF_SECONDS:
            return
        with self._trouble_in_our_terms():
            try:
                self._store_a_probe()
            except ClientError as error:
                if not self._create or code_of(error) != "NoSuchBucket":
                    raise
                self._make_bucket()
                self._store_a_probe()
        self._proved = time.monotonic()

    def address(self, key: str, media_type: str, *, base: str = "") -> str | None:
        asked = {"Bucket": self._bucket, "Key": self._name(key), "ResponseContentType": media_type}
        with self._trouble_in_our_terms():
            s3 = self._presigning(base) if base else self._s3
            return s3.generate_presigned_url("get_object", asked, ExpiresIn=ADDRESS_SECONDS)

    def close(self) -> None:
        self._s3.close()

    def _name(self, key: str) -> str:
        return self._before + checked(key)

    def _put_whole(self, name: str, token: str, part: BytesIO) -> None:
        def write() -> None:
            part.seek(0)
            self._s3.put_object(Bucket=self._bucket, Key=name, Body=part, IfNoneMatch="*", Metadata={TOKEN: token})

        self._once(name, token, write)

    def _put_parts(self, name: str, token: str, part: BytesIO, more: Iterator[BytesIO]) -> int:
        upload = self._s3.create_multipart_upload(Bucket=self._bucket, Key=name, Metadata={TOKEN: token})["UploadId"]
        parts: list[CompletedPartTypeDef] = []
        length = 0
        try:
            for number, each in enumerate(chain([part], more), 1):
                if size := each.tell():
                    parts.append(self._put_part(name, upload, number, each))
                    length += size

            def complete() -> None:
                self._s3.complete_multipart_upload(
                    Bucket=self._bucket,
                    Key=name,
                    UploadId=upload,
                    MultipartUpload={"Parts": parts},
                    IfNoneMatch="*",
                )

            self._once(name, token, complete)
        except (BotoCoreError, ClientError, ObjectsUnavailable):
            raise  # the store would hardly take an abort, and the caller would wait twice: the sweep does it
        except BaseException:
            with suppress(ClientError, BotoCoreError):
                self._abort(name, upload)
            raise
        return length

    def _put_part(self, name: str, upload: str, number: int, part: BytesIO) -> CompletedPartTypeDef:
        part.seek(0)
        answer = self._s3.upload_part(Bucket=self._bucket, Key=name, UploadId=upload, PartNumber=number, Body=part)
        return {"ETag": answer["ETag"], "PartNumber": number}

    def _abort(self, name: str, upload: str) -> None:
        try:
            self._s3.abort_multipart_upload(Bucket=self._bucket, Key=name, UploadId=upload)
        except ClientError as error:
            if code_of(error) != "NoSuchUpload":
                raise

    def _once(self, name: str, token: str, write: Callable[[], None]) -> None:
        """Do the write that makes an object visible.

        Where its first reply was lost, the second try meets what the first one did: that is ours, and a success. An
        answer of 409 says that another write of the name is under way, perhaps that first one.
        """
        for _ in range(CONFLICT_TRIES):
            try:
                return write()
            except ClientError as error:
                if status_of(error) not in (409, 412) and code_of(error) != "NoSuchUpload":
                    raise
            there = self._token(name)
            if there == token:
                return None
            if there is not None:
                raise ObjectExists(f"there is an object {name.removeprefix(self._before)} already")
            time.sleep(CONFLICT_PAUSE)
        raise ObjectsUnavailable(f"the object store at {self._endpoint} takes no object under this name for now")

    def _token(self, name: str) -> str | None:
        """Which put the object is from; None where there is none."""
        try:
            return self._s3.head_object(Bucket=self._bucket, Key=name)["Metadata"].get(TOKEN, "")
        except ClientError as error:
            if status_of(error) != 404:
                raise
            return None

    def _store_a_probe(self) -> None:
        """An upload that is not ended is no object: it needs no leave to delete, and leaves no version behind."""
        name = self._name(f"check/{uuid4()}")
        upload = self._s3.create_multipart_upload(Bucket=self._bucket, Key=name)["UploadId"]
        self._put_part(name, upload, 1, BytesIO(bytes(PROBE_BYTES)))
        self._abort(name, upload)

    def _make_bucket(self) -> None:
        region = self._s3.meta.region_name
        place = {} if region == aws.ANY_REGION else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        with suppress(self._s3.exceptions.BucketAlreadyOwnedByYou, self._s3.exceptions.BucketAlreadyExists):
            self._s3.create_bucket(Bucket=self._bucket, **place)  # type: ignore[arg-type]

    @property
    def _endpoint(self) -> str:
        return masked(self._s3.meta.endpoint_url)

    @contextmanager
    def _trouble_in_our_terms(self) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            if code_of(error) == "NoSuchKey":
                raise ObjectMissing("there is no such object") from None
            self._proved = -PROOF_SECONDS
            self._blame(code_of(error), error.response["Error"].get("Message", ""), status_of(error))
        except SETTINGS_ERRORS as error:
            raise ObjectsRefused(f"{error}: check THUMBNAILER_OBJECTS, {CREDENTIALS}") from error
        except BotoCoreError as error:
            self._proved = -PROOF_SECONDS
            raise ObjectsUnavailable(
                f"the object store at {self._endpoint} does not answer as it should ({type(error).__name__}): is it "
                "running, and is AWS_ENDPOINT_URL_S3 right?"
            ) from error

    def _blame(self, code: str, message: str, status: int = 0) -> NoReturn:
        store = f"the object store at {self._endpoint}"
        if code == "NoSuchBucket":
            raise ObjectsRefused(
                f"{store} has no bucket {self._bucket!r}: make it, or say THUMBNAILER_CREATE_BUCKET=yes"
            )
        if code in REFUSED_CODES or (status in REFUSED_STATUSES and code != "NoSuchUpload"):
            raise ObjectsRefused(f"{store} refuses us ({code}: {message}): check {CREDENTIALS}, and AWS_REGION")
        raise ObjectsUnavailable(f"{store} is in trouble ({code}: {message})")


class BodyReading:
    """What is left of an answer's body. Closed early, its connection is dropped, not read to its end."""

    def __init__(self, objects: S3Objects, body: StreamingBody | None) -> None:
        self._objects = objects
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        try:
            with self._objects._trouble_in_our_terms():
                while self._body and (chunk := self._body.read(CHUNK)):
                    yield chunk
        finally:
            self.close()

    def close(self) -> None:
        if self._body:
            self._body.close()


def client(endpoint: str = "") -> S3Client:
    """A client for all threads; raises SettingError where boto3's settings are wrong."""
    try:
        made = aws.client("s3", CONFIG, endpoint or None)
    except (BotoCoreError, ValueError) as error:
        raise SettingError(
            f"S3 cannot be used as boto3 is set up, check AWS_ENDPOINT_URL_S3: {masked(str(error))}"
        ) from error
    # Waiting for leave to send would double the time to an answer; parts are small enough to be sent for nothing.
    made.meta.events.unregister("before-call.s3", add_expect_header)
    return made


def parts_of(chunks: Iterable[bytes]) -> Iterator[BytesIO]:
    """The bytes in parts of PART, the last one shorter and maybe empty; one buffer, filled anew for each."""
    part = BytesIO()
    for chunk in chunks:
        left = memoryview(chunk)
        while left:
            left = left[part.write(left[: PART - part.tell()]) :]
            if part.tell() == PART:
                yield part
                part.seek(0)
                part.truncate()
    yield part


def code_of(error: ClientError) -> str:
    return error.response["Error"].get("Code", "")


def status_of(error: ClientError) -> int:
    return error.response["ResponseMetadata"]["HTTPStatusCode"]
