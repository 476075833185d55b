"""How many jobs at once fit this machine, or this container: what `THUMBNAILER_CONCURRENCY` is left at."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from thumbnailer_storage.errors import SettingError
from thumbnailer_storage.opening import file_system

PARENT_BYTES = 192 << 20
"""What the worker itself needs beside its children."""

_MIB = 1 << 20
_V2 = "cgroup"


@dataclass(frozen=True, slots=True)
class Files:
    """What the scratch folder may take of the memory: all of its file system where that is there, or `each` job's."""

    whole: int = 0
    each: int = 0

    @classmethod
    def of(cls, folder: Path, each: int) -> Files:
        """Nothing where the folder is on a disk."""
        if file_system(folder) != "tmpfs":
            return cls()
        found = os.statvfs(folder)
        return cls(found.f_frsize * found.f_blocks or sys.maxsize, each)

    def of_jobs(self, number: int) -> int:
        return min(self.whole, number * self.each)


def concurrency(asked: int | None, child_bytes: int, root: Path = Path("/"), files: Files = Files()) -> int:
    """The jobs to work on at once: as asked, else the least of cores, CPU quota and memory; at least 1.

    `root` holds proc and sys. Raises SettingError where that many children do not fit into the memory.
    """
    memory = memory_bytes(root)
    room = max(0, memory - PARENT_BYTES)
    fitting = max((room - files.whole) // child_bytes, room // (child_bytes + files.each))
    chosen = asked or max(1, min(int(cores(root)), fitting))
    if chosen > fitting:
        scratch = files.of_jobs(chosen) // _MIB
        also = f", {scratch} MiB for their files, which THUMBNAILER_SCRATCH keeps in memory," if scratch else ""
        raise SettingError(
            f"{chosen} jobs at once, each with up to {child_bytes // _MIB} MiB (THUMBNAILER_CHILD_MEMORY_MIB){also} "
            f"and {PARENT_BYTES // _MIB} MiB for the worker itself do not fit into {memory // _MIB} MiB of memory: "
            "lower THUMBNAILER_CHILD_MEMORY_MIB or THUMBNAILER_CONCURRENCY, or give the worker more memory"
        )
    return chosen


def cores(root: Path = Path("/")) -> float:
    """The cores that this process may use: by its affinity and by the CPU quotas of its control groups."""
    return min([len(os.sched_getaffinity(0)), *_quotas(root)])


def memory_bytes(root: Path = Path("/")) -> int:
    """The memory that this process may use: the machine's, or the least limit of its control groups."""
    return min([_machine_bytes(root), *_memory_limits(root)])


def _quotas(root: Path) -> Iterator[float]:
    for folder in _groups(root, _V2):
        quota, _, period = _read(folder / "cpu.max").partition(" ")
        if quota.isdigit():
            yield int(quota) / int(period)
    for folder in _groups(root, "cpu"):
        quota, period = _read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us")
        if quota.isdigit():
            yield int(quota) / int(period)


def _memory_limits(root: Path) -> Iterator[int]:
    """The limits that are set; version 1 says "none" with a number near 2**63, which is then never the least."""
    for controller, name in ((_V2, "memory.max"), ("memory", "memory.limit_in_bytes")):
        for folder in _groups(root, controller):
            limit = _read(folder / name)
            if limit.isdigit():
                yield int(limit)


def _machine_bytes(root: Path) -> int:
    total = next(line for line in _read(root / "proc/meminfo").splitlines() if line.startswith("MemTotal:"))
    return int(total.split()[1]) * 1024


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """The folders of this process's control group and of all above it, each of which may limit it.

    A container without a namespace of its own reads a path that is not there: its own group is then the mount itself,
    which is among those above.
    """
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in (controllers.split(",") if controllers else [_V2]):
            for mount in _mounts(root, controller):
                group = mount / path.lstrip("/")
                yield from (folder for folder in (group, *group.parents) if folder.is_relative_to(mount))


def _mounts(root: Path, controller: str) -> Iterator[Path]:
    """Where a controller is mounted: version 1 has a folder for each, or one for several, such as "cpu,cpuacct"."""
    base = root / "sys/fs/cgroup"
    if controller == _V2:
        yield from (base, base / "unified")
    elif base.is_dir():
        yield from (folder for folder in base.iterdir() if controller in folder.name.split(","))


def _read(path: Path) -> str:
    """The text of a file, empty where there is none."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""
