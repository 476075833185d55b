"""Whose turn it is: by order alone, nothing is sent."""

from collections.abc import Iterable
from uuid import UUID, uuid4

import pytest

from thumbnailer_api.webhooks import turns
from thumbnailer_api.webhooks.turns import Turns


def offered(made: Turns, lanes: Iterable[str]) -> None:
    made.offer([(lane, uuid4()) for lane in lanes])


def known(*lanes: str) -> Turns:
    made = Turns()
    for lane in lanes:
        made.answered(lane)
    return made


def chosen(made: Turns) -> list[str]:
    """All that there is room for."""
    found: list[str] = []
    while some := made.choose():
        found += some
    return found


def dead(owner: str, count: int = 60) -> list[str]:
    return [f"https://d{n:03}.{owner}.example {owner}" for n in range(count)]


def test_a_newcomer_is_next_after_the_others_first_however_early_the_name_of_a_busy_one() -> None:
    busy, late = "https://aaa.example bob", "https://zzz.example zoe"
    made = known(busy)
    offered(made, dead("eve") + dead("mallory"))
    offered(made, [busy])
    sent = chosen(made)
    offered(made, [late])
    tried: list[str] = []
    for lane in [each for each in sent if each != busy]:
        made.end(busy)
        offered(made, [busy])  # which answers, and is served again and again
        made.end(lane)
        made.did_not_answer(lane)
        tried += chosen(made)
        if late in tried:
            break
    assert late in tried
    assert len([lane for lane in tried if lane != busy]) <= 3, "behind one of each other owner at most"


def test_two_owners_of_one_receiver_take_turns_beside_a_third_who_is_busy() -> None:
    shared, busy = ["https://hooks.example ada", "https://hooks.example zoe"], "https://aaa.example bob"
    made = known(*shared, busy)
    offered(made, [*shared, busy])
    sent = chosen(made)
    for n in range(30):
        made.end(sent[n])
        offered(made, [*shared, busy])
        sent += made.choose()
    served = sent[10:30]
    assert abs(served.count(shared[0]) - served.count(shared[1])) <= 1
    assert busy in served


def test_who_does_not_answer_one_owner_is_not_silent_to_another() -> None:
    silent, answering = "https://hooks.example eve", "https://hooks.example zoe"
    made = known(answering)
    offered(made, [silent])
    assert chosen(made) == [silent]
    made.end(silent)
    made.did_not_answer(silent)
    offered(made, [silent, answering])
    assert chosen(made) == [answering]


def test_one_that_answers_is_sent_so_many_and_a_stranger_one() -> None:
    answering, stranger = "https://a.example ada", "https://b.example ada"
    made = known(answering)
    sent: list[str] = []
    for _ in range(10):
        offered(made, [answering, stranger])
        sent += chosen(made)
    assert (sent.count(answering), sent.count(stranger)) == (turns.MOST_OF_ONE, 1)


def test_of_an_owners_room_half_is_for_those_that_answer() -> None:
    answering = [f"https://zzz{n}.example ada" for n in range(9)]
    made = known(*answering)
    offered(made, dead("ada", 500) + answering)
    sent = chosen(made)
    assert len(sent) == turns.MOST_OF_OWNER
    assert len(set(sent) - set(answering)) == turns.STRANGERS_OF_OWNER


def test_of_all_the_room_half_is_for_those_that_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "MOST_AT_ONCE", 20)
    made = known("https://zzz.example zoe")
    offered(made, [lane for n in range(40) for lane in dead(f"eve{n}", 3)])
    assert len(chosen(made)) == turns.MOST_TO_STRANGERS
    offered(made, ["https://zzz.example zoe"])
    assert chosen(made) == ["https://zzz.example zoe"]


def test_one_that_was_silent_is_left_alone_and_has_its_turn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(turns.time, "monotonic", lambda: now)
    lane = "https://a.example ada"
    made = Turns()
    rests = []
    for _ in range(8):
        offered(made, [lane])
        assert chosen(made) == [lane]
        made.end(lane)
        made.did_not_answer(lane)
        before = now
        while not chosen(made):
            offered(made, [lane])
            now += 0.5
        rests.append(now - before)
        made.end(lane)
    assert rests == sorted(rests)
    assert (rests[0], rests[-1]) == (pytest.approx(turns.FIRST_REST_SECONDS, abs=1), pytest.approx(60, abs=1))


def test_what_is_due_no_more_is_not_chosen() -> None:
    lane, head = "https://a.example ada", UUID(int=1)
    made = Turns()
    made.offer([(lane, head)])
    made.offer([(lane, None)])
    assert made.choose() == {}
    made.offer([(lane, head)])
    assert made.choose() == {lane: head}
    assert not made.idle
    made.end(lane)
    assert made.idle
