"""The Python client: one method for each call of the service."""

from __future__ import annotations

import errno
import json
import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from thumbnailer import waiting
from thumbnailer.calls.keys import Keys
from thumbnailer.calls.webhook import DefaultWebhook, webhook_as_json
from thumbnailer.connection import Connection
from thumbnailer.images import Image, opened
from thumbnailer.models import Delivery, Event, Job, Limits, QueueState, Usage
from thumbnailer.outputs import OutputAsked, as_json
from thumbnailer.retrying import LONGEST

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import date, datetime
    from types import TracebackType


MOST_CANCELLED = 20_000
"""Of what the service cancels in one call."""


class Client:
    """A caller of the service at `url`; both arguments default to THUMBNAILER_URL and THUMBNAILER_KEY.

    One client may be used by several threads. `timeout` is the seconds of silence after which a connection counts as
    broken, `patience` those that a call waits where the owner asks for too much (429) before it raises TooMany. Each
    method asks again after errors that pass (retrying.py) and raises ThumbnailerError. `keys` and `webhook` hold the
    calls about keys and about the owner's default webhook.
    """

    def __init__(
        self, url: str | None = None, key: str | None = None, *, timeout: float = 30.0, patience: float = LONGEST
    ) -> None:
        self._connection = Connection(url, key, timeout, patience)
        self.url = self._connection.url
        self.keys = Keys(self._connection)
        self.webhook = DefaultWebhook(self._connection)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    def submit(
        self,
        image: Image,
        *,
        outputs: Iterable[OutputAsked] = (),
        priority: str | None = None,
        job_class: str | None = None,
        metadata: Mapping[str, str] | None = None,
        expires_in: int | None = None,
        webhook: str | Mapping[str, Any] | Literal[False] | None = None,
        filename: str | None = None,
        idempotency_key: str | None = None,
    ) -> Job:
        """Send an image: a path, its bytes, or a binary file, which is read from its start and never whole into memory.

        `expires_in` is in seconds from the job's finish. `webhook` is an address, or {"url", "events", "secret",
        "template"}, or False for none, also where the owner has a default. Returns the accepted job: one, however often
        it had to be sent, since each call has an `idempotency_key` of its own. Name one to have the same job from
        another call within a day, after AnswerLost or in another process. OSError if the file cannot be read.
        """
        asked: dict[str, Any] = {
            "outputs": [as_json(output) for output in outputs],
            "priority": priority,
            "class": job_class,
            "metadata": dict(metadata or {}),
            "expires_in": expires_in,
            "webhook": webhook if webhook is None or webhook is False else webhook_as_json(webhook),
        }
        unsaid: list[Any] = [None, [], {}]
        options = json.dumps({name: value for name, value in asked.items() if value not in unsaid})
        headers = {"Idempotency-Key": idempotency_key or str(uuid.uuid4())}
        with opened(image) as (name, stream):
            sent = (filename or name).encode(errors="replace").decode()
            files = [
                ("job", (None, options, "application/json")),
                ("image", (sent, stream, "application/octet-stream")),
            ]
            return self._connection.ask("POST", "/jobs", Job.from_wire, files=files, headers=headers)

    def get(self, id: str, *, wait: int = 0) -> Job:  # noqa: A002 - the field's name
        """The job as it is; `wait` asks the service to hold its answer for so many seconds while the job runs."""
        if wait <= 0:
            return self._connection.ask("GET", _path(id), Job.from_wire)
        asked, timeout = {"Prefer": f"wait={wait}"}, self._connection.silence(wait)
        return self._connection.ask("GET", _path(id), Job.from_wire, headers=asked, timeout=timeout)

    def jobs(
        self,
        *,
        status: str | None = None,
        priority: str | None = None,
        since: datetime | None = None,
        page: int = 100,
    ) -> Iterator[Job]:
        """All jobs that fit, newest first, `page` of them a request, fetched as the iteration comes to them."""
        return self._connection.pages("/jobs", _filters(status, priority, since) | {"limit": page}, _jobs)

    def delete(self, job: Job | str) -> Job:
        """Cancel a job that is not finished, or remove the pictures of one that is; the job as it is then.

        The same again changes nothing.
        """
        return self._connection.ask("DELETE", _path(_id(job)), Job.from_wire)

    def cancel_all(self, status: str, *, priority: str | None = None, since: datetime | None = None) -> int:
        """Cancel all jobs that are `status`, pending or processing; how many there were."""
        asked = _filters(status, priority, since)
        done, some = 0, MOST_CANCELLED
        while some >= MOST_CANCELLED:
            some = self._connection.ask("DELETE", "/jobs", lambda wire: int(wire["cancelled"]), params=asked)
            done += some
        return done

    def events(self, id: str) -> list[Event]:  # noqa: A002 - the field's name
        """What happened to a job, in order."""
        return self._connection.ask("GET", f"{_path(id)}/events", Event.list_from_wire)

    def all_events(
        self, *, owner: str | None = None, since: datetime | None = None, page: int = 100
    ) -> Iterator[Event]:
        """What happened to all jobs, or to those of one owner, newest first; for keys with the scope admin."""
        asked = {"owner": owner, "since": since and since.isoformat(), "limit": page}
        return self._connection.pages("/events", asked, _events)

    def deliveries(self, job: Job | str) -> list[Delivery]:
        """What a job's webhook was sent, and what it answered."""
        return self._connection.ask("GET", f"{_path(_id(job))}/deliveries", Delivery.list_from_wire)

    def redeliver(self, job: Job | str, delivery: Delivery | str) -> Delivery:
        """Send a delivery once more, at once."""
        id = delivery if isinstance(delivery, str) else delivery.id  # noqa: A001 - the field's name
        path = f"{_path(_id(job))}/deliveries/{quote(id, safe='')}"
        return self._connection.ask("POST", path, Delivery.from_wire)

    def queue(self) -> QueueState:
        """The caller's jobs by status, and the depth and oldest age of each queue."""
        return self._connection.ask("GET", "/queue", QueueState.from_wire)

    def usage(self, *, since: date | None = None, until: date | None = None, owner: str | None = None) -> Usage:
        """What was used by day and priority, the last 30 days unless told; another's (`owner`) for admins alone."""
        days = {"since": since and since.isoformat(), "until": until and until.isoformat(), "owner": owner}
        asked = {name: value for name, value in days.items() if value}
        return self._connection.ask("GET", "/usage", Usage.from_wire, params=asked)

    def limits(self) -> Limits:
        """What the owner may use, and has used of it."""
        return self._connection.ask("GET", "/limits", Limits.from_wire)

    def watch(self, id: str, seconds: float) -> Job:  # noqa: A002 - the field's name
        """The job as soon as it is finished, else as it is after `seconds`."""
        return waiting.watch(self._look, id, seconds)

    def wait(self, job: Job | str, timeout: float | None = None) -> Job:
        """Return the complete job; JobFailed if it ends otherwise, TimedOut after `timeout` seconds."""
        return waiting.until_complete(self._look, _id(job), timeout)

    def as_finished(self, jobs: Iterable[Job | str], timeout: float | None = None) -> Iterator[Job]:
        """Jobs, each once it is finished in whatever way; TimedOut after `timeout` seconds.

        Many jobs cost about one request each.
        """
        return waiting.as_finished(self._look, [_id(job) for job in jobs], timeout)

    def download(self, job: Job | str, n: int = 0, to: str | os.PathLike[str] = ".") -> Path:
        """Write output `n` of a complete job to the file `to`, which is there whole or not at all; OSError.

        A file of that name is replaced; a folder is none, not even the one that is meant where nothing is said.
        """
        target = Path(to)
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, "Name a file to write the picture to, not a folder", str(target))
        part = target.with_name(f".{uuid.uuid4().hex}.part")
        try:
            self._connection.fetch(f"{_path(_id(job))}/outputs/{n}", part)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
        return target

    def _look(self, id: str, wait: int) -> Job:  # noqa: A002 - the field's name
        return self.get(id, wait=wait)


def _path(id: str) -> str:  # noqa: A002 - the field's name
    return f"/jobs/{quote(id, safe='')}"


def _id(job: Job | str) -> str:
    return job if isinstance(job, str) else job.id


def _filters(status: str | None, priority: str | None, since: datetime | None) -> dict[str, Any]:
    asked = {"status": status, "priority": priority, "since": since and since.isoformat()}
    return {name: value for name, value in asked.items() if value}


def _jobs(wire: Mapping[str, Any]) -> tuple[list[Job], str | None]:
    return [Job.from_wire(job) for job in wire["jobs"]], wire.get("next")


def _events(wire: Mapping[str, Any]) -> tuple[list[Event], str | None]:
    return Event.list_from_wire(wire), wire.get("next")
