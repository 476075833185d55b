"""A queue in a table of the database: nothing else to run, and its state can be queried with SQL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID, uuid4

from sqlalchemy import and_, case, delete, func, insert, select, update

from thumbnailer_storage.jobs.database import Database
from thumbnailer_storage.jobs.tables import clock, messages
from thumbnailer_storage.queues import Depth, Message


class SqlQueue:
    """All queues of one database. Its outage is the database's: methods raise DatabaseUnavailable."""

    retention = None

    def __init__(self, database: Database) -> None:
        self._database = database

    def send(self, queue: str, jobs: Iterable[UUID], *, delay: float = 0.0) -> None:
        new = [{"job": job} for job in jobs]
        if new:
            moments = {"sent": clock(), "visible": clock(delay)}
            with self._database.write() as connection:
                connection.execute(insert(messages).values(queue=queue, received=0, **moments), new)

    def receive(self, queues: Sequence[str], *, most: int, visibility: float) -> list[Message]:
        if most < 1 or not self._any_visible(queues):
            return []
        found: list[Message] = []
        with self._database.write() as connection:
            for queue in queues:
                batch = (
                    select(messages.c.id)
                    .where(messages.c.queue == queue, messages.c.visible <= clock())
                    .order_by(messages.c.visible, messages.c.id)
                    .limit(most - len(found))
                    .with_for_update(skip_locked=True)
                )
                receipt = str(uuid4())
                taken = (
                    update(messages)
                    .where(messages.c.id.in_(batch))
                    .values(visible=clock(visibility), received=messages.c.received + 1, receipt=receipt)
                    .returning(messages.c.id, messages.c.job)
                )
                rows = sorted(connection.execute(taken).all())
                found += [Message(queue, row.job, f"{row.id}:{receipt}") for row in rows]
                if len(found) >= most:
                    break
        return found

    def _any_visible(self, queues: Sequence[str]) -> bool:
        """A look that takes no lock: idle workers must not hold up writers."""
        look = select(messages.c.id).where(messages.c.queue.in_(queues), messages.c.visible <= clock()).limit(1)
        with self._database.read() as connection:
            return connection.execute(look).first() is not None

    def extend(self, messages: Iterable[Message], *, visibility: float) -> None:
        self._move(messages, visibility)

    def release(self, message: Message, *, delay: float) -> None:
        self._move([message], delay)

    def _move(self, held: Iterable[Message], seconds: float) -> None:
        with self._database.write() as connection:
            for message in held:
                connection.execute(update(messages).where(ours(message)).values(visible=clock(seconds)))

    def delete(self, message: Message) -> None:
        with self._database.write() as connection:
            connection.execute(delete(messages).where(ours(message)))

    def depth(self, queue: str) -> Depth:
        hidden = messages.c.visible > clock()
        never = messages.c.received == 0
        counts = select(
            func.count(case((~hidden, 1))),
            func.count(case((and_(hidden, ~never), 1))),
            func.count(case((and_(hidden, never), 1))),
        ).where(messages.c.queue == queue)
        with self._database.read() as connection:
            return Depth(*connection.execute(counts).one())

    def purge(self, queue: str) -> None:
        with self._database.write() as connection:
            connection.execute(delete(messages).where(messages.c.queue == queue))


def ours(message: Message):  # type: ignore[no-untyped-def]
    number, receipt = message.receipt.split(":")
    return and_(messages.c.id == int(number), messages.c.receipt == receipt)
