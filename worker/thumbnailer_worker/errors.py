"""What can go wrong in a worker, beside what the stores raise.

WorkerError
├── ChildKilled          somebody else killed the child: run the job once more, alone
├── Ended                we ended the child ourselves: the lease is lost, or the worker stops
├── ChildNotStarted      our own trouble: no child could be started
├── ScratchFull          our own trouble: there is no room left for the results
├── ScratchGone          our own trouble that passes with a new worker only: the scratch folder has vanished
└── LoopDied             a mistake of ours: the worker has to be started anew

What the image did is `imaging.errors.ImageRefused`, with the code and the message that the job fails with.
"""


class WorkerError(Exception):
    """Anything that the worker raises on purpose."""


class ChildKilled(WorkerError):
    """The child got a SIGKILL that was not ours; the kernel may have chosen it for its neighbour's memory."""


class Ended(WorkerError):
    """The child was ended by `Child.end` while it had the job, or before it got it."""


class ChildNotStarted(WorkerError):
    """No child could be started; what Python said stands in the worker's standard error."""


class ScratchFull(WorkerError):
    """The disk under the scratch folder is full; the image is not to blame."""


class ScratchGone(WorkerError):
    """The scratch folder is not there any more: no child can work, and the worker has to be started anew."""


class LoopDied(WorkerError):
    """The thread that takes jobs has ended, and nobody told it to."""
