"""Who may write: one process at a time, kubectl's included, and never a dead one for long."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from aks_noninteractive.errors import KubeconfigError
from aks_noninteractive.kubeconfig import lock
from aks_noninteractive.kubeconfig.lock import locked
from unit.kubeconfig import processes

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX permissions and signals")

HOLD = """\
with locked([path]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "config"


@pytest.fixture
def lock_file(tmp_path: Path) -> Path:
    return tmp_path / "config.lock"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "STALE_AFTER", 0.5)
    monkeypatch.setattr(lock, "TIMEOUT", 1.0)


def as_kubectl(lock_file: Path) -> None:
    os.close(os.open(lock_file, os.O_CREAT | os.O_EXCL, 0))


def in_threads(config: Path, count: int, times: int, before: Callable[[], None]) -> list[int]:
    """How many of count threads held config's lock together, each time that one of them did."""
    inside: list[int] = []
    together: list[int] = []

    def take() -> None:
        for _ in range(times):
            before()
            with locked([config]):
                inside.append(1)
                together.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=take, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    return together


def test_says_who_holds_it_and_since_when(config: Path, lock_file: Path) -> None:
    with locked([config]):
        host, pid, started = lock_file.read_text().split()
        assert lock_file.stat().st_mode & 0o777 == 0o600
    assert (host, int(pid)) == (socket.gethostname(), os.getpid())
    assert started.endswith("+00:00")
    assert not lock_file.exists()


def test_is_gone_after_a_failure(config: Path, lock_file: Path) -> None:
    with pytest.raises(ZeroDivisionError), locked([config]):
        raise ZeroDivisionError
    assert not lock_file.exists()


def test_leaves_a_lock_that_is_not_ours_any_more(config: Path, lock_file: Path) -> None:
    with locked([config]):
        lock_file.unlink()
        as_kubectl(lock_file)
    assert lock_file.exists()


def test_one_path_given_twice_is_locked_once(config: Path) -> None:
    with locked([config, config]):
        pass


@pytest.mark.parametrize("names", [["a", "b"], ["b", "a"]])
def test_two_paths_are_taken_in_the_order_of_their_names(tmp_path: Path, names: list[str]) -> None:
    first, second = tmp_path / "a.lock", tmp_path / "b.lock"
    seen: list[bool] = []

    def look_and_release() -> None:
        seen.append(second.exists())
        first.unlink()

    as_kubectl(first)
    with processes.in_a_moment(look_and_release), locked([tmp_path / name for name in names]):
        assert second.exists()
    assert seen == [False]
    assert list(tmp_path.iterdir()) == []


def test_waits_for_kubectl_to_finish(config: Path, lock_file: Path) -> None:
    as_kubectl(lock_file)
    with processes.in_a_moment(lock_file.unlink), locked([config]):
        assert lock_file.read_text()


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("content", ["", "another-host 1 2026-01-01T00:00:00+00:00\n", "junk"])
def test_a_lock_watched_long_enough_is_a_leftover(
    config: Path, lock_file: Path, content: str
) -> None:
    lock_file.write_text(content)
    lock_file.chmod(0)
    start = time.monotonic()
    with locked([config]):
        assert time.monotonic() - start >= lock.STALE_AFTER
        assert lock_file.read_text() != content
    assert not lock_file.exists()


@pytest.mark.usefixtures("quick")
def test_locks_that_come_and_go_are_no_leftover(config: Path, lock_file: Path) -> None:
    done = threading.Event()

    def keep_kubectl_busy() -> None:
        number = 0
        while not done.wait(0.05):
            number += 1
            new = lock_file.with_name(f"new{number}")
            as_kubectl(new)
            new.replace(lock_file)

    as_kubectl(lock_file)
    busy = threading.Thread(target=keep_kubectl_busy)
    busy.start()
    try:
        with (
            pytest.raises(KubeconfigError, match="config.lock is held by another process"),
            locked([config]),
        ):
            pytest.fail("it got in")
    finally:
        done.set()
        busy.join()


def test_a_process_killed_as_it_made_the_lock_stands_in_nobodys_way(
    config: Path, lock_file: Path
) -> None:
    lock_file.touch(0o600)
    start = time.monotonic()
    with locked([config]):
        assert time.monotonic() - start < lock.STALE_AFTER / 2


def test_a_killed_process_of_ours_stands_in_nobodys_way(config: Path, lock_file: Path) -> None:
    with processes.start(HOLD, config) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        holder.kill()
    assert lock_file.exists()
    start = time.monotonic()
    with locked([config]):
        assert time.monotonic() - start < lock.STALE_AFTER / 3
    assert not lock_file.exists()


def test_a_living_process_of_ours_is_waited_for(config: Path, lock_file: Path) -> None:
    with processes.start(HOLD, config) as holder:
        assert holder.stdout is not None and holder.stdin is not None
        assert holder.stdout.readline() == "held\n"
        with processes.in_a_moment(holder.stdin.close), locked([config]):
            assert f" {os.getpid()} " in lock_file.read_text()
    assert holder.returncode == 0


def test_a_living_process_of_ours_keeps_its_lock_however_long(
    config: Path, lock_file: Path
) -> None:
    wait = "lock.STALE_AFTER, lock.TIMEOUT = 0.2, 0.5\nwith locked([path]):\n    print('taken')"
    with locked([config]):
        held = lock_file.read_bytes()
        said = processes.run(wait, config)
        assert "config.lock is held by another process" in said
        assert "if none does, remove the lock file" in said
        assert lock_file.read_bytes() == held


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("exists", [True, False])
def test_a_symbolic_link_is_no_lock_and_leads_nowhere(
    config: Path, lock_file: Path, exists: bool
) -> None:
    precious = config.with_name("precious")
    if exists:
        precious.write_text("precious")
        precious.chmod(0o644)
    lock_file.symlink_to(precious)
    with pytest.raises(KubeconfigError, match="config.lock"), locked([config]):
        pytest.fail("it got in")
    assert lock_file.is_symlink()
    assert precious.exists() is exists
    if exists:
        assert precious.read_text() == "precious"
        assert precious.stat().st_mode & 0o777 == 0o644


@pytest.mark.usefixtures("quick")
def test_a_directory_in_its_place_is_an_error(config: Path, lock_file: Path) -> None:
    lock_file.mkdir()
    with pytest.raises(KubeconfigError, match="config.lock"), locked([config]):
        pytest.fail("it got in")
    assert lock_file.is_dir()


def test_those_who_find_the_same_leftover_get_in_one_by_one(
    config: Path, lock_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "STALE_AFTER", 0.05)

    def leave_a_lock() -> None:
        with suppress(FileExistsError):
            as_kubectl(lock_file)

    assert in_threads(config, 8, 5, leave_a_lock) == [1] * 40
