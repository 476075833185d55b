"""A worker: receive, claim, make, finish, acknowledge, until it is told to stop."""

from __future__ import annotations

import os
import socket
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Event, Thread
from uuid import uuid4

import structlog

from thumbnailer_storage.errors import StoreUnavailable
from thumbnailer_storage.opening import Stores
from thumbnailer_storage.starting import Start
from thumbnailer_worker import metrics
from thumbnailer_worker.capacity import Files, concurrency
from thumbnailer_worker.config import WorkerSettings
from thumbnailer_worker.handling import STOPPED, Handler
from thumbnailer_worker.holds import Heartbeat, Hold, Holds
from thumbnailer_worker.imaging.limits import Limits
from thumbnailer_worker.sandbox import Child, ChildLimits
from thumbnailer_worker.slots import Slots
from thumbnailer_worker.taking import Taker
from thumbnailer_worker.trouble import Trouble

IDLE_SECONDS = 0.2
"""How often an empty queue is looked at; one that was waited for is asked again at once."""
STALLED_SECONDS = 60.0
LOOK_SECONDS = 1.0

log = structlog.get_logger()


class Worker:
    """One worker process, wired. `scratch` is a folder of its own, for the images that it works on."""

    def __init__(self, stores: Stores, settings: WorkerSettings, scratch: Path) -> None:
        self.stopping = Event()
        self.give_up = Event()
        self.name = f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:6]}"
        self._stores = stores
        self._beat = time.monotonic()
        self._lacks: str | None = "it starts"
        self.holds = Holds()
        self.slots = Slots(make_children(settings, scratch))
        self.heartbeat = Heartbeat(stores, self.holds, settings.lease_seconds)
        self.trouble = Trouble(stores, scratch, settings.queues)
        self.taker = Taker(
            stores,
            settings.queues,
            self.holds,
            worker=self.name,
            lease=settings.lease_seconds,
            stopping=self.stopping,
            borrows=settings.borrows,
            slots=len(self.slots),
        )
        self.handler = Handler(
            stores,
            self.slots,
            self.holds,
            self.trouble,
            missing_seconds=settings.missing_seconds,
            give_up=self.give_up,
        )
        self.loop = Thread(target=self.run, name="loop", daemon=True)
        self._threads = ThreadPoolExecutor(len(self.slots), thread_name_prefix="slot")

    def run(self) -> None:
        """Work until `stopping` is set; what is in the slots then is for `shutdown.stop`."""
        try:
            self._run()
        except Exception:
            log.exception("no more jobs are taken")
            raise

    def _run(self) -> None:
        self.heartbeat.start()
        log.info("the worker is ready", worker=self.name, slots=len(self.slots), queues=self.taker.queues)
        while not self.stopping.is_set():
            self.beat()
            self.trouble.wait_out(self.stopping, self.beat)
            for hold in self.receive():
                self.start(hold)

    def prepare(self) -> None:
        """Return once a child and the stores are as they are needed, or it is time to stop.

        Raises ChildNotStarted, SchemaTooNew, ForeignStore and SettingError, which waiting does not mend.
        """
        self.slots.try_one()
        start = Start(self._stores)
        while not self.stopping.is_set() and (lacks := self._looked(start)):
            if lacks != self._lacks:
                log.warning("not ready", reason=lacks)
            self._lacks = lacks
            self.stopping.wait(LOOK_SECONDS)
        self._lacks = None

    def _looked(self, start: Start) -> str | None:
        self.beat()
        return start.lacks(self.taker.queues, self._stores.recognise_objects)

    def receive(self) -> list[Hold]:
        """Claimed jobs for the free slots; none after a moment, where there is nothing to do."""
        free = self.slots.wait_for_free(LOOK_SECONDS)
        if not free:
            return []
        began = time.monotonic()
        try:
            taken = self.taker.take(free)
        except StoreUnavailable as error:
            self.trouble.begin(error)
            return []
        for hold in taken:
            self.holds.add(hold)
        if not taken and self.taker.idle:
            self.stopping.wait(max(0.0, began + IDLE_SECONDS - time.monotonic()))
        return taken

    def start(self, hold: Hold) -> None:
        """Give a claimed job to a slot; one that runs alone elsewhere is waited for."""
        while (child := self.slots.take(LOOK_SECONDS)) is None:
            self.beat()
            if self.give_up.is_set():
                self.handler.give_back(hold, STOPPED)
                return
        metrics.busy.inc()
        self._threads.submit(self.handler.handle, hold, child).add_done_callback(
            lambda done: self._left(hold, child, done)
        )

    def _left(self, hold: Hold, child: Child, done: Future[None]) -> None:
        self.holds.remove(hold)
        metrics.busy.dec()
        self.slots.give_back(child)
        error = done.exception()
        if isinstance(error, Exception):  # a mistake of ours, which must not cost the job a death
            log.error("a job was left without an outcome", job=str(hold.job.id), exc_info=error)
            self.trouble.begin(error)
            self.handler.give_back(hold, "something went wrong in its worker")

    def stop_receiving(self) -> None:
        """End the polls that are under way, and put back what they bring."""
        self._stores.queue.close()

    def beat(self) -> None:
        self._beat = time.monotonic()

    def not_well(self) -> str | None:
        """What has stalled; None while the loop comes round and the leases are extended."""
        if not self.heartbeat.healthy:
            return "the heartbeat has stalled"
        return None if time.monotonic() - self._beat < STALLED_SECONDS else "the loop has stalled"

    def not_ready(self) -> str | None:
        """Why it takes no jobs; None where it does."""
        return self._lacks or ("it is told to stop" if self.stopping.is_set() else self.trouble.reason)


def make_children(settings: WorkerSettings, scratch: Path) -> list[Child]:
    """A child for each slot; started when its first job comes. Raises SettingError where they do not fit."""
    limits = ChildLimits(cpu_seconds=settings.child_cpu_seconds, memory_bytes=settings.child_memory_mib << 20)
    imaging = Limits(
        max_bytes=settings.max_upload_bytes, max_pixels=settings.max_pixels, max_frames=settings.max_frames
    )
    children = []
    files = Files.of(scratch, settings.max_upload_bytes + limits.file_bytes)
    for n in range(concurrency(settings.concurrency, limits.memory_bytes, files=files)):
        folder = scratch / f"slot-{n}"
        folder.mkdir()
        children.append(Child(folder, limits, imaging, lambda death: metrics.child_deaths.labels(death.value).inc()))
    return children
