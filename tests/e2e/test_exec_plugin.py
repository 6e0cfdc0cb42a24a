"""The exec plugin: a kubeconfig works on after its token has expired, or says why not."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import time
import uuid
import venv
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from aks_noninteractive.exec_plugin.token_cache import TokenFiles
from e2e import clients, installation
from e2e.conftest import AZ_SIGNED_IN, AZAKSAUTH, Az, Door, Result, execute, open_door
from emulator import Emulator
from emulator import population as who

Kubectl = Callable[..., Result]

HOUR = 3600
FIFTY = 50
BAD_PASSWORD = "n0t~this-one"


@dataclass(frozen=True)
class Plugin:
    """The plugin of a kubeconfig with one user, started as kubectl starts it."""

    command: tuple[str, ...]
    environment: dict[str, str]

    def __call__(self, **variables: str) -> Result:
        return execute(*self.command, env={**self.environment, **variables})

    def start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self.command, env=self.environment)

    @property
    def arguments(self) -> tuple[str, ...]:
        """What follows Python's options, the script and the token file."""
        return self.command[5:]

    @property
    def renewal(self) -> str:
        return self.arguments[self.arguments.index("--renewal") + 1]

    @property
    def token_file(self) -> Path:
        return Path(self.command[4])

    @property
    def token(self) -> str:
        stored = TokenFiles(self.token_file).read()
        assert stored is not None
        return stored.token

    def age(self, seconds: int) -> None:
        """Make the stored token older, as if so much time had gone by."""
        files = TokenFiles(self.token_file)
        stored = files.read()
        assert stored is not None
        files.write(
            replace(
                stored,
                use_until=stored.use_until - seconds,
                expires_on=stored.expires_on - seconds,
                stored_at=stored.stored_at - seconds,
            )
        )

    def lose_refresh_token(self) -> None:
        TokenFiles(self.token_file).write_refresh_token("")


def plugin_of(door: Door) -> Plugin:
    entry = entry_of(door.kubeconfig)
    identity = ("AZURE_USERNAME", "AZURE_PASSWORD", "AZURE_CONFIG_DIR")
    variables = {k: v for k, v in door.environment.items() if k not in identity}
    return Plugin((entry["command"], *entry["args"]), variables)


def entry_of(kubeconfig: Path) -> dict[str, Any]:
    (user,) = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))["users"]
    entry: dict[str, Any] = user["user"]["exec"]
    return entry


@pytest.fixture
def plugin(azaksauth: Door, azure: Emulator) -> Plugin:
    """The plugin after a user's login, whose requests are forgotten."""
    return signed_in(azaksauth, azure, who.MANAGED)


def signed_in(door: Door, azure: Emulator, user: str | None) -> Plugin:
    result = door("aks-exec", username=user, password=who.PASSWORD if user else None)
    assert (result.code, result.errors) == (0, "")
    azure.requests.clear()
    return plugin_of(door)


def grants(azure: Emulator) -> list[str | None]:
    """The grants of all token requests so far."""
    return [r.grant for r in azure.requests if r.service == "entra" and r.grant]


def together(times: int, run: Callable[[], Result]) -> list[Result]:
    """So many runs at the same time."""
    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(lambda _: run(), range(times)))


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def username_of(whoami: Result) -> str:
    assert whoami.code == 0, whoami.errors
    return str(json.loads(whoami.output)["status"]["userInfo"]["username"])


def assert_fails(result: Result, *says: str) -> None:
    """The plugin gave no credential, and one line that says why."""
    assert (result.code, result.output) == (1, "")
    (line,) = result.errors.splitlines()
    assert line.startswith("aks-noninteractive: ")
    for text in says:
        assert text in line


# The entry


def test_every_door_gives_an_entry_that_works_without_asking_entra(
    door: Door, azure: Emulator, kubectl: Kubectl
) -> None:
    assert door("aks-exec", username=who.MANAGED).json["format"] == "exec"
    azure.requests.clear()

    entry = entry_of(door.kubeconfig)
    assert entry["apiVersion"] == "client.authentication.k8s.io/v1beta1"
    assert (entry["interactiveMode"], entry["provideClusterInfo"]) == ("Never", False)
    assert plugin_of(door).renewal in entry["installHint"]
    for _ in range(2):
        assert username_of(kubectl("auth", "whoami", "-o", "json")) == who.MANAGED
    assert {request.service for request in azure.requests} == {"apiserver"}


