"""What runs in the child: give up all that it does not need, then make one job after the other."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from thumbnailer_storage.jobs.pictures import Fit, Output
from thumbnailer_worker.child.confine import confine
from thumbnailer_worker.child.limits import ChildLimits
from thumbnailer_worker.imaging.errors import ImageRefused
from thumbnailer_worker.imaging.limits import Limits
from thumbnailer_worker.imaging.made import Made

Job = Callable[[Path, Sequence[Output], Path, Limits], Made]


def main(job: Job, preload: Callable[[], None]) -> None:
    """Run until the parent closes its pipe or dies. `preload` loads all that `job` needs: later nothing can be."""
    requests, answers, life = map(int, sys.argv[1:4])
    setup = json.loads(sys.argv[4])
    limits = ChildLimits(**setup["limits"])
    imaging = Limits(**setup["imaging"])

    take_signals()
    die_with_parent(life)
    preload()
    limits.apply()
    lacks = confine(Path(setup["scratch"]))
    silence()
    say(answers, {"lacks": lacks})
    with open(requests, "rb") as lines:  # noqa: PTH123 - a descriptor, not a path
        for line in lines:
            limits.grant_cpu()
            say(answers, attempt(job, json.loads(line), imaging))


def attempt(job: Job, request: dict[str, Any], imaging: Limits) -> dict[str, Any]:
    """Do one job; whatever it raises becomes an answer (see sandbox/answers.py)."""
    outputs = [asked(output) for output in request["outputs"]]
    try:
        return {"made": asdict(job(Path(request["source"]), outputs, Path(request["folder"]), imaging))}
    except ImageRefused as refused:
        return refusal(refused.code, refused.message)
    except MemoryError:
        return refusal(413, "The image needs more memory than a job may use: send a smaller one.")
    except Exception as error:  # noqa: BLE001 - what the pipeline did not foresee, this image brought about
        return unforeseen(error)


def asked(output: dict[str, Any]) -> Output:
    """An output as the parent asked for it: JSON has neither enums nor tuples."""
    focus = output["focus"] and tuple(output["focus"])
    return Output(**output | {"fit": Fit(output["fit"]), "focus": focus})


def unforeseen(error: Exception) -> dict[str, Any]:
    """The answer to what the pipeline let pass: a full disk is not the image's doing, all else is."""
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.ENOSPC:
        return {"full": True}
    if number == errno.EFBIG:
        return refusal(413, "A thumbnail became too large a file: ask for a smaller size or a lower quality.")
    return refusal(422, f"The image cannot be decoded ({type(error).__name__}): save it anew and try again.")


def refusal(code: int, message: str) -> dict[str, Any]:
    return {"refused": {"code": code, "message": message}}


def say(answers: int, what: dict[str, Any]) -> None:
    os.write(answers, json.dumps(what).encode() + b"\n")


def take_signals() -> None:
    """Let signals end this process, whatever the parent inherited from who started it."""
    for number in (signal.SIGXCPU, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def die_with_parent(life: int) -> None:
    """Have the kernel kill this process once the parent's end of the pipe is closed, also in the midst of a decode."""
    fcntl.fcntl(life, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(life, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(life, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
    try:
        parent_is_gone = os.read(life, 1) == b""
    except BlockingIOError:
        parent_is_gone = False
    if parent_is_gone:
        sys.exit("the parent is gone")


def silence() -> None:
    """What native code prints goes where standard output goes, to nowhere: no image writes into the worker's log."""
    os.dup2(1, 2)
