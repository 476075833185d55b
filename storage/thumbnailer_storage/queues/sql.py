"""A queue in a table of the database: nothing else to run, and its state can be queried with SQL.

Owners take turns, as packets of several senders do in start-time fair queueing: each message gets a rank when it is
sent, and the lowest rank is received first. An owner's messages stand in consecutive even ranks, which are rounds: in
each round every owner who waits has one message. Who comes, or comes back, gets the odd rank before the round that is
being served, so that he is next, then one in each round like everybody else; he has no credit for his absence. Where
an owner has come to is kept apart from his messages, so that he cannot be next again and again by sending one at a
time. A message that is put back keeps its rank and is first again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any
from uuid import uuid4

from sqlalchemy import (
    ColumnElement,
    Connection,
    Insert,
    and_,
    bindparam,
    case,
    delete,
    exists,
    false,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from thumbnailer_storage.jobs.clocks import clock
from thumbnailer_storage.jobs.database import Database
from thumbnailer_storage.jobs.model import Status
from thumbnailer_storage.jobs.tables import jobs, messages, ranks
from thumbnailer_storage.queues import Depth, Message, Outgoing

COUNTED = 10_000
"""No more messages of a kind are counted, so that a look costs the same at any depth."""

# Built once: building a statement costs more than running it. What is visible, or was never received, is written so
# that no database guesses how few messages it may be: it would look for all of them, and sort those. In the order of
# ranks the first few messages are enough.
HEAD = (
    select(messages.c.rank)
    .where(messages.c.queue == bindparam("of_queue"), func.coalesce(messages.c.received == 0, false()))
    .order_by(messages.c.rank, messages.c.id)
    .limit(1)
    .scalar_subquery()
)
"""The rank that is served: what was received before and put back is from a round that is over."""
LATEST = select(func.max(ranks.c.next)).where(ranks.c.queue == bindparam("of_queue")).scalar_subquery()
NEWCOMERS = select((func.coalesce(HEAD, LATEST, 2) - 1).bitwise_or(1))
"""The odd rank before the round that is served; where nothing waits, before the one that nobody has come to."""


def after(first: ColumnElement[int]) -> ColumnElement[int]:
    """The rank that follows on `number` messages of one owner: any first one, then even ones."""
    return first.bitwise_or(1) + 2 * bindparam("number") - 1


@cache
def take_ranks(dialect: str) -> Insert:
    """Reserve ranks for `number` messages; returns the first. Holds the owner's other senders up until the commit."""
    upsert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    at_least = bindparam("at_least", type_=ranks.c.rank.type)
    new = upsert(ranks).values(
        queue=bindparam("of_queue"), owner=bindparam("of_owner"), rank=at_least, next=after(at_least)
    )
    first: ColumnElement[int] = case((ranks.c.next > at_least, ranks.c.next), else_=at_least)
    again = {"rank": first, "next": after(first)}
    return new.on_conflict_do_update(index_elements=["queue", "owner"], set_=again).returning(ranks.c.rank)


HEAD_OF_EACH = (
    select(messages.c.rank)
    .where(messages.c.queue == ranks.c.queue, func.coalesce(messages.c.received == 0, false()))
    .order_by(messages.c.rank, messages.c.id)
    .limit(1)
    .correlate(ranks)
    .scalar_subquery()
)
NEXT_ROUND = func.coalesce(HEAD_OF_EACH, ranks.c.next).bitwise_or(1) + 1
GIVE_BACK = (
    update(ranks)
    .where(
        ranks.c.owner == bindparam("of_owner"),
        ~exists().where(
            jobs.c.owner == ranks.c.owner, jobs.c.queue == ranks.c.queue, jobs.c.status == Status.PENDING.value
        ),
        ranks.c.next > NEXT_ROUND,
    )
    .values(next=NEXT_ROUND)
)
"""Who has cancelled all that waited is in the next round again, like everybody else, and not behind his former jobs."""

