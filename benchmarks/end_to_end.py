"""Jobs per second end to end with 1 and 2 worker processes, CPU per job by part, and how fast POST answers meanwhile.

Real processes on embedded stores. The photo's own cost is measured first, with the same pipeline in this process: what
a job costs beyond it is the service's overhead. Nobody polls: the outcome is read from the database.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx
import psutil
from photos import largest_photos, write_photo
from service import Program, Service, started

from thumbnailer_storage.jobs.model import Output, Status
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
    while service.stores.jobs.counts("nobody")[Status.COMPLETE] < jobs:
        dead = [program.name for program in service.programs if program.process.poll() is not None]
        assert not dead, f"ended while it was measured: {dead}"
        time.sleep(0.05)


def post(api: Program, photo: bytes, count: int, seconds: list[float]) -> None:
    with httpx.Client(timeout=60) as client:
        for _ in range(count):
            began = time.perf_counter()
            client.post(f"{api.url}/jobs", content=photo).raise_for_status()
            seconds.append(time.perf_counter() - began)


def measure(folder: Path, photo: bytes, workers: int, jobs: int) -> dict[str, float]:
    """Post `jobs` jobs while the workers work; each worker process has one slot."""
    with started(folder, THUMBNAILER_CONCURRENCY="1", THUMBNAILER_LOG_LEVEL="warning") as service:
        for name in ("LEASE", "HOUSEKEEPING", "RESEND"):
            del service.settings[f"THUMBNAILER_{name}_SECONDS"]
        api, housekeeper = service.api(), service.housekeeper()
        busy = [service.worker() for _ in range(workers)]
        post(api, photo, 20 * workers, [])  # everything is loaded, each child has worked
        wait_until_complete(service, 20 * workers)
        parts = {"api": api, "housekeeper": housekeeper, **{f"worker {n}": worker for n, worker in enumerate(busy)}}
        before = {name: cpu(program) for name, program in parts.items()}
        began, seconds = time.perf_counter(), []
        feeding = threading.Thread(target=post, args=(api, photo, jobs, seconds))
        feeding.start()
        wait_until_complete(service, jobs + 20 * workers)
        took = time.perf_counter() - began
        feeding.join()
        after = {name: cpu(program) for name, program in parts.items()}
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
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=400, help="jobs in each run")
    parser.add_argument("--megapixels", type=float, nargs="+", default=[0.3, 4.0], help="sizes of the photo")
    given = parser.parse_args()
    for megapixels in given.megapixels:
        photo = photo_of(megapixels)
        alone = pipeline_milliseconds(photo)
        print(f"\n{megapixels:g} megapixel JPEG, {len(photo) >> 10} KiB; pipeline alone: {alone:.1f} ms CPU a job\n")
        print("| workers | jobs/s | POST median, p95 ms | CPU ms a job: API | worker | sandbox | housekeeper | sum |")
        print("|---|---|---|---|---|---|---|---|")
        for workers in (1, 2):
            with tempfile.TemporaryDirectory() as folder:
                m = measure(Path(folder), photo, workers, given.jobs)
            sandbox = m["child"] - alone
            total = m["api"] + m["worker"] + sandbox + m["housekeeper"]
            print(
                f"| {workers} | {m['jobs_per_second']:.0f} | {m['post_ms']:.1f}, {m['post_p95_ms']:.1f} "
                f"| {m['api']:.2f} | {m['worker']:.2f} | {sandbox:.2f} | {m['housekeeper']:.2f} | {total:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    sys.exit(main())
