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
_KUBELOGIN_MODES = {
    "password": "ropc",
    "managed": "ropc",
    "federated": "ropc",
    "azurecli": "azurecli",
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


def kubelogin_user(entra: EntraIntegration, login: str, token: AccessToken) -> dict[str, Any]:
    """kubelogin's exec entry, as `kubelogin convert-kubeconfig -l ...` writes it.

    login: ours, as resolved. Client and tenant are those that token was asked with.
    """
    mode = _KUBELOGIN_MODES[login]
    arguments = ["get-token", "--login", mode, "--server-id", entra.server_id]
    if mode == "ropc":
        arguments += ["--client-id", token.client_id, "--tenant-id", token.tenant]
        arguments += ["--environment", entra.environment]
        arguments += ["--legacy"] if entra.legacy else []
    else:
        arguments += ["--tenant-id", token.tenant]
    return {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1beta1",
            "args": arguments,
            "command": "kubelogin",
            "env": None,
            "installHint": _KUBELOGIN_INSTALL_HINT,
            "provideClusterInfo": False,
        }
    }
