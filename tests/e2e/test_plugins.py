"""A login mode of another package: the one that docs/providers.md shows, installed and used."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from e2e import installation
from e2e.conftest import AZ_SIGNED_IN, AZ_SIGNED_OUT, AZAKSAUTH, Door, Result
from e2e.test_exec_plugin import (
    HOUR,
    Plugin,
    assert_fails,
    packages_of,
    plugin_of,
    username_of,
)
from emulator import Emulator
from emulator import population as who
from emulator.directory import AKS_SERVER_ID

Kubectl = Callable[..., Result]

BROKER = """\
import sys, urllib.parse, urllib.request

authority, tenant, resource = sys.argv[1:]
form = {
    "grant_type": "client_credentials",
    "client_id": "%s",
    "client_secret": "%s",
    "scope": resource + "/.default",
}
body = urllib.parse.urlencode(form).encode()
with urllib.request.urlopen(f"{authority}/{tenant}/oauth2/v2.0/token", body) as answer:
    print(answer.read().decode())
"""


def example() -> dict[str, str]:
    """The files that docs/providers.md shows, by name."""
    document = (installation.ROOT / "docs" / "providers.md").read_text(encoding="utf-8")
    return dict(
        re.findall(r"^`([\w.]+)`:\n\n```\w+\n(.*?)^```$", document, re.DOTALL | re.MULTILINE)
    )


def build(files: dict[str, str], folder: Path) -> Path:
    """A wheel of a package with these files."""
    source, wheels = folder / "source", folder / "wheels"
    source.mkdir(parents=True)
    for name, content in files.items():
        (source / name).write_text(content, encoding="utf-8")
    _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", wheels, source)
    (wheel,) = wheels.iterdir()
    return wheel


def install(wheel: Path, target: Path) -> None:
    _pip("install", "--no-deps", "--no-index", "--target", target, wheel)


def _pip(*words: str | Path) -> None:
    command = [sys.executable, "-m", "pip", *map(str, words), "--quiet"]
    subprocess.run([*command, "--disable-pip-version-check"], check=True, stdin=subprocess.DEVNULL)


def with_packages(door: Door, wheels: list[Path], folder: Path) -> Door:
    """door, but from a copy of its installation that these are installed into."""
    if door.name == AZAKSAUTH:
        environment = folder / "environment"
        shutil.copytree(installation.azaksauth().parents[1], environment, symlinks=True)
        python = environment / installation.azaksauth().parent.name / "python"
        packages = packages_of(python)
        changed = replace(door, command=(python, "-m", "aks_noninteractive", *door.command[1:]))
    else:
        extensions = folder / "extensions"
        shutil.copytree(installation.extension_directory(), extensions)
        packages = extensions / "aks-noninteractive"
        variables = {**door.environment, "AZURE_EXTENSION_DIR": str(extensions)}
        changed = replace(door, environment=variables)
    for wheel in wheels:
        install(wheel, packages)
    return changed


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, built."""
    return build(example(), tmp_path_factory.mktemp("example"))


@pytest.fixture
def words(azure: Emulator, given: Path) -> tuple[str, ...]:
    """The example's options: a program that has a service principal's secret."""
    program = given / "broker.py"
    program.write_text(BROKER % (who.SERVICE_PRINCIPAL, who.SECRET), encoding="utf-8")
    run = shlex.join([sys.executable, str(program), azure.authority_host])
    return ("--login", "command", "--provider-option", f"run={run}")


def resources(azure: Emulator) -> list[str]:
    return [request.resource or "" for request in azure.requests if request.service == "entra"]


def renew(plugin: Plugin, azure: Emulator, kubectl: Kubectl) -> None:
    assert username_of(kubectl("auth", "whoami", "-o", "json")) == who.SERVICE_PRINCIPAL
    plugin.age(HOUR)
    azure.requests.clear()
    assert username_of(kubectl("auth", "whoami", "-o", "json")) == who.SERVICE_PRINCIPAL
    assert resources(azure) == [f"{AKS_SERVER_ID}/.default"]


def test_the_example_is_short_enough_to_be_read() -> None:
    assert sum(len(content.splitlines()) for content in example().values()) < 40


def test_the_example_gets_to_kubectl_and_renews(
    door: Door,
    wheel: Path,
    words: tuple[str, ...],
    azure: Emulator,
    kubectl: Kubectl,
    tmp_path: Path,
) -> None:
    door = with_packages(door, [wheel], tmp_path)

    result = door("aks-exec", *words, password=None)

    assert (result.code, result.errors) == (0, "")
    assert (result.json["identity"], result.json["login"]) == (who.SERVICE_PRINCIPAL, "command")
    assert len(resources(azure)) == (1 if door.name == AZ_SIGNED_IN else 2)
    assert who.SECRET not in door.kubeconfig.read_text(encoding="utf-8")
    renew(plugin_of(door), azure, kubectl)


