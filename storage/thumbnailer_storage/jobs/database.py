"""The connection to the database: transactions, joined where two stores share them, and errors in our own terms."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, exc, make_url

from thumbnailer_storage.errors import DatabaseRefused, DatabaseUnavailable, OutcomeUnknown
from thumbnailer_storage.jobs.deadline import Deadlines

BUSY_SECONDS = 4.0
"""How long a writer waits for another one: a caller has an answer within five seconds, whatever happens."""
ANSWER_SECONDS = 4.3
"""How long one transaction may take, connecting included."""
POOL_SECONDS = 2.0
"""How long a connection of the pool is waited for; together with connecting, less than the above."""
SILENT_SECONDS = 10.0
"""How long the server keeps a transaction, and its locks, whose client says nothing: it died, or is cut off."""
CONNECTIONS = 16

POSTGRESQL: dict[str, Any] = {
    "connect_timeout": 2,
    "tcp_user_timeout": 4000,
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "options": f"-c statement_timeout={BUSY_SECONDS * 1000:.0f} "
    f"-c idle_in_transaction_session_timeout={SILENT_SECONDS * 1000:.0f} -c plan_cache_mode=force_custom_plan",
    "application_name": "thumbnailer",
    "client_encoding": "utf8",
}
"""libpq's parameters. The server ends what takes too long and what a dead program left open; the kernel notices a
connection that leads nowhere, in milliseconds and seconds. Each statement is planned when it runs: a plan that was made
while a queue was empty would read and sort all of the burst that fills it."""
REFUSALS = (
    "password authentication failed",
    "no password supplied",
    "no pg_hba.conf entry",
    "does not exist",
    "permission denied",
    "invalid connection option",
)
"""What is said to those whom the server will not have; libpq gives no code with a connection that failed."""


class Database:
    """One database, for all threads of a process.

    `write` and `read` give a connection within a transaction. Within `together`, the thread's transactions are one:
    they commit at its end, or not at all. Raises ValueError where the address is none.
    """

    def __init__(self, url: str, connections: int = CONNECTIONS) -> None:
        try:
            address = make_url(url)
        except exc.ArgumentError as error:
            raise ValueError(str(error)) from None
        self.embedded = address.get_backend_name() == "sqlite"
        self.address = address.render_as_string(hide_password=True)
        self._deadlines = None if self.embedded else Deadlines()
        self._engine = make_engine(url, connections, self._deadlines)
        self._mine = threading.local()
        self._writers = threading.Lock() if self.embedded else nullcontext()

    @contextmanager
    def write(self, seconds: float = ANSWER_SECONDS) -> Iterator[Connection]:
        """A writing transaction; raises DatabaseUnavailable, or OutcomeUnknown where the commit's reply was lost."""
        if self._joined is not None:
            with self._shared(self._joined) as connection:
                yield connection
            return
        with self._turn(), errors_in_our_terms(), self._connected(seconds) as connection:
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
        with errors_in_our_terms(), self._connected(ANSWER_SECONDS) as connection:
            self._begin(connection, "BEGIN")
            yield connection

    @contextmanager
    def _connected(self, seconds: float) -> Iterator[Connection]:
        """A connection of the pool, for so long at most."""
        ends = time.monotonic() + seconds
        with self._engine.connect() as connection:
            if self._deadlines is None:
                yield connection
                return
            driver = connection.connection.driver_connection
            self._deadlines.set(driver, ends)
            try:
                yield connection
            finally:
                self._deadlines.forget(driver)

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
        elif how == "BEGIN":  # the driver's own; several reads are to see one state, as they do on SQLite
            connection.execution_options(isolation_level="REPEATABLE READ")

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
        if self._deadlines is not None:
            self._deadlines.close()


def make_engine(url: str, connections: int, deadlines: Deadlines | None) -> Engine:
    # Last in, first out: the connection used last has its pages and statements at hand.
    engine = create_engine(
        url,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=BUSY_SECONDS if deadlines is None else POOL_SECONDS,
        pool_use_lifo=True,
        hide_parameters=True,  # they are callers' own words, and a key's hash: nothing for a traceback
        connect_args={} if deadlines is None else POSTGRESQL,
    )
    if deadlines is None:
        event.listen(engine, "connect", prepare_sqlite)
    else:
        # First of all listeners: SQLAlchemy's own asks a new server several questions.
        event.listen(
            engine,
            "connect",
            lambda connection, _: deadlines.set(connection, time.monotonic() + BUSY_SECONDS),
            insert=True,
        )
        event.listen(engine, "checkout", refuse_stale)
        engine.dialect.use_insertmanyvalues_wo_returning = True  # many rows are one statement
        event.listen(engine, "do_executemany", one_by_one)
    # A connection that crosses a fork would be used by two processes at once.
    os.register_at_fork(after_in_child=lambda: engine.dispose(close=False))
    return engine


def one_by_one(cursor: Any, statement: str, parameters: Sequence[Any], _context: Any) -> bool:
    """In place of the driver's pipeline. That ends with a request to flush, upon which the server stops its clock: a
    transaction whose client is cut off after it would keep its locks for ever.
    """
    for each in parameters:
        cursor.execute(statement, each)
    return True


def refuse_stale(connection: Any, _record: Any, _proxy: Any) -> None:
    """Have the pool connect anew where the server has ended a connection meanwhile, as it does when it restarts.

    The server says so unasked: an idle connection that can be read from is one that has ended. Asking would cost each
    transaction a round trip.
    """
    look = select.poll()
    look.register(connection.pgconn.socket, select.POLLIN)
    if look.poll(0):
        raise exc.DisconnectionError


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
    except (exc.IntegrityError, exc.DataError):
        raise
    except (exc.DBAPIError, exc.TimeoutError) as error:
        said = reason(error)
        if any(refusal in said for refusal in REFUSALS):
            raise DatabaseRefused(f"the database refuses us: {said}: check the address, and PGPASSWORD") from error
        if isinstance(error, exc.ProgrammingError):
            raise
        raise DatabaseUnavailable(f"the database does not answer: {said}") from error


def reason(error: Exception) -> str:
    """The driver's own words, without the statement and its values."""
    return str(getattr(error, "orig", error)).strip().splitlines()[0]
