"""One slot's child: given one job at a time, replaced when it dies or has done enough."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import BinaryIO, ClassVar

import structlog

from thumbnailer_storage.jobs.pictures import Output, Result
from thumbnailer_worker.child.confine import hide
from thumbnailer_worker.child.limits import ChildLimits
from thumbnailer_worker.errors import ChildNotStarted, Ended
from thumbnailer_worker.imaging.limits import Limits
from thumbnailer_worker.imaging.made import Made
from thumbnailer_worker.sandbox import answers
from thumbnailer_worker.sandbox.deaths import MEANING, Death, by_returncode
from thumbnailer_worker.sandbox.process import Babble, Hangup, Late, Process

START_SECONDS = 60.0

_OUR_REASONS = {Late: Death.DEADLINE, Babble: Death.LIED, answers.Lie: Death.LIED}
"""Why we kill it ourselves."""

_log = structlog.get_logger(__name__)


class Child:
    """The child of one slot; `scratch` is a folder of its own and the only one that the child can touch.

    `on_death` hears of each death in a job, for counting. `end` and `close` may be called from any thread, the rest is
    for the slot's own.
    """

    program: ClassVar[Sequence[str]] = ("-m", "thumbnailer_worker.child")

    def __init__(
        self,
        scratch: Path,
        limits: ChildLimits,
        imaging: Limits,
        on_death: Callable[[Death], None] = lambda death: None,
    ) -> None:
        self._scratch = scratch.resolve()
        self._limits = limits
        self._setup = json.dumps({"scratch": str(self._scratch), "limits": asdict(limits), "imaging": asdict(imaging)})
        self._on_death = on_death
        self._turn = threading.Lock()
        """Held while the process is in use, so that nobody closes the pipes of a job."""
        self._lock = threading.Lock()
        """Held for a moment, to look at or change what `end` needs."""
        self._process: Process | None = None
        self._ended = False
        self.lacks: tuple[str, ...] = ()
        """What the child could not give up, such as "Landlock: Function not implemented"; known once it has started."""

    def start(self) -> None:
        """Have a child ready: the first job need not wait for it. Raises ChildNotStarted, Ended."""
        with self._turn:
            self._ready()

    @contextmanager
    def workspace(self) -> Iterator[Path]:
        """Begin a job: the scratch folder, empty. Until the block is left, `end` means this job."""
        with self._lock:
            self._ended = False
        self._empty()
        try:
            yield self._scratch
        finally:
            self._empty()

    def make(self, source: Path, outputs: Sequence[Output], folder: Path) -> Made:
        """Make the outputs of `source` in `folder`, an existing one; both lie in the workspace.

        Raises ImageRefused (the job fails so), ChildKilled (run it once more, alone), Ended (by `end`), and our own
        troubles, ChildNotStarted and ScratchFull.
        """
        request = {
            "source": str(source.relative_to(self._scratch)),
            "folder": str(folder.relative_to(self._scratch)),
            "outputs": [asdict(output) for output in outputs],
        }
        with self._turn:
            process = self._ready()
            try:
                line = process.ask(json.dumps(request).encode() + b"\n", self._limits.wall_seconds)
                return answers.made(line, outputs, folder, self._limits.file_bytes)
            except (Hangup, Late, Babble, answers.Lie) as why:
                raise self._died(process, why) from None

    def open_result(self, folder: Path, result: Result) -> BinaryIO:
        """A result's file, for reading. The checks of `make` are made again on what is opened."""
        return answers.open_result(folder, result, self._limits.file_bytes)

    def end(self) -> None:
        """End the job in the workspace with SIGKILL, at once, from any thread.

        Its `make` raises Ended, now or when it is called.
        """
        with self._lock:
            self._ended = True
            if self._process:
                self._process.kill()

    def close(self) -> None:
        """End the child, and the job that it has."""
        self.end()
        with self._turn:
            self._forget()

    def _ready(self) -> Process:
        """A child that can take a job: the one that is there, else a fresh one."""
        process = self._process
        if process and (process.jobs >= self._limits.jobs or not process.usable()):
            self._forget()
        if self._ended:
            raise MEANING[Death.ENDED]()
        return self._process or self._fresh()

    def _fresh(self) -> Process:
        hide()
        try:
            process = Process(self.program, self._scratch, self._setup)
        except OSError as error:
            raise ChildNotStarted(f"no process could be started for the child: {error.strerror}") from None
        with self._lock:
            self._process = process
            if self._ended:
                process.kill()
        try:
            self.lacks = answers.hello(process.hear(START_SECONDS))
        except (Hangup, Late, Babble, answers.Lie) as why:
            self._forget()
            if self._ended:
                raise Ended("the child was ended while it started") from None
            raise ChildNotStarted(f"the child did not get ready ({why!r}): standard error says why") from None
        _say_once(self.lacks)
        return process

    def _died(self, process: Process, why: Exception) -> Exception:
        """Bury the child of this job, and give what its death means."""
        death = _OUR_REASONS.get(type(why))
        if death:
            process.kill()
        returncode = process.bury()
        with self._lock:
            self._process = None
            if self._ended:
                death = Death.ENDED
        death = death or (Death.CRASHED if returncode is None else by_returncode(returncode))
        self._on_death(death)
        _log.info("the child died", death=death.value, returncode=returncode, pid=process.pid, why=str(why))
        return MEANING[death]()

    def _forget(self) -> None:
        with self._lock:
            process, self._process = self._process, None
        if process:
            process.kill()
            process.bury()

    def _empty(self) -> None:
        for entry in self._scratch.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()


@cache
def _say_once(lacks: tuple[str, ...]) -> None:
    """What the sandbox lacks is said when the first child starts, not for each."""
    for lack in lacks:
        _log.warning("the sandbox lacks one of its layers; the others hold", lack=lack)
