"""What the child gives up before its first job: a visible list, each step for itself.

A step that this kernel or container does not have is told to the parent, which logs it: the others still hold.
Constants are from linux/prctl.h, linux/capability.h and linux/landlock.h. Landlock's three system calls have the same
numbers on every architecture.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from pathlib import Path

from thumbnailer_worker.child import seccomp

_libc = ctypes.CDLL(None, use_errno=True)

PR_SET_DUMPABLE = 4
PR_SET_NO_NEW_PRIVS = 38
_CAPABILITY_VERSION_3 = 0x20080522

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_CREATE_RULESET_VERSION = 1
_RULE_PATH_BENEATH = 1
_ALL_FILES = {1: 13, 2: 14, 3: 15, 5: 16}
"""How many of the rights on files each ABI knows: they are the lowest bits."""
_CONNECT_AND_BIND_TCP = 0b11
_ABSTRACT_SOCKETS_AND_SIGNALS = 0b11
_WRITE_FILE, _READ_FILE, _READ_DIR, _REMOVE_FILE, _MAKE_REG, _TRUNCATE = (1 << n for n in (1, 2, 3, 5, 8, 14))
_IN_SCRATCH = _WRITE_FILE | _READ_FILE | _READ_DIR | _REMOVE_FILE | _MAKE_REG | _TRUNCATE


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def confine(scratch: Path) -> list[str]:
    """Give it all up, for good; gives what could not be, such as "Landlock: Function not implemented"."""
    steps: tuple[tuple[str, Callable[[], None]], ...] = (
        ("out-of-memory score", be_killed_first),
        ("not dumpable", hide),
        ("no new privileges", no_new_privileges),
        ("no capabilities", drop_capabilities),
        ("Landlock", lambda: only_files_in(scratch)),
        ("seccomp", seccomp.only_needed_calls),
    )
    if len(list(Path("/proc/self/task").iterdir())) > 1:
        raise RuntimeError("a thread was started before: Landlock and seccomp would not bind it")
    lacks = []
    for name, step in steps:
        try:
            step()
        except OSError as error:
            lacks.append(f"{name}: {error.strerror}")
    return lacks


def be_killed_first() -> None:
    """Where memory runs out, the kernel takes this child and not the worker that holds the jobs."""
    Path("/proc/self/oom_score_adj").write_text("1000", "ascii")


def hide() -> None:
    """Close this process's memory, environment and descriptors in /proc to its user's other processes, and ptrace."""
    _prctl(PR_SET_DUMPABLE, 0)


def no_new_privileges() -> None:
    _prctl(PR_SET_NO_NEW_PRIVS, 1)


def drop_capabilities() -> None:
    """A worker that runs as root has a child that may do no more than anybody else."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    _checked(_libc.capset(header, (ctypes.c_uint32 * 6)()))


def only_files_in(scratch: Path) -> None:
    """Read, write, make and remove plain files in `scratch`; no other file, no TCP, no signal to anybody outside.

    What an older ABI does not know is left out (linux/Documentation/userspace-api/landlock.rst, "Compatibility").
    """
    abi = _checked(_libc.syscall(_CREATE_RULESET, None, 0, _CREATE_RULESET_VERSION))
    files = (1 << max(count for since, count in _ALL_FILES.items() if since <= abi)) - 1
    ruleset = _Ruleset(
        files, _CONNECT_AND_BIND_TCP if abi >= 4 else 0, _ABSTRACT_SOCKETS_AND_SIGNALS if abi >= 6 else 0
    )
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    rules = _checked(_libc.syscall(_CREATE_RULESET, ctypes.byref(ruleset), ctypes.c_size_t(size), 0))
    folder = os.open(scratch, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        beneath = _PathBeneath(_IN_SCRATCH & files, folder)
        _checked(_libc.syscall(_ADD_RULE, rules, _RULE_PATH_BENEATH, ctypes.byref(beneath), 0))
        _checked(_libc.syscall(_RESTRICT_SELF, rules, 0))
    finally:
        os.close(folder)
        os.close(rules)


def _prctl(what: int, value: int) -> None:
    _checked(_libc.prctl(what, *map(ctypes.c_ulong, (value, 0, 0, 0))))


def _checked(result: int) -> int:
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
