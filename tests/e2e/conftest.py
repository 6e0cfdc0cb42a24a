"""The emulated Azure, and the commands as a user starts them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from e2e import clients, installation
from e2e.secret_search import SEARCH, observed_popen
from emulator import Emulator
from emulator import population as who

CLOUD = "EmulatedCloud"


@pytest.fixture(scope="session", autouse=True)
def observed_processes() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch, SEARCH.processes.watched():
        patch.setattr(subprocess, "Popen", observed_popen(SEARCH))
        yield


@pytest.fixture(autouse=True)
def no_secret_gets_out(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[None]:
    """The secret search: it fails a test after which a secret is where it must not be."""
    SEARCH.folder(tmp_path)
    yield
    finds = SEARCH.finish()
    request.node.user_properties.append(("secret search", SEARCH.take_figures()))
    if finds:
        pytest.fail("The secret search found:\n" + "\n".join(finds), pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call":  # what processes printed that share our output
        for name, text in report.sections:
            SEARCH.text(f"{name} of {item.nodeid}", text.encode("utf-8", "surrogateescape"))
    return report


@pytest.fixture(scope="session")
def running_azure() -> Iterator[Emulator]:
    with Emulator() as azure:
        SEARCH.emulators.append(azure)
        yield azure


@pytest.fixture
def azure(running_azure: Emulator) -> Iterator[Emulator]:
    """The emulator, as it was when it started but for what tests have added."""
    running_azure.requests.clear()
    yield running_azure
    running_azure.heal()
    running_azure.latency = 0
    running_azure.latencies.clear()
    running_azure.token_lifetime = 3600
    running_azure.clock.reset()


@dataclass(frozen=True)
class Result:
    """How a command ended, and what it printed."""

    code: int
    output: str
    errors: str

    @property
    def json(self) -> Any:
        return json.loads(self.output)


def execute(*command: str | Path, env: dict[str, str], stdin: str | None = None) -> Result:
    """Run a command to its end, without a terminal."""
    done = subprocess.run(
        [str(word) for word in command],
        env=env,
        input=stdin if stdin is not None else "",
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )
    return Result(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def environment(azure: Emulator, tmp_path: Path) -> dict[str, str]:
    """The variables of every command: the emulator's CA, a home of the test's own."""
    home = tmp_path / "home"
    home.mkdir()
    return {**os.environ, **azure.environment(), "HOME": str(home), "USERPROFILE": str(home)}


@pytest.fixture
def given(tmp_path: Path) -> Path:
    """A folder for the secrets that a test gives to commands in files."""
    folder = tmp_path / "given"
    folder.mkdir()
    return folder


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    """A kubeconfig that is not there yet."""
    return tmp_path / "kube" / "config"


class Az:
    """az with the extension, its active cloud the emulated one."""

    def __init__(self, azure: Emulator, config: Path, environment: dict[str, str]) -> None:
        self._azure = azure
        self.environment = {
            **environment,
            **azure.environment(),
            "AZURE_CONFIG_DIR": str(config),
            "AZURE_EXTENSION_DIR": str(installation.extension_directory()),
        }

    def __call__(
        self, *words: str | Path, env: dict[str, str] | None = None, stdin: str | None = None
    ) -> Result:
        return execute(
            installation.az(), *words, env={**self.environment, **(env or {})}, stdin=stdin
        )

    def register_cloud(self) -> None:
        register = self(
            *("cloud", "register", "--name", CLOUD),
            *("--endpoint-resource-manager", self._azure.resource_manager),
            *("--endpoint-active-directory", self._azure.authority_host),
            *("--endpoint-active-directory-resource-id", self._azure.arm_audience),
        )
        assert register.code == 0, register.errors
        assert self("cloud", "set", "--name", CLOUD).code == 0

    def sign_in(self) -> None:
        login = self(
            *("login", "--service-principal", "--username", who.SERVICE_PRINCIPAL),
            *("--password", who.SECRET, "--tenant", self._azure.tenant),
        )
        assert login.code == 0, login.errors
        # az has its token for Azure Resource Manager from now on.
        assert self("account", "get-access-token").code == 0


@pytest.fixture(scope="session")
def az_configs(
    running_azure: Emulator, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """AZURE_CONFIG_DIRs: of an az that is signed in, and of one that never was."""
    configs = {name: tmp_path_factory.mktemp(name) for name in ("signed-in", "signed-out")}
    for name, config in configs.items():
        az = Az(running_azure, config, dict(os.environ))
        az.register_cloud()
        if name == "signed-in":
            az.sign_in()
    return configs


@pytest.fixture
def az(azure: Emulator, az_configs: dict[str, Path], environment: dict[str, str]) -> Az:
    """An az that is signed in as a service principal."""
    return Az(azure, az_configs["signed-in"], environment)


@pytest.fixture
def az_signed_out(azure: Emulator, az_configs: dict[str, Path], environment: dict[str, str]) -> Az:
    """An az that nobody ever signed in to."""
    return Az(azure, az_configs["signed-out"], environment)


@pytest.fixture
def own_az(azure: Emulator, az: Az, environment: dict[str, str], tmp_path: Path) -> Az:
    """A signed-in az whose login is the test's own."""
    config = tmp_path / "azure"
    # Without the tokens that az has got in other tests.
    ignored = shutil.ignore_patterns("msal_token_cache*")
    shutil.copytree(az.environment["AZURE_CONFIG_DIR"], config, ignore=ignored)
    return Az(azure, config, environment)


