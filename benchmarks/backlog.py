"""A backlog of 200,000 jobs drains in order through an ElasticMQ that holds only so many messages.

PostgreSQL, ElasticMQ and the housekeeper are real; the records are inserted directly, and workers take and claim jobs
as ours do but finish them ten at a time without a picture: what is measured is the way of messages, not the work.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import subprocess
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
from containers import Servers
from service import started

from thumbnailer_storage.config import StorageSettings, load
from thumbnailer_storage.opening import open_stores
from thumbnailer_storage.queues import Message
from thumbnailer_storage.queues.sqs import SqsQueue
from thumbnailer_worker.holds import Holds
from thumbnailer_worker.taking import Taker

RECORDS = """
INSERT INTO jobs (id, owner, status, priority, queue, code, message, metadata, source_bytes, source_sha256, start,
                  attempt, deaths, sends)
SELECT gen_random_uuid(), 'nobody', 'pending', 'standard', 'standard', 202, '', '{}', 1, repeat('0', 64),
       clock_timestamp() - interval '60 seconds' - (%(jobs)s - n) * interval '1 millisecond', 0, 0, 0
FROM generate_series(1, %(jobs)s) n
"""
OUTPUTS = "INSERT INTO outputs (job, n, width, height, fit) SELECT id, 0, 100, 100, 'cover' FROM jobs"
FINISH = "UPDATE jobs SET status = 'complete', code = 200, finish = clock_timestamp() WHERE id = ANY(%s)"
COUNT = "SELECT count(*) FROM jobs WHERE status = 'complete'"
OUT_OF_ORDER = """
SELECT max(abs(place - turn)), percentile_disc(0.99) WITHIN GROUP (ORDER BY abs(place - turn)), max(attempt),
       max(sends)
FROM (SELECT row_number() OVER (ORDER BY claimed) AS place, row_number() OVER (ORDER BY start) AS turn, attempt, sends
      FROM jobs) AS ordered
"""


def plain(address: str) -> str:
    """The address as psycopg takes it."""
    return address.replace("+psycopg", "")


class Batches(SqsQueue):
    """Deletes ten messages with one call."""

    def delete_all(self, messages: list[Message]) -> None:
        entries = {str(n): {"ReceiptHandle": message.receipt} for n, message in enumerate(messages)}
        self._batch(messages[0].queue, "delete_message_batch", entries)


def drain(settings: dict[str, str], stop: Any) -> None:
    """Take, claim and finish, ten jobs at a time, until it is time to stop."""
    os.environ.update(settings)
    storage = load(StorageSettings, os.environ)
    with closing(open_stores(storage)) as stores, psycopg.connect(plain(storage.database), autocommit=True) as finish:
        queue = Batches(storage.queue.removeprefix("sqs://"))
        taker = Taker(stores, ["standard"], Holds(), worker=str(os.getpid()), lease=60, stopping=threading.Event())
        while not stop.is_set():
            with stores.database.together():  # one commit for ten claims, since the disk is not what is measured
                holds = taker.take(10)
            if holds:
                finish.execute(FINISH, [[hold.job.id for hold in holds]])
                queue.delete_all([hold.message for hold in holds])


def memory(servers: Servers) -> float:
    """MiB that ElasticMQ's container takes, the cache of its files not counted."""
    container = servers.compose("ps", "--quiet", "elasticmq").stdout.strip()
    command = ["docker", "stats", "--no-stream", "--format", "{{.MemUsage}}", container]
    used = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("/")[0].strip()
    return float(used.removesuffix("MiB"))


def run(servers: Servers, folder: Path, settings: dict[str, str], jobs: int, workers: int) -> None:
    with (
        started(folder, **settings) as service,
        psycopg.connect(plain(settings["THUMBNAILER_DATABASE"]), autocommit=True) as records,
    ):
        for name in ("LEASE", "HOUSEKEEPING", "RESEND"):
            del service.settings[f"THUMBNAILER_{name}_SECONDS"]
        records.execute(RECORDS, {"jobs": jobs})
        records.execute(OUTPUTS)
        records.execute("ANALYZE")
        print(f"{jobs} records stand there; ElasticMQ takes {memory(servers):.0f} MiB", flush=True)
        service.housekeeper(THUMBNAILER_LOG_LEVEL="warning")
        stop = multiprocessing.get_context("spawn").Event()
        processes = [
            multiprocessing.get_context("spawn").Process(target=drain, args=(service.environment(), stop))
            for _ in range(workers)
        ]
        began = time.monotonic()
        for process in processes:
            process.start()
        deepest, most, said, done = 0, 0.0, began, 0
        while done < jobs:
            time.sleep(1)
            depth = service.stores.queue.depth("standard")
            deepest = max(deepest, depth.waiting + depth.in_flight + depth.delayed)
            done = records.execute(COUNT).fetchone()[0]  # type: ignore[index]
            if time.monotonic() - said > 15 or done == jobs:
                said, used = time.monotonic(), memory(servers)
                most = max(most, used)
                rate = done / (said - began)
                print(f"{done} done, {rate:.0f}/s, deepest {deepest}, ElasticMQ {used:.0f} MiB", flush=True)
        stop.set()
        for process in processes:
            process.join()
        places, usual, attempts, sends = records.execute(OUT_OF_ORDER).fetchone()  # type: ignore[misc]
        print(
            f"all done: at most {deepest} messages at a time, ElasticMQ at most {most:.0f} MiB; claimed at most "
            f"{places} places from its turn (99 of 100: {usual}); {attempts} attempts and {sends} messages for a job "
            "at most"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=200_000)
    parser.add_argument("--limit", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    servers = Servers()
    try:
        with servers.database() as database, servers.queues() as prefix, tempfile.TemporaryDirectory() as folder:
            os.environ |= servers.elasticmq()
            settings = {
                "THUMBNAILER_DATABASE": database,
                "THUMBNAILER_QUEUE": f"sqs://{prefix}",
                "THUMBNAILER_QUEUE_LIMIT": str(asked.limit),
            }
            run(servers, Path(folder), settings, asked.jobs, asked.workers)
    finally:
        servers.down()


if __name__ == "__main__":
    main()
