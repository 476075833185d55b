"""Jobs per second end to end by number of worker processes, CPU per job by part, and how fast POST answers meanwhile.

Real processes, on embedded stores or (`--stores containers`) on those of compose.yaml. The photo's own cost is measured
first, with the same pipeline in this process: what a job costs beyond it is the service's overhead. Nobody polls: the
outcome is read from the database, whose transactions end with a rollback and are not among those that are counted.

`--backlog N` measures what a queue's depth costs: the jobs are accepted first, then N others behind them, and then
workers start.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
from containers import Servers
from photos import largest_photos, write_photo
from service import Program, Service, started
from sqlalchemy import text

from thumbnailer_storage.jobs.model import Status
from thumbnailer_storage.jobs.pictures import Output
from thumbnailer_storage.queues import Outgoing
from thumbnailer_worker.imaging import pipeline
from thumbnailer_worker.imaging.limits import Limits


def photo_of(megapixels: float) -> bytes:
    """The largest photo as a JPEG of so many megapixels."""
    with tempfile.NamedTemporaryFile() as file:
        write_photo(largest_photos(1)[0][1], megapixels, "jpeg", Path(file.name))
        return Path(file.name).read_bytes()


def pipeline_milliseconds(photo: bytes, rounds: int = 40) -> float:
    """CPU that the pipeline alone takes for the photo, in this process."""
    with tempfile.TemporaryDirectory() as name:
        source = Path(name, "source")
        source.write_bytes(photo)
        times = []
        for _ in range(rounds):
            began = time.process_time()
            pipeline.make(source, [Output()], Path(name), Limits())
            times.append(time.process_time() - began)
    return statistics.median(times) * 1e3


def cpu(program: Program) -> tuple[float, float]:
    """CPU seconds of a program so far: its own, and its living children's."""
    process = psutil.Process(program.process.pid)
    own = process.cpu_times()
    children = sum(sum(child.cpu_times()[:2]) for child in process.children())
    return own.user + own.system, children


def wait_until_complete(service: Service, jobs: int) -> None:
    while service.stores.ledger.counts("nobody")[Status.COMPLETE] < jobs:
        dead = [program.name for program in service.programs if program.process.poll() is not None]
        assert not dead, f"ended while it was measured: {dead}"
        time.sleep(0.05)


