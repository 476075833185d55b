"""Run a worker so that it is SIGKILLed after the named step of handling its first job."""

import os
import signal
import sys

from thumbnailer_worker import cli
from thumbnailer_worker.handling import Handler
from thumbnailer_worker.taking import Taker

owner = {"take": Taker, "fetch": Handler, "make": Handler, "put": Handler, "finish": Handler}[sys.argv[1]]
step = getattr(owner, sys.argv[1])


def deadly(self, *given):
    outcome = step(self, *given)
    if outcome != []:
        os.kill(os.getpid(), signal.SIGKILL)
    return outcome


setattr(owner, sys.argv[1], deadly)
cli.main([])
