"""client-go's lock: `<file>.lock`, created exclusively, there while a kubeconfig is written.

kubectl creates it empty with mode 000, fails at once where it exists, and never looks whether its
owner is alive. Ours says who made it, and is held open under an advisory lock as well, which the
operating system gives back when a process dies, however it dies. So a lock file of ours (an empty
one that may be written to counts as such) that can be locked belongs to nobody any more. Any other
one is stale only if this process itself has watched the same file for 15 s, far longer than
anybody's read and write takes.

Only who holds the advisory lock on a file removes it, and only after seeing that its path still
leads to that file: two processes that find the same leftover cannot remove each other's new locks.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import IO

from .. import interrupts
from ..advisory_lock import try_lock
from ..errors import KubeconfigError

STEP = "kubeconfig"
STALE_AFTER = 15.0
TIMEOUT = 60.0
_POLL = 0.02

FileId = tuple[int, int, int]


@contextmanager
def locked(paths: list[Path]) -> Iterator[None]:
    """Hold the locks of all paths (those without .lock), taken in sorted order.

    Raises KubeconfigError where one cannot be had within a minute or not be created.
    """
    with ExitStack() as stack:
        for path in sorted(set(paths)):
            stack.enter_context(_locked(path.with_name(path.name + ".lock")))
        yield


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    handle = _acquire(path)
    try:
        yield
    except BaseException:
        with suppress(OSError):  # what went wrong first is what counts
            _remove(path, handle)
        raise
    try:
        _remove(path, handle)
    except OSError as error:
        raise KubeconfigError(
            f"the kubeconfig is written, but its lock file {path} cannot be removed: "
            f"{error.strerror or error}",
            step=STEP,
            remedy="Remove it: kubectl does not write a kubeconfig while it is there.",
        ) from None


def _acquire(path: Path) -> IO[bytes]:
    deadline = time.monotonic() + TIMEOUT
    watched: FileId | None = None
    watched_since = 0.0
    while True:
        handle = _create(path)
        if handle is not None:
            return handle
        now = time.monotonic()
        if now > deadline:
            raise KubeconfigError(
                f"{path} is held by another process for over {TIMEOUT:.0f} s",
                step=STEP,
                remedy="Look which process writes this kubeconfig; if none does, remove the lock "
                "file.",
            )
        found = _file_id(path)
        if found != watched:
            watched, watched_since = found, now
        if found is not None and _is_stale(path, now - watched_since):
            _break(path, found)
            continue
        interrupts.pause(_POLL)


def _create(path: Path) -> IO[bytes] | None:
    """A new lock file, open and under the advisory lock; None where there is one already."""
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    except FileExistsError:
        return None
    except PermissionError as error:
        # Windows says this of a file that is just being removed.
        if os.name == "nt" and path.exists():
            return None
        raise _cannot_lock(path, error) from None
    except OSError as error:
        raise _cannot_lock(path, error) from None
    handle = os.fdopen(descriptor, "r+b", buffering=0)
    try:
        # Refused, or the file no longer there: somebody took it for a leftover and removes it.
        if _advisory_lock(handle) is not False and _file_id(path) == _handle_id(handle):
            started = datetime.now(timezone.utc).isoformat(timespec="seconds")
            handle.write(f"{socket.gethostname()} {os.getpid()} {started}\n".encode())
            return handle
    except OSError as error:
        _remove(path, handle)
        raise _cannot_lock(path, error) from None
    handle.close()
    return None


def _advisory_lock(handle: IO[bytes]) -> bool | None:
    """Whether this process holds the file's advisory lock now; None on file systems without."""
    try:
        return try_lock(handle)
    except OSError:
        return None


def _is_stale(path: Path, watched_for: float) -> bool:
    """Whether the lock at path is left over: made on this host and unlocked, or watched enough."""
    if watched_for >= STALE_AFTER:
        return True
    try:
        with open(path, "r+b", buffering=0) as handle:
            host = handle.read(256).partition(b" ")[0]
            # Who is killed while making it leaves it empty; kubectl's has no permissions, too.
            nameless = not host and os.fstat(handle.fileno()).st_mode & stat.S_IWUSR
            ours = nameless or host == socket.gethostname().encode()
            return bool(ours) and _advisory_lock(handle) is True
    except OSError:
        return False


def _break(path: Path, found: FileId) -> None:
    """Remove the leftover lock file found at path, unless it is another one by now."""
    try:
        if path.is_symlink():
            raise OSError(errno.ELOOP, "it is a symbolic link")
        os.chmod(path, 0o600)  # kubectl's has no permissions at all
        with open(path, "r+b", buffering=0) as handle:
            if _advisory_lock(handle) is False:
                time.sleep(_POLL)
            elif _file_id(path) == _handle_id(handle) == found:
                _unlink(path, handle)
    except FileNotFoundError:
        return
    except OSError as error:
        raise _cannot_lock(path, error) from None


def _remove(path: Path, handle: IO[bytes]) -> None:
    try:
        if _file_id(path) == _handle_id(handle):
            _unlink(path, handle)
    finally:
        handle.close()


def _unlink(path: Path, handle: IO[bytes]) -> None:
    if os.name == "nt":
        handle.close()  # Windows removes no open file
    path.unlink(missing_ok=True)


def _file_id(path: Path) -> FileId | None:
    try:
        return _id_of(os.lstat(path))
    except OSError:
        return None


def _handle_id(handle: IO[bytes]) -> FileId:
    return _id_of(os.fstat(handle.fileno()))


def _id_of(status: os.stat_result) -> FileId:
    # With the time, because the number of a removed file is soon another's.
    return status.st_dev, status.st_ino, status.st_mtime_ns


def _cannot_lock(path: Path, error: OSError) -> KubeconfigError:
    return KubeconfigError(
        f"the lock file {path} cannot be created: {error.strerror or error}",
        step=STEP,
        remedy="The directory has to be writable: give another file with --file.",
    )
