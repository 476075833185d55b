"""Run a program so that the reply to one commit is lost: `api` when a job is recorded, `worker` when one is finished.

The second argument says what became of the commit: `committed` or `undone`.
"""

import sys
import threading

from thumbnailer_storage.errors import OutcomeUnknown
from thumbnailer_storage.jobs import database
from thumbnailer_storage.jobs.store import JobStore

program, fate, _, *arguments = sys.argv[1:]
armed = threading.local()
once = threading.Lock()
commit, step = database.commit, {"api": "add", "worker": "apply"}[program]
original = getattr(JobStore, step)


def arming(self, *given):
    armed.now = True
    return original(self, *given)


def losing(connection):
    if getattr(armed, "now", False) and once.acquire(blocking=False):
        if fate == "committed":
            commit(connection)
        raise OutcomeUnknown("the reply to a commit was lost: a test cut the line")
    commit(connection)


setattr(JobStore, step, arming)
database.commit = losing
if program == "api":
    from thumbnailer_api import cli
else:
    from thumbnailer_worker import cli
cli.main(arguments)
