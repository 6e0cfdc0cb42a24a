"""Death at any moment: whatever fails or kills, a file is the old one or the new one, whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import aks_noninteractive
from unit.faults import tracer
from unit.faults.scenarios import SCENARIOS, TORN

pytestmark = pytest.mark.skipif(not tracer.SUPPORTED, reason="ptrace is used as on Linux on x86-64")


@pytest.fixture
def folder() -> Iterator[Path]:
    """In memory where there is such a place: a disk takes its time for each fsync."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="aks-noninteractive-faults-", dir=memory) as name:
        yield Path(name)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_fault_at_every_call_leaves_the_old_or_the_new(
    scenario: str, folder: Path, record_property: Callable[[str, object], None]
) -> None:
    source, tests = Path(aks_noninteractive.__file__).parents[1], Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-m", "unit.faults.scenarios", str(folder), scenario],
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(source), str(tests)))},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    trials = [json.loads(line) for line in done.stdout.splitlines()]

    counts: Counter[str] = Counter()
    for trial in trials:
        states = set(trial["files"].values())
        assert TORN not in states, trial
        assert trial["end"] in ("done", "error", "killed"), trial
        if trial["end"] == "done":
            assert "old" not in states, trial
        assert (trial["exposed"], trial["next"], trial["stray"]) == ([], "done", []), trial
        assert trial["complete"], trial
        states.discard("old/new")
        counts[f"{trial['end']}: {' and '.join(sorted(states))}"] += 1
    # Files of one file's change have been seen in both states, else the faults came too early.
    assert {"killed: old", "killed: new", "error: old"} <= counts.keys(), counts
    calls = len({trial["call"] for trial in trials})
    totals = ", ".join(f"{what} {count}" for what, count in sorted(counts.items()))
    record_property(
        "figures", f"{scenario}: {calls} calls, {len(trials)} faults ({totals}); 0 torn"
    )
