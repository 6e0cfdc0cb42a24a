"""The emulator's time: real time plus an offset that a test moves."""

from __future__ import annotations

import time
from datetime import datetime, timezone


class Clock:
    """What every server of the emulator asks for the time."""

    def __init__(self) -> None:
        self._offset = 0.0

    def now(self) -> float:
        """Seconds since the epoch, as the servers see it."""
        return time.time() + self._offset

    def advance(self, seconds: float) -> None:
        """Move the servers' time forward by this many seconds (or back, if negative)."""
        self._offset += seconds

    def reset(self) -> None:
        """Set the servers' time to the real time again."""
        self._offset = 0.0


def iso(seconds: float) -> str:
    """An instant as XML and JSON write it: UTC, milliseconds, a trailing Z."""
    text = datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
