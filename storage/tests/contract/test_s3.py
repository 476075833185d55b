"""What only a store across a network can get wrong, on each server that speaks S3."""

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from urllib.parse import urlsplit

import httpx
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from forgetful import Forgetful
from proxy import Proxy

from thumbnailer_storage.errors import (
    ObjectExists,
    ObjectMissing,
    ObjectsRefused,
    ObjectsUnavailable,
    SettingError,
    StorageError,
)
from thumbnailer_storage.objects import CHUNK
from thumbnailer_storage.objects.s3 import CONFIG, PART, S3Objects

PROMISED_SECONDS = 4.5
"""A call ends within this, whatever the store does."""
SLACK = 2.0

CALLS: dict[str, Callable[[S3Objects], object]] = {
    "put": lambda s3: s3.put("uploads/a", [b"x"]),
    "put in parts": lambda s3: s3.put("uploads/b", [b"x" * PART, b"y"]),
    "size": lambda s3: s3.size("uploads/a"),
    "read": lambda s3: s3.read("uploads/a"),
    "delete": lambda s3: s3.delete(["uploads/a"]),
    "list": lambda s3: list(s3.list("uploads/")),
    "clear_unfinished": lambda s3: s3.clear_unfinished(0),
    "check": lambda s3: s3.check(),
}


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret")


