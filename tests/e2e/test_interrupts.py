"""Ctrl-C at any moment: the process ends at once and without a word, and nothing is half done."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest
import yaml

from aks_noninteractive.exec_plugin.token_cache import TokenFiles
from e2e import clients, installation
from e2e.conftest import AZ_SIGNED_IN, AZAKSAUTH, Az, Door, Result, open_door
from e2e.test_exec_plugin import HOUR, Plugin, grants, plugin_of, signed_in, wait_until
from emulator import Emulator
from emulator import population as who
from emulator.arm.skeleton import kubeconfig as skeleton_of

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")

HANGS = 25.0
AT_ONCE = 5.0  # far less than anything hangs, far more than a loaded machine needs
CTRL_C = -signal.SIGINT  # 130 in a shell
# A frame of ours, or below one; line 0 and 1 are before the first statement.
OURS = re.compile(r"/aks_noninteractive/.*\", line (?![01],)")


@pytest.fixture(autouse=True)
def notices_ctrl_c() -> Iterator[None]:
    """Also where the tests run in the background of a script, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@dataclass
class Running:
    """A command that has been started."""

    process: subprocess.Popen[str]

    def interrupt(self) -> Result:
        """Ctrl-C, and how it ended."""
        self.process.send_signal(signal.SIGINT)
        output, errors = self.process.communicate(timeout=AT_ONCE)
        return Result(self.process.returncode, output, errors)


@contextmanager
def started(*command: str | Path, env: dict[str, str]) -> Iterator[Running]:
    process = subprocess.Popen(
        [str(word) for word in command],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=True,
    )
    try:
        yield Running(process)
    finally:
        process.kill()
        process.communicate()


def getting(
    door: Door, *words: str | Path, user: str | None = who.FEDERATED, cluster: str = "aks-exec"
) -> tuple[str | Path, ...]:
    options = ("--username", user) if user else ()
    file = ("--resource-group", "rg", door.name_option, cluster, "--file", door.kubeconfig)
    return (*door.command, *options, *file, *words)


def with_password(door: Door) -> dict[str, str]:
    return {**door.environment, "AZURE_PASSWORD": who.PASSWORD}


def asked(azure: Emulator, service: str, path: str) -> Callable[[], bool]:
    return lambda: any(r.service == service and path in r.path for r in azure.requests)


def assert_silent(door: Door, result: Result) -> None:
    """azaksauth ended as it should; az as az does."""
    if door.name == AZAKSAUTH:
        assert (result.code, result.output, result.errors) == (CTRL_C, "", "")
    else:
        assert result.code not in (0, None)
        assert result.output == ""
        assert "Traceback" not in result.errors


def assert_nothing_written(door: Door) -> None:
    folder = door.kubeconfig.parent
    assert not folder.exists() or os.listdir(folder) == []


# Where a request hangs


@pytest.mark.parametrize(
    ("door", "service", "path"),
    [
        (AZAKSAUTH, "entra", "userrealm"),
        (AZAKSAUTH, "adfs", "/mex"),
        (AZAKSAUTH, "adfs", "usernamemixed"),
        (AZAKSAUTH, "arm", "listCluster"),
        (AZAKSAUTH, "entra", "/token"),
        (AZ_SIGNED_IN, "adfs", "usernamemixed"),
        (AZ_SIGNED_IN, "arm", "listCluster"),
        (AZ_SIGNED_IN, "entra", "/token"),
    ],
    indirect=["door"],
)
def test_a_request_that_hangs(door: Door, azure: Emulator, service: str, path: str) -> None:
    azure.fail(service, path, delay=HANGS)

    with started(*getting(door), env=with_password(door)) as running:
        wait_until(asked(azure, service, path))
        result = running.interrupt()

    assert_silent(door, result)
    assert_nothing_written(door)


def test_the_token_for_the_api_server_that_hangs(
    azaksauth: Door, azure: Emulator, tmp_path: Path
) -> None:
    skeleton = tmp_path / "skeleton"
    skeleton.write_text(skeleton_of(azure.clusters["aks-exec"], "exec"))
    azure.fail("entra", "/token", delay=HANGS)
    command = getting(azaksauth, "--skeleton", skeleton)

    with started(*command, env=with_password(azaksauth)) as running:
        wait_until(lambda: grants(azure))
        result = running.interrupt()

    assert_silent(azaksauth, result)
    assert_nothing_written(azaksauth)


def test_the_token_that_az_itself_asks_for(azure: Emulator, own_az: Az, kubeconfig: Path) -> None:
    door = open_door(AZ_SIGNED_IN, azure, own_az, own_az, kubeconfig)
    azure.fail("entra", "/token", delay=HANGS)

    with started(*getting(door, "--login", "azurecli", user=None), env=door.environment) as running:
        wait_until(lambda: grants(azure))
        result = running.interrupt()

    assert_silent(door, result)
    assert_nothing_written(door)


