"""The connection to the database: transactions, joined where two stores share them, and errors in our own terms."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, exc

from thumbnailer_storage.errors import DatabaseUnavailable, OutcomeUnknown

BUSY_SECONDS = 4.0
"""How long a writer waits for another one: a caller has an answer within five seconds, whatever happens."""
CONNECTIONS = 16


class Database:
    """One database, for all threads of a process.

    `write` and `read` give a connection within a transaction. Within `together`, the thread's transactions are one:
    they commit at its end, or not at all.
    """

    def __init__(self, url: str) -> None:
        self._engine = make_engine(url)
        self.embedded = self._engine.dialect.name == "sqlite"
        self._mine = threading.local()
        self._writers = threading.Lock() if self.embedded else nullcontext()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A writing transaction; raises DatabaseUnavailable, or OutcomeUnknown where the commit's reply was lost."""
        if self._joined is not None:
            with self._shared(self._joined) as connection:
                yield connection
            return
        with self._turn(), errors_in_our_terms(), self._engine.connect() as connection:
            self._begin(connection, "BEGIN IMMEDIATE")
            yield connection  # what is raised here closes the connection, which rolls back
            commit(connection)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database and changes nothing."""
        if self._joined is not None:
            with self._shared(self._joined) as connection:
                yield connection
            return
        with errors_in_our_terms(), self._engine.connect() as connection:
            self._begin(connection, "BEGIN")
            yield connection

    @contextmanager
    def together(self) -> Iterator[None]:
        """One writing transaction for all that this thread does within; any error in it undoes all of it."""
        with self.write() as connection:
            self._mine.connection, self._mine.broken = connection, None
            try:
                yield
            finally:
                self._mine.connection = None
            if self._mine.broken:  # PostgreSQL would answer the commit with a rollback, and call that success
                raise DatabaseUnavailable("a statement of the transaction failed") from self._mine.broken

    @property
    def _joined(self) -> Connection | None:
        """The connection of the `together` that this thread is in."""
        return getattr(self._mine, "connection", None)

    @contextmanager
    def _shared(self, connection: Connection) -> Iterator[Connection]:
        try:
            with errors_in_our_terms():
                yield connection
        except DatabaseUnavailable as error:
            self._mine.broken = error
            raise

    def _begin(self, connection: Connection, how: str) -> None:
        """SQLite refuses at once, whatever the time-out, a transaction that becomes a writer halfway: so it says first.

        An engine's "begin" event could do it too, and costs each statement a walk through all events.
        """
        if self.embedded:
            connection.exec_driver_sql(how)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """SQLite has one writer at a time: threads of one process queue here, which is fairer than its busy handler."""
        if isinstance(self._writers, nullcontext):
            yield
            return
        if not self._writers.acquire(timeout=BUSY_SECONDS):
            raise DatabaseUnavailable("the database is locked by another writer")
        try:
            yield
        finally:
            self._writers.release()

    def close(self) -> None:
        self._engine.dispose()


def make_engine(url: str) -> Engine:
    # Last in, first out: the connection used last has its pages and statements at hand.
    engine = create_engine(url, pool_size=CONNECTIONS, max_overflow=0, pool_timeout=BUSY_SECONDS, pool_use_lifo=True)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", prepare_sqlite)
    # A connection that crosses a fork would be used by two processes at once.
    os.register_at_fork(after_in_child=lambda: engine.dispose(close=False))
    return engine


def prepare_sqlite(connection: Any, _record: Any) -> None:
    """Settings of each connection; FULL makes a commit survive a power cut, which a 202 promises."""
    connection.isolation_level = None  # the driver would begin transactions late; `_begin` does it
    for pragma in (
        f"busy_timeout={BUSY_SECONDS * 1000:.0f}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def commit(connection: Connection) -> None:
    try:
        connection.commit()
    except (exc.DBAPIError, exc.ResourceClosedError) as error:
        raise OutcomeUnknown(f"the reply to a commit was lost: {reason(error)}") from error


@contextmanager
def errors_in_our_terms() -> Iterator[None]:
    """What the database cannot do just now is DatabaseUnavailable; a mistake in our own SQL stays what it is."""
    try:
        yield
    except (exc.ProgrammingError, exc.IntegrityError, exc.DataError):
        raise
    except (exc.DBAPIError, exc.TimeoutError) as error:
        raise DatabaseUnavailable(f"the database does not answer: {reason(error)}") from error


def reason(error: Exception) -> str:
    """The driver's own words, without the statement and its values."""
    return str(getattr(error, "orig", error)).strip().splitlines()[0]
