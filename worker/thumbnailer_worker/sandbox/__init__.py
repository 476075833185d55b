"""The only way to an image: a child process per slot, which is reused between jobs.

    parent.py    Child: starts it, gives it one job at a time, ends it
    process.py   one started process and its three pipes
    answers.py   what the child may answer, and what of it is believed
    deaths.py    what its death means

What runs in it is thumbnailer_worker.child.

Why our own child and not a process pool: pebble and multiprocessing unpickle what the child sends, so code running
in the child could run code in the parent, which holds the credentials; and both hand the parent's environment on.
Here the child is a new program with an empty environment. A job goes in as one JSON line, the answer comes out as
one bounded JSON line, and the parent believes nothing of it before it has checked it. Results travel as files.

What reuse costs: code that takes a child over may see the later jobs of that child, until it is replaced
(`ChildLimits.jobs`; 1 gives each job a child of its own). It cannot send what it sees anywhere but into its results.
"""

from thumbnailer_worker.child.limits import ChildLimits
from thumbnailer_worker.sandbox.deaths import Death
from thumbnailer_worker.sandbox.parent import Child

__all__ = ["Child", "ChildLimits", "Death"]