AZ_SIGNED_IN, AZ_SIGNED_OUT, AZAKSAUTH = "az signed in", "az not signed in", "azaksauth"
DOORS = (AZ_SIGNED_IN, AZ_SIGNED_OUT, AZAKSAUTH)


@dataclass(frozen=True)
class Door:
    """One of the ways to get a kubeconfig: all take the same arguments here."""

    name: str
    command: tuple[str | Path, ...]
    name_option: str
    environment: dict[str, str]
    kubeconfig: Path

    def __call__(
        self,
        cluster: str,
        *words: str | Path,
        username: str | None = None,
        password: str | None = who.PASSWORD,
        file: str | Path | None = "",
        env: dict[str, str] | None = None,
        stdin: str | None = None,
    ) -> Result:
        """Get credentials for cluster; password goes by variable, None sets none."""
        variables = {**self.environment, **(env or {})}
        if password is not None:
            variables["AZURE_PASSWORD"] = password
        options: list[str | Path] = ["--resource-group", "rg", self.name_option, cluster]
        if username:
            options += ["--username", username]
        if file is not None:
            options += ["--file", file or self.kubeconfig]
        return execute(*self.command, *options, *words, env=variables, stdin=stdin)


def open_door(name: str, azure: Emulator, az: Az, az_signed_out: Az, kubeconfig: Path) -> Door:
    cluster: list[str | Path] = ["--subscription", azure.subscription, "--tenant", azure.tenant]
    if name == AZAKSAUTH:
        hosts = [
            *("--authority-host", azure.authority_host),
            *("--resource-manager", azure.resource_manager),
        ]
        # Both az environments have the same variables otherwise.
        environment = {k: v for k, v in az.environment.items() if not k.startswith("AZURE_")}
        standalone: tuple[str | Path, ...] = (installation.azaksauth(), *cluster, *hosts)
        return Door(name, standalone, "--cluster-name", environment, kubeconfig)
    signed_in = name == AZ_SIGNED_IN
    command: tuple[str | Path, ...] = (
        installation.az(),
        "aks",
        "get-credentials-noninteractive",
        *([] if signed_in else cluster),
    )
    environment = (az if signed_in else az_signed_out).environment
    return Door(name, command, "--name", environment, kubeconfig)


@pytest.fixture(params=DOORS)
def door(
    request: pytest.FixtureRequest, azure: Emulator, az: Az, az_signed_out: Az, kubeconfig: Path
) -> Door:
    """Each front door in turn."""
    return open_door(request.param, azure, az, az_signed_out, kubeconfig)


@pytest.fixture
def azaksauth(azure: Emulator, az: Az, az_signed_out: Az, kubeconfig: Path) -> Door:
    """The front door that needs no az."""
    return open_door(AZAKSAUTH, azure, az, az_signed_out, kubeconfig)


@pytest.fixture
def kubectl(environment: dict[str, str], kubeconfig: Path) -> Callable[..., Result]:
    """kubectl on the test's kubeconfig: the newest, or the given version."""

    def run(*words: str, version: str | None = None, env: dict[str, str] | None = None) -> Result:
        variables = {k: v for k, v in environment.items() if not k.startswith("AZURE_")}
        variables |= {"KUBECONFIG": str(kubeconfig), **(env or {})}
        return execute(clients.kubectl(version), *words, env=variables)

    return run
