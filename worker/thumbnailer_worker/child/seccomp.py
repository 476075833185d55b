"""The system calls that are left to the child: what decoding needs once all is loaded, and nothing else.

A list of what is allowed, since a kernel's next call is then denied too. Left out, with reason: sockets, fork and
exec, ptrace and process_vm_*, kill, keys, mounts, namespaces, io_uring, bpf, perf, userfaultfd; links and folders,
which would trouble the parent's emptying; memfd and shared memory, which no limit counts.

What is not on the list fails with ENOSYS, as on a kernel that never had it, so that libraries fall back (clone3 to
clone, say). Numbers are from asm/unistd_64.h (x86_64) and asm-generic/unistd.h (aarch64), "-" where there is none.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

_LISTS = """
    files, bounded by Landlock
        read 0 63, write 1 64, pread64 17 67, pwrite64 18 68, readv 19 65, writev 20 66, lseek 8 62, close 3 57
        open 2 -, openat 257 56, stat 4 -, lstat 6 -, fstat 5 80, newfstatat 262 79, statx 332 291, access 21 -
        faccessat 269 48, faccessat2 439 439, readlink 89 -, readlinkat 267 78, getcwd 79 17, getdents64 217 61
        truncate 76 45, ftruncate 77 46, fallocate 285 47, fadvise64 221 223, fsync 74 82, fdatasync 75 83
        unlink 87 -, unlinkat 263 35, rename 82 -, renameat 264 38, renameat2 316 276
        dup 32 23, dup2 33 -, dup3 292 24, close_range 436 436, poll 7 -, ppoll 271 73, select 23 -, pselect6 270 72
    memory
        munmap 11 215, mremap 25 216, madvise 28 233, brk 12 214
    threads and signals of its own
        exit 60 93, exit_group 231 94, futex 202 98, set_robust_list 273 99, rseq 334 293, set_tid_address 218 96
        membarrier 324 283, gettid 186 178, getpid 39 172, getppid 110 173, restart_syscall 219 128
        rt_sigaction 13 134, rt_sigprocmask 14 135, rt_sigreturn 15 139, sigaltstack 131 132
        sched_yield 24 124, sched_getaffinity 204 123, sched_getparam 143 121, sched_getscheduler 145 120
        sched_get_priority_max 146 125, sched_get_priority_min 147 126, getcpu 309 168
    clocks and counts
        clock_gettime 228 113, clock_getres 229 114, clock_nanosleep 230 115, nanosleep 35 101, gettimeofday 96 169
        time 201 -, times 100 153, getrusage 98 165, getrlimit 97 163, sysinfo 99 179, uname 63 160, getrandom 318 278
        getuid 102 174, geteuid 107 175, getgid 104 176, getegid 108 177
    with these arguments only
        mmap 9 222, mprotect 10 226, clone 56 220, tgkill 234 131, prlimit64 302 261, fcntl 72 25, ioctl 16 29
        prctl 157 167
"""
_ARCHITECTURES = {"x86_64": (1, 0xC000003E), "aarch64": (2, 0xC00000B7)}
"""The column of the list, and the AUDIT_ARCH of linux/audit.h."""

_ALLOW, _KILL_PROCESS, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_LOAD, _AND, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x54, 0x15, 0x45, 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16

_PROT_EXEC = 0x4
_SHARED_AND_ANONYMOUS = 0x21
_CLONE_THREAD = 0x10000
_FCNTL_ON_DESCRIPTORS = (0, 1, 2, 3, 4, 1030)
"""F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC; not F_SETOWN and F_SETSIG, which signal others."""
_TCGETS, _FIOCLEX = 0x5401, 0x5451
_PR_SET_NAME = 15
_PR_SET_SECCOMP, _MODE_FILTER = 22, 2


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def only_needed_calls() -> None:
    """Install the filter, for good. Needs PR_SET_NO_NEW_PRIVS. Raises OSError where it cannot be had."""
    machine = os.uname().machine
    if machine not in _ARCHITECTURES:
        raise OSError(errno.ENOSYS, f"no list of system calls for {machine}")
    code = program(machine, os.getpid())
    libc = ctypes.CDLL(None, use_errno=True)
    handed = _Program(len(code) // 8, code)
    if libc.prctl(_PR_SET_SECCOMP, ctypes.c_ulong(_MODE_FILTER), ctypes.byref(handed)) == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def program(machine: str, pid: int) -> bytes:
    """The filter in classic BPF, as linux/filter.h has it: 8 bytes an instruction."""
    column, architecture = _ARCHITECTURES[machine]
    numbers = _numbers(column)
    bounded = {
        "mmap": _without(2, _PROT_EXEC) + _not_all(3, _SHARED_AND_ANONYMOUS),
        "mprotect": _without(2, _PROT_EXEC),
        "clone": _with(0, _CLONE_THREAD),
        "tgkill": _one_of(0, pid),
        "prlimit64": _one_of(0, 0),
        "fcntl": _one_of(1, *_FCNTL_ON_DESCRIPTORS),
        "ioctl": _one_of(1, _TCGETS, _FIOCLEX),
        "prctl": _one_of(0, _PR_SET_NAME),
    }
    code = _instruction(_LOAD, _ARCHITECTURE_AT) + _instruction(_EQUAL, architecture, 1, 0) + _answer(_KILL_PROCESS)
    code += _instruction(_LOAD, _NUMBER_AT)
    for name, number in numbers.items():
        tests = bounded.get(name, b"") + _answer(_ALLOW)
        code += _instruction(_EQUAL, number, 0, len(tests) // 8) + tests
    return code + _answer(_ERRNO | errno.ENOSYS)


def _numbers(column: int) -> dict[str, int]:
    calls = [call.split() for line in _LISTS.splitlines() if line.startswith(" " * 8) for call in line.split(",")]
    return {call[0]: int(call[column]) for call in calls if call[column] != "-"}


def _one_of(argument: int, *values: int) -> bytes:
    tests = (_instruction(_EQUAL, value, len(values) - n, 0) for n, value in enumerate(values))
    return _load(argument) + b"".join(tests) + _deny()


def _with(argument: int, bits: int) -> bytes:
    return _load(argument) + _instruction(_ANY_BIT, bits, 1, 0) + _deny()


def _without(argument: int, bits: int) -> bytes:
    return _load(argument) + _instruction(_ANY_BIT, bits, 0, 1) + _deny()


def _not_all(argument: int, bits: int) -> bytes:
    return _load(argument) + _instruction(_AND, bits) + _instruction(_EQUAL, bits, 0, 1) + _deny()


def _load(argument: int) -> bytes:
    """The lower half of an argument: all that the kernel looks at in those that are tested here."""
    return _instruction(_LOAD, _ARGUMENTS_AT + 8 * argument)


def _deny() -> bytes:
    return _answer(_ERRNO | errno.EPERM)


def _answer(action: int) -> bytes:
    return _instruction(_RETURN, action)


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
