"""Owners take turns: in a queue that is a table, and where the housekeeper feeds a small one."""

import re
import threading
from collections.abc import Callable
from itertools import groupby
from uuid import UUID, uuid4

import pytest
from outgoing import of
from sqlalchemy import insert, text

from thumbnailer_storage.jobs import statements
from thumbnailer_storage.jobs.clocks import clock
from thumbnailer_storage.jobs.model import Act, Job, Source, Status
from thumbnailer_storage.jobs.rows import job_values, output_values
from thumbnailer_storage.jobs.tables import jobs, messages
from thumbnailer_storage.opening import Stores
from thumbnailer_storage.queues import Depth, Message, Outgoing, sql
from thumbnailer_storage.queues.sql import SqlQueue

HIDDEN = 30.0
BACKLOG = 10_000


@pytest.fixture
def send(stores: Stores) -> Callable[..., list[UUID]]:
    """Sends messages of an owner, all at once; the owner's name is the first letter of each job's id."""

    def send(owner: str, number: int = 1) -> list[UUID]:
        ids = [UUID(owner + uuid4().hex[1:]) for _ in range(number)]
        stores.queue.send("standard", of(owner, ids))
        return ids

    return send


def received(stores: Stores, number: int) -> list[Message]:
    return [message for _ in range(number) for message in stores.queue.receive(["standard"], most=1, visibility=HIDDEN)]


def served(stores: Stores, number: int) -> str:
    """Whose messages come next, one letter for each; they are done at once."""
    found = received(stores, number)
    for message in found:
        stores.queue.delete(message)
    return "".join(str(message.job)[0] for message in found)


Send = Callable[..., list[UUID]]


def test_a_newcomer_is_next_whatever_backlog_another_owner_has(stores: Stores, send: Send) -> None:
    send("a", BACKLOG)
    assert served(stores, 50) == 50 * "a"
    send("b")
    assert served(stores, 3) == "baa"


def test_newcomers_come_in_their_order_and_before_anybodys_second(stores: Stores, send: Send) -> None:
    send("a", 20)
    assert served(stores, 1) == "a"
    for owner in "bcd":
        send(owner, 2)
    assert served(stores, 9) == "bcdabcdaa"


def test_owners_with_backlogs_alternate(stores: Stores, send: Send) -> None:
    send("a", 20)
    assert served(stores, 5) == "aaaaa"
    send("b", 10)
    send("c", 10)
    assert served(stores, 12) == "bc" + 3 * "abc" + "a"


def test_who_comes_back_has_no_credit_for_his_absence(stores: Stores, send: Send) -> None:
    send("b")
    send("a", 100)
    assert served(stores, 51) == "b" + 50 * "a"
    send("b", 5)
    assert served(stores, 9) == "babababab"


def test_the_busy_owner_of_a_queue_that_is_empty_is_not_behind_everybody_else(stores: Stores, send: Send) -> None:
    send("a", 100)
    assert served(stores, 101) == 100 * "a"
    send("b", 10)
    send("a", 10)
    assert served(stores, 20) == "b" + 9 * "ba" + "a"


def test_those_who_send_one_at_a_time_leave_a_turn_to_one_who_sent_many(stores: Stores, send: Send) -> None:
    send("a", 100)
    order = ""
    for owner in "bcd":
        send(owner)
    for _ in range(40):
        order += served(stores, 1)
        if order[-1] != "a":
            send(order[-1])
    assert max(len(list(others)) for is_a, others in groupby(order, lambda owner: owner == "a") if not is_a) == 3


def test_a_message_that_is_put_back_is_first_again_and_gives_newcomers_no_credit(stores: Stores, send: Send) -> None:
    send("a", 100)
    (back,) = received(stores, 1)
    assert served(stores, 50) == 50 * "a"
    stores.queue.release(back, delay=0)
    send("b", 10)
    (first,) = received(stores, 1)
    assert first.job == back.job
    assert served(stores, 5) == "babab"


