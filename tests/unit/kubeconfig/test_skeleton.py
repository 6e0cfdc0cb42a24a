"""Reading how a cluster wants to be signed in to, and naming what cannot be used."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aks_noninteractive.errors import ClusterError
from aks_noninteractive.kubeconfig.document import dump
from aks_noninteractive.kubeconfig.skeleton import (
    ClusterSkeleton,
    EntraIntegration,
    parse_skeleton,
)
from unit.kubeconfig.samples import (
    ANOTHER_SERVER,
    AUTH_PROVIDER_CONFIG,
    CERTIFICATE,
    CLIENT_ID,
    CLOUD,
    DOCUMENTS,
    KUBECONFIGS,
    SERVER,
    SERVER_ID,
    TENANT_ID,
    document,
    skeleton_text,
)

MANAGED = EntraIntegration(
    server_id=SERVER_ID,
    client_id=CLIENT_ID,
    tenant_id=TENANT_ID,
    environment=CLOUD,
    legacy=False,
    config_mode="1",
)
_OPTIONS = {
    "--server-id": SERVER_ID,
    "--client-id": CLIENT_ID,
    "--tenant-id": TENANT_ID,
    "--environment": CLOUD,
    "--login": "devicecode",
}


def _entra(user_fields: dict[str, Any]) -> EntraIntegration | None:
    return parse_skeleton(skeleton_text(user_fields)).entra


def _kubelogin(*arguments: str) -> dict[str, Any]:
    return {"exec": {"command": "kubelogin", "args": ["get-token", *arguments]}}


def _auth_provider(**config: Any) -> dict[str, Any]:
    merged = {**AUTH_PROVIDER_CONFIG, **{name.replace("_", "-"): config[name] for name in config}}
    return {"auth-provider": {"name": "azure", "config": merged}}


@given(st.permutations(list(_OPTIONS.items())), st.lists(st.booleans(), min_size=5, max_size=5))
def test_takes_kubelogins_arguments_in_any_order_and_either_form(
    options: list[tuple[str, str]], joined: list[bool]
) -> None:
    arguments: list[str] = []
    for (name, value), as_one in zip(options, joined, strict=True):
        arguments += [f"{name}={value}"] if as_one else [name, value]
    assert _entra(_kubelogin(*arguments)) == MANAGED


@pytest.mark.parametrize(
    ("arguments", "legacy"),
    [
        ([], False),
        (["--legacy"], True),
        (["--legacy=true"], True),
        (["--legacy=1"], True),
        (["--legacy=false"], False),
        (["--legacy", "--legacy=false"], False),
    ],
)
def test_kubelogins_legacy_flag_asks_for_the_prefixed_audience(
    arguments: list[str], legacy: bool
) -> None:
    entra = _entra(_kubelogin(*arguments, "--server-id", SERVER_ID))
    assert entra is not None
    assert (entra.legacy, entra.config_mode) == (legacy, "" if legacy else "1")


@pytest.mark.parametrize(
    ("config_mode", "legacy"), [("1", False), (None, True), ("0", True), ("", True), (" ", True)]
)
def test_an_auth_provider_is_legacy_unless_its_config_mode_is_1(
    config_mode: str | None, legacy: bool
) -> None:
    entra = _entra(_auth_provider(config_mode=config_mode))
    assert entra is not None
    assert entra.legacy is legacy
    assert entra.config_mode == (config_mode or "").strip()


def test_reads_an_auth_provider() -> None:
    assert _entra(_auth_provider()) == MANAGED


def test_an_unquoted_config_mode_is_a_config_mode() -> None:
    text = skeleton_text(_auth_provider()).replace("config-mode: '1'", "config-mode: 1")
    assert parse_skeleton(text).entra == MANAGED


@pytest.mark.parametrize(
    "user_fields",
    [
        _kubelogin("--server-id", SERVER_ID),
        _kubelogin("--server-id", f"spn:{SERVER_ID}"),
        _auth_provider(
            apiserver_id=f"spn:{SERVER_ID}", client_id="", tenant_id=None, environment=None
        ),
    ],
)
def test_what_is_not_said_is_what_every_managed_cluster_has(user_fields: dict[str, Any]) -> None:
    entra = _entra(user_fields)
    assert entra is not None
    assert (entra.server_id, entra.client_id) == (SERVER_ID, CLIENT_ID)
    assert (entra.tenant_id, entra.environment) == ("", CLOUD)


@pytest.mark.parametrize(
    "user_fields",
    [CERTIFICATE, {"token": "secret"}, {**CERTIFICATE, "token": "secret"}],
)
def test_a_cluster_with_credentials_of_its_own_is_local(user_fields: dict[str, Any]) -> None:
    skeleton = parse_skeleton(skeleton_text(user_fields))
    assert skeleton.entra is None
    assert skeleton.user_fields == user_fields
    assert "secret" not in repr(skeleton) and "S0VZ" not in repr(skeleton)


def test_names_its_entries_and_keeps_their_content() -> None:
    skeleton = parse_skeleton(
        dump(
            document(
                context="a",
                cluster="b",
                user="c",
                cluster_fields={"certificate-authority-data": "Q0E="},
                context_fields={"namespace": "web"},
                user_fields=CERTIFICATE,
            )
        )
    )
    assert (skeleton.context, skeleton.cluster, skeleton.user) == ("a", "b", "c")
    assert skeleton.server == SERVER
    assert skeleton.cluster_fields == {"server": SERVER, "certificate-authority-data": "Q0E="}
    assert skeleton.context_fields == {"cluster": "b", "user": "c", "namespace": "web"}


@pytest.mark.parametrize(("current", "expected"), [("b", "b"), (None, "a"), ("", "a")])
def test_the_current_context_counts_or_else_the_first(current: str | None, expected: str) -> None:
    one = document(context="a", user_fields=CERTIFICATE)
    other = document(context="b", cluster="b", server=ANOTHER_SERVER)
    for section in ("clusters", "contexts"):
        one[section] += other[section]
    skeleton = parse_skeleton(dump({**one, "current-context": current}))
    assert skeleton.context == expected
    assert skeleton.server == (ANOTHER_SERVER if expected == "b" else SERVER)


@pytest.mark.parametrize("flag", ["--pop-enabled", "--pop-enabled=true"])
def test_refuses_a_cluster_that_wants_proof_of_possession(flag: str) -> None:
    with pytest.raises(ClusterError, match="proof-of-possession tokens .--pop-enabled") as raised:
        _entra(_kubelogin("--server-id", SERVER_ID, flag, "--pop-claims", "u=/subscriptions/1"))
    assert "kubelogin" in raised.value.remedy


@pytest.mark.parametrize(
    ("user_fields", "problem"),
    [
        ({}, "neither Entra ID settings nor a certificate or token"),
        ({"token": "", "client-certificate-data": None}, "neither Entra ID settings"),
        ({"exec": {}}, "names no server id"),
        ({"exec": {"args": None}}, "names no server id"),
        ({"exec": {"args": "--server-id x"}}, "names no server id"),
        ({"exec": {"args": [["--server-id"], {"a": "b"}, None]}}, "names no server id"),
        (_kubelogin("--server-id"), "names no server id"),
        (_kubelogin("--server-id=", "--server-id", " "), "names no server id"),
        (_kubelogin("--server-id=spn:"), "names no server id"),
        ({"auth-provider": {}}, "auth-provider is None, not azure"),
        ({"auth-provider": {"name": "gcp"}}, "auth-provider is 'gcp', not azure"),
        ({"auth-provider": {"name": "azure"}}, "names no server id"),
        ({"auth-provider": {"name": "azure", "config": []}}, "names no server id"),
        (_auth_provider(apiserver_id=["x"]), "names no server id"),
    ],
)
def test_refuses_a_user_that_does_not_say_how_to_sign_in(
    user_fields: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ClusterError, match=problem) as raised:
        _entra(user_fields)
    assert raised.value.remedy


@pytest.mark.parametrize(
    "change",
    [
        {"current-context": "missing"},
        {"contexts": None},
        {"contexts": "shop"},
        {"contexts": [None, "shop", {"context": {}}, {"name": ["shop"]}]},
        {"contexts": [{"name": "shop"}]},
        {"contexts": [{"name": "shop", "context": {"cluster": "shop", "user": ["x"]}}]},
        {"contexts": [{"name": "shop", "context": {"cluster": ["x"], "user": "shop"}}]},
        {"contexts": [{"name": "shop", "context": {"cluster": {}, "user": {}}}]},
        {"clusters": []},
        {"clusters": [{"name": "shop", "cluster": ["server"]}]},
        {"clusters": [{"name": "shop", "cluster": {"server": "shop.example"}}]},
        {"clusters": [{"name": "shop", "cluster": {"server": "https://[::1"}}]},
        {"users": []},
    ],
)
def test_refuses_what_has_no_context_of_a_server_and_a_user(change: dict[str, Any]) -> None:
    text = dump({**document(user_fields={"token": "secret"}), **change})
    with pytest.raises(ClusterError, match="no context with a server and a user") as raised:
        parse_skeleton(text)
    assert "secret" not in f"{raised.value} {raised.value.remedy}"


@pytest.mark.parametrize("text", [b"", b"{}", b"\xff", b"<html>", b"a: [", b"- a", b"\0"])
def test_refuses_what_is_no_kubeconfig(text: bytes) -> None:
    with pytest.raises(ClusterError, match="the cluster's kubeconfig: it "):
        parse_skeleton(text)


@given(
    KUBECONFIGS.map(dump)
    | DOCUMENTS.map(skeleton_text)
    | st.binary()
    | st.text("ab -:[]{}&*!'\"\n", max_size=60)
)
def test_anything_is_a_skeleton_or_a_clear_error(text: str | bytes) -> None:
    try:
        assert isinstance(parse_skeleton(text), ClusterSkeleton)
    except ClusterError as error:
        assert str(error).startswith("the cluster's kubeconfig: ") and error.remedy
