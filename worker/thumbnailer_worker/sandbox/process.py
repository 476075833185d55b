"""One started child: its process and its pipes."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

MOST_ANSWER_BYTES = 32 << 10
"""Twenty results are about two KiB."""

_PATIENCE_SECONDS = 5.0
"""How long a child that closed its pipe may take to die; a dying one closes them last."""


class Hangup(Exception):
    """The child closed its pipes, most likely by dying."""


class Late(Exception):
    """The child did not answer in time."""


class Babble(Exception):
    """The child said more than any answer is long."""


class Process:
    """A child that runs `program`, whose arguments are the numbers of its three pipes and `argument`.

    The three pipes are descriptors of their own, so nothing that native code prints can get into an answer. The
    child's environment is empty, it leads a session of its own, and it inherits no other descriptor. Its standard
    error is ours until it is confined, so that the reason of a failed start can be read.

    The end of `life` that stays here is never written to: its closing, by whatever kills this process, kills the
    child (see child/running.py). PR_SET_PDEATHSIG would kill it when the *thread* that started it ends.
    """

    def __init__(self, program: Sequence[str], folder: Path, argument: str) -> None:
        requests, self._requests = os.pipe()
        self._answers, answers = os.pipe()
        life, self._life = os.pipe()
        theirs = (requests, answers, life)
        try:
            self._popen = subprocess.Popen(
                [sys.executable, "-I", "-X", "utf8", *program, *map(str, theirs), argument],
                cwd=folder,
                env={},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=theirs,
                start_new_session=True,
            )
        except BaseException:
            self._close()
            raise
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        os.set_blocking(self._requests, False)
        self._lock = threading.Lock()
        self._asked = False
        self.jobs = 0
        self.killed = False

    @property
    def pid(self) -> int:
        return self._popen.pid

    def usable(self) -> bool:
        """Whether it lives, was not killed, owes no answer, and has said nothing unasked."""
        return not self.killed and not self._asked and not _ready(self._answers, select.POLLIN, 0)

    def hear(self, seconds: float) -> bytes:
        """The next line. Raises Hangup, Late or Babble."""
        return self._read(time.monotonic() + seconds)

    def ask(self, line: bytes, seconds: float) -> bytes:
        """Send a line and hear the answer. Raises Hangup, Late or Babble."""
        deadline = time.monotonic() + seconds
        self.jobs += 1
        self._asked = True
        self._write(line, deadline)
        answer = self._read(deadline)
        self._asked = False
        return answer

    def kill(self) -> None:
        """SIGKILL at once, from any thread. The lock keeps the process from being reaped, so the number is its own."""
        with self._lock:
            self.killed = True
            if self._popen.returncode is None:
                os.killpg(self._popen.pid, signal.SIGKILL)

    def bury(self) -> int | None:
        """Wait until it is dead, take what it may have started with it, and close the pipes.

        Gives its return code, or None where it had to be killed here because it would not die.
        """
        patience = time.monotonic() + _PATIENCE_SECONDS
        while not (dead := self._dead()) and not self.killed and time.monotonic() < patience:
            time.sleep(0.002)
        self.kill()
        with self._lock:
            returncode = self._popen.wait()
        self._close()
        return returncode if dead else None

    def _dead(self) -> bool:
        return os.waitid(os.P_PID, self._popen.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def _write(self, line: bytes, deadline: float) -> None:
        try:
            while line:
                _wait(self._requests, select.POLLOUT, deadline)
                line = line[os.write(self._requests, line) :]
        except BrokenPipeError:
            raise Hangup from None

    def _read(self, deadline: float) -> bytes:
        line = b""
        while b"\n" not in line:
            _wait(self._answers, select.POLLIN, deadline)
            part = os.read(self._answers, MOST_ANSWER_BYTES)
            if not part:
                raise Hangup
            line += part
            if len(line) > MOST_ANSWER_BYTES:
                raise Babble
        return line

    def _close(self) -> None:
        for descriptor in (self._requests, self._answers, self._life):
            os.close(descriptor)


def _ready(descriptor: int, event: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(descriptor, event)
    return bool(poll.poll(max(0.0, seconds) * 1000))


def _wait(descriptor: int, event: int, deadline: float) -> None:
    if not _ready(descriptor, event, deadline - time.monotonic()):
        raise Late