def test_a_batch_of_several_owners_keeps_each_ones_order(stores: Stores) -> None:
    ids = {owner: [uuid4() for _ in range(5)] for owner in "abc"}
    stores.queue.send("standard", [Outgoing(job, owner) for owner in "cab" for job in ids[owner]])
    order = [message.job for message in stores.queue.receive(["standard"], most=15, visibility=HIDDEN)]
    assert order == [ids[owner][n] for n in range(5) for owner in "cab"]


def test_senders_of_one_owner_at_once_get_him_one_turn_a_round(stores: Stores, send: Send) -> None:
    threads = [threading.Thread(target=lambda: [send("a") for _ in range(10)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    send("b", 80)
    assert served(stores, 160) == 80 * "ab"


def test_messages_of_the_release_before_come_first_and_in_order(stores: Stores, send: Send) -> None:
    old = [UUID("0" + uuid4().hex[1:]) for _ in range(3)]
    before = insert(messages).values(queue="standard", received=0, sent=clock(), visible=clock())
    with stores.database.write() as connection:
        connection.execute(before, [{"job": job} for job in old])
    send("a", 3)
    assert served(stores, 6) == "a000aa"


def test_a_queue_deeper_than_anybody_counts_is_known_to_be_deep_and_not_empty(stores: Stores, send: Send) -> None:
    queue = SqlQueue(stores.database, counted=10)
    send("a", 30)
    assert queue.depth("standard") == Depth(10, 0, 0)
    queue.receive(["standard"], most=29, visibility=HIDDEN)
    assert queue.depth("standard") == Depth(1, 10, 0)


def test_no_look_at_a_deep_queue_reads_or_sorts_all_of_it(stores: Stores, send: Send) -> None:
    send("a", BACKLOG)
    given = {"of_queue": "standard", "most": 1, "seconds": 1.0, "new_receipt": "r", "counted": 10}
    with stores.database.write() as connection:
        for statement in (sql.RECEIVE, sql.NEWCOMERS, sql.DEPTH):
            if statement is sql.DEPTH:  # which PostgreSQL's own round of ANALYZE, once a minute, has to have seen
                connection.execute(text("ANALYZE messages"))
            made = statement.compile(dialect=connection.dialect)
            values = made.construct_params(given)
            bound = tuple(values[name] for name in made.positiontup or ()) if made.positional else values
            how = "EXPLAIN QUERY PLAN " if stores.database.embedded else "EXPLAIN "
            plan = "\n".join(str(row[-1]) for row in connection.exec_driver_sql(how + str(made), bound))
            assert not re.search("SCAN messages|TEMP B-TREE|Seq Scan on messages|Sort", plan), plan


def recorded(stores: Stores, owner: str, number: int) -> list[UUID]:
    """Jobs that were accepted one after the other, an hour ago."""
    new = [Job.new(owner=owner, source=Source(1, "0" * 64)) for _ in range(number)]
    with stores.database.write(600) as connection:
        for n, job in enumerate(new):
            connection.execute(insert(jobs).values(start=clock(n / 1000 - 3600), **job_values(job)))
            connection.execute(statements.ADD_OUTPUT, output_values(job))
    return [job.id for job in new]


def test_each_owner_has_a_share_of_what_is_sent_late_and_his_oldest_go_first(stores: Stores) -> None:
    ada, bob, eve = recorded(stores, "ada", 100), recorded(stores, "bob", 1), recorded(stores, "eve", 30)
    batch = stores.upkeep.take_unsent("standard", older=0, most=30)
    expected = of("ada", ada[:10])
    expected[1:1] = [*of("bob", bob), *of("eve", eve[:1])]
    for n in range(1, 10):
        expected.insert(2 * n + 2, Outgoing(eve[n], "eve"))
    assert batch == expected
    assert stores.upkeep.take_unsent("standard", older=0, most=2, after="ada") == [
        Outgoing(eve[10], "eve"),
        Outgoing(ada[10], "ada"),
    ]


def test_more_owners_than_a_batch_serves_come_by_turns(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("thumbnailer_storage.jobs.upkeep.MOST_OWNERS", 3)
    for owner in "abcdefg":
        recorded(stores, owner, 50)
    after, seen = "", ""
    for _ in range(7):
        batch = stores.upkeep.take_unsent("standard", older=0, most=6, after=after)
        order = [out.owner for out in batch]
        assert order == 2 * order[:3]
        seen, after = seen + "".join(order[:3]), order[2]
    assert seen == 3 * "abcdefg"


def test_who_cancels_all_that_waits_is_in_the_next_round_again_and_not_before_it(stores: Stores) -> None:
    queue = SqlQueue(stores.database)

    def send(owner: str, number: int) -> list[UUID]:
        ids = recorded(stores, owner, number)
        queue.send("standard", of(owner, ids))
        return ids

    send("ada", 50)
    bens = send("ben", 50)
    assert stores.jobs.cancel_all("ada", Status.PENDING, Act(), most=100) == 50
    queue.cancelled("ada")
    queue.cancelled("ben")  # who has cancelled nothing
    (anew,) = send("ada", 1)
    carls = send("carl", 1)
    waiting = {*bens, anew, *carls}
    served = [message.job for message in queue.receive(["standard"], most=200, visibility=30)]
    order = [job for job in served if job in waiting]
    assert order[:4] == [bens[0], *carls, bens[1], anew]
    assert [job for job in order if job in bens] == bens


def test_owners_whose_jobs_are_too_young_to_be_sent_take_no_share_of_a_batch(stores: Stores) -> None:
    """As those do who send a job each second, beside one with a backlog."""
    backlog = recorded(stores, "zoe", 30)
    for n in range(40):
        stores.jobs.add(Job.new(owner=f"light-{n}", source=Source(1, "0" * 64)))
    assert stores.upkeep.take_unsent("standard", older=60, most=20) == of("zoe", backlog[:20])


def claimed(stores: Stores, ids: list[UUID]) -> None:
    for job in ids:
        stores.jobs.claim(job, worker="w", lease=30)


def sent_long_ago(stores: Stores, ids: list[UUID]) -> None:
    """Sent one after the other, so long ago that each may be sent again."""
    stores.jobs.mark_sent(ids)
    with stores.database.write() as connection:
        rows = connection.execute(jobs.select().where(jobs.c.id.in_(ids)).order_by(jobs.c.start)).all()
        for row in rows:
            change = jobs.update().where(jobs.c.id == row.id)
            connection.execute(change.values(sent=row.start, resend_after=row.start))


def test_jobs_that_others_pass_by_turns_are_not_sent_again(stores: Stores) -> None:
    """Bob's were sent when many of Ada's waited, and are claimed before them: nothing was lost."""
    ada, bob = recorded(stores, "ada", 200), recorded(stores, "bob", 20)
    sent_long_ago(stores, ada)
    stores.jobs.mark_sent(bob)
    claimed(stores, bob + ada[:20])
    assert stores.upkeep.take_overtaken("standard", longer=-1, most=500) == []


def test_of_each_owner_what_his_younger_jobs_passed_is_sent_again(stores: Stores) -> None:
    ada, bob = recorded(stores, "ada", 40), recorded(stores, "bob", 40)
    sent_long_ago(stores, ada + bob)
    claimed(stores, ada[:5] + ada[7:20] + bob[:3] + bob[4:9])
    assert stores.upkeep.take_overtaken("standard", longer=60, most=500) == []
    again = stores.upkeep.take_overtaken("standard", longer=-1, most=500)
    assert again == [*of("ada", ada[5:7]), *of("bob", bob[3:4])]
    assert stores.upkeep.take_overtaken("standard", longer=-1, most=500) == []
