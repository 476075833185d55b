"""How many jobs fit, on fabricated trees of control groups."""

import os
import shutil
from pathlib import Path

import pytest

from thumbnailer_storage.errors import SettingError
from thumbnailer_worker.capacity import PARENT_BYTES, Files, concurrency, cores, memory_bytes

GIB = 1 << 30


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """Lay out files under a root; a machine of eight cores and 64 GiB that limits nothing."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))

    def lay(**files: str) -> Path:
        for name, text in {"proc/meminfo": f"MemFree: 1 kB\nMemTotal: {64 * GIB // 1024} kB", **files}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text + "\n")
        return tmp_path

    return lay


V2 = {"proc/self/cgroup": "0::/pods/one"}
V1 = {"proc/self/cgroup": "5:cpu,cpuacct:/docker/one\n4:memory:/docker/one\n1:name=systemd:/docker/one"}
UNLIMITED_V1 = str((1 << 63) - 4096)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, (8, 64 * GIB)),
        ({**V2, "sys/fs/cgroup/pods/one/cpu.max": "max 100000"}, (8, 64 * GIB)),
        ({**V2, "sys/fs/cgroup/pods/one/cpu.max": "150000 100000"}, (1.5, 64 * GIB)),
        ({**V2, "sys/fs/cgroup/pods/cpu.max": "300000 100000"}, (3, 64 * GIB)),
        ({**V2, "sys/fs/cgroup/cpu.max": "200000 100000", "sys/fs/cgroup/memory.max": f"{GIB}"}, (2, GIB)),
        (
            {**V2, "sys/fs/cgroup/pods/one/memory.max": "max", "sys/fs/cgroup/pods/memory.max": f"{2 * GIB}"},
            (8, 2 * GIB),
        ),
        ({**V2, "sys/fs/cgroup/unified/pods/one/memory.max": f"{2 * GIB}"}, (8, 2 * GIB)),
        (
            {
                **V1,
                "sys/fs/cgroup/cpu,cpuacct/docker/one/cpu.cfs_quota_us": "50000",
                "sys/fs/cgroup/cpu,cpuacct/docker/one/cpu.cfs_period_us": "100000",
                "sys/fs/cgroup/memory/docker/one/memory.limit_in_bytes": UNLIMITED_V1,
            },
            (0.5, 64 * GIB),
        ),
        (
            {
                **V1,
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{4 * GIB}",
            },
            (8, 4 * GIB),
        ),
    ],
    ids=[
        "nothing is limited",
        "v2 says max",
        "v2 quota",
        "v2 quota of a group above",
        "v2 in a namespace of its own",
        "v2 memory of a group above",
        "v2 beside v1",
        "v1, two controllers in one mount",
        "v1 in a container without a namespace",
    ],
)
def test_the_least_limit_counts(tree, files, expected):
    root = tree(**files)
    assert (cores(root), memory_bytes(root)) == expected


@pytest.mark.parametrize(
    ("memory", "quota", "expected"),
    [
        (64 * GIB, "max 100000", 8),
        (64 * GIB, "350000 100000", 3),
        (64 * GIB, "10000 100000", 1),
        (3 * GIB + PARENT_BYTES, "max 100000", 3),
        (3 * GIB + PARENT_BYTES - 1, "max 100000", 2),
    ],
)
def test_as_many_jobs_as_fit(tree, memory, quota, expected):
    root = tree(**V2, **{"sys/fs/cgroup/pods/one/cpu.max": quota, "sys/fs/cgroup/pods/one/memory.max": f"{memory}"})
    assert concurrency(None, GIB, root) == expected


def test_what_was_asked_for_goes_over_the_cores_but_not_over_the_memory(tree):
    root = tree(**V2, **{"sys/fs/cgroup/pods/one/memory.max": f"{20 * GIB + PARENT_BYTES}"})
    assert concurrency(20, GIB, root) == 20
    with pytest.raises(SettingError, match="21 jobs at once"):
        concurrency(21, GIB, root)


def test_a_worker_that_cannot_fit_one_child_refuses_to_start(tree):
    root = tree(**V2, **{"sys/fs/cgroup/pods/one/memory.max": f"{GIB}"})
    with pytest.raises(SettingError, match="THUMBNAILER_CHILD_MEMORY"):
        concurrency(None, GIB, root)


MIB = 1 << 20


@pytest.mark.parametrize(
    ("memory", "files", "expected"),
    [
        (1536 * MIB, Files(), 1),
        (1536 * MIB, Files(256 * MIB, 306 * MIB), 1),
        (1471 * MIB, Files(256 * MIB, 306 * MIB), None),
        (2496 * MIB, Files(256 * MIB, 306 * MIB), 2),
        (2048 * MIB, Files(1024 * MIB, 306 * MIB), 1),
    ],
    ids=["on a disk", "it fits", "it does not", "all jobs share it", "larger than a job can fill"],
)
def test_files_that_lie_in_memory_count(tree, memory, files, expected):
    root = tree(**V2, **{"sys/fs/cgroup/pods/one/memory.max": f"{memory}"})
    if expected:
        assert concurrency(None, GIB, root, files) == expected
    else:
        with pytest.raises(SettingError, match="256 MiB for their files, which THUMBNAILER_SCRATCH keeps in memory"):
            concurrency(None, GIB, root, files)


def test_a_folder_in_memory_is_told_from_one_on_a_disk(tmp_path):
    assert Files.of(Path("/dev/shm"), 5) == Files(shutil.disk_usage("/dev/shm").total, 5)
    assert Files.of(Path("/proc"), 5) == Files()


def test_this_machine_fits_something():
    assert concurrency(None, 1 << 20) >= 1
