"""Tables that earlier releases filled, with jobs in flight, and programs of the release before on today's tables."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from older_tables import at_revision
from sqlalchemy import insert, select

from thumbnailer_storage.config import StorageSettings
from thumbnailer_storage.jobs import schema
from thumbnailer_storage.jobs.key_format import hash_of, new_key
from thumbnailer_storage.jobs.model import Act, Status
from thumbnailer_storage.jobs.pictures import Result
from thumbnailer_storage.jobs.tables import events, jobs, keys, messages, outputs
from thumbnailer_storage.opening import Stores, open_stores

OF_0004 = {
    "jobs": {"expires_in", "tidy_after", "request", "calls_back"},
    "outputs": {"preset", "lossless", "focus_x", "focus_y"},
    "events": {"owner", "by", "address", "request"},
    "keys": {"scopes"},
    "messages": {"owner", "rank"},
}
"""What the release before does not know, and so does not write."""
IN_FLIGHT = (Status.PENDING, Status.PROCESSING, Status.COMPLETE, Status.FAILED)


@contextmanager
def opened(settings: StorageSettings) -> Iterator[Stores]:
    stores = open_stores(settings)
    yield stores
    stores.close()


@pytest.fixture
def untouched(request: pytest.FixtureRequest, tmp_path: Path, backend) -> Iterator[Stores]:
    """Stores whose database has no tables yet."""
    with backend(request, tmp_path) as settings, opened(settings) as stores:
        yield stores


def as_before(table, row: dict) -> dict:
    assert not OF_0004[table.name] & row.keys()
    return row


def filled(stores: Stores) -> dict[Status, UUID]:
    """One job of each status, written with the columns that the release before has."""
    found = {}
    now = stores.upkeep.now() - timedelta(minutes=1)
    with stores.database.write() as connection:
        for status in IN_FLIGHT:
            found[status] = job = uuid4()
            final = status.final
            row = {
                "id": job,
                "owner": "ada",
                "status": status.value,
                "priority": "standard",
                "queue": "standard",
                "code": 202,
                "message": "m",
                "metadata": {},
                "source_bytes": 3,
                "source_sha256": "0" * 64,
                "start": now,
                "attempt": 0 if status is Status.PENDING else 1,
                "deaths": 0,
                "sends": 1,
                "sent": now,
                "claimed": None if status is Status.PENDING else now,
                "finish": now if final else None,
                "lease": now if status is Status.PROCESSING else None,
                "worker": "old",
            }
            connection.execute(insert(jobs).values(as_before(jobs, row)))
            asked = {"job": job, "n": 0, "width": 100, "height": 100, "fit": "cover"}
            connection.execute(insert(outputs).values(as_before(outputs, asked)))
            told = {"job": job, "kind": "accepted", "key": "", "at": now, "last": now, "count": 1, "attempt": 0}
            connection.execute(insert(events).values(as_before(events, {**told, "message": "m"})))
            if not final:
                sent = {"queue": "standard", "job": job, "sent": now, "visible": now, "received": 0}
                connection.execute(insert(messages).values(as_before(messages, sent)))
    return found


def works_on(stores: Stores, found: dict[Status, UUID]) -> None:
    """Every job of the earlier release goes its way to its end."""
    assert {stores.jobs.get(job).status for job in found.values()} == set(IN_FLIGHT)
    received = {message.job for message in stores.queue.receive(["standard"], most=9, visibility=30)}
    assert received == {found[Status.PENDING], found[Status.PROCESSING]}
    pending = stores.jobs.claim(found[Status.PENDING], worker="new", lease=30)
    rescued = stores.jobs.take_over(found[Status.PROCESSING], worker="new", lease=30)
    for job in (pending, rescued):
        stores.jobs.apply(job, job.complete(job.source, (Result(0, "png", 100, 100, 1),)))
    assert stores.jobs.delete(found[Status.FAILED], "ada", Act("key")).status is Status.EXPIRED
    assert [event.kind for event in stores.events.of_job(pending.id)] == ["accepted", "claimed", "completed"]
    assert stores.removal.give_expiry(3600) == 3
    assert stores.removal.give_expiry(3600) == 0
    assert all(stores.jobs.get(job).expires for job in found.values())
    stores.ledger.recount()
    counts = stores.ledger.counts("ada")
    assert (counts[Status.COMPLETE], counts[Status.EXPIRED], sum(counts.values())) == (3, 1, 4)


@pytest.mark.parametrize("older", schema.REVISIONS[:-1])
def test_jobs_in_flight_in_tables_of_an_earlier_release_go_on(untouched: Stores, older: str) -> None:
    at_revision(untouched.database, older)
    found = filled(untouched)
    schema.migrate(untouched.database)
    works_on(untouched, found)


def test_what_the_release_before_writes_into_todays_tables_goes_on(untouched: Stores) -> None:
    schema.migrate(untouched.database)
    works_on(untouched, filled(untouched))


def test_a_key_of_the_release_before_may_do_all_that_it_could(untouched: Stores) -> None:
    at_revision(untouched.database, "0003")
    key = new_key()
    row = {"id": uuid4(), "name": "laptop", "owner": "ada", "hash": hash_of(key), "start": untouched.upkeep.now()}
    with untouched.database.write() as connection:
        connection.execute(insert(keys).values(as_before(keys, row)))
    schema.migrate(untouched.database)
    used = untouched.keys.find(key)
    assert used is not None
    assert {str(scope) for scope in used.scopes} == {"submit", "read", "cancel"}
    with untouched.database.read() as connection:
        assert connection.execute(select(keys.c.revoked)).scalar_one() is None