@pytest.mark.parametrize("door", [AZ_SIGNED_IN, AZAKSAUTH], indirect=True)
def test_neither_kubeconfig_nor_any_process_shows_a_secret(
    door: Door, azure: Emulator, kubectl: Kubectl, tmp_path: Path
) -> None:
    if shutil.which("strace") is None:
        pytest.skip("there is no strace on this machine")
    trace = tmp_path / "trace"
    strace = ("strace", "-f", "-qq", "-s", "1000000", "-e", "trace=execve", "-A", "-o", trace)
    traced = replace(door, command=(*strace, *door.command))
    plugin = signed_in(traced, azure, who.MANAGED)
    files = TokenFiles(plugin.token_file)
    secrets = [who.PASSWORD, files.read_refresh_token(), plugin.token]
    plugin.age(HOUR)
    kubectl_traced = execute(
        *(*strace, clients.kubectl(), "get", "pods"),
        env={**plugin.environment, "KUBECONFIG": str(door.kubeconfig)},
    )

    assert "web-0" in kubectl_traced.output, kubectl_traced.errors
    shown = trace.read_text() + door.kubeconfig.read_text() + kubectl_traced.errors
    assert str(plugin.token_file) in trace.read_text()
    for secret in (*secrets, files.read_refresh_token(), plugin.token):
        assert secret
        assert secret not in shown


# Renewal


def test_an_expired_token_is_renewed_by_the_refresh_token(
    door: Door, azure: Emulator, kubectl: Kubectl, tmp_path: Path
) -> None:
    plugin = signed_in(door, azure, who.MANAGED)
    plugin.age(HOUR)
    azure.clock.advance(HOUR)

    for _ in range(2):
        assert username_of(kubectl("auth", "whoami", "-o", "json")) == who.MANAGED

    assert grants(azure) == ["refresh_token"]
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or who.PASSWORD.encode() not in path.read_bytes(), path


@pytest.mark.parametrize("cluster", ["aks-legacy-exec", "aks-legacy-azure"])
def test_a_legacy_cluster_gets_its_audience_again(
    azaksauth: Door, azure: Emulator, kubectl: Kubectl, cluster: str
) -> None:
    assert azaksauth(cluster, username=who.FEDERATED).code == 0
    plugin_of(azaksauth).age(HOUR)
    azure.clock.advance(HOUR)

    assert username_of(kubectl("auth", "whoami", "-o", "json")) == who.FEDERATED


@pytest.mark.parametrize("door", [AZ_SIGNED_IN, AZAKSAUTH], indirect=True)
def test_without_any_means_one_line_names_the_identity_and_the_command(
    door: Door, azure: Emulator, kubectl: Kubectl
) -> None:
    plugin = signed_in(door, azure, who.MANAGED)
    plugin.age(HOUR)
    azure.revoke_refresh_tokens(who.MANAGED)

    assert_fails(plugin(), who.MANAGED, f"Renew it with: {plugin.renewal}", "AADSTS50173")
    failed = kubectl("get", "pods")
    assert failed.code == 1
    assert {line for line in failed.errors.splitlines() if plugin.renewal in line} == {
        plugin().errors.strip()
    }
    assert plugin.renewal.startswith(
        "azaksauth " if door.name == AZAKSAUTH else "az aks get-credentials-noninteractive "
    )
    path = f"{installation.SCRIPTS}{os.pathsep}{installation.azaksauth().parent}"
    renewed = execute(
        *shlex.split(plugin.renewal),
        env={**door.environment, "PATH": path, "AZURE_PASSWORD": who.PASSWORD},
    )
    assert (renewed.code, renewed.errors) == (0, "")
    assert "web-0" in kubectl("get", "pods").output