def through(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{port}")


@pytest.fixture
def server(s3: S3Objects) -> tuple[str, int]:
    address = urlsplit(s3._endpoint)
    return str(address.hostname), int(address.port or 80)


@pytest.mark.parametrize(
    ("request_line", "chunks"),
    [
        pytest.param((b"PUT",), [b"one"], id="whole"),
        pytest.param((b"POST", b"?uploads"), [b"x" * PART, b"y"], id="begin"),
        pytest.param((b"PUT", b"partNumber=2"), [b"x" * PART, b"y"], id="part"),
        pytest.param((b"POST", b"uploadId="), [b"x" * PART, b"y"], id="end"),
    ],
)
def test_a_put_whose_reply_is_lost_knows_its_own_first_success(
    s3: S3Objects, server: tuple[str, int], monkeypatch: pytest.MonkeyPatch, request_line: tuple[bytes, ...], chunks
) -> None:
    with Forgetful(server, *request_line) as proxy:
        through(monkeypatch, proxy.port)
        with closing(S3Objects(s3._bucket, "pictures")) as far:
            assert far.put("uploads/a", chunks) == len(b"".join(chunks))
    assert proxy.lost
    assert b"".join(s3.read("uploads/a")) == b"".join(chunks)
    with pytest.raises(ObjectExists):
        s3.put("uploads/a", chunks)  # the same bytes, and yet another put


@pytest.mark.parametrize(
    ("request_line", "chunks"),
    [
        pytest.param((b"PUT", b"/a"), [b"one"], id="whole"),
        pytest.param((b"POST", b"uploadId="), [b"x" * PART, b"y"], id="end"),
    ],
)
def test_a_put_that_meets_another_is_tried_again(
    s3: S3Objects, server: tuple[str, int], monkeypatch: pytest.MonkeyPatch, request_line: tuple[bytes, bytes], chunks
) -> None:
    body = b"<Error><Code>ConditionalRequestConflict</Code><Message>Try again.</Message></Error>"
    conflict = b"HTTP/1.1 409 Conflict\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    with Forgetful(server, *request_line, instead=conflict) as proxy:
        through(monkeypatch, proxy.port)
        with closing(S3Objects(s3._bucket, "pictures")) as far:
            assert far.put("uploads/a", chunks) == len(b"".join(chunks))
    assert proxy.lost
    assert b"".join(s3.read("uploads/a")) == b"".join(chunks)


def test_a_put_in_parts_that_fails_leaves_no_upload_behind(s3: S3Objects) -> None:
    def broken():
        yield b"x" * 2 * PART
        assert s3._s3.list_multipart_uploads(Bucket=s3._bucket)["Uploads"]
        raise RuntimeError("the caller went away")

    s3.check()
    s3.put("uploads/taken", [b"x"])
    with pytest.raises(RuntimeError, match="went away"):
        s3.put("uploads/a", broken())
    with pytest.raises(ObjectExists):
        s3.put("uploads/taken", [b"x" * 2 * PART])
    assert "Uploads" not in s3._s3.list_multipart_uploads(Bucket=s3._bucket)


def test_only_stale_uploads_below_the_prefix_are_aborted(s3: S3Objects) -> None:
    for name in ("pictures/uploads/a", "pictures/check/b", "others/uploads/c"):
        s3._s3.create_multipart_upload(Bucket=s3._bucket, Key=name)
    assert s3.clear_unfinished(older=3600) == 0
    assert s3.clear_unfinished(older=-1) == 2
    (left,) = s3._s3.list_multipart_uploads(Bucket=s3._bucket)["Uploads"]
    assert left["Key"] == "others/uploads/c"


def test_without_a_prefix_somebody_elses_unfinished_uploads_are_left_alone(s3: S3Objects) -> None:
    for key in ("somebody/else.tar", "uploads/ours"):
        s3._s3.create_multipart_upload(Bucket=s3._bucket, Key=key)
    assert S3Objects(s3._bucket).clear_unfinished(older=-1) == 1
    (left,) = s3._s3.list_multipart_uploads(Bucket=s3._bucket)["Uploads"]
    assert left["Key"] == "somebody/else.tar"


def test_two_prefixes_in_a_bucket_never_see_each_other(s3: S3Objects) -> None:
    others = [S3Objects(s3._bucket, prefix) for prefix in ("pictures2", "pic", "pictures/deeper", "")]
    s3.put("uploads/a", [b"ours"])
    for number, other in enumerate(others):
        assert list(other.list("uploads/")) == []
        with pytest.raises(ObjectMissing):
            other.size("uploads/a")
        other.put("uploads/a", [b"x" * number])
        other.delete(["uploads/a"])
        other.close()
    assert b"".join(s3.read("uploads/a")) == b"ours"


def test_an_address_leads_a_caller_to_the_object_alone(s3: S3Objects) -> None:
    s3.put("results/a/1/0.png", [b"0123456789"])
    address = str(s3.address("results/a/1/0.png", "image/png"))
    answer = httpx.get(address)
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, b"0123456789", "image/png")
    assert httpx.get(address, headers={"Range": "bytes=2-4"}).content == b"234"
    assert httpx.get(address.replace("0.png", "1.png")).status_code == 403
    assert httpx.delete(address).status_code == 403
    assert str(s3.address("a", "image/png", base="https://pictures.example:8443")).startswith(
        f"https://pictures.example:8443/{s3._bucket}/pictures/a?"
    )


def test_a_bucket_that_is_missing_is_made_only_where_we_are_told_to(bucket_name: str) -> None:
    missing = bucket_name + "-more"
    with closing(S3Objects(missing)) as s3:
        for call in CALLS.values():
            with pytest.raises(ObjectsRefused, match=r"has no bucket .* THUMBNAILER_CREATE_BUCKET=yes"):
                call(s3)
    with closing(S3Objects(missing, create=True)) as s3:
        s3.check()
        s3.check()
        s3._s3.delete_bucket(Bucket=missing)  # it is empty


def test_who_is_refused_is_told_what_to_check_and_no_secret(s3: S3Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("AWS_SECRET_ACCESS_KEY", "not-the-secret"), ("AWS_ACCESS_KEY_ID", "not-the-key")):
        monkeypatch.setenv(name, value)
        with closing(S3Objects(s3._bucket)) as stranger:
            for call in CALLS.values():
                with pytest.raises(ObjectsRefused, match="AWS_SECRET_ACCESS_KEY") as refused:
                    call(stranger)
                assert "not-the" not in str(refused.value)


