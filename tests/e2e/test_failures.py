"""What goes wrong is told: the step, the server's code, what to do next. Nothing is written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from e2e.conftest import AZ_SIGNED_IN, AZ_SIGNED_OUT, AZAKSAUTH, Az, Door
from emulator import Emulator
from emulator import population as who
from emulator.arm.skeleton import kubeconfig as skeleton_of


def assert_fails(door: Door, *words: str, says: tuple[str, ...], **how: object) -> None:
    cluster = str(how.pop("cluster", "aks-exec"))
    result = door(cluster, *words, **how)  # type: ignore[arg-type]
    assert result.code != 0
    assert result.output == ""
    assert "Traceback" not in result.errors
    for text in says:
        assert text in result.errors, result.errors
    assert not door.kubeconfig.exists()


@pytest.mark.parametrize(
    ("user", "password", "says"),
    [
        (who.MANAGED, "wr0ng~one", ("AADSTS50126", "Check both")),
        (who.FEDERATED, "wr0ng~one", ("FailedAuthentication", "ID3242", "Check the user name")),
        ("ghost@managed.example", who.PASSWORD, ("AADSTS50034", "Check the user name")),
        (who.UNKNOWN, who.PASSWORD, ("user realm", "Check the user name")),
        (who.SAML20_ONLY, who.PASSWORD, ("SAML20", "another identity")),
        (who.LOCKED, who.PASSWORD, ("AADSTS50053", "Wait until")),
        (who.DISABLED, who.PASSWORD, ("AADSTS50057", "administrator")),
        (who.MFA, who.PASSWORD, ("AADSTS50076", "service principal")),
    ],
)
def test_a_refused_sign_in_says_why(
    door: Door, user: str, password: str, says: tuple[str, ...]
) -> None:
    assert_fails(door, username=user, password=password, says=says)


def test_mfa_at_resource_manager_names_the_ways_round_it(azaksauth: Door) -> None:
    assert_fails(
        azaksauth,
        username=who.MFA_AT_ARM,
        says=("AADSTS50076", "Azure Resource Manager", "--skeleton", "az login"),
    )


def test_a_missing_cluster_is_named(door: Door) -> None:
    assert_fails(door, cluster="nope", username=who.MANAGED, says=("ResourceNotFound", "--name"))


def test_a_missing_group_is_named(door: Door) -> None:
    assert_fails(
        door,
        "--resource-group",
        "nope",
        username=who.MANAGED,
        says=("ResourceGroupNotFound", "--resource-group"),
    )


def test_a_missing_subscription_is_named(door: Door) -> None:
    assert_fails(
        door,
        "--subscription",
        "00000000-0000-0000-0000-000000000001",
        username=who.MANAGED,
        says=("SubscriptionNotFound", "--subscription"),
    )


def test_a_missing_permission_names_the_role(door: Door, azure: Emulator) -> None:
    asks = who.SERVICE_PRINCIPAL if door.name == AZ_SIGNED_IN else who.MANAGED
    azure.deny(asks)
    try:
        assert_fails(door, username=who.MANAGED, says=("AuthorizationFailed", "Cluster User Role"))
    finally:
        azure.allow(asks)


HTML = {"body": "<html><title>Sign in to the proxy</title></html>", "content_type": "text/html"}


@pytest.mark.parametrize(
    ("service", "path", "fault", "says"),
    [
        ("entra", "userrealm", {**HTML, "status": 200}, ("user realm", "text/html", "HTTPS_PROXY")),
        ("entra", "userrealm", {"body": "", "status": 200}, ("user realm", "0 bytes")),
        ("entra", "userrealm", {"body": "{", "status": 200}, ("user realm", "JSON")),
        ("entra", "userrealm", {"body": "[]", "status": 200}, ("user realm", "JSON")),
        ("entra", "userrealm", {"drop": True}, ("user realm", "connection failed")),
        ("entra", "userrealm", {"garbage": True}, ("user realm", "connection failed")),
        ("entra", "userrealm", {"status": 503}, ("user realm", "503", "Try again")),
        ("adfs", "usernamemixed", {**HTML, "status": 200}, ("WS-Trust", "HTTPS_PROXY")),
        ("adfs", "usernamemixed", {**HTML, "status": 502}, ("WS-Trust", "502", "Try again")),
        ("adfs", "usernamemixed", {"body": "", "status": 200}, ("WS-Trust", "0 bytes")),
        ("adfs", "usernamemixed", {"drop": True}, ("WS-Trust", "connection failed")),
        ("entra", "/token", {**HTML, "status": 200}, ("token", "text/html")),
        ("entra", "/token", {"body": "{}", "status": 200}, ("token", "lifetime")),
        ("entra", "/token", {**HTML, "status": 403}, ("token", "text/html")),
        (
            "entra",
            "/token",
            {"status": 302, "headers": {"Location": "https://elsewhere/x"}},
            ("redirected to elsewhere",),
        ),
        ("arm", "listCluster", {**HTML, "status": 200}, ("Resource Manager", "HTTPS_PROXY")),
        (
            "arm",
            "listCluster",
            {"body": "{}", "status": 200},
            ("Resource Manager", "no kubeconfig"),
        ),
        (
            "arm",
            "listCluster",
            {"body": '{"kubeconfigs":[{"value":"e30="}]}', "status": 200},
            ("no context",),
        ),
        (
            "arm",
            "listCluster",
            {"body": '{"kubeconfigs":[{"value":"W1tb"}]}', "status": 200},
            ("not valid YAML",),
        ),
    ],
)
def test_a_broken_answer_is_told_by_step(
    azaksauth: Door, azure: Emulator, service: str, path: str, fault: dict, says: tuple[str, ...]
) -> None:
    azure.fail(service, path, times=None, **fault)

    assert_fails(azaksauth, username=who.FEDERATED, says=says)


@pytest.mark.parametrize("fault", [{"status": 500}, {"body": "<html>"}, {"drop": True}, HTML])
def test_broken_metadata_falls_back_to_the_active_endpoint(
    azaksauth: Door, azure: Emulator, fault: dict
) -> None:
    azure.fail("adfs", "/mex", **fault)

    result = azaksauth("aks-exec", username=who.FEDERATED)

    assert (result.code, result.errors) == (0, "")
    assert result.json["login"] == "federated"


def test_an_untrusted_certificate_names_the_variable(door: Door, tmp_path: Path) -> None:
    result = door("aks-exec", username=who.MANAGED, env={"REQUESTS_CA_BUNDLE": _other_ca(tmp_path)})

    assert result.code != 0
    assert "certificate" in result.errors
    assert "REQUESTS_CA_BUNDLE" in result.errors


def _other_ca(tmp_path: Path) -> str:
    import trustme

    bundle = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(bundle))
    return str(bundle)


@pytest.mark.parametrize(
    ("host", "says"),
    [("https://localhost:1", "connection failed"), ("https://no.such.invalid", "resolve")],
)
def test_an_unreachable_host_is_named(azaksauth: Door, host: str, says: str) -> None:
    result = azaksauth("aks-exec", "--authority-host", host, username=who.MANAGED)

    assert result.code == 1
    assert says in result.errors
    assert host.removeprefix("https://") in result.errors


BROKEN_FILES = {
    "not YAML": b"clusters: [",
    "not a mapping": b"- 1\n",
    "not text": b"\xff\xfe\x00\xd8",
    "not a kubeconfig": b"clusters: {}\n",
}


@pytest.mark.parametrize("content", BROKEN_FILES.values(), ids=BROKEN_FILES)
def test_a_kubeconfig_that_cannot_be_understood_stays_as_it_is(
    azaksauth: Door, content: bytes
) -> None:
    azaksauth.kubeconfig.parent.mkdir()
    azaksauth.kubeconfig.write_bytes(content)

    result = azaksauth("aks-exec", username=who.MANAGED)

    assert result.code == 1
    assert "kubeconfig" in result.errors
    assert azaksauth.kubeconfig.read_bytes() == content
    assert os.listdir(azaksauth.kubeconfig.parent) == ["config"]


def test_another_server_under_the_same_name_is_refused(door: Door, azure: Emulator) -> None:
    door.kubeconfig.parent.mkdir()
    content = skeleton_of(azure.clusters["aks-azure"], "exec").replace("aks-azure", "aks-exec")
    door.kubeconfig.write_text(content)

    refused = door("aks-exec", username=who.MANAGED)
    unchanged = door.kubeconfig.read_text()
    replaced = door("aks-exec", "--overwrite-existing", username=who.MANAGED)

    assert refused.code != 0
    assert "--overwrite-existing" in refused.errors
    assert "--context" in refused.errors
    assert unchanged == content
    assert replaced.code == 0
    assert azure.clusters["aks-exec"].server in door.kubeconfig.read_text()


def test_arguments_are_checked_before_any_request(door: Door, azure: Emulator) -> None:
    for words in (["--login", "devicecode"], ["--format", "yaml"]):
        assert door("aks-exec", *words, username=who.MANAGED).code != 0
    missing = door("aks-exec", username=who.MANAGED, password=None)
    assert "AZURE_PASSWORD" in missing.errors
    if door.name != AZ_SIGNED_IN:
        named = door("aks-exec", "--subscription", "by name", username=who.MANAGED)
        assert "not an id" in named.errors
    if door.name == AZ_SIGNED_OUT:
        assert "no identity" in door("aks-exec", password=None).errors
    if door.name == AZAKSAUTH:  # az takes what is no file for the value itself
        unread = door("aks-exec", "--password", "@/does/not/exist", username=who.MANAGED)
        assert "--password" in unread.errors

    assert azure.requests == []


def test_a_missing_package_is_named_with_its_remedy(environment: dict[str, str]) -> None:
    import sys

    from e2e.conftest import execute
    from e2e.installation import ROOT

    source = ROOT / "src" / "aks-noninteractive"
    command = [sys.executable, "-I", "-S", "-c"]
    script = f"import sys; sys.path.append({str(source)!r}); from aks_noninteractive.cli import "
    script += "main; sys.exit(main(['--skeleton', 'x', '-u', 'a@b', '-p', 'c']))"

    result = execute(*command, script, env=environment)

    assert result.code == 1
    assert "azure-mgmt-core, msal, msal-extensions, requests, PyYAML" in result.errors
    assert "pip install 'aks-noninteractive[standalone]'" in result.errors


def test_az_needs_no_help_to_be_understood(az: Az) -> None:
    result = az("aks", "get-credentials-noninteractive", "--help")

    assert result.code == 0
    assert result.output.count("az aks get-credentials-noninteractive -g") >= 3
