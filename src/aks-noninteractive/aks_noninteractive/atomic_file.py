"""Replacing a file so that at any moment it is the old one or the new one, whole."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from pathlib import Path


def replace_file(
    path: Path, content: bytes, *, mode: int = 0o600, owner: os.stat_result | None = None
) -> None:
    """Put content in the place of path.

    mode: permissions of the new file. owner: the status of a file whose owner and group it gets;
    None for ours. The caller keeps others from writing the same path meanwhile: the new file's name
    is always the same, so that what a killed process left behind is found and removed here. Raises
    OSError; then path is as it was.
    """
    new = unfinished(path)
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if hasattr(os, "fchmod"):
                if owner is not None:
                    _give_to(file.fileno(), owner)
                os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _rename(new, path)
    except BaseException:
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)
        raise
    with contextlib.suppress(OSError):  # the file is replaced; its directory may not be readable
        _sync_directory(path.parent)


def unfinished(path: Path) -> Path:
    """The file that path is written to before it is replaced; left over if the writer is killed."""
    return path.with_name(f".{path.name}.aks-noninteractive.new")


def make_private_directory(directory: Path) -> None:
    """directory and what it lacks above it, each new one for us alone (0700). Raises OSError."""
    missing = []
    while not directory.exists():
        missing.append(directory)
        directory = directory.parent
    for new in reversed(missing):
        new.mkdir(mode=0o700, exist_ok=True)


def is_ours_alone(path: Path) -> bool:
    """Whether path is a regular file or directory of ours that nobody else can read or write."""
    status = os.lstat(path)
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        return False
    return os.name == "nt" or (status.st_uid == os.geteuid() and not status.st_mode & 0o77)


def _rename(new: Path, path: Path) -> None:
    if os.name == "nt":
        # Who reads path just now keeps Windows from replacing it.
        for pause in (0.02, 0.05, 0.1, 0.2, 0.5):
            try:
                return os.replace(new, path)
            except PermissionError:
                time.sleep(pause)
    os.replace(new, path)


def _give_to(descriptor: int, owner: os.stat_result) -> None:
    new = os.fstat(descriptor)
    if (new.st_uid, new.st_gid) != (owner.st_uid, owner.st_gid):
        try:
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
        except PermissionError:
            # Another's file that we may replace: its owner would lose it to us.
            if new.st_uid != owner.st_uid:
                raise


def _sync_directory(directory: Path) -> None:
    if os.name == "nt":
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
