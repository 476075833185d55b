"""The sweep on S3: it pays by the request, and unfinished uploads too."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

from thumbnailer_api.housekeeping.sweep import SAFETY_SECONDS, Sweep
from thumbnailer_storage.config import StorageSettings
from thumbnailer_storage.jobs import schema
from thumbnailer_storage.jobs.model import Job, Source
from thumbnailer_storage.opening import open_stores

AT_ONCE = -SAFETY_SECONDS - 1


def test_the_sweep_deletes_by_the_thousand_and_aborts_stale_uploads(tmp_path: Path, bucket: str) -> None:
    stores = open_stores(StorageSettings(data=tmp_path, objects=f"s3://{bucket}/pictures"))
    schema.migrate(stores.database)
    stores.claim_objects()
    job = Job.new(owner="ada", source=Source(bytes=1, sha256="0" * 64))
    stores.jobs.add(job)
    stores.jobs.claim(job.id, worker="w1", lease=-1)
    stores.jobs.take_over(job.id, worker="w2", lease=30)
    lost = [f"results/{job.id}/1/{n}.png" for n in range(1100)]
    needed = {job.upload_key, f"results/{job.id}/2/0.png"}
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: stores.objects.put(key, [b"x"]), [*lost, *needed, f"uploads/{uuid4()}"]))
    s3 = stores.objects._s3
    s3.create_multipart_upload(Bucket=bucket, Key=f"pictures/uploads/{uuid4()}")
    requests: Counter[str] = Counter()
    s3.meta.events.register("before-send.s3.*", lambda event_name, **_: requests.update([event_name.split(".")[-1]]))
    assert Sweep(stores, longest=300)() == 0
    requests.clear()
    assert Sweep(stores, AT_ONCE)() == len(lost) + 2
    assert requests["DeleteObjects"] == 2
    assert requests["ListObjectsV2"] == 3
    assert requests["AbortMultipartUpload"] == 1
    left = {stored.key for folder in ("uploads/", "results/") for stored in stores.objects.list(folder)}
    assert left == needed
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    stores.close()
