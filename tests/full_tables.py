"""PostgreSQL tables as a busy service has them, filled by the database itself, and what the API asks of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import event, func, select, text

from thumbnailer_storage.jobs.cursors import cursor_after
from thumbnailer_storage.jobs.key_format import new_key
from thumbnailer_storage.jobs.keys import NewKey
from thumbnailer_storage.jobs.model import Act, Job, Priority, Source, Status
from thumbnailer_storage.jobs.tables import jobs
from thumbnailer_storage.opening import Stores

OWNER = "owner-0"
"""Has half of all jobs; a thousand others share the rest."""
SHARE_PENDING = 0.2

FILL = (
    """
    INSERT INTO jobs (id, owner, status, priority, queue, code, message, metadata, source_bytes, source_sha256, start,
                      claimed, finish, expires, expires_in, attempt, deaths, sends, sent, worker, lease, request)
    SELECT gen_random_uuid(), owner, status, priority, priority, 200, 'The thumbnails are ready.', '{}', 400000,
           repeat('0', 64), start, start, CASE WHEN final THEN start END,
           CASE WHEN final THEN start + interval '30 days' END, 2592000, 1, 0, 1, start, 'worker',
           CASE WHEN status = 'processing' THEN start + interval '1 day' END, md5(n::text)
    FROM (SELECT *, status NOT IN ('pending', 'processing') AS final FROM (
        SELECT n, 'owner-' || CASE WHEN n % 2 = 0 THEN 0 ELSE n % 1000 END AS owner,
               (ARRAY['express', 'standard', 'economy'])[1 + (n / 3) % 3] AS priority,
               CASE WHEN random() < :pending THEN 'pending' WHEN random() < 0.001 THEN 'processing'
                    WHEN random() < 0.01 THEN 'failed' WHEN random() < 0.2 THEN 'expired' ELSE 'complete' END AS status,
               clock_timestamp() - n * interval '0.02 seconds' AS start
        FROM generate_series(1, :jobs) AS n) AS made) AS jobs
    """,
    """
    INSERT INTO outputs (job, n, width, height, fit, made_format, made_width, made_height, made_bytes)
    SELECT id, 0, 100, 100, 'cover', 'jpeg', 100, 100, 5000 FROM jobs
    """,
    """
    INSERT INTO events (job, kind, key, at, last, count, attempt, message, owner)
    SELECT id, kind, '', start, start, 1, 1, kind, owner FROM jobs, unnest(ARRAY['accepted', 'claimed']) AS kind
    """,
    """
    INSERT INTO idempotency (owner, key, token, start, fingerprint, job)
    SELECT owner, id::text, gen_random_uuid(), start, repeat('0', 64), id FROM jobs
    """,
    """
    INSERT INTO messages (queue, job, sent, visible, received, rank)
    SELECT queue, id, start, start, 0, row_number() OVER (PARTITION BY queue, owner ORDER BY start)
    FROM jobs WHERE status = 'pending'
    """,
    """
    INSERT INTO keys (id, name, owner, hash, start)
    SELECT gen_random_uuid(), 'key-' || n, 'owner-' || n % 1000, md5(n::text) || md5((-n)::text),
           clock_timestamp() - n * interval '1 minute'
    FROM generate_series(1, 20000) AS n
    """,
    "INSERT INTO rates (owner, free_at) SELECT 'owner-' || n, 0 FROM generate_series(0, 20000) AS n",
)


def fill(stores: Stores, number: int) -> None:
    with stores.database.write(3600) as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        for statement in FILL:
            wanted = {"jobs": number, "pending": SHARE_PENDING} if ":jobs" in statement else {}
            connection.execute(text(statement), wanted)
    stores.ledger.recount()
    while stores.ledger.fold():
        pass
    with stores.database._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("SET statement_timeout = 0"))
        connection.execute(text("VACUUM ANALYZE"))


def calls(stores: Stores) -> dict[str, Callable[[], Any]]:
    """What each call of the API asks of the database."""
    act = Act("key", "192.0.2.1", "request")
    now = stores.upkeep.now()
    a_while_ago = now - timedelta(minutes=10)
    today = f"{now:%Y-%m-%d}"
    some = [job.id for job in stores.jobs.newest(OWNER, status=Status.PENDING, limit=200).jobs]
    deep = far_down(stores)
    removable = iter(some)
    key = new_key()
    known = stores.keys.add(NewKey(f"known {uuid4().hex}", OWNER), key)
    next_keys = stores.keys.page("owner-7", limit=2).next

    def added() -> UUID:
        return stores.jobs.add(Job.new(owner=OWNER, source=Source(3, "0" * 64)), act).id

    return {
        "every request: its key": lambda: stores.keys.find(key),
        "POST /jobs (requests a minute)": lambda: stores.limits.take(OWNER, 1_000_000),
        "POST /jobs (waiting jobs, bytes a day), GET /limits": lambda: stores.limits.spent(OWNER),
        "POST /jobs (the record)": added,
        "POST /jobs (a new Idempotency-Key)": lambda: stores.idempotency.reserve(OWNER, str(uuid4())),
        "POST /jobs (the key of a job)": lambda: stores.idempotency.reserve(OWNER, str(some[0])),
        "GET /jobs": lambda: stores.jobs.newest(OWNER),
        "GET /jobs?cursor": lambda: stores.jobs.newest(OWNER, cursor=deep),
        **{
            f"GET /jobs?status={status}": (lambda status=status: stores.jobs.newest(OWNER, status=status))
            for status in Status
        },
        "GET /jobs?priority=economy": lambda: stores.jobs.newest(OWNER, priority=Priority.ECONOMY),
        "GET /jobs?status=failed&priority=express": lambda: stores.jobs.newest(
            OWNER, status=Status.FAILED, priority=Priority.EXPRESS
        ),
        "GET /jobs?status=failed&since": lambda: stores.jobs.newest(OWNER, status=Status.FAILED, since=a_while_ago),
        "GET /jobs of an owner with few": lambda: stores.jobs.newest("owner-7"),
        "GET /jobs of an owner with none": lambda: stores.jobs.newest("nobody"),
        "GET /jobs/<job>": lambda: stores.jobs.get(some[0], OWNER),
        "GET /jobs/<job>/events": lambda: stores.events.of_job(some[0]),
        "GET /jobs/<job>?wait, one poll for 64": lambda: stores.jobs.finished(some[:64]),
        "DELETE /jobs/<job>": lambda: stores.jobs.delete(next(removable), OWNER, act),
        "GET /events of an owner": lambda: stores.events.newest(OWNER),
        "GET /events": stores.events.newest,
        "GET /events?since": lambda: stores.events.newest(since=now),
        "GET /events?since of an owner": lambda: stores.events.newest(OWNER, since=now),
        "GET /queue: jobs by status": lambda: stores.ledger.counts(OWNER),
        **{f"GET /queue: depth of {queue}": (lambda q=queue: stores.queue.depth(q)) for queue in ("standard",)},
        "GET /queue: oldest": lambda: stores.jobs.oldest_seconds("standard"),
        "POST /keys": lambda: stores.keys.add(NewKey(uuid4().hex[:30], OWNER), new_key(), act),
        "GET /keys": stores.keys.page,
        "GET /keys?owner&cursor": lambda: stores.keys.page("owner-7", cursor=next_keys),
        "GET /keys/<key>": lambda: stores.keys.get(known.id),
        "DELETE /keys/<key>": lambda: stores.keys.revoke(str(known.id), act=act),
        "GET /usage": lambda: stores.ledger.usage(OWNER, "2026-11-01", today),
    }


def far_down(stores: Stores) -> str:
    """A cursor that most of the owner's jobs lie before."""
    of_owner = select(jobs.c.start, jobs.c.id).where(jobs.c.owner == OWNER)
    with stores.database.read() as connection:
        number = connection.execute(select(func.count()).where(jobs.c.owner == OWNER)).scalar_one()
        in_order = of_owner.order_by(jobs.c.start.desc(), jobs.c.id.desc())
        return cursor_after(*connection.execute(in_order.offset(number * 9 // 10).limit(1)).one())


@contextmanager
def statements_of(stores: Stores) -> Iterator[list[tuple[str, Any]]]:
    """The statements that are run meanwhile, with what they were given."""
    seen: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        seen.append((statement, parameters[0] if isinstance(parameters, list) else parameters))

    event.listen(stores.database._engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(stores.database._engine, "before_cursor_execute", note)


def plan_of(stores: Stores, statement: str, parameters: Any, *, how: str = "") -> list[str]:
    """How the database would do it; a change is rolled back."""
    raw = stores.database._engine.raw_connection()
    try:
        cursor = raw.cursor()
        cursor.execute(f"EXPLAIN {how} {statement}", parameters)
        return [row[0] for row in cursor.fetchall()]
    finally:
        raw.rollback()
        raw.close()


def seconds_of(call: Callable[[], Any], rounds: int) -> list[float]:
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        call()
        took.append(time.perf_counter() - began)
    return sorted(took)
