"""The Python client: one method for each call of the service."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections import deque
from contextlib import contextmanager
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import httpx

from thumbnailer import config
from thumbnailer.errors import (
    NEVER_BARE,
    AnswerLost,
    JobFailed,
    NotThumbnailer,
    ServiceUnreachable,
    ThumbnailerError,
    TimedOut,
    problem,
)
from thumbnailer.models import Event, Job, JobPage, QueueState
from thumbnailer.outputs import OutputAsked, as_json
from thumbnailer.retrying import FIRST_PAUSES, PAUSES, harmless, patiently, retry_after, surely_not_accepted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime
    from types import TracebackType

T = TypeVar("T")
Image = str | os.PathLike[str] | bytes | IO[bytes]

NOTHING_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
LONGEST_WAIT = 20
"""Seconds that one request asks the service to hold its answer."""


class Client:
    """A caller of the service at `url`; both arguments default to THUMBNAILER_URL and THUMBNAILER_KEY.

    One client may be used by several threads. `timeout` is the seconds of silence after which a connection counts as
    broken. Each method asks again after errors that pass (retrying.py) and raises ThumbnailerError.
    """

    def __init__(self, url: str | None = None, key: str | None = None, *, timeout: float = 30.0) -> None:
        settings = config.load(url, key)
        self.url = settings.url
        self._timeout = timeout
        self._answered = False
        self._http = httpx.Client(
            base_url=settings.url,
            headers={"User-Agent": f"thumbnailer/{version('thumbnailer-client')}", "Accept": "application/json, */*"}
            | ({"Authorization": f"Bearer {settings.key}"} if settings.key else {}),
            timeout=httpx.Timeout(timeout, connect=min(timeout, 5.0)),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=None),
            # A proxy of the environment is for other machines.
            trust_env=not settings.loopback,
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def submit(
        self,
        image: Image,
        *,
        outputs: Iterable[OutputAsked] = (),
        priority: str | None = None,
        job_class: str | None = None,
        metadata: Mapping[str, str] | None = None,
        filename: str | None = None,
    ) -> Job:
        """Send an image: a path, its bytes, or a binary file, which is read from its start and never whole into memory.

        Returns the accepted job. After AnswerLost it may have been accepted too: that is never tried again by itself.
        OSError if the file cannot be read.
        """
        asked: dict[str, Any] = {
            "outputs": [as_json(output) for output in outputs],
            "priority": priority,
            "class": job_class,
            "metadata": dict(metadata or {}),
        }
        options = json.dumps({name: value for name, value in asked.items() if value})
        with _opened(image) as (name, stream):
            sent = (filename or name).encode(errors="replace").decode()
            files = [
                ("job", (None, options, "application/json")),
                ("image", (sent, stream, "application/octet-stream")),
            ]
            return self._ask("POST", "/jobs", Job.from_wire, again=surely_not_accepted, files=files)

    def get(self, id: str, *, wait: int = 0) -> Job:  # noqa: A002 - the field's name
        """The job as it is; `wait` asks the service to hold its answer for so many seconds while the job runs."""
        if wait <= 0:
            return self._ask("GET", _path(id), Job.from_wire)
        timeout = httpx.Timeout(self._timeout, connect=min(self._timeout, 5.0), read=self._timeout + wait)
        return self._ask("GET", _path(id), Job.from_wire, headers={"Prefer": f"wait={wait}"}, timeout=timeout)

    def jobs(
        self,
        *,
        status: str | None = None,
        priority: str | None = None,
        since: datetime | None = None,
        page: int = 100,
    ) -> Iterator[Job]:
        """All jobs that fit, newest first, `page` of them a request, fetched as the iteration comes to them."""
        asked = {"status": status, "priority": priority, "since": since and since.isoformat(), "limit": page}
        params: dict[str, Any] = {name: value for name, value in asked.items() if value}
        while True:
            answer = self._ask("GET", "/jobs", JobPage.from_wire, params=params)
            yield from answer.jobs
            if not answer.next:
                return
            params["cursor"] = answer.next

    def events(self, id: str) -> list[Event]:  # noqa: A002 - the field's name
        """What happened to a job, in order."""
        return self._ask("GET", _path(id) + "/events", Event.list_from_wire)

    def queue(self) -> QueueState:
        """The caller's jobs by status, and the depth and oldest age of each queue."""
        return self._ask("GET", "/queue", QueueState.from_wire)

    def watch(self, id: str, seconds: float) -> Job:  # noqa: A002 - the field's name
        """The job as soon as it is finished, else as it is after `seconds`."""
        end = time.monotonic() + seconds
        pause = 0.1
        while True:
            left = end - time.monotonic()
            asked = min(LONGEST_WAIT, int(left) + 1) if left > 0 else 0
            begin = time.monotonic()
            job = self.get(id, wait=asked)
            if job.finished or time.monotonic() >= end:
                return job
            # A busy service answers at once instead of holding the answer: then the pauses are ours to make.
            if time.monotonic() - begin < asked / 2:
                time.sleep(min(pause, max(0.0, end - time.monotonic())))
                pause = min(2.0, pause * 1.5)

    def wait(self, job: Job | str, timeout: float | None = None) -> Job:
        """Return the complete job; JobFailed if it ends otherwise, TimedOut after `timeout` seconds."""
        end = time.monotonic() + (float("inf") if timeout is None else timeout)
        while True:
            found = self.watch(_id(job), max(0.0, min(LONGEST_WAIT, end - time.monotonic())))
            if found.complete:
                return found
            if found.finished:
                raise JobFailed(found)
            if time.monotonic() >= end:
                raise TimedOut(found)

    def as_finished(self, jobs: Iterable[Job | str], timeout: float | None = None) -> Iterator[Job]:
        """Jobs, each once it is finished in whatever way; TimedOut after `timeout` seconds.

        Looks at the one that has waited longest: when that is finished most others are, so that many jobs cost about
        one request each.
        """
        end = time.monotonic() + (float("inf") if timeout is None else timeout)
        line = deque(_id(job) for job in jobs)
        while line:
            job = self.watch(line[0], max(0.0, min(LONGEST_WAIT, end - time.monotonic())))
            if job.finished:
                line.popleft()
                yield job
            elif time.monotonic() >= end:
                raise TimedOut(job)
            else:
                line.rotate(-1)

    def download(self, job: Job | str, n: int = 0, to: str | os.PathLike[str] = ".") -> Path:
        """Write output `n` of a complete job to the file `to`, which is there whole or not at all; OSError.

        A file of that name is replaced.
        """
        target = Path(to)
        part = target.with_name(f".{uuid.uuid4().hex}.part")
        try:
            patiently(lambda: self._fetch(f"{_path(_id(job))}/outputs/{n}", part), harmless, self._pauses())
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
        return target

    def _fetch(self, path: str, part: Path) -> None:
        # It may be sent to the object store, which gets no key: httpx keeps that for the service's own address.
        with self._errors(), self._http.stream("GET", path, follow_redirects=True) as answer:
            if not answer.is_success:
                answer.read()
                self._refuse(answer)
            if answer.history and not answer.headers.get("Content-Type", "").startswith("image/"):
                raise NotThumbnailer(self.url)
            with part.open("wb") as file:
                for chunk in answer.iter_bytes():
                    file.write(chunk)

    def _ask(
        self,
        method: str,
        path: str,
        read: Callable[[Mapping[str, Any]], T],
        *,
        again: Callable[[ThumbnailerError], bool] = harmless,
        **request: Any,
    ) -> T:
        return patiently(lambda: self._once(method, path, read, request), again, self._pauses())

    def _once(self, method: str, path: str, read: Callable[[Mapping[str, Any]], T], request: Mapping[str, Any]) -> T:
        with self._errors():
            answer = self._http.request(method, path, **request)
        if not answer.is_success:
            self._refuse(answer)
        try:
            return read(_object(answer))
        except (LookupError, TypeError, ValueError) as error:
            raise NotThumbnailer(self.url) from error

    def _pauses(self) -> Iterator[float]:
        for number, pause in enumerate(PAUSES):
            if number < len(FIRST_PAUSES) or self._answered:
                yield pause

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
            self._answered = True
        except NOTHING_SENT as error:
            raise ServiceUnreachable(self.url, _reason(error)) from error
        except httpx.TooManyRedirects as error:
            raise NotThumbnailer(self.url) from error
        except httpx.TransportError as error:
            raise AnswerLost(self.url, _reason(error)) from error

    def _refuse(self, answer: httpx.Response) -> None:
        body = _object(answer)
        # Following a redirect would show the key to somebody else.
        if answer.is_redirect or (answer.status_code in NEVER_BARE and "title" not in body):
            raise NotThumbnailer(self.url)
        raise problem(answer.status_code, answer.reason_phrase, body, retry_after(answer.headers.get("Retry-After")))


@contextmanager
def _opened(image: Image) -> Iterator[tuple[str, IO[bytes]]]:
    """The image's name and its bytes as a file that can be sent again from its start."""
    if isinstance(image, bytes):
        yield "image", BytesIO(image)
    elif isinstance(image, (str, os.PathLike)):
        with Path(image).open("rb") as file:
            yield Path(image).name, file
    elif image.seekable():
        yield _name(image), image
    else:
        with TemporaryFile() as copy:
            copyfileobj(image, copy)
            copy.flush()  # httpx asks the system how long it is
            yield _name(image), copy


def _name(file: IO[bytes]) -> str:
    name = getattr(file, "name", None)
    return Path(name).name.strip("<>") if isinstance(name, str) else "image"


def _path(id: str) -> str:  # noqa: A002 - the field's name
    return f"/jobs/{quote(id, safe='')}"


def _id(job: Job | str) -> str:
    return job if isinstance(job, str) else job.id


def _object(answer: httpx.Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
