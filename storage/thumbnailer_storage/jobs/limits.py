"""How often an owner may send, and what counts against the owner's other limits: every query about it.

Requests are counted by GCRA: for each owner one moment, up to which the requests so far are paid off. Each request
moves it on by its share of a minute, and is refused where it would come to lie more than a minute ahead. So a minute's
requests may come at once, and as many in each minute after that, whichever processes are asked: one statement looks
and moves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, Float, and_, bindparam, case, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from thumbnailer_storage.jobs.clocks import clock, epoch
from thumbnailer_storage.jobs.database import Database
from thumbnailer_storage.jobs.ledger import BOTH, BYTES
from thumbnailer_storage.jobs.model import Status
from thumbnailer_storage.jobs.tables import rates

MINUTE = 60.0
TOLERANCE = 0.001
"""Of a step: sums of fractions are never quite what they should be."""

STEP = bindparam("step", type_=Float())
PAID = case((rates.c.free_at > epoch(), rates.c.free_at), else_=epoch())
AHEAD = (rates.c.free_at - epoch()).label("ahead")
LOOK = select(AHEAD).where(rates.c.owner == bindparam("owner"))


@dataclass(frozen=True, slots=True)
class Rate:
    """Whether a request was let in, how many more may come at once, and in how many seconds there is one more."""

    allowed: bool
    left: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Spent:
    """The owner's jobs that wait, the bytes sent on this day (UTC), and the seconds until it ends."""

    waiting: int
    bytes: int
    day_ends: float


class Limits:
    """What owners have used up. Every method raises DatabaseUnavailable where the database does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, owner: str, per_minute: int) -> Rate:
        """Let one request in, or refuse it at no cost; by the database's clock, and exact."""
        upsert = (sqlite.insert if self._database.embedded else postgresql.insert)(rates)
        new = upsert.values(owner=bindparam("owner"), free_at=epoch() + STEP)
        has_room = rates.c.free_at + STEP * (1 - TOLERANCE) <= epoch() + MINUTE
        taken = new.on_conflict_do_update(index_elements=["owner"], set_={"free_at": PAID + STEP}, where=has_room)
        with self._database.write() as connection:
            row = connection.execute(taken.returning(AHEAD), {"owner": owner, "step": MINUTE / per_minute}).first()
            ahead = self._ahead(connection, owner) if row is None else row.ahead
        return rate(row is not None, ahead, per_minute)

    def look(self, owner: str, per_minute: int) -> Rate:
        """How it stands; costs nothing."""
        with self._database.read() as connection:
            found = rate(True, self._ahead(connection, owner), per_minute)
        return Rate(found.left > 0, found.left, found.seconds)

    def _ahead(self, connection: Connection, owner: str) -> float:
        return connection.execute(LOOK, {"owner": owner}).scalar() or 0.0

    def spent(self, owner: str) -> Spent:
        """What stands against the owner's limits; approximate by what other requests are about to record."""
        with self._database.read() as connection:
            now: datetime = connection.execute(select(clock())).scalar_one().astimezone(UTC)
            waiting = and_(BOTH.c.what == Status.PENDING.value, BOTH.c.day == "")
            sent = and_(BOTH.c.what == BYTES, BOTH.c.day == f"{now:%Y-%m-%d}")
            sums = select(BOTH.c.what, func.sum(BOTH.c.n)).where(BOTH.c.owner == owner, or_(waiting, sent))
            found = {what: int(n) for what, n in connection.execute(sums.group_by(BOTH.c.what))}
        since_midnight = timedelta(hours=now.hour, minutes=now.minute, seconds=now.second).total_seconds()
        return Spent(max(0, found.get(Status.PENDING.value, 0)), found.get(BYTES, 0), 86400 - since_midnight)


def rate(allowed: bool, ahead: float, per_minute: int) -> Rate:
    """How it stands, for an owner whose requests are paid off in `ahead` seconds."""
    step, ahead = MINUTE / per_minute, max(0.0, ahead)
    left = max(0, math.floor((MINUTE - ahead) / step + TOLERANCE))
    return Rate(allowed, left, max(0.0, ahead - MINUTE + (left + 1 - TOLERANCE) * step))
