"""Jobs: send one, look at one, list them, what happened to one."""

from __future__ import annotations

import re
from uuid import UUID

from flask import Response, g, request

from thumbnailer_api import metrics
from thumbnailer_api.intake.arriving import Arrival
from thumbnailer_api.intake.asking import CancelAsked, ListAsked
from thumbnailer_api.intake.queries import options
from thumbnailer_api.limiting import Limiter
from thumbnailer_api.routes.shaping import json_answer
from thumbnailer_api.submitting import Submission, submit
from thumbnailer_api.wire.jobs import CancelledAnswer, EventAnswer, EventsAnswer, JobAnswer, JobsAnswer
from thumbnailer_api.wiring import Wiring
from thumbnailer_storage.errors import JobNotFound
from thumbnailer_storage.jobs.model import Act, Status

LONGEST_WAIT = 60
MOST_CANCELLED = 20_000
"""In one request: some seconds' work."""
"""By one request; it would be cut off, and not know what it did."""
WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?(\d{1,6})\"?\s*(?:$|[,;])", re.IGNORECASE)


def post(wiring: Wiring) -> Response:
    """Take an image in."""

    def arrive() -> Arrival:
        environ = request.environ
        return Arrival(environ["wsgi.input"], request.headers, environ["QUERY_STRING"], wiring.offer)

    limiter = Limiter(wiring.stores.limits, wiring.settings, g.owner)
    submission = Submission(
        wiring.stores, wiring.transfers, wiring.sender, limiter, wiring.hooks, g.owner, act(), arrive
    )
    job = submit(submission)
    g.job = job.id
    headers = {"Location": f"/jobs/{job.id}", **limiter.headers()}
    if submission.known:
        headers["Idempotency-Replayed"] = "true"
    else:
        metrics.jobs.labels(job.priority).inc()
    return json_answer(JobAnswer.of(job), 202, headers)


def get(wiring: Wiring, job: str) -> Response:
    """One job, at once or once it is finished (`Prefer: wait`)."""
    found = wiring.stores.jobs.get(job_id(job), g.owner)
    headers = {}
    seconds = seconds_to_wait(request.headers.get("Prefer"))
    if seconds and (found.status.final or wiring.waiting.until_finished(found.id, seconds)):
        headers["Preference-Applied"] = f"wait={seconds}"
        found = found if found.status.final else wiring.stores.jobs.get(found.id, g.owner)
    if not found.status.final:
        headers["Retry-After"] = "1"
    return json_answer(JobAnswer.of(found), 200, headers)


def delete(wiring: Wiring, job: str) -> Response:
    """Cancel a job, or remove the data of one that is finished; the same again changes nothing."""
    found = wiring.stores.jobs.delete(job_id(job), g.owner, act())
    if found.status is Status.CANCELLED:
        wiring.stores.queue.cancelled(g.owner)
    return json_answer(JobAnswer.of(found))


def delete_all(wiring: Wiring) -> Response:
    """Cancel the caller's jobs of a status."""
    asked = options(CancelAsked, request.environ["QUERY_STRING"])
    done = wiring.stores.jobs.cancel_all(
        g.owner, Status(asked.status), act(), priority=asked.priority, since=asked.since, most=MOST_CANCELLED
    )
    wiring.stores.queue.cancelled(g.owner)
    return json_answer(CancelledAnswer(cancelled=done))


def newest(wiring: Wiring) -> Response:
    """The caller's jobs, newest first."""
    asked = options(ListAsked, request.environ["QUERY_STRING"])
    page = wiring.stores.jobs.newest(g.owner, **dict(asked))
    return json_answer(JobsAnswer(jobs=[JobAnswer.of(job) for job in page.jobs], next=page.next))


def events(wiring: Wiring, job: str) -> Response:
    """What happened to a job."""
    found = wiring.stores.jobs.get(job_id(job), g.owner)
    happened = wiring.stores.events.of_job(found.id)
    return json_answer(EventsAnswer(events=[EventAnswer.of(event) for event in happened]))


def job_id(text: str) -> UUID:
    """The id in an address, also for the log; raises JobNotFound where it is none."""
    try:
        g.job = found = UUID(text)
    except ValueError:
        raise JobNotFound(
            f"there is no job {text[:100]!r}: an id looks like 3b241101-e2bb-4255-8caf-4136c566a962"
        ) from None
    return found


def act() -> Act:
    """Who makes this request, for the events that it brings about."""
    return Act(by=g.get("key"), address=g.address, request=g.request_id)


def seconds_to_wait(prefer: str | None) -> int:
    found = WAIT.search(prefer) if prefer else None
    return min(int(found[1]), LONGEST_WAIT) if found else 0
