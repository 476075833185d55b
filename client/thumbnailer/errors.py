"""What can go wrong between a caller and the service.

ThumbnailerError
├── InvalidSetting            THUMBNAILER_URL or THUMBNAILER_KEY cannot be used
├── InvalidOutput             an output is not spelled as format=webp,size=200x200
├── ServiceUnreachable        no connection: nothing was sent
├── AnswerLost                the connection broke after that: what was asked for may have happened
├── NotThumbnailer            something answers, but it is not the service
├── Problem                   the service says no (RFC 9457)
│   ├── Unavailable           502, 503, 504: later
│   │   ├── TooMany           429: more than this key's owner may ask for now
│   │   └── InFlight          409: the same request is being answered to somebody else
│   ├── ServiceFault          any other 5xx: the service's own fault
│   ├── NotAllowed            401, 403
│   │   ├── NoKey             401: none was sent
│   │   └── MissingScope      403: the key is good, and not for this
│   ├── NotFound              404
│   ├── Gone                  410: cancelled or expired
│   └── Refused               any other 4xx: what was sent, not when
│       └── Conflict          409: not as things are now
├── JobFailed                 the job ended without its pictures
├── FinishedAlready           the job ended before it could be cancelled
└── TimedOut                  the job goes on; we stopped waiting
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from thumbnailer.models import Job


class ThumbnailerError(Exception):
    """Anything that this package raises on purpose; its text says what to do about it."""


class InvalidSetting(ThumbnailerError, ValueError):
    """A setting cannot be used; the text names it and what is allowed."""


class InvalidOutput(ThumbnailerError, ValueError):
    """An output is not spelled as it should be."""


class ServiceUnreachable(ThumbnailerError):
    """No connection to the service: nothing was sent."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"No connection to {url} ({reason}): is it running, and is the address right?")


class AnswerLost(ThumbnailerError):
    """The connection broke before the answer was there: what was asked for may have happened."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(
            f"The connection to {url} broke before its answer came ({reason}): it may have "
            "been done. See thumbnailer list, or keys list or webhook show if it was about these."
        )


class NotThumbnailer(ThumbnailerError):
    """Something answers at the address, but not as the service does."""

    def __init__(self, url: str) -> None:
        super().__init__(f"What answers at {url} is not the thumbnailer: is the address right?")


class Problem(ThumbnailerError):
    """The service's own account of why it does not do what was asked (RFC 9457).

    `type` is stable and made for programs, `status` is HTTP's, `retry_after` is in seconds.
    """

    advice = ""

    def __init__(
        self,
        *,
        status: int,
        title: str,
        type: str = "about:blank",  # noqa: A002 - the field's name
        detail: str = "",
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{detail or title} ({status}){self.advice}")
        self.type = type
        self.title = title
        self.status = status
        self.detail = detail
        self.request_id = request_id
        self.retry_after = retry_after


class Unavailable(Problem):
    """The service cannot answer now and can later."""


class TooMany(Unavailable):
    """More than the owner may ask for now, in requests, jobs that wait, or bytes of a day; wait for `retry_after`."""

    advice = " thumbnailer limits says what is allowed and what is used of it."


class InFlight(Unavailable):
    """A request with the same Idempotency-Key is being answered just now."""


class ServiceFault(Problem):
    """The service failed; its logs tell more under `request_id`."""


class NotAllowed(Problem):
    """The key is missing, unknown, or does not allow this."""

    advice = " The key that is sent is what THUMBNAILER_KEY holds."


class NoKey(NotAllowed):
    """No key was sent, and the service wants one."""

    advice = " Set THUMBNAILER_KEY to yours."


class MissingScope(NotAllowed):
    """The key is good, and lacks the scope that this needs; `detail` says which."""


class NotFound(Problem):
    """There is nothing of this id, or nothing that this key may see."""


class Gone(Problem):
    """The job was cancelled or has expired: its pictures are gone."""


class Refused(Problem):
    """What was sent is not acceptable; sending it again will not help."""


class Conflict(Refused):
    """Not as things are now: an output of a job that is not finished, for example."""


class JobFailed(ThumbnailerError):
    """The job ended without its pictures: failed, cancelled or expired."""

    def __init__(self, job: Job) -> None:
        super().__init__(f"Job {job.id} ended as {job.status} ({job.code}): {job.message}")
        self.job = job


class FinishedAlready(ThumbnailerError):
    """The job has ended: there is nothing left to cancel."""

    def __init__(self, job: Job) -> None:
        super().__init__(
            f"Job {job.id} is {job.status} already, and stays so; thumbnailer remove removes its pictures."
        )
        self.job = job


class TimedOut(ThumbnailerError):
    """Nobody waits for the job any more; it goes on."""

    def __init__(self, job: Job) -> None:
        super().__init__(f"Job {job.id} is still {job.status}: it goes on, ask for it again later.")
        self.job = job


NEVER_BARE = {404, 405, 501}
"""What the service answers only with an account of why; a bare one comes from something else."""

BY_STATUS: Mapping[int, type[Problem]] = {
    401: NotAllowed,
    403: NotAllowed,
    404: NotFound,
    409: Conflict,
    410: Gone,
    429: TooMany,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}

BY_TYPE: Mapping[str, type[Problem]] = {
    "/problems/no-key": NoKey,
    "/problems/missing-scope": MissingScope,
    "/problems/idempotency-in-flight": InFlight,
}
"""Where the status alone does not tell."""


def problem(status: int, reason: str, body: Mapping[str, Any], retry_after: float | None) -> Problem:
    """The error for an answer; `reason` is HTTP's phrase, for answers of proxies that send no problem."""
    by_status = BY_STATUS.get(status, ServiceFault if status >= 500 else Refused)
    kind = BY_TYPE.get(str(body.get("type")), by_status)
    return kind(
        status=status,
        title=str(body.get("title") or reason),
        type=str(body.get("type") or "about:blank"),
        detail=str(body.get("detail") or ""),
        request_id=body.get("request_id"),
        retry_after=retry_after,
    )
