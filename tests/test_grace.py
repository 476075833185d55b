"""An object that storage shows late does not fail its job; one that never comes does, once it was waited for."""

import time
from contextlib import closing

from containers import Servers, client
from service import Service, wait_until

from thumbnailer_storage.jobs.model import Job, Source, Status
from thumbnailer_storage.queues import Outgoing

DELAY_SECONDS = 3.0
GRACE_SECONDS = 6.0


def test_an_upload_that_s3_shows_late_is_waited_for(servers: Servers, real_service: Service, small: bytes) -> None:
    stores = real_service.stores
    stores.claim_objects()
    late, never = (Job.new(owner="nobody", source=Source(len(small), "0" * 64)) for _ in range(2))
    for job in (late, never):
        stores.jobs.add(job)
        stores.queue.send(job.queue, [Outgoing(job.id, job.owner)])
    began = time.monotonic()
    worker = real_service.worker(THUMBNAILER_MISSING_SECONDS=str(GRACE_SECONDS))
    for job in (late, never):
        wait_until("it was looked for", lambda job=job: real_service.job(job.id).missing_for is not None)
    time.sleep(max(0.0, began + DELAY_SECONDS - time.monotonic()))
    bucket, _, folder = real_service.settings["THUMBNAILER_OBJECTS"].removeprefix("s3://").partition("/")
    with closing(client("s3", servers.minio())) as s3:
        s3.put_object(Bucket=bucket, Key=f"{folder}/{late.upload_key}", Body=small)
    done = real_service.wait_for(late.id, Status.COMPLETE, Status.FAILED)
    print(f"the object came after {DELAY_SECONDS} s, its job was done after {time.monotonic() - began:.1f} s")
    assert (done.code, done.deaths) == (200, 0)
    failed = real_service.wait_for(never.id, Status.COMPLETE, Status.FAILED)
    assert failed.code == 404
    assert failed.missing_for is not None
    assert failed.missing_for >= GRACE_SECONDS
    assert worker.answers("/readyz")  # nothing was wrong with the store
