"""From an identity to kubectl, through every front door."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from e2e.conftest import AZ_SIGNED_IN, Door, Result
from emulator import Emulator
from emulator import population as who
from emulator.arm.skeleton import kubeconfig as skeleton_of
from emulator.traffic import Request

Kubectl = Callable[..., Result]

USERS = (
    who.MANAGED,
    who.FEDERATED,
    who.FEDERATED_2005,
    who.FEDERATED_SAML20,
    who.FEDERATED_MEX_DOWN,
    who.FEDERATED_QUIRKS,
)


def our_requests(azure: Emulator) -> list[Request]:
    """The requests so far that are ours: not az's own, nor kubectl's."""
    return [
        request
        for request in azure.requests
        if request.headers.get("User-Agent", "").startswith("aks-noninteractive/")
        or request.path.endswith("/listClusterUserCredential")
    ]


def longest_chain(requests: list[Request]) -> int:
    """How many requests came one after the other, at the most."""
    chain, free = 0, 0.0
    for request in sorted(requests, key=lambda request: request.ended or 0):
        if request.began >= free:
            chain, free = chain + 1, request.ended or 0
    return chain


@pytest.mark.parametrize("user", USERS)
def test_a_user_gets_from_a_password_to_kubectl(
    door: Door, user: str, kubectl: Kubectl, azure: Emulator
) -> None:
    result = door("aks-exec", username=user)

    assert (result.code, result.errors) == (0, "")
    assert result.json["identity"] == user
    assert result.json["login"] == ("managed" if user == who.MANAGED else "federated")
    assert result.json["kubeconfig"] == str(door.kubeconfig)
    whoami = kubectl("auth", "whoami", "-o", "json")
    assert json.loads(whoami.output)["status"]["userInfo"]["username"] == user
    assert "web-0" in kubectl("get", "pods").output


@pytest.mark.parametrize(
    ("user", "with_az", "without_az"),
    [(who.MANAGED, (3, 2), (4, 4)), (who.FEDERATED, (5, 4), (6, 6))],
)
def test_no_request_is_made_twice_and_none_waits_needlessly(
    door: Door, azure: Emulator, user: str, with_az: tuple[int, int], without_az: tuple[int, int]
) -> None:
    azure.latency = 0.25  # far more than the commands take between two requests

    assert door("aks-exec", username=user).code == 0

    requests = our_requests(azure)
    expected = with_az if door.name == AZ_SIGNED_IN else without_az
    assert (len(requests), longest_chain(requests)) == expected


def test_a_host_is_connected_to_once(azaksauth: Door, azure: Emulator) -> None:
    assert azaksauth("aks-exec", username=who.FEDERATED).code == 0

    for service in ("entra", "adfs"):
        connections = {r.connection for r in azure.requests if r.service == service}
        assert len(connections) == 1


def test_naming_managed_saves_the_question(azaksauth: Door, azure: Emulator) -> None:
    assert azaksauth("aks-exec", "--login", "managed", username=who.MANAGED).code == 0

    assert [request.service for request in azure.requests] == ["entra", "arm", "entra"]


@pytest.mark.parametrize("cluster", ["aks-azure", "aks-legacy-exec", "aks-legacy-azure"])
@pytest.mark.parametrize("user", [who.MANAGED, who.FEDERATED])
def test_every_shape_of_skeleton_works(
    azaksauth: Door, cluster: str, user: str, kubectl: Kubectl
) -> None:
    assert azaksauth(cluster, username=user).code == 0

    assert user in kubectl("auth", "whoami").output


def test_a_local_cluster_is_merged_as_it_is(door: Door, kubectl: Kubectl, azure: Emulator) -> None:
    result = door("aks-local", username=who.MANAGED)

    assert (result.code, result.errors) == (0, "")
    nothing = {"identity": None, "tenant": None, "expiresOn": None}
    assert result.json | nothing | {"login": "local"} == result.json
    assert "masterclient" in kubectl("auth", "whoami").output
    assert not [r for r in azure.requests if r.resource and "6dae42f8" in r.resource]


def test_the_az_login_signs_in_to_the_cluster_too(door: Door, kubectl: Kubectl) -> None:
    if door.name != AZ_SIGNED_IN:
        pytest.skip("needs an az login")

    result = door("aks-exec", password=None)

    assert (result.code, result.errors) == (0, "")
    assert result.json["identity"] == who.SERVICE_PRINCIPAL
    assert result.json["login"] == "azurecli"
    assert who.SERVICE_PRINCIPAL in kubectl("auth", "whoami").output


def test_azaksauth_can_take_the_az_login(
    azaksauth: Door, az_configs: dict[str, Path], kubectl: Kubectl
) -> None:
    from e2e import installation

    path = {
        "AZURE_CONFIG_DIR": str(az_configs["signed-in"]),
        "AZURE_CORE_INSTANCE_DISCOVERY": "false",
        "PATH": f"{installation.SCRIPTS}:{azaksauth.environment['PATH']}",
    }

    result = azaksauth("aks-exec", "--login", "azurecli", password=None, env=path)

    assert (result.code, result.errors) == (0, "")
    assert result.json["identity"] == who.SERVICE_PRINCIPAL
    assert who.SERVICE_PRINCIPAL in kubectl("auth", "whoami").output


def test_standard_output_gets_the_kubeconfig_and_nothing_else(door: Door, tmp_path: Path) -> None:
    result = door("aks-exec", username=who.MANAGED, file="-")

    assert (result.code, result.errors) == (0, "")
    assert yaml.safe_load(result.output)["current-context"] == "aks-exec"
    assert not door.kubeconfig.exists()


def test_a_skeleton_of_somebody_else_needs_no_resource_manager(
    door: Door, azure: Emulator, kubectl: Kubectl, tmp_path: Path
) -> None:
    skeleton = tmp_path / "skeleton.yaml"
    skeleton.write_text(skeleton_of(azure.clusters["aks-exec"], "exec"), encoding="utf-8")

    from_file = door("aks-exec", "--skeleton", skeleton, username=who.MFA_AT_ARM)
    from_input = door(
        "aks-exec", "--skeleton", "-", username=who.MFA_AT_ARM, stdin=skeleton.read_text()
    )

    assert (from_file.code, from_file.errors) == (0, "")
    assert (from_input.code, from_input.errors) == (0, "")
    assert not [request for request in azure.requests if request.service == "arm"]
    assert who.MFA_AT_ARM in kubectl("auth", "whoami").output


@pytest.mark.parametrize("output", ["json", "table", "tsv", "none", "yaml"])
def test_every_output_format_of_az_has_the_result(door: Door, output: str) -> None:
    if door.name != AZ_SIGNED_IN:
        pytest.skip("az's own option")

    result = door("aks-exec", "--output", output, username=who.MANAGED)

    assert (result.code, result.errors) == (0, "")
    assert (who.MANAGED in result.output) == (output != "none")


def test_a_query_selects_from_the_result(door: Door) -> None:
    if door.name != AZ_SIGNED_IN:
        pytest.skip("az's own option")

    result = door("aks-exec", "--query", "[context, format]", "-o", "tsv", username=who.FEDERATED)

    assert result.output.split() == ["aks-exec", "exec"]


def test_the_default_file_is_the_first_that_kubeconfig_names(door: Door, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"

    result = door(
        "aks-exec", username=who.MANAGED, file=None, env={"KUBECONFIG": f"{first}:{second}"}
    )

    assert result.json["kubeconfig"] == str(first)
    assert yaml.safe_load(first.read_text())["current-context"] == "aks-exec"
    assert not second.exists()


def test_without_kubeconfig_the_file_is_in_the_home_folder(door: Door) -> None:
    home = Path(door.environment["HOME"])

    assert door("aks-exec", username=who.MANAGED, file=None).code == 0

    assert (home / ".kube" / "config").stat().st_mode & 0o777 == 0o600


def test_two_identities_on_one_cluster_stand_side_by_side(door: Door, kubectl: Kubectl) -> None:
    for name, user in (("dev", who.MANAGED), ("ops", who.FEDERATED)):
        assert door("aks-exec", "--context", name, username=user).code == 0

    for name, user in (("dev", who.MANAGED), ("ops", who.FEDERATED)):
        assert user in kubectl("--context", name, "auth", "whoami").output


def test_running_it_again_refreshes_silently(door: Door, kubectl: Kubectl) -> None:
    for _ in range(2):
        result = door("aks-exec", username=who.MANAGED)
        assert (result.code, result.errors) == (0, "")

    assert len(yaml.safe_load(door.kubeconfig.read_text())["users"]) == 1


def test_the_public_address_of_a_private_cluster_is_asked_for(door: Door, azure: Emulator) -> None:
    assert door("aks-exec", "--public-fqdn", username=who.MANAGED).code == 0

    (request,) = [r for r in azure.requests if r.path.endswith("/listClusterUserCredential")]
    assert request.query["server-fqdn"] == "public"


def test_verbose_says_which_identity_asks_whom(door: Door) -> None:
    result = door("aks-exec", "--verbose", username=who.MANAGED)

    assert "identity: password, because of --username" in result.errors
    if door.name == AZ_SIGNED_IN:
        assert f"asked as {who.SERVICE_PRINCIPAL}" in result.errors
