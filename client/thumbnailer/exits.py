"""What the command's exit code says to a script."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from thumbnailer.errors import (
    AnswerLost,
    FinishedAlready,
    InvalidOutput,
    InvalidSetting,
    JobFailed,
    NotThumbnailer,
    Problem,
    ServiceFault,
    ServiceUnreachable,
    TimedOut,
    Unavailable,
)

if TYPE_CHECKING:
    from collections.abc import Iterable


class Exit(IntEnum):
    """Where several apply, the largest."""

    FINE = 0
    JOB_FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    REFUSED = 4
    TIMED_OUT = 5
    INTERRUPTED = 130  # 128 and SIGINT's number, as shells have it
    NO_READER = 141  # 128 and SIGPIPE's


HELP = """\b
Exit codes (where several apply, the largest):
  0    all is fine
  1    a job failed, was cancelled or has expired
  2    wrong usage, or a file that cannot be read or written
  3    the service cannot be reached or cannot answer now
  4    the service refuses: no image, unknown job, a job that is finished, no key or a wrong one
  5    the time to wait is over; the jobs go on
  130  interrupted, or asked and told no; the jobs go on
  141  whoever read the output has closed it

\b
Settings:
  THUMBNAILER_URL  where the service is, else http://127.0.0.1:8080
  THUMBNAILER_KEY  your key, where the service asks for one"""

CODES: tuple[tuple[type[Exception], Exit], ...] = (
    (JobFailed, Exit.JOB_FAILED),
    (TimedOut, Exit.TIMED_OUT),
    (FinishedAlready, Exit.REFUSED),
    (InvalidOutput, Exit.USAGE),
    (InvalidSetting, Exit.USAGE),
    (OSError, Exit.USAGE),
    (ServiceUnreachable, Exit.UNREACHABLE),
    (AnswerLost, Exit.UNREACHABLE),
    (NotThumbnailer, Exit.UNREACHABLE),
    (Unavailable, Exit.UNREACHABLE),
    (ServiceFault, Exit.UNREACHABLE),
    (Problem, Exit.REFUSED),
)


def code_of(errors: Iterable[Exception | None]) -> Exit:
    """The code for what went wrong, which may be nothing."""
    return max((_code(error) for error in errors if error is not None), default=Exit.FINE)


def _code(error: Exception) -> Exit:
    return next(code for kind, code in CODES if isinstance(error, kind))