@pytest.mark.parametrize("door", [AZ_SIGNED_OUT, AZAKSAUTH], indirect=True)
def test_the_example_is_found_again_in_a_folder_of_its_own(
    door: Door,
    wheel: Path,
    words: tuple[str, ...],
    azure: Emulator,
    kubectl: Kubectl,
    tmp_path: Path,
) -> None:
    folder = tmp_path / "plug-ins"
    install(wheel, folder)

    result = door("aks-exec", *words, password=None, env={"PYTHONPATH": str(folder)})

    assert (result.code, result.errors) == (0, "")
    renew(plugin_of(door), azure, kubectl)


def test_a_renewal_that_fails_names_the_login_mode_and_no_other_client(
    azaksauth: Door, wheel: Path, words: tuple[str, ...], given: Path, tmp_path: Path
) -> None:
    door = with_packages(azaksauth, [wheel], tmp_path)
    assert door("aks-exec", *words, password=None).code == 0
    plugin = plugin_of(door)
    plugin.age(HOUR)
    (given / "broker.py").unlink()

    assert_fails(plugin(), "no token for command: ", f"Renew it with: {plugin.renewal}")


def test_the_example_says_what_it_lacks(
    azaksauth: Door, wheel: Path, azure: Emulator, tmp_path: Path
) -> None:
    install(wheel, tmp_path / "plug-ins")
    here = {"PYTHONPATH": str(tmp_path / "plug-ins")}

    for words, code, says in (
        ((), 2, "--provider-option run=COMMAND"),
        (("--provider-option", "run"), 2, "KEY=VALUE"),
        (("--provider-option", "run=/no/such/program"), 1, "No such file"),
        (("--provider-option", "run=echo {}", "--format", "kubelogin"), 2, "kubelogin"),
        (("--provider-option", "run=echo {}", "--format", "azure"), 2, "refresh token"),
    ):
        result = azaksauth("aks-exec", "--login", "command", *words, password=None, env=here)
        assert result.code == code
        assert says in result.errors
        assert "Traceback" not in result.errors
    assert azure.requests == []


BROKEN = {
    "pyproject.toml": """\
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "broken-logins"
version = "1.0"

[project.entry-points."aks_noninteractive.token_providers"]
raising = "broken_logins_raising:Provider"
absent = "broken_logins:Absent"
number = "broken_logins:NUMBER"

[tool.setuptools]
py-modules = ["broken_logins", "broken_logins_raising"]
""",
    "broken_logins.py": "NUMBER = 1\n",
    "broken_logins_raising.py": "raise RuntimeError('not on this machine')\n",
}


@pytest.fixture(scope="session")
def broken_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(BROKEN, tmp_path_factory.mktemp("broken"))


@pytest.mark.parametrize("door", [AZ_SIGNED_OUT, AZAKSAUTH], indirect=True)
def test_a_broken_package_harms_only_its_own_login_modes(
    door: Door,
    wheel: Path,
    broken_wheel: Path,
    words: tuple[str, ...],
    kubectl: Kubectl,
    tmp_path: Path,
) -> None:
    door = with_packages(door, [wheel, broken_wheel], tmp_path)

    silent = door("aks-exec", username=who.MANAGED)
    assert (silent.code, silent.errors) == (0, "")
    result = door("aks-exec", *words, "--verbose", password=None)
    assert result.code == 0, result.errors

    for says in (
        "RuntimeError: not on this machine",
        "'absent'",
        "'number'",
        "not a TokenProvider",
    ):
        assert says in result.errors
    assert "broken-logins" in result.errors
    assert username_of(kubectl("auth", "whoami", "-o", "json")) == who.SERVICE_PRINCIPAL


@pytest.mark.parametrize(
    ("login", "says"),
    [
        ("raising", "RuntimeError: not on this machine"),
        ("absent", "Absent"),
        ("number", "is not a TokenProvider"),
        ("nowhere", "raising"),
    ],
)
def test_a_broken_login_mode_that_is_asked_for_is_told(
    azaksauth: Door, broken_wheel: Path, azure: Emulator, tmp_path: Path, login: str, says: str
) -> None:
    install(broken_wheel, tmp_path / "plug-ins")

    here = {"PYTHONPATH": str(tmp_path / "plug-ins")}
    result = azaksauth("aks-exec", "--login", login, password=None, env=here)

    assert result.code == 2
    error, remedy = result.errors.splitlines()
    assert f"{login!r}" in error and says in f"{error} {remedy}"
    assert "broken-logins" in remedy or login == "nowhere"
    assert azure.requests == []
