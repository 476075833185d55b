"""The statements that every job goes through, built once: building one costs more than running it."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import Insert, Update, bindparam, case, exists, insert, literal, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from thumbnailer_storage.jobs.clocks import clock
from thumbnailer_storage.jobs.model import POISON_DEATHS, Status
from thumbnailer_storage.jobs.rows import JOB_COLUMNS
from thumbnailer_storage.jobs.tables import default_webhooks, events, jobs, outputs, webhooks

FIRST_PAUSE = 60
"""Seconds before a message may be sent again; each sending doubles the pause, six times at most."""

SENDING = {
    "sent": clock(),
    "sends": jobs.c.sends + 1,
    "resend_after": clock(literal(FIRST_PAUSE).bitwise_lshift(case((jobs.c.sends < 6, jobs.c.sends), else_=6))),
}
"""What sending a message sets: when, how often, and a pause that grows with it."""

ADD_JOB = insert(jobs).values(start=clock()).returning(jobs.c.start, jobs.c.calls_back)
HAS_DEFAULT = exists().where(default_webhooks.c.owner == bindparam("its_owner"))
ADD_JOB_BY_DEFAULT = ADD_JOB.values(calls_back=HAS_DEFAULT)
"""Whose webhook is its owner's default: that costs a job without one nothing."""
ADD_OUTPUT = insert(outputs)
JOB = select(*JOB_COLUMNS).where(jobs.c.id == bindparam("job"))
JOB_OF_OWNER = JOB.where(jobs.c.owner == bindparam("owner"))
JOB_HELD = JOB_OF_OWNER.with_for_update()
"""Nobody changes it before this transaction ends; on SQLite nobody writes meanwhile at all."""
ADD_WEBHOOK = insert(webhooks)
COPIED = ("url", "kinds", "secret", "template")
ADD_DEFAULT_WEBHOOK = (
    insert(webhooks)
    .from_select(
        ["job", *COPIED],
        select(bindparam("its_id", type_=webhooks.c.job.type), *(default_webhooks.c[name] for name in COPIED)).where(
            default_webhooks.c.owner == bindparam("its_owner")
        ),
    )
    .returning(*webhooks.c)
)
STANDING = select(jobs.c.status, jobs.c.attempt).where(jobs.c.id == bindparam("job"))
EVENTS = select(events).where(events.c.job == bindparam("of_job")).order_by(events.c.id)
MARK_SENT = update(jobs).where(jobs.c.id.in_(bindparam("ids", expanding=True))).values(SENDING)
FINISHED = select(jobs.c.id).where(
    jobs.c.id.in_(bindparam("ids", expanding=True)),
    jobs.c.status.in_([status.value for status in Status if status.final]),
)

CLAIMING = (
    update(jobs)
    .where(jobs.c.id == bindparam("job"))
    .values(
        status=Status.PROCESSING.value,
        message="A worker makes the thumbnails.",
        attempt=jobs.c.attempt + 1,
        claimed=clock(),
        lease=clock(bindparam("seconds")),
        not_before=None,
        worker=bindparam("by"),
    )
    .returning(*JOB_COLUMNS)
)
CLAIM = CLAIMING.where(
    jobs.c.status == Status.PENDING.value, or_(jobs.c.not_before.is_(None), jobs.c.not_before <= clock())
)
LAPSED = (
    select(jobs.c.id)
    .where(
        jobs.c.id == bindparam("job"),
        jobs.c.status == Status.PROCESSING.value,
        jobs.c.lease < clock(),
        jobs.c.deaths < POISON_DEATHS,
    )
    .with_for_update(skip_locked=True)
    .cte("lapsed")
)
"""Nobody has it, and nobody is about to finish it: one who did would wait for the message that we have in our hands."""
TAKE_OVER = CLAIMING.where(jobs.c.id.in_(select(LAPSED.c.id))).values(deaths=jobs.c.deaths + 1)

RECORD_RESULT = (
    update(outputs)
    .where(outputs.c.job == bindparam("of_job"), outputs.c.n == bindparam("of_n"))
    .values({f"made_{name}": bindparam(f"its_{name}") for name in ("format", "width", "height", "bytes")})
)


@cache
def setting(columns: frozenset[str]) -> dict[str, Any]:
    """The values of some columns, from parameters of the same names with `new_` before, and an end of the claim.

    `finish` and `missing_since` are the clock's, `not_before` and `tidy_after` are the clock and so many seconds;
    `expires` is the finish and what the job was given, or now.
    """
    by_clock = {
        "finish": clock(),
        "missing_since": case((jobs.c.missing_since.is_(None), clock()), else_=jobs.c.missing_since),
        "not_before": clock(bindparam("new_not_before")),
        "expires": clock(jobs.c.expires_in) if "finish" in columns else clock(),
        "tidy_after": clock(bindparam("new_tidy_after")),
    }
    values = {name: by_clock.get(name, bindparam(f"new_{name}")) for name in columns}
    return {"lease": None, "worker": None, **values}


@cache
def transition(columns: frozenset[str], starts_from: tuple[Status, ...], *, death: bool) -> Update:
    """One transition of one job, which has to be in one of the states that it starts from and at the `fence`.

    A death also wants its lease to have ended, which may have been extended since it was found lapsed.
    """
    statement = update(jobs).where(
        jobs.c.id == bindparam("job"),
        jobs.c.status.in_([status.value for status in starts_from]),
        jobs.c.attempt == bindparam("fence"),
    )
    if death:
        statement = statement.where(jobs.c.lease < clock()).values(deaths=jobs.c.deaths + 1)
    return statement.values(setting(columns)).returning(*JOB_COLUMNS)


@cache
def event(dialect: str) -> Insert:
    """Add an event; one of the same kind and key is counted instead, so that repetition cannot fill the table.

    What it says besides is of the last time.
    """
    upsert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    new = upsert(events).values(at=clock(), last=clock(), count=1)
    latest = {name: new.excluded[name] for name in ("last", "attempt", "message", "by", "address", "request")}
    again = {"count": events.c.count + 1, **latest}
    return new.on_conflict_do_update(index_elements=["job", "kind", "key"], set_=again)
