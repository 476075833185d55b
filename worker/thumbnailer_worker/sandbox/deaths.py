"""What the death of a child means for the job that it had."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from enum import StrEnum

from thumbnailer_worker.errors import ChildKilled, Ended
from thumbnailer_worker.imaging.errors import ImageRefused


class Death(StrEnum):
    ENDED = "ended"
    """By our own `end`."""
    DEADLINE = "deadline"
    """By us, since the wall clock ran out."""
    LIED = "lied"
    """By us, since it answered what no child of ours answers."""
    CPU = "cpu"
    """By SIGXCPU: its CPU time ran out."""
    KILLED = "killed"
    """By somebody else's SIGKILL."""
    CRASHED = "crashed"
    """By SIGSEGV, SIGABRT or any other signal, or it left by itself."""


def by_returncode(returncode: int) -> Death:
    """How a child died that we did not kill."""
    return {-signal.SIGXCPU: Death.CPU, -signal.SIGKILL: Death.KILLED}.get(returncode, Death.CRASHED)


_OUT_OF_TIME = (
    "The image took more time than a job may use: send a smaller or simpler one, or ask for fewer or smaller outputs."
)
_CRASHED = "The decoder crashed on this image: it is damaged, or made to do harm; save it anew with another program."

MEANING: Mapping[Death, Callable[[], Exception]] = {
    Death.ENDED: lambda: Ended("the child was ended with its job"),
    Death.DEADLINE: lambda: ImageRefused(504, _OUT_OF_TIME),
    Death.LIED: lambda: ImageRefused(422, _CRASHED),
    Death.CPU: lambda: ImageRefused(504, _OUT_OF_TIME),
    Death.KILLED: lambda: ChildKilled("somebody killed the child while it had the job"),
    Death.CRASHED: lambda: ImageRefused(422, _CRASHED),
}
