"""When somebody with a single job is served who comes after one with ten thousand, and what each queue makes of it.

`sql`: in SQLite, or with `--stores containers` in PostgreSQL. `limited`: in ElasticMQ, which knows no owners and has
room for `--limit` messages, fed by the housekeeper from records in PostgreSQL. Nobody makes pictures: messages are
taken and deleted one after the other.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from containers import Servers

from thumbnailer_api.housekeeping import feed
from thumbnailer_storage.config import StorageSettings
from thumbnailer_storage.jobs import schema
from thumbnailer_storage.jobs.model import Job, Source
from thumbnailer_storage.opening import Stores, open_stores
from thumbnailer_storage.queues import Outgoing

QUEUE = "standard"


@contextmanager
def opened(**settings: object) -> Iterator[Stores]:
    with tempfile.TemporaryDirectory() as folder:
        stores = open_stores(StorageSettings(data=Path(folder), **settings))  # type: ignore[arg-type]
        schema.migrate(stores.database)
        yield stores
        stores.close()


def recorded(stores: Stores, owner: str, number: int) -> list[Outgoing]:
    jobs = [stores.jobs.add(Job.new(owner=owner, source=Source(1, "0" * 64))) for _ in range(number)]
    return [Outgoing(job.id, owner) for job in jobs]


def taken(stores: Stores) -> UUID | None:
    """The job of the next message, which is deleted; None where there is none."""
    for message in stores.queue.receive([QUEUE], most=1, visibility=30):
        stores.jobs.claim(message.job, worker="w", lease=30) if message.job else None
        stores.queue.delete(message)
        return message.job
    return None


def place(stores: Stores, job: UUID, meanwhile: Callable[[], object]) -> int:
    """How many messages are taken until the job's is."""
    place = 0
    while (found := taken(stores)) != job:
        place += found is not None
        meanwhile()
    return place + 1


def in_a_table(stores: Stores, jobs: int) -> None:
    stores.queue.send(QUEUE, recorded(stores, "a", jobs))
    for _ in range(jobs // 10):
        taken(stores)
    (newcomer,) = recorded(stores, "b", 1)
    began = time.perf_counter()
    stores.queue.send(QUEUE, [newcomer])
    sending = (time.perf_counter() - began) * 1e3
    print(
        f"{stores.database.address}: served as number {place(stores, newcomer.job, lambda: None)} of "
        f"{jobs - jobs // 10 + 1}, sent in {sending:.1f} ms"
    )


def in_a_small_queue(stores: Stores, jobs: int, limit: int) -> None:
    feed.UNSENT_SECONDS = feed.BACKLOG_SECONDS = 0.0
    recorded(stores, "a", jobs)
    feeder = feed.Feed(stores)
    while feeder.catch_up(QUEUE):
        pass
    (newcomer,) = recorded(stores, "b", 1)
    time.sleep(0.01)
    number = place(stores, newcomer.job, lambda: feeder.catch_up(QUEUE))
    print(f"ElasticMQ with room for {limit}: served as number {number} of {jobs + 1}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stores", choices=("embedded", "containers"), default="embedded")
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--limit", type=int, default=100)
    asked = parser.parse_args()
    if asked.stores == "embedded":
        with opened() as stores:
            in_a_table(stores, asked.jobs)
        return
    servers = Servers()
    try:
        with servers.database() as database, opened(database=database) as stores:
            in_a_table(stores, asked.jobs)
        with servers.database() as database, servers.queues() as prefix:
            os.environ |= servers.elasticmq()
            with opened(database=database, queue=f"sqs://{prefix}", queue_limit=asked.limit) as stores:
                in_a_small_queue(stores, asked.jobs, asked.limit)
    finally:
        servers.down()


if __name__ == "__main__":
    main()
