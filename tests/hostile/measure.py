"""Feed every attack on one target to it, in a process of its own: python -m hostile.measure TARGET.

Prints a line of JSON for each: its name, what became of it, seconds, and the process's growth in
MiB over what it was before. RLIMIT_AS makes more memory than the bound an error of the process.
"""

from __future__ import annotations

import json
import sys
import time
import traceback
from pathlib import Path

from hostile.attacks import attacks
from hostile.targets import feed

# What any answer, up to 4 MiB, may cost: above what the process has before.
MEMORY_BOUND = 768  # MiB
TIME_BOUND = 60.0  # seconds, on a slow machine


def peak() -> float:
    """The most memory that this process had so far, in MiB; 0 where that is not told."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 0.0
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def limit_memory() -> None:
    """Let the system refuse what goes far beyond the bound."""
    try:
        import resource

        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        most = used + (MEMORY_BOUND + 64) * 1024 * 1024
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    except (ImportError, OSError, ValueError):
        return  # measured only, or not at all


def main(target: str) -> None:
    limit_memory()
    before = peak()
    for name, attack in attacks(target).items():
        data = attack()
        began = time.perf_counter()
        try:
            refusal = feed(target, data)
            result = "refused" if refusal else "accepted"
        except BaseException:
            result = "crash: " + traceback.format_exc(limit=-4)[-1500:]
        seconds = time.perf_counter() - began
        line = {"name": name, "result": result, "seconds": seconds, "mib": peak() - before}
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