@pytest.mark.parametrize(
    ("user", "variables"),
    [
        (who.MANAGED, {"AZURE_PASSWORD": who.PASSWORD}),
        (who.FEDERATED, {"AZURE_USERNAME": who.FEDERATED, "AZURE_PASSWORD": who.PASSWORD}),
        (
            who.MANAGED,
            {
                "AAD_USER_PRINCIPAL_NAME": who.MANAGED.upper(),
                "AAD_USER_PRINCIPAL_PASSWORD": who.PASSWORD,
            },
        ),
    ],
)
def test_a_password_in_the_environment_renews(
    azaksauth: Door, azure: Emulator, kubectl: Kubectl, user: str, variables: dict[str, str]
) -> None:
    plugin = signed_in(azaksauth, azure, user)
    plugin.age(HOUR)
    plugin.lose_refresh_token()

    assert username_of(kubectl("auth", "whoami", "-o", "json", env=variables)) == user
    assert username_of(kubectl("auth", "whoami", "-o", "json")) == user

    assert len(grants(azure)) == 1


def test_the_password_of_another_user_is_sent_nowhere(plugin: Plugin, azure: Emulator) -> None:
    plugin.age(HOUR)
    plugin.lose_refresh_token()

    assert_fails(
        plugin(AZURE_USERNAME=who.FEDERATED, AZURE_PASSWORD=who.PASSWORD),
        *(who.MANAGED, plugin.renewal),
    )

    assert azure.requests == []


def test_without_a_network_a_token_is_used_until_it_expires(
    plugin: Plugin, azure: Emulator, kubectl: Kubectl
) -> None:
    azure.fail("entra", "/token", drop=True, times=None)
    plugin.age(HOUR - 200)

    assert username_of(kubectl("auth", "whoami", "-o", "json")) == who.MANAGED
    assert grants(azure)

    plugin.age(200)
    assert_fails(plugin(), who.MANAGED, "connection failed")


@pytest.mark.skipif(os.name == "nt", reason="a full disk is tried by a shell's limit")
def test_a_full_disk_takes_no_token_away(plugin: Plugin, azure: Emulator) -> None:
    old = plugin.token_file.read_bytes()
    plugin.age(HOUR)
    expired = plugin.token_file.read_bytes()

    full = ("sh", "-c", 'ulimit -f 0; exec "$@"', "sh", *plugin.command)
    result = execute(*full, env=plugin.environment)

    assert result.code == 0
    assert result.json["status"]["token"] not in old.decode()
    assert result.errors == (
        "aks-noninteractive: the token cannot be stored: File too large; the next call asks for "
        "another\n"
    )
    assert plugin.token_file.read_bytes() == expired
    assert not [name for name in stored_files(plugin) if name.endswith(".new")]
    assert grants(azure) == ["refresh_token"]


def test_a_killed_renewal_is_in_nobodys_way(plugin: Plugin, azure: Emulator) -> None:
    plugin.age(HOUR)
    azure.fail("entra", "/token", delay=25)
    killed = plugin.start()
    wait_until(lambda: grants(azure))
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    began = time.monotonic()

    assert plugin().code == 0

    assert time.monotonic() - began < 20
    assert grants(azure) == ["refresh_token", "refresh_token"]


def test_a_watch_goes_on_when_its_token_has_expired(
    azaksauth: Door, azure: Emulator, kubectl: Kubectl
) -> None:
    def watches() -> int:
        return len([r for r in azure.requests if r.query.get("watch") == "true"])

    cluster = azure.clusters["aks-exec"]
    cluster.add_pod("leaving")
    azure.token_lifetime = 3
    signed_in(azaksauth, azure, who.MANAGED)

    with ThreadPoolExecutor() as pool:
        words = ("wait", "--for=delete", "pod/leaving", "--timeout=60s")
        waiting = pool.submit(kubectl, *words, version="1.30")
        try:
            wait_until(lambda: watches() == 2)  # the server ended the first with the token
        finally:
            cluster.delete_pod("leaving")

    assert "condition met" in waiting.result().output, waiting.result().errors
    assert set(grants(azure)) == {"refresh_token"}


