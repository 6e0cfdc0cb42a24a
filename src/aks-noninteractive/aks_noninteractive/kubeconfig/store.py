"""The kubeconfig file: found as kubectl finds it, read and replaced whole, under the lock."""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .. import interrupts
from ..atomic_file import make_private_directory, replace_file
from ..environment import KUBECONFIG
from ..errors import KubeconfigError
from .document import DocumentError, dump, load
from .lock import locked

STEP = "kubeconfig"
_REREADS = 5
_REREAD_PAUSE = 0.05
_MAX_LINKS = 40


def kubeconfig_path(file: str | None, environ: Mapping[str, str]) -> Path:
    """The file to write: file, else the first entry of KUBECONFIG, else ~/.kube/config."""
    entries = environ.get(KUBECONFIG, "").split(os.pathsep)
    path = file or next(filter(None, entries), "~/.kube/config")
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise KubeconfigError(f"{path} cannot be found: {error}", step=STEP) from None


def update(
    path: Path, change: Callable[[dict[str, Any]], dict[str, Any]], *, gets_secret: bool
) -> None:
    """Replace the kubeconfig at path by what change makes of it, {} where there is none.

    The file is the old one or the new one at any moment, and its owner stays. A new one has mode
    0600; gets_secret takes everybody else's permissions from one that is there.
    Raises KubeconfigError, and what change raises; then the file is as it was.
    """
    try:
        given = _absolute(path)
        target = _resolve(given)
        for directory in (given.parent, target.parent):
            make_private_directory(directory)
        with interrupts.deferred(), locked([given, target]):
            document = read(target)
            _replace(target, dump(change(document)), gets_secret)
    except OSError as error:
        raise KubeconfigError(
            f"{path} cannot be written: {error.strerror or error}",
            step=STEP,
            remedy="Look at the owner and the permissions of the file and its directory, or give "
            "another file with --file.",
        ) from None
    except (DocumentError, ValueError, RuntimeError) as error:  # a path with a NUL or a loop, too
        raise KubeconfigError(f"{path} cannot be written: {error}", step=STEP) from None


def _absolute(path: Path) -> Path:
    """path with its directory resolved, so that one file has one name (its last link is kept)."""
    return path.parent.resolve() / path.name


def _resolve(path: Path) -> Path:
    """The file that path leads to; a link that is neither ours nor root's is refused.

    Raises OSError too.
    """
    for _ in range(_MAX_LINKS):
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            return path
        if not stat.S_ISLNK(status.st_mode):
            if not stat.S_ISREG(status.st_mode):
                raise KubeconfigError(
                    f"{path} is not a regular file",
                    step=STEP,
                    remedy="Give a file with --file, or - for standard output.",
                )
            return path
        if hasattr(os, "geteuid") and status.st_uid not in (0, os.geteuid()):
            raise KubeconfigError(
                f"{path} is a symbolic link of another user, which is not followed",
                step=STEP,
                remedy="Give the real file with --file.",
            )
        path = _absolute(path.parent / os.readlink(path))
    raise KubeconfigError(f"{path} is a loop of symbolic links", step=STEP)


def read(path: Path) -> dict[str, Any]:
    """The kubeconfig at path, {} where there is none; KubeconfigError for what is none.

    kubectl truncates in place, so what is empty or malformed is read again.
    """
    for attempt in range(_REREADS):
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return {}
        last = attempt + 1 == _REREADS
        try:
            if content or last:
                return load(content)
        except DocumentError as error:
            problem = error
        if not last:
            time.sleep(_REREAD_PAUSE)
    raise KubeconfigError(
        f"{path} is not a kubeconfig: {problem}",
        step=STEP,
        remedy="Mend or move the file, or give another one with --file.",
    )


def _replace(path: Path, text: str, gets_secret: bool) -> None:
    try:
        old = path.stat()
    except FileNotFoundError:
        replace_file(path, text.encode("utf-8"))
        return
    mode = stat.S_IMODE(old.st_mode)
    if not mode & stat.S_IWUSR:
        raise PermissionError(errno.EACCES, "its owner made it read-only")
    if gets_secret:
        mode &= 0o600
    replace_file(path, text.encode("utf-8"), mode=mode, owner=old)
