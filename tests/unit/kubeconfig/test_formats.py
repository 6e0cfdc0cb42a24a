"""The user entries as a client finds them in the file."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from aks_noninteractive.entra.token_endpoint import AccessToken
from aks_noninteractive.kubeconfig.document import dump
from aks_noninteractive.kubeconfig.formats import (
    azure_user,
    default_format,
    kubelogin_user,
    token_user,
)
from aks_noninteractive.kubeconfig.skeleton import parse_skeleton
from unit.kubeconfig.samples import (
    AUTH_PROVIDER_CONFIG,
    CLIENT_ID,
    CLOUD,
    KUBELOGIN,
    SERVER_ID,
    TENANT_ID,
    skeleton_text,
)

TOKEN = AccessToken(
    token="ey.the.token",
    expires_on=1_800_000_000,
    expires_in=3599,
    tenant=TENANT_ID,
    client_id=CLIENT_ID,
    refresh_token="0.refresh",
)
LEGACY = {
    name: AUTH_PROVIDER_CONFIG[name] for name in AUTH_PROVIDER_CONFIG if name != "config-mode"
}


def _azure_config(skeleton_user: dict[str, Any], token: AccessToken = TOKEN) -> dict[str, Any]:
    """The auth-provider's settings as a client with YAML 1.1 reads them."""
    entra = parse_skeleton(skeleton_text(skeleton_user)).entra
    assert entra is not None
    provider = yaml.safe_load(dump(azure_user(entra, token)))["auth-provider"]
    assert provider["name"] == "azure"
    config = provider["config"]
    assert isinstance(config, dict)
    return config


def _auth_provider(config: dict[str, Any]) -> dict[str, Any]:
    return {"auth-provider": {"name": "azure", "config": config}}


def test_the_token_format_holds_the_token_and_nothing_else() -> None:
    assert dump(token_user(TOKEN)) == "token: ey.the.token\n"


@pytest.mark.parametrize(
    "skeleton_user",
    [KUBELOGIN, _auth_provider(AUTH_PROVIDER_CONFIG), _auth_provider({"apiserver-id": SERVER_ID})],
)
def test_the_azure_format_has_all_that_kubectl_wants_as_strings(
    skeleton_user: dict[str, Any],
) -> None:
    config = _azure_config(skeleton_user)
    config.pop("config-mode", None)
    assert config == {
        "access-token": "ey.the.token",
        "apiserver-id": SERVER_ID,
        "client-id": CLIENT_ID,
        "environment": CLOUD,
        "expires-in": "3599",
        "expires-on": "1800000000",
        "refresh-token": "0.refresh",
        "tenant-id": TENANT_ID,
    }


@pytest.mark.parametrize(
    ("skeleton_user", "config_mode"),
    [
        (KUBELOGIN, "1"),
        ({"exec": {"args": [*KUBELOGIN["exec"]["args"], "--legacy"]}}, None),  # type: ignore[misc]
        (_auth_provider(AUTH_PROVIDER_CONFIG), "1"),
        (_auth_provider({**LEGACY, "config-mode": "0"}), "0"),
        (_auth_provider(LEGACY), None),
    ],
)
def test_config_mode_is_as_in_the_skeleton(
    skeleton_user: dict[str, Any], config_mode: str | None
) -> None:
    assert _azure_config(skeleton_user).get("config-mode") == config_mode


def test_the_entry_names_the_client_and_tenant_that_the_token_was_asked_with() -> None:
    token = AccessToken("a", 1, 1, tenant="other-tenant", client_id="12e34", refresh_token="r")
    config = _azure_config(KUBELOGIN, token)
    assert (config["client-id"], config["tenant-id"]) == ("12e34", "other-tenant")


@pytest.mark.parametrize(
    ("login", "environ", "expected"),
    [
        ("azurecli", {}, "exec"),
        ("azurecli", {"TF_BUILD": "True"}, "token"),
        ("azurecli", {"TF_BUILD": ""}, "exec"),
        ("managed", {"TF_BUILD": "True"}, "exec"),
    ],
)
def test_only_a_task_that_signs_az_out_gets_the_token_itself(
    login: str, environ: dict[str, str], expected: str
) -> None:
    assert default_format(login, environ) == expected


@pytest.mark.parametrize("login", ["password", "managed", "federated"])
@pytest.mark.parametrize(
    "skeleton_user", [KUBELOGIN, _auth_provider(AUTH_PROVIDER_CONFIG), _auth_provider(LEGACY)]
)
def test_kubelogins_entry_asks_as_the_skeleton_does_and_holds_no_secret(
    login: str, skeleton_user: dict[str, Any]
) -> None:
    entra = parse_skeleton(skeleton_text(skeleton_user)).entra
    assert entra is not None
    entry = kubelogin_user(entra, login, TOKEN, {})
    assert entry["exec"]["args"][:3] == ["get-token", "--login", "ropc"]
    assert parse_skeleton(skeleton_text(entry)).entra == entra
    assert TOKEN.token not in dump(entry) and TOKEN.refresh_token not in dump(entry)
