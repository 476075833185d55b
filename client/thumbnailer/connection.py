"""One service over HTTP: what is sent with each request, and what its answers and silences mean."""

from __future__ import annotations

from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, TypeVar

import httpx

from thumbnailer import config
from thumbnailer.errors import (
    NEVER_BARE,
    AnswerLost,
    NotThumbnailer,
    ServiceUnreachable,
    ThumbnailerError,
    problem,
)
from thumbnailer.retrying import FIRST_PAUSES, LONGEST, PAUSES, harmless, patiently, retry_after

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

T = TypeVar("T")

NOTHING_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class Connection:
    """What the calls of all resources share.

    `timeout` is the seconds of silence after which a connection is broken, `patience` those that one call waits where
    its owner asks for too much (429).
    """

    def __init__(self, url: str | None, key: str | None, timeout: float, patience: float = LONGEST) -> None:
        settings = config.load(url, key)
        self.url = settings.url
        self._timeout = timeout
        self._patience = patience
        self._answered = False
        self._http = httpx.Client(
            base_url=settings.url,
            headers={"User-Agent": f"thumbnailer/{version('thumbnailer-client')}", "Accept": "application/json, */*"}
            | ({"Authorization": f"Bearer {settings.key}"} if settings.key else {}),
            timeout=self.silence(0),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=None),
            # A proxy of the environment is for other machines.
            trust_env=not settings.loopback,
        )

    def close(self) -> None:
        self._http.close()

    def silence(self, more: float) -> httpx.Timeout:
        """The time-outs of a request whose answer may be held back for `more` seconds."""
        return httpx.Timeout(self._timeout, connect=min(self._timeout, 5.0), read=self._timeout + more)

    def ask(
        self,
        method: str,
        path: str,
        read: Callable[[Mapping[str, Any]], T],
        *,
        again: Callable[[ThumbnailerError], bool] = harmless,
        **request: Any,
    ) -> T:
        """What `read` makes of the answer, a JSON object; asked again after errors of which `again` is true."""
        return patiently(lambda: self._once(method, path, read, request), again, self._pauses(), self._patience)

    def pages(
        self, path: str, params: Mapping[str, Any], read: Callable[[Mapping[str, Any]], tuple[list[T], str | None]]
    ) -> Iterator[T]:
        """All things of a list, fetched a page at a time; `read` gives a page's, and the cursor of what follows."""
        asked = {name: value for name, value in params.items() if value is not None}
        while True:
            found, cursor = self.ask("GET", path, read, params=asked)
            yield from found
            if not cursor:
                return
            asked["cursor"] = cursor

    def fetch(self, path: str, part: Path) -> None:
        """Write the bytes at `path` to the file `part`, from its start again after a break; OSError."""
        patiently(lambda: self._fetch(path, part), harmless, self._pauses(), self._patience)

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


def _object(answer: httpx.Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
