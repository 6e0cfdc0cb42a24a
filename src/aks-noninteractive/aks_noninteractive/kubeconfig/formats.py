"""The user entry of a kubeconfig, in each format that `--format` names."""

from __future__ import annotations

from typing import Any

from ..entra.token_endpoint import AccessToken
from .skeleton import EntraIntegration

TOKEN = "token"
AZURE = "azure"
FORMATS = (TOKEN, AZURE)
DEFAULT_FORMAT = TOKEN


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
