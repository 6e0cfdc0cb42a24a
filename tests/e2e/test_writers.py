"""Many writers of one kubeconfig at once: none of ours fails, and none loses another's entry."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import aks_noninteractive
from aks_noninteractive.kubeconfig.document import DocumentError, load
from e2e import clients
from e2e.conftest import Door
from emulator import Emulator
from emulator import population as who
from emulator.arm.skeleton import kubeconfig as skeleton_of

WRITERS, KUBECTLS, ROUNDS = 50, 20, 20
OLD = [f"old-{number}" for number in range(5)]

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the writers are forked")

Record = Callable[[str, object], None]


def contexts(content: bytes) -> set[str]:
    return {entry["name"] for entry in load(content).get("contexts") or []}


class Reader:
    """Reads a kubeconfig again and again, and counts in which state it was."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stop = threading.Event()
        self.seen: Counter[str] = Counter()

    def __enter__(self) -> Reader:
        self._thread = threading.Thread(target=self._read)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _read(self) -> None:
        known: set[str] = set()
        while not self._stop.is_set():
            try:
                found = contexts(self._path.read_bytes())
            except DocumentError:
                self.seen["malformed"] += 1
                continue
            self.seen["empty" if not found else "shrunk" if known - found else "whole"] += 1
            known = found


@pytest.fixture
def skeleton(azure: Emulator, tmp_path: Path) -> Path:
    """A cluster that takes a client certificate, so that no request is made for it."""
    path = tmp_path / "skeleton"
    path.touch(0o600)
    path.write_text(skeleton_of(azure.clusters["aks-local"], None), encoding="utf-8")
    return path


@contextlib.contextmanager
def writers_at_once(
    config: Path, skeleton: Path, environment: dict[str, str]
) -> Iterator[list[int]]:
    """Start all writers as the body begins; their exit codes are there when it has ended."""
    source, tests = Path(aks_noninteractive.__file__).parents[1], Path(__file__).parents[1]
    paths = os.pathsep.join((str(source), str(tests)))
    identity = ("--username", who.MANAGED, "--tenant", "organizations")
    words = ("--skeleton", str(skeleton), *identity, "--context", "ours-{}")
    codes: list[int] = []
    with subprocess.Popen(
        [sys.executable, "-m", "e2e.writers", str(WRITERS), *words],
        env={**environment, "PYTHONPATH": paths, "KUBECONFIG": str(config), "AZURE_PASSWORD": "-"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as forking:
        assert forking.stdin and forking.stdout
        assert forking.stdout.readline() == b"ready\n"
        forking.stdin.close()
        yield codes
        codes += json.loads(forking.stdout.read())


def set_context(config: Path, name: str, environment: dict[str, str]) -> int:
    return subprocess.run(
        [clients.kubectl(), "--kubeconfig", config, "config", "set-context", name, "--user", "x"],
        env=environment,
        capture_output=True,
        check=False,
        timeout=60,
    ).returncode


@pytest.fixture
def config(tmp_path: Path, environment: dict[str, str]) -> Path:
    """A kubeconfig with a few entries of kubectl's."""
    path = tmp_path / "config"
    for name in OLD:
        assert set_context(path, name, environment) == 0
    return path


def test_fifty_at_once_all_succeed_and_lose_nothing(
    config: Path, skeleton: Path, environment: dict[str, str], record_property: Record
) -> None:
    before = config.read_bytes()
    seen: Counter[str] = Counter()
    for _ in range(ROUNDS):
        config.write_bytes(before)
        with Reader(config) as reader, writers_at_once(config, skeleton, environment) as codes:
            pass
        assert codes == [0] * WRITERS
        assert contexts(config.read_bytes()) == {*OLD, *(f"ours-{n}" for n in range(WRITERS))}
        seen += reader.seen
    assert set(seen) == {"whole"}
    record_property(
        "figures",
        f"{WRITERS} of ours at once, {ROUNDS} rounds: {WRITERS * ROUNDS} succeeded, no entry lost, "
        f"{seen['whole']} reads, none malformed",
    )
    assert sorted(p.name for p in config.parent.iterdir()) == ["config", "home", "skeleton"]


def test_fifty_at_once_with_kubectl_among_them_never_fail(
    config: Path, skeleton: Path, environment: dict[str, str], record_property: Record
) -> None:
    before = config.read_bytes()
    total: Counter[str] = Counter()
    with ThreadPoolExecutor(KUBECTLS) as pool:
        for _ in range(ROUNDS):
            config.write_bytes(before)
            names = [f"kubectl-{number}" for number in range(KUBECTLS)]
            with Reader(config) as reader, writers_at_once(config, skeleton, environment) as codes:
                ends = list(pool.map(lambda n: set_context(config, n, environment), names))
            assert codes == [0] * WRITERS
            left = contexts(config.read_bytes())
            written = {name for name, code in zip(names, ends, strict=True) if code == 0}
            total += reader.seen
            lost = set(OLD) - left
            # A kubectl that reads what another has just truncated deletes all it did not see.
            assert not lost or len(written) > 1
            total["old lost"] += len(lost)
            total["ours dropped"] += len({f"ours-{n}" for n in range(WRITERS)} - left)
            total["kubectl failed"] += KUBECTLS - len(written)
            total["its own dropped"] += len(written - left)
    reads = sum(total[state] for state in ("whole", "shrunk", "empty", "malformed"))
    record_property(
        "figures",
        f"the same with {KUBECTLS} kubectl: {WRITERS * ROUNDS} of ours succeeded, "
        f"kubectl dropped {total['old lost']} of what was there before, "
        f"{total['ours dropped']} of ours and {total['its own dropped']} of its own, and failed "
        f"{total['kubectl failed']} of {KUBECTLS * ROUNDS} times; {reads} reads, of which "
        f"{total['malformed']} malformed, {total['empty']} empty, {total['shrunk']} with less",
    )


def test_fifty_logins_at_once_all_get_their_context(azaksauth: Door, azure: Emulator) -> None:
    def log_in(number: int) -> int:
        return azaksauth("aks-exec", "--context", f"c-{number}", username=who.MANAGED).code

    with ThreadPoolExecutor(WRITERS) as pool:
        codes = list(pool.map(log_in, range(WRITERS)))

    assert codes == [0] * WRITERS
    left = contexts(azaksauth.kubeconfig.read_bytes())
    assert left == {f"c-{number}" for number in range(WRITERS)}
