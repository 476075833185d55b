"""What a child says is checked: a lie costs the child its life, and never the worker."""

import os
import time

import pytest

from thumbnailer_storage.jobs.pictures import Output, Result
from thumbnailer_worker.imaging.errors import ImageRefused
from thumbnailer_worker.imaging.made import SourceInfo
from thumbnailer_worker.sandbox.answers import Lie, open_result
from thumbnailer_worker.sandbox.deaths import Death

RESULT = "Result(0, 'png', 100, 100, 3)"


def made(results: str = RESULT, source: str = "SourceInfo('png', 100, 100)", times: str = "0.1, 0.2") -> str:
    return f"honest()\nmade = Made({source}, ({results},), {times})"


def test_an_honest_answer_is_believed(slot):
    outputs = [Output(format="webp", width=50, height=40), Output()]
    with slot.child.workspace() as folder:
        (folder / "source").write_text("honest()")
        found = slot.child.make(folder / "source", outputs, folder)
        assert found.results == (Result(0, "webp", 50, 40, 3), Result(1, "png", 100, 100, 3))
        assert (found.source, found.decode_seconds, found.encode_seconds) == (SourceInfo("png", 100, 100), 0.1, 0.2)
        with slot.child.open_result(folder, found.results[0]) as file:
            assert file.read() == b"xxx"


def test_results_may_lie_in_a_folder_of_the_workspace(slot):
    with slot.child.workspace() as folder:
        (folder / "source").write_text("honest()")
        (folder / "results").mkdir()
        slot.child.make(folder / "source", [Output()], folder / "results")
        assert (folder / "results" / "0.png").read_bytes() == b"xxx"


def test_a_source_outside_the_workspace_is_a_mistake_of_ours(slot, tmp_path):
    with slot.child.workspace() as folder, pytest.raises(ValueError, match="subpath"):
        slot.child.make(tmp_path / "source", [Output()], folder)


@pytest.mark.parametrize("code", [413, 415, 422])
def test_a_refusal_keeps_its_code_and_its_child(slot, code):
    pid = slot.pid
    with pytest.raises(ImageRefused, match="for a reason") as refused:
        slot.make(f"raise ImageRefused({code}, 'for a reason')")
    assert refused.value.code == code
    assert slot.pid == pid


LIES = {
    "junk": "os.write(answers, b'\\xff\\x00junk\\n')",
    "no line, but its end": "os.write(answers, b'junk') and os._exit(0)",
    "an answer without end": "os.write(answers, b'x' * 40000)\ntime.sleep(60)",
    "two answers": 'os.write(answers, b\'{"full": true}\\n{"full": true}\\n\')',
    "nothing": "os.write(answers, b'{}\\n')",
    "another field": 'os.write(answers, b\'{"run": "code"}\\n\')',
    "no object": "os.write(answers, b'[' * 20000 + b'\\n')",
    "a success code": "raise ImageRefused(200, 'well')",
    "a code of ours": "raise ImageRefused(500, 'well')",
    "an endless message": "raise ImageRefused(422, 'x' * 1000)",
    "a message that moves the cursor": "raise ImageRefused(422, 'x\\x1b[2Jy')",
    "a message of two lines": "raise ImageRefused(422, 'x\\ny')",
    "no result": "honest()\nmade = Made(SourceInfo('png', 1, 1), (), 0.1, 0.2)",
    "one result too many": made(f"{RESULT}, {RESULT}"),
    "another number": made("Result(1, 'png', 100, 100, 3)"),
    "another format": made("Result(0, 'gif', 100, 100, 3)"),
    "no format": made("Result(0, '../../x', 100, 100, 3)"),
    "a number as text": made("Result(0, 'png', '100', 100, 3)"),
    "larger than asked for": made("Result(0, 'png', 101, 100, 3)"),
    "no width": made("Result(0, 'png', 0, 100, 3)"),
    "another size": made("Result(0, 'png', 100, 100, 4)"),
    "a negative size": made("Result(0, 'png', 100, 100, -3)"),
    "a source of another kind": made(source="SourceInfo('<script>', 100, 100)"),
    "a source without end": made(source="SourceInfo('png', 10**30, 100)"),
    "times that are none": made(times="float('nan'), 0.2"),
    "times before the start": made(times="-1.0, 0.2"),
    "a result that is gone": made() + "\nos.unlink('0.png')",
    "an empty result": "made = honest(size=0)",
}


@pytest.mark.parametrize("code", LIES.values(), ids=LIES.keys())
def test_a_lie_fails_the_job_and_costs_the_child_its_life(slot, code):
    with pytest.raises(ImageRefused, match="crashed") as refused:
        slot.make(code)
    assert refused.value.code == 422
    assert slot.deaths in ([Death.LIED], [Death.CRASHED])
    assert slot.works()


def test_an_answer_that_nobody_asked_for_is_not_taken_for_the_next_jobs(slot):
    slot.make("threading.Timer(0.1, os.write, (answers, b'{\"full\": true}\\n')).start()\nhonest()")
    time.sleep(0.5)
    assert slot.works()


@pytest.fixture
def result() -> Result:
    return Result(0, "png", 100, 100, 3)


def test_a_result_is_never_read_through_a_link(tmp_path, result):
    (tmp_path / "secret").write_bytes(b"xxx")
    (tmp_path / "0.png").symlink_to("secret")
    with pytest.raises(Lie):
        open_result(tmp_path, result, 10)


def test_a_result_with_another_name_is_not_read(tmp_path, result):
    (tmp_path / "secret").write_bytes(b"xxx")
    (tmp_path / "0.png").hardlink_to(tmp_path / "secret")
    with pytest.raises(Lie):
        open_result(tmp_path, result, 10)


def test_a_result_that_is_a_pipe_does_not_hang_the_worker(tmp_path, result):
    os.mkfifo(tmp_path / "0.png")
    with pytest.raises(Lie):
        open_result(tmp_path, result, 10)


def test_a_result_over_the_limit_is_not_read(tmp_path, result):
    (tmp_path / "0.png").write_bytes(b"xxx")
    with pytest.raises(Lie):
        open_result(tmp_path, result, 2)