def test_a_pause_that_the_server_asked_for(azaksauth: Door, azure: Emulator) -> None:
    azure.fail("arm", "listCluster", status=429, headers={"Retry-After": "25"})

    with started(*getting(azaksauth), env=with_password(azaksauth)) as running:
        wait_until(lambda: [r for r in azure.requests if r.service == "arm" and r.ended])
        result = running.interrupt()

    assert_silent(azaksauth, result)


def test_one_who_ignores_ctrl_c_goes_on(azaksauth: Door, azure: Emulator) -> None:
    azure.fail("entra", "userrealm", delay=1)
    nohup = ("sh", "-c", 'trap "" INT; exec "$@"', "sh")

    with started(*nohup, *getting(azaksauth), env=with_password(azaksauth)) as running:
        wait_until(asked(azure, "entra", "userrealm"))
        running.process.send_signal(signal.SIGINT)
        running.process.communicate(timeout=60)

    assert running.process.returncode == 0


# Where somebody else is waited for


@pytest.mark.parametrize("door", [AZ_SIGNED_IN, AZAKSAUTH], indirect=True)
def test_the_lock_of_the_kubeconfig(door: Door, azure: Emulator) -> None:
    lock = door.kubeconfig.with_name("config.lock")
    lock.parent.mkdir()
    lock.touch(0o000)  # as kubectl makes it

    with started(*getting(door), env=with_password(door)) as running:
        wait_until(lambda: [r for r in azure.requests if r.grant and r.ended])
        result = running.interrupt()

    assert_silent(door, result)
    assert os.listdir(lock.parent) == [lock.name]


@pytest.mark.parametrize("door", [AZ_SIGNED_IN, AZAKSAUTH], indirect=True)
def test_the_lock_of_the_token(door: Door, azure: Emulator) -> None:
    plugin = signed_in(door, azure, who.FEDERATED)
    before = door.kubeconfig.read_bytes(), plugin.token
    lock = door.kubeconfig.with_name("config.lock")

    with (
        TokenFiles(plugin.token_file).locked(),
        started(*getting(door), env=with_password(door)) as running,
    ):
        wait_until(lock.exists)
        result = running.interrupt()

    assert_silent(door, result)
    assert (door.kubeconfig.read_bytes(), plugin.token) == before
    assert os.listdir(lock.parent) == ["config"]


def test_a_logout_that_waits_for_a_renewal(azaksauth: Door, azure: Emulator) -> None:
    plugin = signed_in(azaksauth, azure, who.MANAGED)
    logout = (azaksauth.command[0], "logout", "--file", azaksauth.kubeconfig)

    with (
        TokenFiles(plugin.token_file).locked(),
        started(*logout, env=azaksauth.environment) as running,
    ):
        wait_until(lambda: _has_open(running.process.pid, ".lock"))
        result = running.interrupt()

    assert_silent(azaksauth, result)
    assert plugin().code == 0


def _has_open(pid: int, suffix: str) -> bool:
    return any(file.path.endswith(suffix) for file in psutil.Process(pid).open_files())


@pytest.mark.parametrize("door", [AZ_SIGNED_IN, AZAKSAUTH], indirect=True)
def test_a_password_that_is_asked_for(door: Door, azure: Emulator) -> None:
    import pty
    import termios

    ours, terminal = pty.openpty()

    def echoes() -> bool:
        return bool(termios.tcgetattr(terminal)[3] & termios.ECHO)

    # The terminal becomes the one that Ctrl-C is typed at.
    takes_it = (
        "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", takes_it, *map(str, getting(door))],
        env=door.environment,
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=terminal,
        start_new_session=True,
    )
    try:
        wait_until(lambda: not echoes())
        os.write(ours, b"\x03")
        process.communicate(timeout=AT_ONCE)
        said = os.read(ours, 10_000).decode()
        assert echoes()
    finally:
        process.kill()
        process.communicate()
        os.close(ours)
        os.close(terminal)

    assert process.returncode == 130 if door.name == AZAKSAUTH else process.returncode > 0
    assert "assword" in said
    assert "Traceback" not in said
    assert azure.requests == []


# The plugin


@pytest.fixture
def overdue(azaksauth: Door, azure: Emulator) -> Plugin:
    """The plugin whose token has expired, and whose renewal hangs."""
    plugin = signed_in(azaksauth, azure, who.MANAGED)
    plugin.age(HOUR)
    azure.fail("entra", "/token", delay=HANGS)
    return plugin


