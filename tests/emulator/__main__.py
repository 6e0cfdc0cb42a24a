"""Runs the emulated Azure until standard input closes or a signal comes."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import threading
from pathlib import Path

from . import summary
from .azure import Emulator


def main() -> int:
    """Parse the command line, serve, return the exit status."""
    parser = argparse.ArgumentParser(prog="emulator", description=__doc__)
    parser.add_argument(
        "--directory", type=Path, required=True, help="where ca.pem and emulator.json are written"
    )
    parser.add_argument(
        "--latency",
        type=float,
        default=0.0,
        help="seconds that each request takes longer, those to API servers apart",
    )
    arguments = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with Emulator(arguments.directory) as azure:
        azure.latency = arguments.latency
        path = summary.write(azure, arguments.directory)
        print(f"Emulated Azure is ready: {path}", flush=True)
        threading.Thread(target=_until_input_ends, args=(ended,), daemon=True).start()
        ended.wait()
    return 0


def _until_input_ends(ended: threading.Event) -> None:
    with contextlib.suppress(OSError, ValueError):
        while os.read(sys.stdin.fileno(), 4096):
            pass
    ended.set()


if __name__ == "__main__":
    sys.exit(main())
