"""Waiting for jobs: the service holds its answers, and where it does not, the pauses are ours."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from thumbnailer.errors import JobFailed, TimedOut

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from thumbnailer.models import Job

Look = Callable[[str, int], "Job"]
"""Asks for a job by its id; the service is to hold its answer for so many seconds."""

LONGEST_WAIT = 20
"""Seconds that one request asks the service to hold its answer."""


def watch(look: Look, id: str, seconds: float) -> Job:  # noqa: A002 - the field's name
    """The job as soon as it is finished, else as it is after `seconds`."""
    end = time.monotonic() + seconds
    pause = 0.1
    while True:
        left = end - time.monotonic()
        asked = min(LONGEST_WAIT, int(left) + 1) if left > 0 else 0
        begin = time.monotonic()
        job = look(id, asked)
        if job.finished or time.monotonic() >= end:
            return job
        # A busy service answers at once instead of holding the answer: then the pauses are ours to make.
        if time.monotonic() - begin < asked / 2:
            time.sleep(min(pause, max(0.0, end - time.monotonic())))
            pause = min(2.0, pause * 1.5)


def until_complete(look: Look, id: str, timeout: float | None) -> Job:  # noqa: A002 - the field's name
    """The complete job; JobFailed if it ends otherwise, TimedOut after `timeout` seconds."""
    end = time.monotonic() + (float("inf") if timeout is None else timeout)
    while True:
        found = watch(look, id, max(0.0, min(LONGEST_WAIT, end - time.monotonic())))
        if found.complete:
            return found
        if found.finished:
            raise JobFailed(found)
        if time.monotonic() >= end:
            raise TimedOut(found)


def as_finished(look: Look, ids: Iterable[str], timeout: float | None) -> Iterator[Job]:
    """Jobs, each once it is finished; TimedOut after `timeout` seconds.

    Looks at the one that has waited longest: when that is finished most others are, so that many jobs cost about one
    request each.
    """
    end = time.monotonic() + (float("inf") if timeout is None else timeout)
    line = deque(ids)
    while line:
        job = watch(look, line[0], max(0.0, min(LONGEST_WAIT, end - time.monotonic())))
        if job.finished:
            line.popleft()
            yield job
        elif time.monotonic() >= end:
            raise TimedOut(job)
        else:
            line.rotate(-1)
