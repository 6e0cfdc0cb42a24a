"""The operating system's lock on an open file, which it gives back when a process dies.

Not by portalocker: merely to be imported, that writes a file into the directory for temporary
files, and fails where the disk is full or there is no such directory.
"""

from __future__ import annotations

import sys
from typing import IO

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


def try_lock(file: IO[bytes]) -> bool:
    """Whether this process holds file's lock from now on, until it is closed.

    False where another open file has it. Raises OSError where there are no locks, as on some
    network file systems.
    """
    if sys.platform == "win32":
        # Windows keeps others from reading what is locked: so a byte far behind the content.
        position = file.tell()
        file.seek(1 << 30)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        finally:
            file.seek(position)
    else:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True