@pytest.mark.parametrize("program", ["plugin", "get-token"])
def test_a_renewal_that_hangs(overdue: Plugin, azure: Emulator, program: str) -> None:
    get_token = (str(installation.azaksauth()), "get-token", *overdue.arguments)
    command = overdue.command if program == "plugin" else get_token

    with started(*command, env=overdue.environment) as running:
        wait_until(lambda: grants(azure))
        result = running.interrupt()

    assert (result.code, result.output, result.errors) == (CTRL_C, "", "")
    azure.heal()
    assert overdue().code == 0
    assert grants(azure) == ["refresh_token", "refresh_token"]


def test_a_renewal_below_kubectl(overdue: Plugin, azaksauth: Door, azure: Emulator) -> None:
    kubectl = (clients.kubectl(), "--kubeconfig", azaksauth.kubeconfig, "get", "pods")

    with started(*kubectl, env=overdue.environment) as running:
        wait_until(lambda: grants(azure))
        (plugin,) = psutil.Process(running.process.pid).children()
        os.killpg(running.process.pid, signal.SIGINT)  # both, as a terminal does it
        _, errors = running.process.communicate(timeout=AT_ONCE)

    assert psutil.wait_procs([plugin], timeout=AT_ONCE)[1] == []
    assert running.process.returncode != 0
    assert "Traceback" not in errors
    assert "aks-noninteractive: " not in errors
    azure.heal()
    assert overdue().code == 0


def test_a_renewal_ends_the_az_that_it_has_started(
    own_az: Az, azure: Emulator, kubeconfig: Path
) -> None:
    door = open_door(AZ_SIGNED_IN, azure, own_az, own_az, kubeconfig)
    azure.token_lifetime = 200  # short enough that az does not answer out of its own cache
    plugin = signed_in(door, azure, None)
    plugin.age(200)
    azure.fail("entra", "/token", delay=HANGS)

    with started(*plugin.command, env=plugin.environment) as running:
        wait_until(lambda: grants(azure))
        children = psutil.Process(running.process.pid).children(recursive=True)
        os.killpg(running.process.pid, signal.SIGINT)  # both, as a terminal does it
        output, errors = running.process.communicate(timeout=AT_ONCE)

    assert (running.process.returncode, output, errors) == (CTRL_C, "", "")
    assert children
    assert psutil.wait_procs(children, timeout=AT_ONCE)[1] == []
    azure.heal()
    assert plugin().code == 0


# At any time


def sweep(*command: str | Path, env: dict[str, str], starts: int, step: float) -> Iterator[Result]:
    """The command, interrupted the first time at once and each time a step (seconds) later."""
    for count in range(starts):
        with started(*command, env=env) as running:
            time.sleep(count * step)  # the moment is what this is about
            yield running.interrupt()


def assert_ended(result: Result) -> None:
    """With its status, or by the signal itself where Python is not up yet or gone already."""
    assert not OURS.search(result.errors), result.errors
    if "Traceback" not in result.errors:
        assert (result.errors, result.code in (0, CTRL_C)) == ("", True)


def test_the_quick_path_at_any_time(azaksauth: Door, azure: Emulator) -> None:
    plugin = signed_in(azaksauth, azure, who.MANAGED)
    whole = plugin().output

    for result in sweep(*plugin.command, env=plugin.environment, starts=40, step=0.0005):
        assert_ended(result)
        assert result.output in ("", whole)


def test_a_renewal_at_any_time(azaksauth: Door, azure: Emulator) -> None:
    plugin = signed_in(azaksauth, azure, who.MANAGED)
    plugin.age(HOUR)

    for result in sweep(*plugin.command, env=plugin.environment, starts=14, step=0.025):
        assert_ended(result)
    assert plugin().code == 0
    # What a process has left that ended while it wrote goes with the next renewal.
    plugin.age(HOUR)
    assert plugin().code == 0
    assert {p.suffix for p in plugin.token_file.parent.iterdir()} == {".lock", ".refresh", ".token"}


def test_azaksauth_at_any_time(azaksauth: Door, azure: Emulator) -> None:
    command = getting(azaksauth, user=who.MANAGED)
    lock = azaksauth.kubeconfig.with_name("config.lock")

    for result in sweep(*command, env=with_password(azaksauth), starts=14, step=0.04):
        assert_ended(result)
        assert not lock.exists()
        if azaksauth.kubeconfig.exists():
            assert yaml.safe_load(azaksauth.kubeconfig.read_bytes())["current-context"]
    assert azaksauth("aks-exec", username=who.MANAGED).code == 0
    assert os.listdir(lock.parent) == ["config"]
    assert plugin_of(azaksauth)().code == 0
