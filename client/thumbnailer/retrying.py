"""Asking again: how often, when, and after which errors."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, TypeVar

from thumbnailer.errors import AnswerLost, ServiceUnreachable, ThumbnailerError, TooMany, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

T = TypeVar("T")

PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds before each further attempt, before jitter: a restart of the service takes less than their sum."""

FIRST_PAUSES = PAUSES[:2]
"""A service that has never answered is more likely absent than restarting."""

LONGEST = 60.0
"""Seconds of patience, by default: a service that asks for more (Retry-After) is told to the caller instead."""


def harmless(error: ThumbnailerError) -> bool:
    """For calls that may be made twice: they read, or do the same again, or carry an idempotency key."""
    return isinstance(error, (ServiceUnreachable, AnswerLost, Unavailable))


def surely_not_accepted(error: ThumbnailerError) -> bool:
    """For calls that make something: never where it may have been made, since a second would be made then."""
    return isinstance(error, ServiceUnreachable) or (isinstance(error, Unavailable) and error.status in {429, 503})


def patiently(
    attempt: Callable[[], T],
    again: Callable[[ThumbnailerError], bool],
    pauses: Iterable[float],
    patience: float = LONGEST,
) -> T:
    """Call `attempt` until it answers, its error is none to try again after, or the pauses are used up.

    A caller who asked for too much at once uses up none: it waits as it is told, for `patience` seconds in all.
    """
    line = iter(pauses)
    while True:
        try:
            return attempt()
        except ThumbnailerError as error:
            asked = getattr(error, "retry_after", None) or 0.0
            pause = PAUSES[0] if isinstance(error, TooMany) and asked else next(line, None)
            if not again(error) or asked > patience or pause is None:
                raise
            if isinstance(error, TooMany):
                patience -= max(asked, pause)
                if patience < 0:
                    raise
        # Never before the time that the service named, and not all callers at the same moment.
        time.sleep(max(asked, pause / 2) + random.uniform(0, pause))


def retry_after(header: str | None) -> float | None:
    """Seconds from now, from either form of Retry-After (RFC 9110, 10.2.3); None where it says nothing of use."""
    if header is None:
        return None
    if header.strip().isdecimal():
        return float(header)
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
