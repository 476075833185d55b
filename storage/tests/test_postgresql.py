"""What is special about records in PostgreSQL: it is elsewhere, and may be restarted, frozen or not ours."""

import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from containers import Servers
from proxy import before
from sqlalchemy import Executable, insert, text

from thumbnailer_storage.errors import DatabaseRefused, DatabaseUnavailable, OutcomeUnknown
from thumbnailer_storage.jobs.database import ANSWER_SECONDS, SILENT_SECONDS, Database
from thumbnailer_storage.jobs.schema import migrate
from thumbnailer_storage.jobs.tables import ledger

HANG = 10 * 5.0
"""A limit against hanging; what is promised is five seconds, and printed."""


@pytest.fixture
def url(servers: Servers) -> Iterator[str]:
    with servers.database() as url:
        yield url


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    database = Database(url, connections=2)
    yield database
    database.close()


def one(database: Database) -> object:
    with database.read() as connection:
        return connection.execute(text("SELECT 1")).scalar()


def refusal(database: Database) -> str:
    """What a transaction raises, which has to come in time."""
    began = time.monotonic()
    with pytest.raises(DatabaseUnavailable) as raised:
        one(database)
    took = time.monotonic() - began
    assert took < HANG
    return str(raised.value)


def test_a_connection_that_a_restart_ended_is_replaced_before_anybody_uses_it(
    servers: Servers, database: Database
) -> None:
    assert one(database) == 1
    servers.compose("restart", "--timeout", "10", "postgres")
    servers.start("postgres")
    assert one(database) == 1


def test_a_server_that_is_frozen_ends_a_transaction_in_time_and_works_once_it_is_back(
    servers: Servers, database: Database
) -> None:
    assert one(database) == 1
    servers.pause("postgres")
    try:
        began = time.monotonic()
        refusal(database)
        refusal(database)  # this one has to connect anew
        assert time.monotonic() - began > ANSWER_SECONDS
    finally:
        servers.unpause("postgres")
    assert one(database) == 1


def test_a_commit_without_an_answer_is_an_unknown_outcome(servers: Servers, database: Database) -> None:
    def write() -> None:
        with database.write() as connection:
            connection.execute(text("CREATE TABLE t (n int)"))
            servers.pause("postgres")

    with pytest.raises(OutcomeUnknown):
        write()
    servers.unpause("postgres")


def test_a_statement_that_takes_too_long_is_ended_by_the_server(database: Database) -> None:
    with pytest.raises(DatabaseUnavailable, match="statement timeout"), database.read() as connection:
        connection.execute(text("SELECT pg_sleep(30)"))


@pytest.mark.parametrize(
    ("last", "rows"),
    [(text("UPDATE ledger SET n = n + :n WHERE owner = :owner"), 3), (insert(ledger), 1)],
    ids=["update", "insert"],
)
def test_what_a_cut_off_program_had_locked_is_free_again_soon(url: str, last: Executable, rows: int) -> None:
    with before(url) as (proxy, through):
        cut_off, other = Database(through), Database(url)
        migrate(other)
        entry = {"owner": "anna", "what": "jobs", "day": "", "priority": "", "n": 1}
        with other.write() as connection:
            connection.execute(insert(ledger), entry)
        began = time.monotonic()
        with suppress(DatabaseUnavailable), cut_off.write() as connection:
            connection.execute(text("UPDATE ledger SET n = 2"))
            connection.execute(last, [entry] * rows)
            proxy.cut()
        held = text("SELECT count(*) FROM (SELECT FROM ledger FOR UPDATE SKIP LOCKED)")
        with other.write() as connection:
            assert connection.execute(held).scalar() == 0
        while True:
            with other.write() as connection:
                if connection.execute(held).scalar():
                    break
            assert time.monotonic() - began < HANG
            time.sleep(0.2)
        print(f"free after {time.monotonic() - began:.1f} s of {SILENT_SECONDS:.0f}")
        cut_off.close()
        other.close()


def test_a_role_that_lacks_a_right_is_refused_and_costs_no_job_anything(database: Database) -> None:
    with database.write() as connection:
        connection.execute(text("CREATE TABLE t (n int)"))

    def look() -> None:
        with database.read() as connection:
            connection.execute(text("SET LOCAL ROLE pg_monitor"))
            connection.execute(text("SELECT * FROM t"))

    with pytest.raises(DatabaseRefused, match="permission denied"):
        look()


def test_several_reads_of_one_transaction_see_one_state(database: Database) -> None:
    with database.write() as connection:
        connection.execute(text("CREATE TABLE t (n int)"))
    count = text("SELECT count(*) FROM t")
    with database.read() as connection:
        assert connection.execute(count).scalar() == 0
        with database.write() as other:
            other.execute(text("INSERT INTO t VALUES (1)"))
        assert connection.execute(count).scalar() == 0


@pytest.mark.parametrize(
    ("was", "becomes", "error"),
    [
        ("thumbnailer:", "thumbnailer:wrong-", DatabaseRefused),
        ("/test_", "/no_such_", DatabaseRefused),
        ("@127.0.0.1:", "@127.0.0.1:1", DatabaseUnavailable),
        ("@127.0.0.1:", "@no-such-host.invalid:", DatabaseUnavailable),
    ],
)
def test_a_wrong_address_is_told_without_its_password(url: str, was: str, becomes: str, error: type[Exception]) -> None:
    address = url.replace(was, becomes, 1)
    password = address.split(":")[2].split("@")[0]
    if becomes.endswith(":1"):
        address = address.rpartition("@")[0] + "@127.0.0.1:1/nothing"
    wrong = Database(address)
    with pytest.raises(error) as raised:
        one(wrong)
    assert password not in str(raised.value)
    wrong.close()
