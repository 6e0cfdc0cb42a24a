"""Known attacks cost a bounded time and memory, for answers up to the largest that are read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import aks_noninteractive
from hostile.attacks import attacks
from hostile.measure import MEMORY_BOUND, TIME_BOUND
from hostile.targets import TARGETS

_PATHS = [Path(aks_noninteractive.__file__).parents[1], Path(__file__).parents[1]]


@pytest.mark.parametrize("target", TARGETS)
def test_no_attack_crashes_or_costs_more_than_the_bound(target: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hostile.measure", target],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, _PATHS))},
        capture_output=True,
        encoding="utf-8",
        timeout=600,
        check=False,
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["name"] for line in found] == list(attacks(target)), done.stderr
    assert {line["name"]: line["result"] for line in found if "crash" in line["result"]} == {}
    assert [line for line in found if line["seconds"] > TIME_BOUND] == []
    assert found[-1]["mib"] < MEMORY_BOUND
