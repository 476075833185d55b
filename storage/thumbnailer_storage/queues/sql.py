"""A queue in a table of the database: nothing else to run, and its state can be queried with SQL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import and_, bindparam, case, delete, func, insert, select, update

from thumbnailer_storage.jobs.database import Database
from thumbnailer_storage.jobs.tables import clock, messages
from thumbnailer_storage.queues import Depth, Message

# Built once: building a statement costs more than running it.
SEND = insert(messages).values(received=0, sent=clock(), visible=clock(bindparam("delay")))
ANY_VISIBLE = (
    select(messages.c.id)
    .where(messages.c.queue.in_(bindparam("queues", expanding=True)), messages.c.visible <= clock())
    .limit(1)
)
FIRST = (
    select(messages.c.id)
    .where(messages.c.queue == bindparam("of_queue"), messages.c.visible <= clock())
    .order_by(messages.c.visible, messages.c.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
    .cte("first")  # a subquery may be run more than once, and would then lock more than it was asked for
)
RECEIVE = (
    update(messages)
    .where(messages.c.id.in_(select(FIRST.c.id)))
    .values(visible=clock(bindparam("seconds")), received=messages.c.received + 1, receipt=bindparam("new_receipt"))
    .returning(messages.c.id, messages.c.job)
)
OURS = and_(messages.c.id == bindparam("number"), messages.c.receipt == bindparam("held"))
"""A message that nobody has received since."""
MOVE = update(messages).where(OURS).values(visible=clock(bindparam("seconds")))
DELETE = delete(messages).where(OURS)
HIDDEN = messages.c.visible > clock()
NEVER_RECEIVED = messages.c.received == 0
DEPTH = select(
    func.count(case((~HIDDEN, 1))),
    func.count(case((and_(HIDDEN, ~NEVER_RECEIVED), 1))),
    func.count(case((and_(HIDDEN, NEVER_RECEIVED), 1))),
).where(messages.c.queue == bindparam("of_queue"))


class SqlQueue:
    """All queues of one database. Its outage is the database's: methods raise DatabaseUnavailable."""

    retention = None

    def __init__(self, database: Database) -> None:
        self._database = database

    def send(self, queue: str, jobs: Iterable[UUID], *, delay: float = 0.0) -> None:
        new = [{"queue": queue, "job": job, "delay": delay} for job in jobs]
        if new:
            with self._database.write() as connection:
                connection.execute(SEND, new)

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

    def check(self, queues: Sequence[str]) -> None:
        self.quiet(queues)

    def depth(self, queue: str) -> Depth:
        with self._database.read() as connection:
            return Depth(*connection.execute(DEPTH, {"of_queue": queue}).one())

    def purge(self, queue: str) -> None:
        with self._database.write() as connection:
            connection.execute(delete(messages).where(messages.c.queue == queue))

    def close(self) -> None:
        """Nothing waits here."""


def receipt(message: Message) -> dict[str, Any]:
    number, _, held = message.receipt.partition(":")
    return {"number": int(number), "held": held}
