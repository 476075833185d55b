"""What ends a job, and that the next one works: crashes, endless loops, hogs, and a SIGKILL from outside."""

import os
import signal
import threading
import time
from types import SimpleNamespace

import pytest

from thumbnailer_storage.jobs.pictures import Output
from thumbnailer_worker.child.limits import ChildLimits
from thumbnailer_worker.errors import ChildKilled, ChildNotStarted, Ended, ScratchFull
from thumbnailer_worker.imaging.errors import ImageRefused
from thumbnailer_worker.sandbox.deaths import Death

ENDLESS_IN_NATIVE_CODE = "libc.sleep(1000)"


@pytest.mark.parametrize(
    "code",
    [
        "os.abort()",
        "ctypes.string_at(0)",
        "signal.signal(signal.SIGBUS, signal.SIG_DFL) or signal.raise_signal(signal.SIGBUS)",
        "os._exit(0)",
        "os._exit(7)",
        "os.close(answers) or time.sleep(0.3) or os._exit(0)",
    ],
)
def test_a_crash_fails_the_job_and_the_next_one_works(slot, code):
    with pytest.raises(ImageRefused, match="crashed") as refused:
        slot.make(code)
    assert refused.value.code == 422
    assert slot.deaths == [Death.CRASHED]
    assert slot.works()


def test_an_endless_loop_ends_by_its_cpu_time(open_slot):
    slot = open_slot(cpu_seconds=0.5)
    with pytest.raises(ImageRefused, match="time") as refused:
        slot.make("while True: pass")
    assert refused.value.code == 504
    assert slot.deaths == [Death.CPU]
    assert slot.works()


def test_each_job_has_its_own_cpu_time(open_slot):
    slot = open_slot(cpu_seconds=1)
    busy = "start = time.process_time()\nwhile time.process_time() < start + 0.7: pass\ntell(os.getpid())"
    assert len({slot.told(busy) for _ in range(4)}) == 1


def test_an_endless_sleep_ends_by_the_wall_clock(open_slot, monkeypatch):
    monkeypatch.setattr(ChildLimits, "wall_seconds", 0.5)
    slot = open_slot()
    with pytest.raises(ImageRefused, match="time") as refused:
        slot.make(ENDLESS_IN_NATIVE_CODE)
    assert refused.value.code == 504
    assert slot.deaths == [Death.DEADLINE]
    assert slot.works()


@pytest.mark.parametrize("code", ["held = bytearray(1 << 30)", "held = [bytes(1 << 20) for _ in range(1024)]"])
def test_a_memory_hog_is_refused_and_its_child_lives(open_slot, code):
    slot = open_slot(memory_bytes=256 << 20)
    pid = slot.pid
    with pytest.raises(ImageRefused, match="memory") as refused:
        slot.make(code)
    assert refused.value.code == 413
    assert slot.deaths == []
    assert slot.pid == pid


def test_shared_memory_counts_too(open_slot):
    slot = open_slot(memory_bytes=256 << 20)
    slot.needs("seccomp")
    with pytest.raises(ImageRefused):
        slot.make("held = [mmap.mmap(-1, 64 << 20) for _ in range(64)]")


def test_a_file_larger_than_allowed_is_refused(open_slot):
    slot = open_slot(file_bytes=1 << 20)
    with pytest.raises(ImageRefused, match="large") as refused:
        slot.make("honest(size=2 << 20)")
    assert refused.value.code == 413
    assert slot.works()


def test_a_full_disk_is_not_the_images_fault_where_it_is_full(slot, monkeypatch):
    full = "raise OSError(28, 'No space left on device')"
    with pytest.raises(ImageRefused):
        slot.make(full)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=0))
    with pytest.raises(ScratchFull):
        slot.make(full)


def test_what_the_pipeline_did_not_foresee_is_refused_with_its_name(slot):
    with pytest.raises(ImageRefused, match="ZeroDivisionError") as refused:
        slot.make("1 / 0")
    assert refused.value.code == 422
    assert slot.deaths == []


def test_a_child_killed_by_somebody_else_is_told_apart(slot):
    pid = slot.pid
    killer = threading.Timer(0.3, os.kill, (pid, signal.SIGKILL))
    killer.start()
    with pytest.raises(ChildKilled):
        slot.make(ENDLESS_IN_NATIVE_CODE)
    assert slot.deaths == [Death.KILLED]
    assert slot.works()


def test_a_child_killed_between_two_jobs_costs_no_job(slot):
    pid = slot.pid
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert slot.works()
    assert slot.deaths == []


def test_end_from_another_thread_ends_the_job_at_once(slot):
    slot.child.start()
    ender = threading.Timer(0.3, slot.child.end)
    ender.start()
    started = time.monotonic()
    with pytest.raises(Ended):
        slot.make(ENDLESS_IN_NATIVE_CODE)
    assert time.monotonic() - started < 5
    assert slot.deaths == [Death.ENDED]
    assert slot.works()


def test_a_job_ended_before_it_began_does_not_begin(slot):
    slot.child.start()
    with slot.child.workspace() as folder:
        slot.child.end()
        with pytest.raises(Ended):
            slot.child.make(folder / "source", [Output()], folder)
    assert slot.works()


def test_end_touches_its_own_child_only(open_slot):
    one, other = open_slot(), open_slot()
    pid = other.pid
    one.child.start()
    one.child.end()
    assert other.pid == pid


def test_end_after_the_last_job_kills_nobody(slot, monkeypatch):
    pid = slot.pid
    slot.child.close()
    killed = []
    monkeypatch.setattr(os, "killpg", lambda *arguments: killed.append(arguments))
    slot.child.end()
    assert killed == []
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_child_that_cannot_start_is_our_own_trouble(slot, capfd):
    slot.child.program = ("-c", "raise SystemExit('no such library')")
    with slot.child.workspace() as folder, pytest.raises(ChildNotStarted):
        slot.child.make(folder / "source", [Output()], folder)
    assert "no such library" in capfd.readouterr().err


def test_close_from_another_thread_ends_the_job_first(slot):
    slot.child.start()
    closer = threading.Timer(0.3, slot.child.close)
    closer.start()
    with pytest.raises(Ended):
        slot.make(ENDLESS_IN_NATIVE_CODE)
    closer.join()
    assert slot.works()


def test_a_machine_that_starts_no_process_is_our_own_trouble(slot, monkeypatch):
    monkeypatch.setattr("sys.executable", "/no/such/python")
    with slot.child.workspace() as folder, pytest.raises(ChildNotStarted, match="No such file"):
        slot.child.make(folder / "source", [Output()], folder)
