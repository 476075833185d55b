"""Callers who are sent to the object store for their pictures."""

import pytest

from thumbnailer_api.config import ApiSettings
from thumbnailer_storage.config import load
from thumbnailer_storage.errors import SettingError

DATA = bytes(range(256)) * 4


@pytest.fixture
def redirecting(servers, bucket, start):
    """An API that sends its callers to MinIO, by another of its names."""
    callers_see = servers.minio()["AWS_ENDPOINT_URL_S3"].replace("127.0.0.1", "localhost")
    return start(objects=f"s3://{bucket}/pictures", downloads="redirect", downloads_url=callers_see)


def test_a_caller_is_sent_to_the_store_for_the_bytes_alone(redirecting) -> None:
    output = f"/jobs/{redirecting.completed(DATA).id}/outputs/0"
    sent = redirecting.http.get(output)
    assert (sent.status_code, sent.headers["cache-control"]) == (307, "no-store")
    assert sent.headers["location"].startswith("http://localhost:")
    assert "X-Amz-Expires=120" in sent.headers["location"]
    picture = redirecting.http.get(output, follow_redirects=True)
    assert (picture.content, picture.headers["content-type"]) == (DATA, "image/png")
    assert picture.headers["x-content-type-options"] == "nosniff"
    part = redirecting.http.get(output, headers={"Range": "bytes=5-7"}, follow_redirects=True)
    assert (part.status_code, part.content) == (206, DATA[5:8])
    head = redirecting.http.head(output)
    assert (head.status_code, head.headers["content-length"]) == (200, "1024")
    assert head.headers["etag"] == sent.headers["etag"]
    assert redirecting.http.get(output, headers={"If-None-Match": head.headers["etag"]}).status_code == 304
    assert redirecting.http.get(output, headers={"Range": "bytes=1024-"}).status_code == 416
    assert redirecting.http.get(output.replace("outputs/0", "outputs/1")).status_code == 404


def test_callers_are_not_sent_to_a_folder(start) -> None:
    with pytest.raises(SettingError, match=r"THUMBNAILER_DOWNLOADS is 'redirect'.*say stream"):
        start(downloads="redirect")


@pytest.mark.parametrize("address", ["minio:9000", "ftp://host", "https://", "https://me:secret@host"])
def test_an_address_that_callers_cannot_use_is_refused(address) -> None:
    with pytest.raises(SettingError, match=r"THUMBNAILER_DOWNLOADS_URL is .*write it like https") as refused:
        load(ApiSettings, {"THUMBNAILER_DOWNLOADS_URL": address})
    assert "secret" not in str(refused.value)
