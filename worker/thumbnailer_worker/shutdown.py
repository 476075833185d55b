"""How a worker stops: in this order, so that nothing it has taken is dropped."""

from __future__ import annotations

import time
from threading import Thread

import structlog

from thumbnailer_worker.main import Worker

RELEASE_SECONDS = 5.0
"""For giving back what did not fit into the grace."""

log = structlog.get_logger()


def stop(worker: Worker, grace: float) -> None:
    """Take nothing more, finish what fits into `grace` seconds, give back the rest without cost, end the children."""
    worker.stopping.set()
    closing = Thread(target=worker.stop_receiving, name="closing", daemon=True)  # beside the work that is finished
    closing.start()
    log.info("stopping: jobs in hand are finished", seconds=grace)
    if not idle_within(worker, grace):
        log.warning("the grace is over: jobs in hand are given back")
        worker.holds.end_all()
        worker.give_up.set()
        idle_within(worker, RELEASE_SECONDS)
    closing.join(RELEASE_SECONDS)
    worker.heartbeat.stop()
    worker.slots.close()
    log.info("stopped")


def idle_within(worker: Worker, seconds: float) -> bool:
    """Whether the loop has ended, and then the work in all slots."""
    deadline = time.monotonic() + seconds
    if worker.loop.is_alive():
        worker.loop.join(seconds)
    left = max(0.0, deadline - time.monotonic())
    return not worker.loop.is_alive() and worker.slots.wait_until_idle(left)
