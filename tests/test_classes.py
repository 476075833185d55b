"""A class leads a job to the workers that serve it, and to no other."""

from pathlib import Path

import httpx
from containers import Servers
from service import Program, Service, started

from thumbnailer_storage.jobs.model import Status


def sent(service: Service, api: Program, image: bytes) -> None:
    """A job of the class and one without, of which a worker that serves no class takes the second alone."""
    special, plain = service.submit(api, image, **{"class": "gpu"}), service.submit(api, image)
    service.worker()
    service.wait_for(plain, Status.COMPLETE)
    assert service.job(special).status is Status.PENDING
    assert httpx.get(f"{api.url}/queue").json()["queues"]["gpu"]["waiting"] == 1
    service.worker(THUMBNAILER_QUEUES="gpu")
    service.wait_for(special, Status.COMPLETE)


def test_only_a_worker_that_serves_the_class_takes_its_jobs(tmp_path: Path, small: bytes) -> None:
    with started(tmp_path, THUMBNAILER_CLASSES="gpu") as service:
        sent(service, service.api(), small)


def test_the_same_on_real_stores_where_the_start_waits_for_the_queue_of_the_class(
    tmp_path: Path, servers: Servers, real: dict[str, str], small: bytes
) -> None:
    with servers.queues("gpu") as prefix:
        settings = real | {"THUMBNAILER_QUEUE": f"sqs://{prefix}"}
        with started(tmp_path, **settings, THUMBNAILER_CLASSES="gpu") as service:
            lacking = service.api(ready=False, THUMBNAILER_CLASSES="gpu,tpu", THUMBNAILER_START_SECONDS="1")
            assert lacking.process.wait(60) == 2
            assert f"{prefix}-tpu" in lacking.log.read_text()
            service.housekeeper()
            sent(service, service.api(), small)