def test_kubectl_watches_again_after_its_token_has_expired(
    azaksauth: Door, azure: Emulator, kubectl: Kubectl
) -> None:
    azure.token_lifetime = 3
    signed_in(azaksauth, azure, who.MANAGED)
    assert "web-0" in kubectl("get", "pods", "--watch").output  # until the server ends it
    azure.clusters["aks-exec"].add_pod("late")

    try:
        assert "late" in kubectl("get", "pods", "--watch").output
    finally:
        azure.clusters["aks-exec"].delete_pod("late")
    assert "refresh_token" in grants(azure)


# Many at once


def test_fifty_kubectl_at_expiry_make_one_token_request(
    plugin: Plugin, azure: Emulator, kubectl: Kubectl
) -> None:
    assert kubectl("get", "pods").code == 0  # what the server can do is known from now on
    plugin.age(HOUR)

    results = together(FIFTY, lambda: kubectl("get", "pods"))

    assert [r.errors for r in results if r.code or "web-0" not in r.output] == []
    assert grants(azure) == ["refresh_token"]


@pytest.mark.parametrize(
    ("user", "code", "asked", "times"),
    [
        (who.MANAGED, "AADSTS50126", "/token", FIFTY),
        (who.FEDERATED, "ID3242", "usernamemixed", 5),
    ],
)
def test_many_with_a_bad_password_ask_once(
    azaksauth: Door, azure: Emulator, user: str, code: str, asked: str, times: int
) -> None:
    def refusals() -> int:
        return len([r for r in azure.requests if asked in r.path and r.status in (400, 500)])

    plugin = signed_in(azaksauth, azure, user)
    plugin.age(HOUR)
    plugin.lose_refresh_token()

    results = together(times, lambda: plugin(AZURE_PASSWORD=BAD_PASSWORD))

    (refusal,) = {result.errors for result in results}
    assert_fails(results[0], code, user, plugin.renewal)
    assert BAD_PASSWORD not in refusal
    assert refusals() == 1

    assert plugin(AZURE_PASSWORD=f"{BAD_PASSWORD}, too").code == 1
    assert refusals() == 2
    assert plugin(AZURE_PASSWORD=who.PASSWORD).code == 0


def test_a_new_login_forgets_a_refusal(plugin: Plugin, azaksauth: Door, azure: Emulator) -> None:
    for _ in range(2):
        plugin.age(HOUR)
        plugin.lose_refresh_token()
        assert plugin(AZURE_PASSWORD=BAD_PASSWORD).code == 1
        assert grants(azure) == ["password"]
        signed_in(azaksauth, azure, who.MANAGED)


# A damaged store


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions and kinds of files")
@pytest.mark.parametrize("damage", ["truncated", "garbage", "open", "fifo", "symlink", "gone"])
def test_a_damaged_token_file_is_made_anew(
    plugin: Plugin, azure: Emulator, kubectl: Kubectl, damage: str, given: Path
) -> None:
    path = plugin.token_file
    old = path.read_bytes()
    if damage == "truncated":
        path.write_bytes(old[:-1])
    elif damage == "garbage":
        path.write_bytes(bytes(range(256)) * 8)
    elif damage == "open":
        path.chmod(0o644)
    else:
        path.rename(given / "elsewhere")
        if damage == "fifo":
            os.mkfifo(path)
        elif damage == "symlink":
            path.symlink_to(given / "elsewhere")

    for _ in range(2):
        assert username_of(kubectl("auth", "whoami", "-o", "json")) == who.MANAGED

    assert grants(azure) == ["refresh_token"]
    assert path.is_file() and not path.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.name == "nt", reason="POSIX owners")
