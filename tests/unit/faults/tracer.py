"""Stops a process at each of its system calls on files, and lets one fail or be the last.

By ptrace, so the process runs as it is, its libraries too: a call that fails is not done at all and
returns the error that the kernel would, and a killed process gets no chance to clear up. Linux on
x86-64 alone: registers are read and written.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SUPPORTED = sys.platform == "linux" and platform.machine() == "x86_64"

# Which argument of a call names its file: a path, a descriptor, or a path at a descriptor.
_PATH, _DESCRIPTOR, _PATH_AT = "path", "descriptor", "path at"
_CALLS = {
    0: ("read", _DESCRIPTOR),
    1: ("write", _DESCRIPTOR),
    2: ("open", _PATH),
    3: ("close", _DESCRIPTOR),
    4: ("stat", _PATH),
    5: ("fstat", _DESCRIPTOR),
    6: ("lstat", _PATH),
    8: ("lseek", _DESCRIPTOR),
    72: ("fcntl", _DESCRIPTOR),
    73: ("flock", _DESCRIPTOR),
    74: ("fsync", _DESCRIPTOR),
    75: ("fdatasync", _DESCRIPTOR),
    77: ("ftruncate", _DESCRIPTOR),
    82: ("rename", _PATH),
    83: ("mkdir", _PATH),
    87: ("unlink", _PATH),
    89: ("readlink", _PATH),
    90: ("chmod", _PATH),
    91: ("fchmod", _DESCRIPTOR),
    92: ("chown", _PATH),
    93: ("fchown", _DESCRIPTOR),
    217: ("getdents", _DESCRIPTOR),
    257: ("openat", _PATH_AT),
    258: ("mkdirat", _PATH_AT),
    262: ("fstatat", _PATH_AT),
    263: ("unlinkat", _PATH_AT),
    264: ("renameat", _PATH_AT),
    267: ("readlinkat", _PATH_AT),
    268: ("fchmodat", _PATH_AT),
    316: ("renameat2", _PATH_AT),
    332: ("statx", _PATH_AT),
}
CHANGING = frozenset(
    (
        *("write", "open", "openat", "fsync", "fdatasync", "ftruncate", "close"),
        *("rename", "renameat", "renameat2", "mkdir", "mkdirat", "unlink", "unlinkat"),
        *("chmod", "fchmod", "fchmodat", "chown", "fchown"),
    )
)

_TRACEME, _CONTINUE_TO_CALL, _POKE_USER, _SET_OPTIONS, _GET_CALL = 0, 24, 6, 0x4200, 0x420E
_EXIT_WITH_TRACER, _MARK_CALLS = 0x100000, 1
_ENTRY = 1
# Offsets in `struct user` of sys/user.h.
_RAX, _ORIG_RAX = 10 * 8, 15 * 8


class _CallInfo(ctypes.Structure):
    """struct ptrace_syscall_info of linux/ptrace.h."""

    _fields_ = [
        ("op", ctypes.c_uint8),
        ("_", ctypes.c_uint8 * 3),
        ("arch", ctypes.c_uint32),
        ("instruction_pointer", ctypes.c_uint64),
        ("stack_pointer", ctypes.c_uint64),
        ("number", ctypes.c_uint64),
        ("arguments", ctypes.c_uint64 * 6),
        ("data", ctypes.c_uint64),
    ]


@dataclass(frozen=True)
class Fault:
    """What happens at the n-th call (from 0): SIGKILL in its place, or it fails with an error.

    error: an errno, None to kill. lasting: all calls from there on that change files fail.
    """

    at: int
    error: int | None = None
    lasting: bool = False

    def __str__(self) -> str:
        if self.error is None:
            return "SIGKILL"
        return errno.errorcode[self.error] + (" from there on" if self.lasting else "")

    def hits(self, index: int, name: str) -> bool:
        """Whether it befalls the call of this index and name."""
        if self.error is not None and self.lasting:
            return index >= self.at and name in CHANGING
        return index == self.at


@dataclass(frozen=True)
class Outcome:
    """The calls that were begun, as (name, file), and how the process ended (as in wait)."""

    calls: tuple[tuple[str, str], ...]
    exit_code: int


def run(action: Callable[[], int], folder: Path, fault: Fault | None = None) -> Outcome:
    """Run action in a forked process; of its calls, those on files in folder count.

    action gives the process's exit code.
    """
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            _ptrace(_TRACEME, 0, 0, 0)
            signal.raise_signal(signal.SIGSTOP)
            code = action()
        finally:
            os._exit(code)
    os.waitpid(pid, 0)
    _ptrace(_SET_OPTIONS, pid, 0, _MARK_CALLS | _EXIT_WITH_TRACER)
    calls: list[tuple[str, str]] = []
    failing: int | None = None
    deliver = 0
    while True:
        _ptrace(_CONTINUE_TO_CALL, pid, 0, deliver)
        deliver = 0
        _, status = os.waitpid(pid, 0)
        if not os.WIFSTOPPED(status):
            return Outcome(tuple(calls), os.waitstatus_to_exitcode(status))
        if os.WSTOPSIG(status) != signal.SIGTRAP | 0x80:
            deliver = os.WSTOPSIG(status)
            continue
        info = _CallInfo()
        _ptrace(_GET_CALL, pid, ctypes.sizeof(info), ctypes.addressof(info))
        if info.op != _ENTRY:
            if failing is not None:
                _ptrace(_POKE_USER, pid, _RAX, -failing)
                failing = None
            continue
        name, file = _describe(pid, info)
        if not file.startswith(f"{folder}/"):
            continue
        calls.append((name, os.path.relpath(file, folder)))
        if fault is None or not fault.hits(len(calls) - 1, name):
            continue
        if fault.error is None:
            os.kill(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
            return Outcome(tuple(calls), os.waitstatus_to_exitcode(status))
        failing = fault.error
        _ptrace(_POKE_USER, pid, _ORIG_RAX, -1)


def _describe(pid: int, info: _CallInfo) -> tuple[str, str]:
    """The name of a call and its file's absolute path, both "" for a call on no file."""
    if info.number not in _CALLS:
        return "", ""
    name, kind = _CALLS[info.number]
    try:
        if kind == _DESCRIPTOR:
            return name, os.readlink(f"/proc/{pid}/fd/{info.arguments[0]}")
        path = _string(pid, info.arguments[0 if kind == _PATH else 1])
        if kind == _PATH_AT and not path:
            return name, os.readlink(f"/proc/{pid}/fd/{info.arguments[0]}")
        return name, path
    except OSError:  # a descriptor that is not open, a file without a name
        return name, ""


def _string(pid: int, address: int) -> str:
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        memory.seek(address)
        return memory.read(4096).partition(b"\0")[0].decode(errors="replace")


def _ptrace(request: int, pid: int, address: int, data: int) -> None:
    if _libc.ptrace(request, pid, address, data) == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"ptrace({request:#x}): {os.strerror(number)}")


if SUPPORTED:
    _libc = ctypes.CDLL(None, use_errno=True)
    _libc.ptrace.restype = ctypes.c_long
    _libc.ptrace.argtypes = [ctypes.c_long] * 4