def test_a_missing_key_that_we_may_not_know_of_is_refused_and_not_missing(
    s3: S3Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("thumbnailer_storage.objects.s3.CONFIG", CONFIG.merge(Config(signature_version=UNSIGNED)))
    with closing(S3Objects(s3._bucket, "pictures")) as anybody:
        for call in (anybody.size, anybody.read):
            with pytest.raises(ObjectsRefused, match="the role and its policy"):
                call("uploads/none")


@contextmanager
def refusing() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    yield port


@contextmanager
def silent() -> Iterator[int]:
    """Takes connections and says nothing, like a frozen server."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@contextmanager
def swallowing() -> Iterator[int]:
    """Its queue is full: packets that ask for a connection are dropped."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
        for filler in fillers:
            filler.close()


@pytest.mark.usefixtures("nobody")
@pytest.mark.parametrize("outage", [refusing, silent, swallowing])
def test_while_the_store_is_away_every_call_ends_in_time(monkeypatch: pytest.MonkeyPatch, outage) -> None:
    def ended(call: Callable[[S3Objects], object]) -> float:
        began = time.monotonic()
        with pytest.raises(ObjectsUnavailable, match="does not answer") as error:
            call(s3)
        assert not isinstance(error.value, ObjectsRefused)
        assert "very-secret" not in str(error.value)
        return time.monotonic() - began

    with outage() as port:
        through(monkeypatch, port)
        with closing(S3Objects("bucket")) as s3, ThreadPoolExecutor(len(CALLS)) as pool:
            took = dict(zip(CALLS, pool.map(ended, CALLS.values()), strict=True))
    print(outage.__name__, {name: round(seconds, 1) for name, seconds in took.items()})
    assert max(took.values()) < SLACK * PROMISED_SECONDS


def test_a_check_is_not_asked_twice_unless_there_was_trouble(
    s3: S3Objects, server: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = Proxy(server)
    through(monkeypatch, proxy.port)
    with closing(S3Objects(s3._bucket, "pictures")) as far:
        far.check()
        proxy.cut()
        far.check()
        with pytest.raises(ObjectsUnavailable):
            far.size("uploads/a")
        with pytest.raises(ObjectsUnavailable):
            far.check()
        proxy.mend()
        far.check()
    proxy.close()


def test_a_store_that_falls_silent_ends_a_reading_and_a_put(
    s3: S3Objects, server: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.put("uploads/a", [b"x" * CHUNK] * 200)
    proxy = Proxy(server)
    through(monkeypatch, proxy.port)
    with closing(S3Objects(s3._bucket, "pictures")) as far:
        begun = iter(far.read("uploads/a"))
        assert next(begun) == b"x" * CHUNK
        proxy.cut()
        with pytest.raises(ObjectsUnavailable):
            list(begun)

        def chunks() -> Iterator[bytes]:
            proxy.mend()
            yield b"x" * PART
            proxy.cut()
            yield b"x" * PART

        began = time.monotonic()
        with pytest.raises(ObjectsUnavailable):
            far.put("uploads/b", chunks())
        print(f"a put in parts ended after {time.monotonic() - began:.1f} s of silence")
    proxy.close()
    with pytest.raises(ObjectMissing):
        s3.size("uploads/b")


@pytest.mark.usefixtures("nobody")
@pytest.mark.parametrize("address", ["minio:9000", "://", "ftp//x"])
def test_an_address_that_is_none_is_a_wrong_setting(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
    with pytest.raises(SettingError, match="AWS_ENDPOINT_URL_S3"):
        S3Objects("bucket")


def test_without_credentials_we_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with closing(S3Objects("bucket")) as s3:
        for call in CALLS.values():
            with pytest.raises(StorageError, match="AWS_ACCESS_KEY_ID") as error:
                call(s3)
            assert isinstance(error.value, ObjectsRefused)
