"""The steps that an item can pass through."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from thumbnailer.batch.saving import stem_of
from thumbnailer.errors import FinishedAlready, JobFailed, TimedOut

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from thumbnailer.batch.items import Item
    from thumbnailer.batch.saving import Folder
    from thumbnailer.client import Client
    from thumbnailer.outputs import OutputAsked

WATCHERS = 4
"""Requests that wait for a job at once. The service holds few such answers, and most jobs cost one short look."""

LOOK = 20.0
"""Seconds that a watcher stays with a job before it turns to the next."""


@dataclass(frozen=True)
class Step:
    """Something done to each item by a crew of threads; it answers False to come back to the item after the others."""

    name: str
    do: Callable[[Item], bool]
    crew: int


@dataclass(frozen=True)
class Options:
    """What is asked for with each file."""

    outputs: Sequence[OutputAsked] = ()
    priority: str | None = None
    job_class: str | None = None
    metadata: Mapping[str, str] | None = None
    expires_in: int | None = None
    webhook: str | Literal[False] | None = None


def sending(client: Client, options: Options, parallel: int) -> Step:
    def send(item: Item) -> bool:
        assert item.image is not None  # noqa: S101 - for the type checker: only files are sent
        item.begun = True
        item.job = client.submit(
            item.image,
            outputs=options.outputs,
            priority=options.priority,
            job_class=options.job_class,
            metadata=options.metadata,
            expires_in=options.expires_in,
            webhook=options.webhook,
        )
        return True

    return Step("sent", send, parallel)


def waiting(client: Client, seconds: float | None) -> Step:
    """Until the job is finished, or `seconds` from now have passed."""
    end = time.monotonic() + (float("inf") if seconds is None else seconds)

    def wait(item: Item) -> bool:
        item.job = client.watch(item.id, max(0.0, min(LOOK, end - time.monotonic())))
        if item.job.finished and not item.job.complete:
            raise JobFailed(item.job)
        if not item.job.finished and time.monotonic() >= end:
            raise TimedOut(item.job)
        return item.job.finished

    return Step("done", wait, WATCHERS)


def saving(client: Client, folder: Folder, parallel: int) -> Step:
    def save(item: Item) -> bool:
        assert item.job is not None  # noqa: S101 - for the type checker: the step before has set it
        item.saved = folder.save(client, item.job, item.stem or stem_of(item.job.filename or item.job.id))
        return True

    return Step("saved", save, parallel)


def cancelling(client: Client, parallel: int) -> Step:
    """Only what is not finished: the service would remove the pictures of what is."""

    def cancel(item: Item) -> bool:
        item.job = client.get(item.name)
        if item.job.finished and item.job.status != "cancelled":
            raise FinishedAlready(item.job)
        item.job = client.delete(item.name)
        return True

    return Step("cancelled", cancel, parallel)


def removing(client: Client, parallel: int) -> Step:
    def remove(item: Item) -> bool:
        item.job = client.delete(item.name)
        return True

    return Step("removed", remove, parallel)