SEND = insert(messages).values(received=0, sent=clock(), visible=clock(bindparam("delay")))
ANY_VISIBLE = (
    select(messages.c.id)
    .where(messages.c.queue.in_(bindparam("queues", expanding=True)), messages.c.visible <= clock())
    .limit(1)
)
FIRST = (
    select(messages.c.id)
    .where(messages.c.queue == bindparam("of_queue"), func.coalesce(messages.c.visible <= clock(), false()))
    .order_by(messages.c.rank, messages.c.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
    .cte("first")  # a subquery may be run more than once, and would then lock more than it was asked for
)
RECEIVE = (
    update(messages)
    .where(messages.c.id.in_(select(FIRST.c.id)))
    .values(visible=clock(bindparam("seconds")), received=messages.c.received + 1, receipt=bindparam("new_receipt"))
    .returning(messages.c.rank, messages.c.id, messages.c.job)
)
OURS = and_(messages.c.id == bindparam("number"), messages.c.receipt == bindparam("held"))
"""A message that nobody has received since."""
MOVE = update(messages).where(OURS).values(visible=clock(bindparam("seconds")))
DELETE = delete(messages).where(OURS)
OF_QUEUE = select(messages.c.received).where(messages.c.queue == bindparam("of_queue"))
# In an order, so that the index is used that has it: else PostgreSQL would rather read all of the table.
SOME = OF_QUEUE.order_by(messages.c.visible).limit(bindparam("counted"))
VISIBLE = SOME.with_only_columns(messages.c.id).where(messages.c.visible <= clock()).subquery()
HIDDEN = SOME.where(messages.c.visible > clock()).subquery()
DEPTH = select(
    select(func.count()).select_from(VISIBLE).scalar_subquery(),
    func.count(case((HIDDEN.c.received > 0, 1))),
    func.count(case((HIDDEN.c.received == 0, 1))),
).select_from(HIDDEN)


class SqlQueue:
    """All queues of one database. Its outage is the database's: methods raise DatabaseUnavailable.

    `depth` counts waiting messages, and hidden ones, up to `counted` each.
    """

    retention = None

    def __init__(self, database: Database, counted: int = COUNTED) -> None:
        self._database = database
        self._counted = counted

    def send(self, queue: str, outgoing: Iterable[Outgoing], *, delay: float = 0.0) -> None:
        new = list(outgoing)
        if not new:
            return
        with self._database.write() as connection:
            newcomers: int = connection.execute(NEWCOMERS, {"of_queue": queue}).scalar_one()
            turns = {
                owner: iter(take_turns(connection, queue, owner, number, newcomers))
                for owner, number in sorted(Counter(out.owner for out in new).items())  # else two might wait in a ring
            }
            rows = [{"queue": queue, "job": out.job, "rank": next(turns[out.owner]), "delay": delay} for out in new]
            connection.execute(SEND, rows)

    def receive(self, queues: Sequence[str], *, most: int, visibility: float, wait: float = 0.0) -> list[Message]:
        found: list[Message] = []
        with self._database.write() as connection:
            for queue in queues:
                if len(found) < most:
                    receipt = str(uuid4())
                    wanted = {"of_queue": queue, "most": most - len(found), "seconds": visibility}
                    rows = connection.execute(RECEIVE, {**wanted, "new_receipt": receipt}).all()
                    found += [Message(queue, row.job, f"{row.id}:{receipt}") for row in sorted(rows)]
        return found

    def quiet(self, queues: Sequence[str]) -> bool:
        with self._database.read() as connection:
            return connection.execute(ANY_VISIBLE, {"queues": list(queues)}).first() is None

    def extend(self, messages: Iterable[Message], *, visibility: float) -> None:
        self._move(messages, visibility)

    def release(self, message: Message, *, delay: float) -> None:
        self._move([message], delay)

    def _move(self, held: Iterable[Message], seconds: float) -> None:
        ours = [{**receipt(message), "seconds": seconds} for message in held]
        if ours:
            with self._database.write() as connection:
                connection.execute(MOVE, ours)

    def delete(self, message: Message) -> None:
        with self._database.write() as connection:
            connection.execute(DELETE, receipt(message))

    def cancelled(self, owner: str) -> None:
        with self._database.write() as connection:
            connection.execute(GIVE_BACK, {"of_owner": owner})

    def check(self, queues: Sequence[str]) -> None:
        self.quiet(queues)

    def depth(self, queue: str) -> Depth:
        with self._database.read() as connection:
            return Depth(*connection.execute(DEPTH, {"of_queue": queue, "counted": self._counted}).one())

    def purge(self, queue: str) -> None:
        with self._database.write() as connection:
            connection.execute(delete(messages).where(messages.c.queue == queue))

    def close(self) -> None:
        """Nothing waits here."""


def take_turns(connection: Connection, queue: str, owner: str, number: int, at_least: int) -> list[int]:
    """The ranks of an owner's next messages."""
    asked = {"of_queue": queue, "of_owner": owner, "number": number, "at_least": at_least}
    first: int = connection.execute(take_ranks(connection.dialect.name), asked).scalar_one()
    return [first, *range((first | 1) + 1, (first | 1) + 2 * number - 1, 2)]


def receipt(message: Message) -> dict[str, Any]:
    number, _, held = message.receipt.partition(":")
    return {"number": int(number), "held": held}
