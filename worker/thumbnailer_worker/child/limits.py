"""How much of everything one job may use in the child."""

from __future__ import annotations

import math
import resource
import time
from dataclasses import dataclass

MAPPED_BYTES = 1 << 30
"""Address space that costs no memory: mapped libraries, and what malloc reserves for each thread (64 MiB)."""

OPEN_FILES = 64


@dataclass(frozen=True, slots=True)
class ChildLimits:
    """`jobs` is how many jobs a child does before a fresh one takes its place: decoders leak."""

    cpu_seconds: float = 30.0
    memory_bytes: int = 1 << 30
    file_bytes: int = 256 << 20
    jobs: int = 500

    @property
    def wall_seconds(self) -> float:
        """The deadline behind the CPU time: generous, since a throttled pod waits more than it works."""
        return 4 * self.cpu_seconds + 10

    def apply(self) -> None:
        """Limit this process; called once.

        RLIMIT_DATA bounds private writable memory, which is what costs. RLIMIT_AS alone would have to be set by guess
        above what is mapped and never touched, so it only stands behind it, for shared memory. Both give a MemoryError
        instead of the kernel's SIGKILL. RLIMIT_NPROC is left alone: it counts the user's threads on the whole machine,
        so it would fail the codecs' threads for what others do; the seccomp filter stops forks.
        """
        for what, most in (
            (resource.RLIMIT_DATA, self.memory_bytes),
            (resource.RLIMIT_AS, self.memory_bytes + MAPPED_BYTES),
            (resource.RLIMIT_FSIZE, self.file_bytes),
            (resource.RLIMIT_NOFILE, OPEN_FILES),
            (resource.RLIMIT_CORE, 0),
        ):
            resource.setrlimit(what, (_allowed(what, most),) * 2)

    def grant_cpu(self) -> None:
        """Give the next job its CPU time: the limit counts from the process's start, so it is raised for each job."""
        most = _allowed(resource.RLIMIT_CPU, math.ceil(time.process_time() + self.cpu_seconds))
        resource.setrlimit(resource.RLIMIT_CPU, (most, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def _allowed(what: int, most: int) -> int:
    """`most`, or the hard limit that the worker itself was started with where that is lower."""
    _, hard = resource.getrlimit(what)
    return most if hard == resource.RLIM_INFINITY else min(most, hard)
