"""An image in S3: written and read back, in a bucket of the test's own, which is removed again."""

import hashlib
import random
import tracemalloc
from collections.abc import Iterator
from contextlib import closing

import pytest
from containers import Servers, client

from thumbnailer_storage.errors import ObjectExists, ObjectMissing
from thumbnailer_storage.objects import CHUNK
from thumbnailer_storage.objects.s3 import PART, S3Objects

IMAGE = b"\x89PNG\r\n\x1a\n" + random.Random(1).randbytes(100_000)
KEY = "uploads/00000000-0000-0000-0000-000000000001"


@pytest.fixture
def objects(bucket: str) -> Iterator[S3Objects]:
    with closing(S3Objects(bucket, "pictures")) as objects:
        yield objects


def test_s3_image(objects: S3Objects, servers: Servers, bucket: str) -> None:
    assert objects.put(KEY, [IMAGE[:1000], IMAGE[1000:]]) == len(IMAGE)
    assert b"".join(objects.read(KEY)) == IMAGE
    with closing(client("s3", servers.minio())) as s3:  # not only by our own code
        assert s3.get_object(Bucket=bucket, Key=f"pictures/{KEY}")["Body"].read() == IMAGE
    with pytest.raises(ObjectExists):
        objects.put(KEY, [b"another"])
    objects.delete([KEY])
    with pytest.raises(ObjectMissing):
        objects.read(KEY)


def test_a_large_image_passes_through_one_part_of_memory(objects: S3Objects) -> None:
    chunks = 50 * 2**20 // CHUNK
    block = random.Random(1).randbytes(CHUNK)
    objects.put("uploads/first", [block])  # what is made once is no part of it
    tracemalloc.start()
    objects.put(KEY, (block for _ in range(chunks)))
    digest = hashlib.sha256()
    for chunk in objects.read(KEY):
        digest.update(chunk)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    print(f"50 MiB were put and read with at most {peak / 2**20:.1f} MiB")
    assert digest.digest() == hashlib.sha256(block * chunks).digest()
    assert peak < 2 * PART
