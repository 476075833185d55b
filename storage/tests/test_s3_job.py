"""A job's data in S3: written and read back, in a bucket of the test's own, which is removed again.

The job's record moved to the database, where it can be asked after; the queue's message holds the id. What stays in S3
are the bytes: the upload, what each attempt made of it, and the marker that says whose database has the records.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from containers import Servers, client

from thumbnailer_storage.config import StorageSettings
from thumbnailer_storage.errors import ForeignStore, ObjectsUnavailable
from thumbnailer_storage.jobs import schema
from thumbnailer_storage.jobs.model import Job, Source, Status
from thumbnailer_storage.jobs.pictures import Output, Result
from thumbnailer_storage.opening import Stores, open_stores

UPLOAD, PICTURE = b"an image", b"a thumbnail"


def opened(folder: Path, bucket: str) -> Stores:
    stores = open_stores(StorageSettings(data=folder, objects=f"s3://{bucket}/pictures"))
    schema.migrate(stores.database)
    return stores


@pytest.fixture
def stores(tmp_path: Path, bucket: str) -> Iterator[Stores]:
    stores = opened(tmp_path, bucket)
    stores.claim_objects()
    yield stores
    stores.close()


def in_bucket(servers: Servers, bucket: str) -> dict[str, bytes]:
    """Everything in the bucket, as somebody sees it who does not use our code."""
    s3 = client("s3", servers.minio())
    keys = [found["Key"] for found in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    found = {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}
    s3.close()
    return found


def test_s3_job(stores: Stores, servers: Servers, bucket: str) -> None:
    job = Job.new(owner="ada", source=Source(len(UPLOAD), "0" * 64), outputs=(Output("png"), Output("webp")))
    stores.objects.put(job.upload_key, [UPLOAD])
    stores.jobs.add(job)
    claimed = stores.jobs.claim(job.id, worker="test", lease=30)
    results = tuple(Result(n, output.format, 100, 100, len(PICTURE)) for n, output in enumerate(job.outputs))
    for result in results:
        stores.objects.put(claimed.result_key(result), [PICTURE])
    done = stores.jobs.apply(claimed, claimed.complete(claimed.source, results))
    assert done.status is Status.COMPLETE
    assert b"".join(stores.objects.read(done.upload_key)) == UPLOAD
    assert [b"".join(stores.objects.read(done.result_key(result))) for result in results] == [PICTURE] * 2
    assert in_bucket(servers, bucket) == {
        "pictures/marker": stores.upkeep.identity().encode(),
        f"pictures/uploads/{job.id}": UPLOAD,
        f"pictures/results/{job.id}/1/0.png": PICTURE,
        f"pictures/results/{job.id}/1/1.webp": PICTURE,
    }


def test_a_bucket_belongs_to_one_database(stores: Stores, tmp_path: Path, bucket: str) -> None:
    another = opened(tmp_path / "another", bucket)
    with pytest.raises(ForeignStore):
        another.claim_objects()
    another.close()
    stores.objects.delete(["marker"])
    with pytest.raises(ObjectsUnavailable, match="no marker"):
        stores.claim_objects()  # it was there: this is another bucket, and not a new one