def post(api: Program, photo: bytes, count: int, seconds: list[float]) -> None:
    """Post so many jobs, from a few callers at a time."""

    def call(share: int) -> None:
        with httpx.Client(timeout=60) as client:
            for _ in range(share):
                began = time.perf_counter()
                client.post(f"{api.url}/jobs", content=photo).raise_for_status()
                seconds.append(time.perf_counter() - began)

    with ThreadPoolExecutor(CALLERS) as callers:
        list(callers.map(call, [count // CALLERS] * CALLERS))


CALLERS = 4
STEPS = ("claim", "fetch", "make", "put", "finish")


@contextmanager
def stores(kind: str) -> Iterator[Mapping[str, str]]:
    """The settings of stores that are empty."""
    if kind == "embedded":
        yield {}
        return
    servers = Servers()
    try:
        with servers.settings() as settings:
            os.environ.update({name: value for name, value in settings.items() if name.startswith("AWS_")})
            yield settings
    finally:
        servers.down()


@contextmanager
def service_on(settings: Mapping[str, str]) -> Iterator[Service]:
    """The service with the pauses that users have; each worker process has one slot."""
    with (
        tempfile.TemporaryDirectory() as folder,
        started(Path(folder), **settings, THUMBNAILER_CONCURRENCY="1", THUMBNAILER_LOG_LEVEL="warning") as service,
    ):
        for name in ("LEASE", "HOUSEKEEPING", "RESEND"):
            del service.settings[f"THUMBNAILER_{name}_SECONDS"]
        yield service


def transactions(service: Service) -> int:
    """How many transactions the database has committed; only PostgreSQL counts them."""
    if service.stores.database.embedded:
        return 0
    with service.stores.database.read() as connection:
        asked = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
        return int(connection.execute(text(asked)).scalar_one())


def seconds_of_steps(workers: list[Program]) -> dict[str, float]:
    return {
        step: sum(worker.metric(f'thumbnailer_step_seconds_sum{{step="{step}"}}') for worker in workers)
        for step in STEPS
    }


def measure(settings: Mapping[str, str], photo: bytes, workers: int, jobs: int) -> dict[str, float]:
    """Post `jobs` jobs while the workers work."""
    with service_on(settings) as service:
        housekeeper = service.housekeeper()
        api = service.api()
        busy = [service.worker() for _ in range(workers)]
        done = service.stores.ledger.counts("nobody")[Status.COMPLETE] + 20 * workers
        post(api, photo, 20 * workers, [])  # everything is loaded, each child has worked
        wait_until_complete(service, done)
        parts = {"api": api, "housekeeper": housekeeper, **{f"worker {n}": worker for n, worker in enumerate(busy)}}
        time.sleep(1.5)  # PostgreSQL's counters come late
        committed, steps = transactions(service), seconds_of_steps(busy)
        before = {name: cpu(program) for name, program in parts.items()}
        began, seconds = time.perf_counter(), []
        feeding = threading.Thread(target=post, args=(api, photo, jobs, seconds))
        feeding.start()
        wait_until_complete(service, done + jobs)
        took = time.perf_counter() - began
        feeding.join()
        after = {name: cpu(program) for name, program in parts.items()}
        time.sleep(1.5)
        spent = {f"{step}_ms": (s - steps[step]) / jobs * 1e3 for step, s in seconds_of_steps(busy).items()}
        committed = transactions(service) - committed
    used = {name: [b - a for a, b in zip(before[name], after[name], strict=True)] for name in parts}
    parents = sum(own for name, (own, _) in used.items() if name.startswith("worker"))
    children = sum(child for _, child in used.values())
    return {
        "jobs_per_second": jobs / took,
        "post_ms": statistics.median(seconds) * 1e3,
        "post_p95_ms": statistics.quantiles(seconds, n=20)[-1] * 1e3,
        "api": used["api"][0] / jobs * 1e3,
        "worker": parents / jobs * 1e3,
        "child": children / jobs * 1e3,
        "housekeeper": used["housekeeper"][0] / jobs * 1e3,
        "transactions": committed / jobs,
        **spent,
    }


def measure_behind(settings: Mapping[str, str], photo: bytes, backlog: int, jobs: int) -> float:
    """CPU milliseconds of API, worker and housekeeper for a job that has `backlog` others behind it in its queue."""
    with service_on(settings) as service:
        housekeeper, api = service.housekeeper(), service.api()
        done = service.stores.ledger.counts("nobody")[Status.COMPLETE]
        before_posting = cpu(api)[0]
        post(api, photo, jobs, [])
        posting = cpu(api)[0] - before_posting
        fill(service, backlog)
        worker = service.worker()
        parts = (housekeeper, worker)
        wait_until_complete(service, done + jobs // 10)
        before = sum(sum(cpu(part)) for part in parts)
        wait_until_complete(service, done + jobs)
        working = sum(sum(cpu(part)) for part in parts) - before
        worker.kill()
    return posting / jobs * 1e3 + working / (jobs - jobs // 10) * 1e3


def fill(service: Service, backlog: int) -> None:
    """Records and messages of jobs that nobody will come to."""
    records = """
        INSERT INTO jobs (id, owner, status, priority, queue, code, message, metadata, source_bytes, source_sha256,
                          start, sent, attempt, deaths, sends)
        SELECT gen_random_uuid(), 'backlog', 'pending', 'standard', 'standard', 202, '', '{}', 1, '',
               now(), now(), 0, 0, 1
        FROM generate_series(1, :number) RETURNING id"""
    outputs = (
        "INSERT INTO outputs (job, n, width, height, fit) SELECT id, 0, 100, 100, 'cover' FROM jobs WHERE owner = :o"
    )
    with service.stores.database.write(600) as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        ids = list(connection.execute(text(records), {"number": backlog}).scalars())
        connection.execute(text(outputs), {"o": "backlog"})
        connection.execute(text("ANALYZE"))
    service.stores.queue.send("standard", [Outgoing(job, "backlog") for job in ids])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stores", choices=("embedded", "containers"), default="embedded")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="numbers of worker processes")
    parser.add_argument("--jobs", type=int, default=400, help="jobs in each run")
    parser.add_argument("--megapixels", type=float, nargs="+", default=[0.3, 4.0], help="sizes of the photo")
    parser.add_argument("--backlog", type=int, nargs="+", help="how many jobs stand behind those that are measured")
    given = parser.parse_args()
    for megapixels in given.megapixels:
        photo = photo_of(megapixels)
        alone = pipeline_milliseconds(photo)
        print(f"\n{megapixels:g} megapixel JPEG, {len(photo) >> 10} KiB; pipeline alone: {alone:.1f} ms CPU a job\n")
        if given.backlog:
            show_backlogs(photo, given.backlog, given.jobs)
        else:
            with stores(given.stores) as settings:
                show_workers(settings, photo, alone, given.workers, given.jobs)


def show_workers(settings: Mapping[str, str], photo: bytes, alone: float, numbers: list[int], jobs: int) -> None:
    print(
        "| workers | jobs/s | POST median, p95 ms | CPU ms a job: API | worker | sandbox | housekeeper | sum "
        f"| transactions a job | ms a job in: {' | '.join(STEPS)} |"
    )
    print("|---" * (9 + len(STEPS)) + "|")
    for workers in numbers:
        m = measure(settings, photo, workers, jobs)
        sandbox = m["child"] - alone
        total = m["api"] + m["worker"] + sandbox + m["housekeeper"]
        spent = " | ".join(f"{m[step + '_ms']:.1f}" for step in STEPS)
        print(
            f"| {workers} | {m['jobs_per_second']:.0f} | {m['post_ms']:.1f}, {m['post_p95_ms']:.1f} "
            f"| {m['api']:.2f} | {m['worker']:.2f} | {sandbox:.2f} | {m['housekeeper']:.2f} | {total:.2f} "
            f"| {m['transactions']:.2f} | {spent} |",
            flush=True,
        )


def show_backlogs(photo: bytes, backlogs: list[int], jobs: int) -> None:
    print("| jobs behind | CPU ms a job |\n|---|---|")
    for backlog in backlogs:
        with stores("containers") as settings:
            print(f"| {backlog} | {measure_behind(settings, photo, backlog, jobs):.2f} |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
