"""Those that row D8 wishes for: from the API into the stores, from the stores through the worker, and the whole way."""

import io
import subprocess
import time
from pathlib import Path
from uuid import UUID

import httpx
from containers import Servers, client
from PIL import Image
from service import BIN, Service, assert_whole, started
from sqlalchemy import text

from thumbnailer_storage.jobs.model import Job, Source, Status


def test_what_is_posted_stands_in_the_queue_and_in_the_object_store(
    servers: Servers, real_service: Service, small: bytes
) -> None:
    job = real_service.submit(real_service.api(), small, priority="express")
    sqs, s3 = client("sqs", servers.elasticmq()), client("s3", servers.minio())
    prefix = real_service.settings["THUMBNAILER_QUEUE"].removeprefix("sqs://")
    url = sqs.get_queue_url(QueueName=f"{prefix}-express")["QueueUrl"]
    (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"]
    assert message["Body"] == str(job)
    bucket, _, folder = real_service.settings["THUMBNAILER_OBJECTS"].removeprefix("s3://").partition("/")
    assert s3.get_object(Bucket=bucket, Key=f"{folder}/uploads/{job}")["Body"].read() == small
    assert real_service.job(job).status is Status.PENDING


def test_what_is_written_to_the_stores_directly_is_done_by_a_worker(
    servers: Servers, real_service: Service, small: bytes
) -> None:
    real_service.stores.claim_objects()
    real_service.worker()
    stores = real_service.stores
    job = Job.new(owner="nobody", source=Source(len(small), "0" * 64))
    stores.objects.put(job.upload_key, [small])
    stores.jobs.add(job)
    prefix = real_service.settings["THUMBNAILER_QUEUE"].removeprefix("sqs://")
    sqs = client("sqs", servers.elasticmq())
    url = sqs.get_queue_url(QueueName=f"{prefix}-standard")["QueueUrl"]
    began = time.monotonic()
    sqs.send_message(QueueUrl=url, MessageBody=str(job.id))
    done = real_service.wait_for(job.id, Status.COMPLETE)
    print(f"the worker's answer took {time.monotonic() - began:.2f} s")
    result = done.outputs[0].result
    assert result is not None
    picture = Image.open(io.BytesIO(b"".join(stores.objects.read(done.result_key(result)))))
    assert (picture.format, picture.size) == ("JPEG", (100, 100))


def test_with_the_queue_in_postgresql_one_query_tells_what_waits_and_for_how_long(
    tmp_path: Path, real: dict[str, str], small: bytes
) -> None:
    """Row R5: the queue in a persistent database, read by lightweight queries, one place for status."""
    state = """
        SELECT messages.queue, jobs.status, count(*), max(clock_timestamp() - messages.sent) < interval '1 hour'
        FROM messages JOIN jobs ON jobs.id = messages.job GROUP BY 1, 2"""
    with started(tmp_path, **(real | {"THUMBNAILER_QUEUE": "sql:"})) as service:
        api = service.api()
        jobs = [service.submit(api, small, priority="economy") for _ in range(3)]
        with service.stores.database.read() as connection:
            assert connection.execute(text(state)).all() == [("economy", "pending", 3, True)]
        service.worker()
        assert_whole(service, jobs)
        with service.stores.database.read() as connection:
            assert connection.execute(text(state)).all() == []


def test_the_sizes_and_formats_of_row_r6_are_made_as_it_spells_them(service: Service, small: bytes) -> None:
    asked = '{"output": [{"format": "png", "size": "100,100"}, {"format": "jpg", "size": "200,200"}]}'
    api = service.api()
    service.worker()
    answer = httpx.post(f"{api.url}/jobs", files={"image": ("cat.jpg", small), "job": (None, asked)})
    job = service.wait_for(UUID(answer.json()["id"]), Status.COMPLETE)
    made = [Image.open(io.BytesIO(httpx.get(f"{api.url}/jobs/{job.id}/outputs/{n}").content)) for n in (0, 1)]
    assert [(picture.format, picture.size) for picture in made] == [("PNG", (100, 100)), ("JPEG", (200, 200))]


def test_a_user_gets_from_a_file_to_its_thumbnail(real_service: Service, small: bytes, tmp_path: Path) -> None:
    api = real_service.api()
    real_service.worker()
    real_service.housekeeper()
    answer = httpx.post(f"{api.url}/jobs", files={"image": ("cat.jpg", small)})
    assert answer.status_code == 202
    job = httpx.get(f"{api.url}{answer.headers['Location']}", headers={"Prefer": "wait=20"}, timeout=30).json()
    assert job["status"] == "complete"
    thumbnail = httpx.get(f"{api.url}{job['location']}")
    assert thumbnail.headers["Content-Type"] == "image/jpeg"
    assert Image.open(io.BytesIO(thumbnail.content)).size == (100, 100)

    (tmp_path / "dog.jpg").write_bytes(small)
    command = [BIN / "thumbnailer", "submit", "dog.jpg", "--output", "format=webp,size=64x48", "--to", "made"]
    environment = real_service.environment(THUMBNAILER_URL=api.url)
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, timeout=60)
    (made,) = (tmp_path / "made").iterdir()
    with Image.open(made) as picture:
        assert picture.size == (64, 48)
