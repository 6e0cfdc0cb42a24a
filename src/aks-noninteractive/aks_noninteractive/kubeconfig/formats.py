"""The user entry of a kubeconfig, in each format that `--format` names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..entra.token_endpoint import AccessToken
from ..environment import TF_BUILD
from .skeleton import EntraIntegration

EXEC = "exec"
TOKEN = "token"
AZURE = "azure"
KUBELOGIN = "kubelogin"
FORMATS = (EXEC, TOKEN, AZURE, KUBELOGIN)

# Our login modes by kubelogin's names for them.
KUBELOGIN_MODES = {
    "password": "ropc",
    "managed": "ropc",
    "federated": "ropc",
    "azurecli": "azurecli",
    "spn": "spn",
    "msi": "msi",
    "workloadidentity": "workloadidentity",
    "githubactions": "workloadidentity",
    "azurepipelines": "azurepipelines",
}
_KUBELOGIN_INSTALL_HINT = """
kubelogin is not installed which is required to connect to AAD enabled cluster.

To learn more, please go to https://azure.github.io/kubelogin/
"""


def default_format(login: str, environ: Mapping[str, str]) -> str:
    """The format where none is asked for: exec, but in a task that signs az out at its end."""
    return TOKEN if login == "azurecli" and environ.get(TF_BUILD) else EXEC


def token_user(token: AccessToken) -> dict[str, Any]:
    """The access token itself, for any client, until it expires."""
    return {"token": token.token}


def azure_user(entra: EntraIntegration, token: AccessToken) -> dict[str, Any]:
    """kubectl's own `azure` auth-provider (up to 1.25), which renews by the refresh token.

    It wants all of these as non-empty strings, or starts a device-code login; expires-on counts
    seconds since the epoch.
    """
    config = {
        "access-token": token.token,
        "apiserver-id": entra.server_id,
        "client-id": token.client_id,
        "environment": entra.environment,
        "expires-in": str(token.expires_in),
        "expires-on": str(token.expires_on),
        "refresh-token": token.refresh_token,
        "tenant-id": token.tenant,
    }
    if entra.config_mode:
        config["config-mode"] = entra.config_mode
    return {"auth-provider": {"config": config, "name": "azure"}}


def kubelogin_user(
    entra: EntraIntegration, login: str, token: AccessToken, fields: Mapping[str, str]
) -> dict[str, Any]:
    """kubelogin's exec entry, as `kubelogin convert-kubeconfig -l ...` writes it.

    login: ours, as resolved. fields: what the identity has of its own, by PluginEntry's names.
    """
    mode = KUBELOGIN_MODES[login]
    client = ["--client-id", fields.get("client_id") or token.client_id]
    tenant = ["--tenant-id", token.tenant]
    environment = ["--environment", entra.environment]
    legacy = ["--legacy"] if entra.legacy else []
    resource = ["--identity-resource-id", fields.get("identity_resource", "")]
    connection = [
        "--azure-pipelines-service-connection-id",
        fields.get("service_connection_id", ""),
    ]
    of_mode = {
        "ropc": [*client, *tenant, *environment, *legacy],
        "spn": [*client, *tenant, *environment, *legacy],
        "azurecli": tenant,
        "msi": resource if resource[1] else client if fields.get("client_id") else [],
        "workloadidentity": [*client, *tenant],
        "azurepipelines": [*tenant, *connection, *client],
    }[mode]
    return {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1beta1",
            "args": ["get-token", "--login", mode, "--server-id", entra.server_id, *of_mode],
            "command": "kubelogin",
            "env": None,
            "installHint": entra.install_hint or _KUBELOGIN_INSTALL_HINT,
            "provideClusterInfo": False,
        }
    }