@pytest.mark.parametrize("whose", ["file", "directory"])
def test_a_store_of_somebody_else_gets_no_token(
    plugin: Plugin, azure: Emulator, whose: str
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    plugin.age(HOUR)
    path = plugin.token_file if whose == "file" else plugin.token_file.parent
    os.chown(path, 1, 1)

    try:
        result = plugin()
    finally:
        os.chown(path, os.geteuid(), os.getegid())

    assert_fails(result, "not ours")
    assert grants(azure) == []


def test_a_directory_in_place_of_the_token_file_is_told(plugin: Plugin) -> None:
    plugin.token_file.unlink()
    plugin.token_file.mkdir()

    result = plugin()

    assert result.code == 0
    assert "the token cannot be stored: Is a directory" in result.errors


def test_a_store_that_others_can_read_is_closed(plugin: Plugin, azure: Emulator) -> None:
    for path in (plugin.token_file.parent, *plugin.token_file.parent.iterdir()):
        path.chmod(0o755)

    assert_fails(plugin(), plugin.renewal)  # the refresh token was open to others too
    assert grants(azure) == []
    assert plugin(AZURE_PASSWORD=who.PASSWORD).code == 0
    assert plugin.token_file.parent.stat().st_mode & 0o777 == 0o700


# The az login


@pytest.fixture
def own_door(azure: Emulator, own_az: Az, kubeconfig: Path) -> Door:
    return open_door(AZ_SIGNED_IN, azure, own_az, own_az, kubeconfig)


@pytest.fixture
def az_plugin(own_door: Door, azure: Emulator) -> Plugin:
    """The plugin with a token from the az login."""
    return signed_in(own_door, azure, None)


def test_the_az_login_renews_its_token(own_door: Door, azure: Emulator, kubectl: Kubectl) -> None:
    azure.token_lifetime = 200  # short enough that az does not answer out of its own cache
    plugin = signed_in(own_door, azure, None)
    plugin.age(200)

    whoami = kubectl("auth", "whoami", "-o", "json", env=plugin.environment)

    assert username_of(whoami) == who.SERVICE_PRINCIPAL
    assert grants(azure) == ["client_credentials"]


def test_without_a_network_the_token_of_the_az_login_is_used_until_it_expires(
    own_door: Door, azure: Emulator
) -> None:
    azure.token_lifetime = 200
    plugin = signed_in(own_door, azure, None)
    token = plugin.token
    azure.fail("entra", "", drop=True, times=None)
    plugin.age(185)

    assert plugin().json["status"]["token"] == token

    plugin.age(15)
    assert_fails(plugin(), who.SERVICE_PRINCIPAL)
    azure.heal()
    assert plugin().code == 0  # what the network did is not held against the identity


@pytest.mark.parametrize("words", [("logout",), ("account", "clear")])
def test_a_token_is_not_used_after_the_account_has_left_az(
    az_plugin: Plugin, own_az: Az, azure: Emulator, words: tuple[str, ...]
) -> None:
    assert own_az(*words).code == 0
    azure.requests.clear()

    assert_fails(
        az_plugin(),
        *(f"made for {who.SERVICE_PRINCIPAL}", "az is not signed in", az_plugin.renewal),
    )
    assert azure.requests == []


def test_a_token_is_never_that_of_the_next_account(
    az_plugin: Plugin, own_az: Az, azure: Emulator
) -> None:
    other = azure.add_service_principal("another~secret").client_id
    login = own_az(
        *("login", "--service-principal", "--username", other),
        *("--password", "another~secret", "--tenant", azure.tenant),
    )
    assert login.code == 0, login.errors
    azure.requests.clear()
    made_for = (f"made for {who.SERVICE_PRINCIPAL}", f"az is signed in as {other}")

    assert_fails(az_plugin(), *made_for, az_plugin.renewal)
    az_plugin.age(HOUR)
    assert_fails(az_plugin(), *made_for)
    assert azure.requests == []


def test_a_switch_of_subscriptions_changes_nothing(
    az_plugin: Plugin, own_az: Az, azure: Emulator, kubectl: Kubectl
) -> None:
    path = Path(own_az.environment["AZURE_CONFIG_DIR"], "azureProfile.json")
    profile = json.loads(path.read_text(encoding="utf-8-sig"))
    (mine,) = profile["subscriptions"]
    others = {**mine, "id": str(uuid.uuid4()), "user": {**mine["user"], "name": "someone"}}
    profile["subscriptions"] = [{**mine, "isDefault": False}, {**others, "isDefault": True}]
    path.write_text(json.dumps(profile), encoding="utf-8")
    token = az_plugin.token

    for _ in range(2):
        assert az_plugin().json["status"]["token"] == token
    assert azure.requests == []

    az_plugin.age(HOUR)
    whoami = kubectl("auth", "whoami", "-o", "json", env=az_plugin.environment)
    assert username_of(whoami) == who.SERVICE_PRINCIPAL


def test_in_a_job_the_az_login_gives_a_token_that_outlives_it(
    own_door: Door, own_az: Az, kubectl: Kubectl
) -> None:
    result = own_door("aks-exec", password=None, env={"TF_BUILD": "True"})

    assert result.json["format"] == "token"
    assert own_az("account", "clear").code == 0
    assert username_of(kubectl("auth", "whoami", "-o", "json")) == who.SERVICE_PRINCIPAL


# Where the package can be


MODULE = ("-m", "aks_noninteractive")


def bare_python(folder: Path) -> Path:
    """A Python without any package."""
    venv.create(folder)
    return folder / ("Scripts" if os.name == "nt" else "bin") / f"python{installation.EXECUTABLE}"


def packages_of(program: Path) -> Path:
    """The site-packages beside a command of a virtual environment."""
    return next(program.parents[1].rglob("site-packages"))


def by_python_path(door: Door, python: Path, packages: str | Path, *words: str) -> Door:
    """door, but its program is a module that Python finds by PYTHONPATH."""
    return replace(
        door,
        command=(python, *words, *door.command[1:]),
        environment={**door.environment, "PYTHONPATH": str(packages)},
    )


@pytest.mark.parametrize("layout", ["user site", "RPM", "spaces"])
def test_a_renewal_finds_the_packages_that_the_login_had(
    azaksauth: Door,
    azure: Emulator,
    az: Az,
    az_signed_out: Az,
    kubeconfig: Path,
    kubectl: Kubectl,
    tmp_path: Path,
    layout: str,
) -> None:
    folder = tmp_path / ("with space" if layout == "spaces" else "plain")
    python = bare_python(folder / "a python")
    packages = packages_of(installation.azaksauth())
    if layout == "RPM":
        door = open_door(AZ_SIGNED_IN, azure, az, az_signed_out, kubeconfig)
        door = by_python_path(door, python, packages_of(installation.az()), "-sm", "azure.cli")
    elif layout == "spaces":
        (folder / "its packages").symlink_to(packages)
        door = by_python_path(azaksauth, python, folder / "its packages", *MODULE)
        home = {"HOME": str(folder), "AKS_NONINTERACTIVE_CACHE_DIR": str(folder / "the cache")}
        door = replace(door, environment={**door.environment, **home})
    else:
        door = by_python_path(azaksauth, python, packages, *MODULE)
    plugin = signed_in(door, azure, who.MANAGED)
    assert plugin.command[0] == str(python)
    plugin.age(HOUR)

    assert username_of(kubectl("auth", "whoami", "-o", "json")) == who.MANAGED

    assert grants(azure) == ["refresh_token"]


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
@pytest.mark.parametrize("open_part", ["", "aks_noninteractive"])
def test_nothing_is_loaded_from_where_others_can_write(
    azaksauth: Door, azure: Emulator, tmp_path: Path, open_part: str
) -> None:
    shared = tmp_path / "shared"
    packages = packages_of(installation.azaksauth())
    shutil.copytree(packages / "aks_noninteractive", shared / "aks_noninteractive")
    python = bare_python(tmp_path / "python")
    both = f"{shared}{os.pathsep}{packages}"
    door = by_python_path(azaksauth, python, both, *MODULE)
    plugin = signed_in(door, azure, who.MANAGED)
    plugin.age(HOUR)
    (shared / open_part).chmod(0o777)

    assert_fails(plugin(), f"others can write to {shared / open_part}, nothing is loaded")

    assert azure.requests == []


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
@pytest.mark.parametrize("open_part", ["folder", "program", "target"])
def test_az_is_not_run_from_where_others_can_write(
    own_door: Door, azure: Emulator, tmp_path: Path, open_part: str
) -> None:
    az_plugin = signed_in(own_door, azure, None)
    folder, target = tmp_path / "bin", tmp_path / "target"
    folder.mkdir()
    target.write_text(f"#!/bin/sh\ntouch {tmp_path}/was-run\nexec {installation.az()} $*\n")
    target.chmod(0o777 if open_part == "target" else 0o755)
    if open_part == "program":
        shutil.move(target, folder / "az")
        (folder / "az").chmod(0o777)
    else:
        (folder / "az").symlink_to(target)
    folder.chmod(0o777 if open_part == "folder" else 0o755)
    words = list(az_plugin.command)
    words[words.index("--az") + 1] = str(folder / "az")
    plugin = replace(az_plugin, command=tuple(words))
    plugin.age(HOUR)
    place = {"folder": folder, "program": folder / "az", "target": target}[open_part]

    assert_fails(plugin(), f"others can write to {place}, az is not run from there")

    place.chmod(0o755)
    assert not (tmp_path / "was-run").exists()
    assert plugin().code == 0
    assert (tmp_path / "was-run").exists()


def test_an_installation_without_its_packages_is_told(
    azaksauth: Door, azure: Emulator, tmp_path: Path
) -> None:
    here = tmp_path / "packages"
    here.symlink_to(packages_of(installation.azaksauth()))
    door = by_python_path(azaksauth, bare_python(tmp_path / "python"), here, *MODULE)
    plugin = signed_in(door, azure, who.MANAGED)
    plugin.age(HOUR)
    here.unlink()
    ours = "aks_noninteractive"
    shutil.copytree(packages_of(installation.azaksauth()) / ours, here / ours)

    assert_fails(plugin(), "installation that made this kubeconfig entry is gone")


# azaksauth get-token, and logging out


@pytest.mark.parametrize("age", [0, HOUR])
def test_get_token_takes_the_arguments_of_the_entry(
    plugin: Plugin, azaksauth: Door, age: int
) -> None:
    plugin.age(age)
    get_token = [str(installation.azaksauth()), "get-token", *plugin.arguments]

    as_json = execute(*get_token, env=azaksauth.environment)
    bare = execute(*get_token, "-o", "token", env=azaksauth.environment)

    assert (as_json.code, as_json.errors, bare.errors) == (0, "", "")
    assert as_json.output == plugin().output
    assert bare.output == f"{plugin.token}\n"


def stored_files(plugin: Plugin) -> set[str]:
    return {path.suffix for path in plugin.token_file.parent.iterdir()}


@pytest.mark.parametrize("door", [AZ_SIGNED_IN, AZAKSAUTH], indirect=True)
@pytest.mark.parametrize("which", ["--context", "--all"])
def test_logging_out_leaves_the_lock_and_nothing_else(
    door: Door, azure: Emulator, kubectl: Kubectl, which: str
) -> None:
    plugin = signed_in(door, azure, who.MANAGED)
    assert stored_files(plugin) == {".lock", ".refresh", ".token"}
    logout = ["logout"] if door.name == AZAKSAUTH else ["aks", "logout-noninteractive"]
    whose = ["aks-exec", "--file", str(door.kubeconfig)] if which == "--context" else []

    result = execute(door.command[0], *logout, which, *whose, env=door.environment)

    assert (result.code, result.errors) == (0, "")
    assert result.json["forgotten"] == 1
    assert stored_files(plugin) == {".lock"}
    assert kubectl("get", "pods").code == 1
    signed_in(door, azure, who.MANAGED)
    assert "web-0" in kubectl("get", "pods").output


def test_logging_out_of_one_context_keeps_the_others(azaksauth: Door, kubectl: Kubectl) -> None:
    for name, user in (("dev", who.MANAGED), ("ops", who.FEDERATED)):
        assert azaksauth("aks-exec", "--context", name, username=user).code == 0
    words = ("logout", "--context", "dev", "--file", azaksauth.kubeconfig)

    assert execute(azaksauth.command[0], *words, env=azaksauth.environment).code == 0

    assert kubectl("--context", "dev", "get", "pods").code == 1
    assert kubectl("--context", "ops", "get", "pods").code == 0


def test_logging_in_again_replaces_what_was_stored(
    plugin: Plugin, azaksauth: Door, azure: Emulator
) -> None:
    before = plugin.token, TokenFiles(plugin.token_file).read_refresh_token()

    again = signed_in(azaksauth, azure, who.MANAGED)

    assert again == plugin
    after = again.token, TokenFiles(again.token_file).read_refresh_token()
    assert not set(before) & set(after)
