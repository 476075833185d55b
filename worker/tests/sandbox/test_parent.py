"""How a child is kept: reused, replaced, bound to its parent's life, and alone in its troubles."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from thumbnailer_worker.errors import ChildKilled


def test_a_child_is_reused(slot):
    assert slot.pid == slot.pid


def test_a_child_is_replaced_after_its_jobs(open_slot):
    slot = open_slot(jobs=2)
    pids = [slot.pid for _ in range(4)]
    assert pids[0] == pids[1] != pids[2] == pids[3]


def test_a_started_child_waits_for_its_first_job(slot):
    slot.child.start()
    children = Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split()
    assert str(slot.pid) in children


def test_the_end_of_the_thread_that_started_it_does_not_end_a_child(slot):
    starter = threading.Thread(target=slot.child.start)
    starter.start()
    starter.join()
    time.sleep(0.2)
    assert slot.works()
    assert slot.deaths == []


def test_what_could_not_be_given_up_is_said(slot):
    slot.child.start()
    assert isinstance(slot.child.lacks, tuple)
    assert all(": " in lack for lack in slot.child.lacks)


def test_a_child_dies_with_its_parent_in_the_midst_of_a_decode(tmp_path):
    """The parent is killed while its child sleeps in native code, where no Python runs."""
    (tmp_path / "source").write_text("tell(os.getpid())\nos.rename('told', 'pid')\nlibc.sleep(1000)")
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from pathlib import Path; from thumbnailer_storage.jobs.pictures import Output;"
            "from thumbnailer_worker.imaging.limits import Limits;"
            "from thumbnailer_worker.child.limits import ChildLimits;"
            "from thumbnailer_worker.sandbox.parent import Child;"
            "Child.program = (sys.argv[2],); folder = Path(sys.argv[1]);"
            "Child(folder, ChildLimits(), Limits()).make(folder / 'source', [Output()], folder)",
            str(tmp_path),
            str(Path(__file__).with_name("launcher.py")),
        ]
    )
    try:
        pid = int(_wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text()))
    finally:
        parent.kill()
        parent.wait()
    _wait_for(lambda: not Path(f"/proc/{pid}").exists() or "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text())


def test_a_child_killed_at_random_instants_harms_no_other_job(open_slot):
    victim, others = open_slot(), [open_slot(jobs=10**6), open_slot(jobs=10**6)]
    pids = [other.pid for other in others]
    instants = random.Random(4)
    stop = threading.Event()

    def work(slot, done):
        while not stop.is_set():
            done.append(slot.told("time.sleep(0.002)\ntell(os.getpid())"))

    done = [[] for _ in others]
    busy = [threading.Thread(target=work, args=arguments) for arguments in zip(others, done, strict=True)]
    for thread in busy:
        thread.start()
    killed = 0
    for _ in range(15):
        killer = threading.Timer(instants.uniform(0, 0.05), os.kill, (victim.pid, signal.SIGKILL))
        killer.start()
        try:
            while killer.is_alive():
                victim.make("time.sleep(0.005)")
            victim.works()  # the kill may be on its way still
        except ChildKilled:
            killed += 1
            assert victim.works()
        killer.join()
    stop.set()
    for thread in busy:
        thread.join()
    assert killed
    assert [set(of_one) for of_one in done] == [{pid} for pid in pids]
    assert [other.deaths for other in others] == [[], []]


def _wait_for(what, seconds=20):
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)
    return found
