"""What every object store has to do."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from thumbnailer_storage.errors import ObjectExists, ObjectMissing
from thumbnailer_storage.objects import CHUNK, Objects


def content(objects: Objects, key: str, *where: int) -> bytes:
    return b"".join(objects.read(key, *where))


def test_what_was_put_is_read_back(objects: Objects) -> None:
    assert objects.put("uploads/a", [b"one", b"", b"two"]) == 6
    assert content(objects, "uploads/a") == b"onetwo"
    assert objects.size("uploads/a") == 6


def test_an_empty_object_is_an_object(objects: Objects) -> None:
    assert objects.put("uploads/a", []) == 0
    assert content(objects, "uploads/a") == b""


def test_a_range_is_read_without_the_rest(objects: Objects) -> None:
    objects.put("uploads/a", [bytes(range(256)) * 4096])
    assert content(objects, "uploads/a", 257, 3) == b"\x01\x02\x03"
    assert content(objects, "uploads/a", 1048574) == b"\xfe\xff"
    assert content(objects, "uploads/a", CHUNK - 1, 2) == b"\xff\x00"
    assert content(objects, "uploads/a", 5, 0) == content(objects, "uploads/a", 1 << 20) == b""


def test_a_taken_name_is_refused_and_left_as_it_is(objects: Objects) -> None:
    objects.put("uploads/a", [b"first"])
    with pytest.raises(ObjectExists):
        objects.put("uploads/a", [b"second"])
    assert content(objects, "uploads/a") == b"first"


def test_a_long_stream_of_unknown_length_is_stored_whole(objects: Objects) -> None:
    chunks = [random.Random(n).randbytes(CHUNK - 1) for n in range(49)]  # 12 MiB, which no part of S3's ends with
    whole = b"".join(chunks)
    assert objects.put("uploads/a", iter(chunks)) == objects.size("uploads/a") == len(whole)
    assert content(objects, "uploads/a") == whole
    across = (5 << 20) - 3  # from one part into the next
    assert content(objects, "uploads/a", across, 10) == whole[across : across + 10]
    with pytest.raises(ObjectExists):
        objects.put("uploads/a", iter(chunks[::-1]))
    with pytest.raises(ObjectExists):
        objects.put("uploads/a", [b"short"])
    assert content(objects, "uploads/a") == whole


@pytest.mark.parametrize("length", [(5 << 20) - 1, 5 << 20, (5 << 20) + 1])
def test_a_length_beside_that_of_a_part_is_nothing_special(objects: Objects, length: int) -> None:
    assert objects.put("uploads/a", [b"x" * length]) == length
    assert content(objects, "uploads/a") == b"x" * length


def test_of_two_writers_at_once_one_wins_whole(objects: Objects) -> None:
    outcomes: list[object] = []
    both = threading.Barrier(2)

    def write(letter: bytes) -> None:
        both.wait()
        try:
            objects.put("uploads/a", [letter * 1000] * 100)
            outcomes.append(letter)
        except ObjectExists:
            outcomes.append(None)

    threads = [threading.Thread(target=write, args=(letter,)) for letter in (b"a", b"b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = [outcome for outcome in outcomes if outcome]
    assert content(objects, "uploads/a") == winner * 100_000


def test_a_put_that_fails_halfway_leaves_nothing(objects: Objects) -> None:
    def broken():
        yield b"half"
        raise RuntimeError("the caller went away")

    with pytest.raises(RuntimeError, match="went away"):
        objects.put("uploads/a", broken())
    with pytest.raises(ObjectMissing):
        objects.size("uploads/a")
    assert list(objects.list("uploads/")) == []


def test_nothing_is_visible_before_the_put_has_ended(objects: Objects) -> None:
    def watched():
        yield b"x" * CHUNK
        assert list(objects.list("uploads/")) == []
        with pytest.raises(ObjectMissing):
            objects.read("uploads/a")

    objects.put("uploads/a", watched())
    assert objects.size("uploads/a") == CHUNK


def test_a_reading_that_is_closed_early_holds_nothing_open(objects: Objects) -> None:
    objects.put("uploads/a", [b"x" * CHUNK, b"y"])
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        objects.read("uploads/a").close()
        begun = objects.read("uploads/a")
        assert next(iter(begun)) == b"x" * CHUNK
        begun.close()
        assert len(content(objects, "uploads/a")) == CHUNK + 1
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_missing_object_is_told_at_the_call(objects: Objects) -> None:
    with pytest.raises(ObjectMissing):
        objects.read("uploads/none")
    with pytest.raises(ObjectMissing):
        objects.size("uploads/none")


def test_delete_takes_many_and_does_not_mind_what_is_gone(objects: Objects) -> None:
    for key in ("results/a/1/0.png", "results/a/1/1.png", "results/b/1/0.png"):
        objects.put(key, [b"x"])
    objects.delete(["results/a/1/0.png", "results/a/1/1.png", "results/none/1/0.png"])
    assert [stored.key for stored in objects.list("results/")] == ["results/b/1/0.png"]


def test_2500_objects_are_listed_and_deleted_at_once(objects: Objects) -> None:
    keys = {f"results/{n // 10}/1/{n % 10}.png" for n in range(2500)}
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(lambda key: objects.put(key, [b"x"]), keys)) == 2500
    assert {stored.key for stored in objects.list("results/")} == keys
    objects.delete(stored.key for stored in objects.list("results/"))
    assert list(objects.list("results/")) == []


def test_a_list_tells_key_length_and_age_below_a_prefix(objects: Objects) -> None:
    objects.put("uploads/a", [b"123"])
    objects.put("results/a/1/0.png", [b"x"])
    (stored,) = objects.list("uploads/")
    assert (stored.key, stored.bytes) == ("uploads/a", 3)
    assert abs(datetime.now(UTC) - stored.modified) < timedelta(minutes=1)


@pytest.mark.parametrize(
    "key", ["", "/etc/passwd", "../x", "a/../b", "a//b", ".unfinished/x", "a/.hidden", "a b", "a\x00b"]
)
def test_a_key_cannot_leave_its_place(objects: Objects, key: str) -> None:
    with pytest.raises(ValueError, match="no key of ours"):
        objects.put(key, [b"x"])
    with pytest.raises(ValueError, match="no key of ours"):
        objects.read(key)


def test_a_store_that_works_passes_its_check(objects: Objects) -> None:
    objects.check()
    assert list(objects.list("uploads/")) == []


def test_an_unfinished_put_is_cleared_by_age_only(objects: Objects) -> None:
    def interrupted():
        yield b"half"
        assert objects.clear_unfinished(older=3600) == 0
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        objects.put("uploads/a", interrupted())
    assert objects.clear_unfinished(older=-1) == 0
