"""Ctrl-C ends a process of ours at once, but never in the middle of a kubeconfig's change.

Python would raise KeyboardInterrupt wherever the main thread is: in an import, where it ends in a
traceback; in a callback, where it is lost; and not before a name lookup has ended. So the programs
leave it to the system: any file here may lose its writer at any moment. Only a lock file in
kubectl's way must not stay behind. The same holds for SIGTERM, by which a pipeline is cancelled.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_due: list[int] = []


@contextmanager
def deferred() -> Iterator[None]:
    """Within, Ctrl-C and SIGTERM take effect in pause(), or at the end."""
    before = {}
    with suppress(ValueError):  # not in the main thread, where they would be handled
        for number in (signal.SIGINT, signal.SIGTERM):
            handler = signal.getsignal(number)
            if handler not in (signal.SIG_IGN, None):
                before[number] = handler
                signal.signal(number, lambda number, _: _due.append(number))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if _due:
            first = _due[0]
            _due.clear()
            signal.raise_signal(first)


def pause(seconds: float) -> None:
    """Sleep. Raises KeyboardInterrupt where one of them has been deferred."""
    if not _due:
        time.sleep(seconds)
    if _due:
        raise KeyboardInterrupt
