"""Send one webhook and hear the answer."""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import httpcore

from thumbnailer_api.webhooks.guard import Forbidden, Rules, place_of
from thumbnailer_api.webhooks.pinned import PinnedBackend, Resolver, look_up

WHOLE_SECONDS = 15.0
"""From the look-up to the end of the answer, by the clock on the wall."""
MOST_ANSWER = 4096
"""Bytes of an answer's body that are read; nobody needs them, and a receiver may send without end."""
CUT_SHORT = (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, OSError)
SECONDS = re.compile(rb"\d{1,9}")


class NoAnswer(Exception):
    """There was no answer; the text says why. `refused`: we would not send there in the first place."""


class NotSent(NoAnswer):
    """Our own rules close the address."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A receiver's answer; `retry_after` is in seconds, 0 where it says nothing."""

    status: int
    retry_after: int = 0


@dataclass(frozen=True, slots=True)
class Postman:
    """Sends webhooks by the rules, each over a connection of its own. TLS trusts whom the system trusts."""

    rules: Rules
    resolve: Resolver = look_up
    whole_seconds: float = WHOLE_SECONDS
    trust: ssl.SSLContext = field(default_factory=ssl.create_default_context)

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answered:
        """Send it; raises NoAnswer. A redirect is an answer like any other."""
        try:
            place_of(url, self.rules)  # the settings may have changed since it was accepted
            return self._post(url, headers, body)
        except Forbidden as error:
            raise NotSent(str(error)) from error
        except httpcore.TimeoutException as error:
            raise NoAnswer("it did not answer in time") from error
        except httpcore.ProtocolError as error:  # whose text repeats what came, which is none of the caller's business
            raise NoAnswer("what it answered is no HTTP") from error
        except (httpcore.NetworkError, OSError) as error:
            raise NoAnswer(str(error) or type(error).__name__) from error

    def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answered:
        network = PinnedBackend(self.rules, self.resolve, time.monotonic() + self.whole_seconds)
        with (
            httpcore.ConnectionPool(self.trust, max_keepalive_connections=0, network_backend=network) as connection,
            connection.stream("POST", url, headers=list(headers.items()), content=body) as answer,
        ):
            with suppress(*CUT_SHORT):
                read(answer)
            return Answered(answer.status, retry_after(answer.headers))


def read(answer: httpcore.Response) -> None:
    """Let the receiver say all that it has to say, within limits; nobody needs it, and its status counts all the same
    where it does not come to an end.
    """
    received = 0
    for chunk in answer.iter_stream():
        received += len(chunk)
        if received >= MOST_ANSWER:
            break


def retry_after(headers: list[tuple[bytes, bytes]]) -> int:
    """Seconds; a date, the other way to say it, would need a clock that agrees with the receiver's."""
    said = next((value for name, value in headers if name.lower() == b"retry-after"), b"")
    return int(said) if SECONDS.fullmatch(said) else 0
