"""Code that runs in the child: what it cannot read, reach, start, signal or find."""

import os
import socket
from pathlib import Path

import pytest

SECRET = "the-secret-of-this-test"


@pytest.fixture(autouse=True)
def secret_in_the_environment(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)


def denied(answer: str) -> bool:
    return answer.startswith("OSError")


def test_its_environment_is_empty(slot):
    """But for the one variable that Python sets for itself where there is no locale (PEP 538)."""
    assert slot.told("tell(dict(os.environ))") in ({}, {"LC_CTYPE": "C.UTF-8"})


def test_it_has_no_descriptor_but_its_own(slot):
    read, write = os.pipe()
    os.set_inheritable(read, True)
    try:
        told = slot.told(
            """
found = {}
for n in range(1024):
    try:
        mode = os.fstat(n).st_mode
    except OSError:
        continue
    found[n] = "pipe" if stat.S_ISFIFO(mode) else "null" if stat.S_ISCHR(mode) else "other"
tell(found)
"""
        )
    finally:
        os.close(read)
        os.close(write)
    assert sorted(told.values()) == ["null"] * 3 + ["pipe"] * 3


def test_it_reads_no_credential_of_the_parent(slot):
    slot.needs("Landlock", "not dumpable")
    told = slot.told(
        "tell({name: attempt(lambda: open(f'/proc/{os.getppid()}/{name}', 'rb').read(64)) for name in"
        " ('environ', 'mem', 'maps', 'fd/0', 'cmdline', 'root/etc/hostname')})"
    )
    assert {name for name, answer in told.items() if not denied(answer)} == set()


def test_it_reads_the_parents_memory_by_no_system_call(slot):
    slot.needs("seccomp")
    told = slot.told(
        """
class Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))
here = ctypes.create_string_buffer(8)
mine, theirs = Vector(ctypes.addressof(here), 8), Vector(ctypes.addressof(here), 8)
read = libc.process_vm_readv(os.getppid(), ctypes.byref(mine), 1, ctypes.byref(theirs), 1, 0)
tell([read, libc.ptrace(16, os.getppid(), 0, 0)])
"""
    )
    assert told == [-1, -1]


def test_it_reads_no_file_outside_its_folder(slot, tmp_path):
    slot.needs("Landlock")
    credentials = tmp_path / "credentials"
    credentials.write_text(SECRET)
    outside = [str(credentials), "../credentials", "/etc/passwd", "/etc/hostname", "/dev/mem", "/proc/self/environ"]
    told = slot.told(
        f"tell([attempt(lambda: open(path).read()) for path in {outside!r}] + [attempt(lambda: os.listdir('/'))])"
    )
    assert [answer for answer in told if not denied(answer)] == []


def test_it_writes_no_file_outside_its_folder(slot, tmp_path):
    slot.needs("Landlock")
    mine = tmp_path / "mine"
    mine.write_text("mine")
    told = slot.told(
        f"tell([attempt(lambda: open({str(mine)!r}, 'w')), attempt(lambda: os.unlink({str(mine)!r})),"
        f" attempt(lambda: os.truncate({str(mine)!r}, 0)), attempt(lambda: open('/tmp/thumbnailer-hostile', 'w')),"
        f" attempt(lambda: os.rename('source', {str(tmp_path / 'moved')!r}))])"
    )
    assert [answer for answer in told if not denied(answer)] == []
    assert mine.read_text() == "mine"


def test_it_makes_neither_links_nor_folders(slot):
    slot.needs("seccomp")
    told = slot.told(
        "tell([attempt(lambda: os.symlink('/etc/passwd', 'link')), attempt(lambda: os.link('source', 'link')),"
        " attempt(lambda: os.mkdir('folder')), attempt(lambda: os.mkfifo('fifo'))])"
    )
    assert [answer for answer in told if not denied(answer)] == []


def test_it_opens_no_connection(slot):
    slot.needs("seccomp")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.5)
        told = slot.told(
            f"tell([attempt(lambda: socket.socket().connect(('127.0.0.1', {server.getsockname()[1]}))),"
            " attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)), attempt(lambda: socket.socketpair()),"
            " attempt(lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))])"
        )
        with pytest.raises(TimeoutError):
            server.accept()
    assert [answer for answer in told if not denied(answer)] == []


def test_it_starts_no_process(slot, tmp_path):
    slot.needs("seccomp")
    told = slot.told(
        "tell([attempt(lambda: os.fork()), attempt(lambda: os.posix_spawn('/bin/true', ['true'], {})),"
        " attempt(lambda: subprocess.run(['/bin/true'])), attempt(lambda: os.execv('/bin/true', ['true'])),"
        " attempt(lambda: os.memfd_create('code')), str(libc.system(b'true') != 0)])"
    )
    assert [answer for answer in told[:-1] if not denied(answer)] == []
    assert told[-1] == "True"


def test_it_runs_no_code_of_its_own_making(slot):
    slot.needs("seccomp")
    told = slot.told(
        """
tell([attempt(lambda: mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE, prot=7)),
      attempt(lambda: mmap.mmap(-1, 4096, flags=mmap.MAP_SHARED, prot=3))])
"""
    )
    assert [denied(answer) for answer in told] == [True, True]


def test_it_signals_nobody(slot):
    """Signal 0 asks whether a signal may be sent, and harms nobody where this test fails."""
    slot.needs("seccomp")
    told = slot.told(
        """
tgkill = {'x86_64': 234, 'aarch64': 131}[os.uname().machine]
tell([attempt(lambda: os.kill(os.getppid(), 0)), attempt(lambda: os.kill(1, 0)), attempt(lambda: os.killpg(0, 0)),
      attempt(lambda: fcntl.fcntl(answers, fcntl.F_SETOWN, os.getppid())),
      attempt(lambda: fcntl.fcntl(answers, fcntl.F_SETSIG, signal.SIGKILL)),
      libc.syscall(tgkill, os.getppid(), os.getppid(), 0)])
"""
    )
    assert [answer for answer in told[:-1] if not denied(answer)] == []
    assert told[-1] == -1


def test_it_changes_no_limit_of_the_parent(slot):
    slot.needs("seccomp")
    told = slot.told(
        "tell([attempt(lambda: resource.prlimit(os.getppid(), resource.RLIMIT_CPU, (1, 1))),"
        " attempt(lambda: os.setpriority(os.PRIO_PROCESS, os.getppid(), 19)),"
        " attempt(lambda: os.sched_setaffinity(os.getppid(), {0}))])"
    )
    assert [answer for answer in told if not denied(answer)] == []


def test_it_has_no_capability_and_gets_none(slot):
    slot.needs("no capabilities", "no new privileges")
    status = Path(f"/proc/{slot.pid}/status").read_text()
    assert "\nCapEff:\t0000000000000000\n" in status
    assert "\nNoNewPrivs:\t1\n" in status


def test_it_finds_no_file_of_the_job_before(slot):
    slot.make("open('left-behind', 'w').write('a picture of somebody else')")
    assert slot.told("tell(sorted(os.listdir()))") == ["source"]
    assert list(slot.scratch.iterdir()) == []


def test_it_finds_no_file_of_another_slot(open_slot):
    one, other = open_slot(), open_slot()
    one.needs("Landlock")
    (other.scratch / "source").write_text("a picture of somebody else")
    path = str(other.scratch / "source")
    assert denied(one.told(f"tell(attempt(lambda: open({path!r}).read()))"))
