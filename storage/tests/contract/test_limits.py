"""What every database has to do for the limits of owners."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import insert, select, update

from thumbnailer_storage.jobs.ledger import BYTES
from thumbnailer_storage.jobs.limits import rate
from thumbnailer_storage.jobs.model import Job
from thumbnailer_storage.jobs.tables import ledger, rates
from thumbnailer_storage.opening import Stores


def pass_time(stores: Stores, seconds: float) -> None:
    """As if so many seconds had gone by for all requests so far."""
    with stores.database.write() as connection:
        connection.execute(update(rates).values(free_at=rates.c.free_at - seconds))


@pytest.mark.parametrize("most", [1, 3, 6])
def test_a_minutes_requests_may_come_at_once_and_no_more(stores: Stores, most: int) -> None:
    asked = [stores.limits.take("ada", most) for _ in range(most + 2)]
    assert [one.allowed for one in asked] == [True] * most + [False] * 2
    assert [one.left for one in asked] == [*range(most - 1, -1, -1), 0, 0]


def test_with_one_a_minute_the_second_comes_a_minute_later_and_not_before(stores: Stores) -> None:
    assert stores.limits.take("ada", 1).allowed
    assert 59 < stores.limits.take("ada", 1).seconds <= 60
    pass_time(stores, 58)
    assert not stores.limits.take("ada", 1).allowed
    pass_time(stores, 2)
    assert stores.limits.take("ada", 1).allowed


@pytest.mark.parametrize("most", [60, 7777, 1_000_000])
def test_fractions_of_a_second_add_up(stores: Stores, most: int) -> None:
    stores.limits.take("ada", most)
    pass_time(stores, -(59.9 - 60 / most))  # as if most of the minute's requests had come
    left = stores.limits.look("ada", most).left
    assert left <= most / 20  # three seconds have hardly gone by
    assert stores.limits.take("ada", most).left >= left - 1


def test_a_request_that_is_refused_costs_nothing_and_says_when_there_is_room(stores: Stores) -> None:
    for _ in range(6):
        assert stores.limits.take("ada", 6).allowed
    refused = [stores.limits.take("ada", 6) for _ in range(20)]
    assert not any(one.allowed for one in refused)
    wait = refused[-1].seconds
    assert 9 < wait <= 10
    pass_time(stores, wait - 0.5)
    assert not stores.limits.take("ada", 6).allowed
    pass_time(stores, 0.6)
    assert stores.limits.take("ada", 6).allowed
    assert not stores.limits.take("ada", 6).allowed


def test_after_a_rest_the_whole_minute_is_there_again_and_no_more_than_that(stores: Stores) -> None:
    for _ in range(6):
        stores.limits.take("ada", 6)
    pass_time(stores, 86400)
    assert sum(stores.limits.take("ada", 6).allowed for _ in range(20)) == 6


def test_owners_do_not_use_up_each_others_requests(stores: Stores) -> None:
    while stores.limits.take("ada", 3).allowed:
        pass
    assert stores.limits.take("eve", 3).left == 2
    assert stores.limits.look("bob", 3).left == 3
    assert not stores.limits.look("ada", 3).allowed
    with stores.database.read() as connection:
        assert set(connection.execute(select(rates.c.owner)).scalars()) == {"ada", "eve"}


def test_of_many_requests_at_once_exactly_as_many_are_let_in_as_there_is_room_for(stores: Stores) -> None:
    with ThreadPoolExecutor(12) as pool:
        outcomes = list(pool.map(lambda _: stores.limits.take("ada", 6), range(60)))
    assert sum(one.allowed for one in outcomes) == 6
    assert sorted(one.left for one in outcomes if one.allowed) == list(range(6))


@pytest.mark.parametrize(
    ("ahead", "left", "seconds"),
    [(-99, 6, 10), (0, 6, 10), (10, 5, 10), (50, 1, 10), (55, 0, 5), (60, 0, 10), (65, 0, 15)],
)
def test_what_is_left_and_when_there_is_more(ahead: float, left: int, seconds: float) -> None:
    found = rate(True, ahead, 6)
    assert found.left == left
    assert found.seconds == pytest.approx(seconds, abs=0.02)


def test_what_waits_and_what_was_sent_today_is_the_owners_own(stores: Stores, new_job: Callable[..., Job]) -> None:
    jobs = [stores.jobs.add(new_job()) for _ in range(3)]
    stores.jobs.add(new_job(owner="eve"))
    spent = stores.limits.spent("ada")
    assert (spent.waiting, spent.bytes) == (3, 9)
    assert 0 < spent.day_ends <= 86400
    stores.jobs.delete(jobs[0].id, "ada")
    stores.jobs.claim(jobs[1].id, worker="w", lease=30)
    stores.ledger.fold()
    spent = stores.limits.spent("ada")
    assert (spent.waiting, spent.bytes) == (1, 9)
    yesterday = {"owner": "ada", "what": BYTES, "day": "2001-01-01", "priority": "standard", "n": 1000}
    with stores.database.write() as connection:
        connection.execute(insert(ledger).values(yesterday))
    assert stores.limits.spent("ada").bytes == 9
    assert stores.limits.spent("bob").waiting == 0
