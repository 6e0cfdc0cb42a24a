"""az's profile: is the account still signed in that a token was made for."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..environment import AZURE_CONFIG_DIRECTORY
from ..errors import AuthenticationError
from .quick_path import profile_state

STEP = "az login"


@dataclass(frozen=True)
class AzAccount:
    """One subscription in az's profile: who it belongs to (user name or client id), and where."""

    name: str
    tenant_id: str
    subscription_id: str
    is_default: bool


def config_directory(environ: Mapping[str, str]) -> str:
    """Where az keeps its login, an absolute path."""
    directory = environ.get(AZURE_CONFIG_DIRECTORY) or "~/.azure"
    return os.path.abspath(os.path.expanduser(directory))


def state(directory: str) -> bytes:
    """What changes when az's profile does; empty where az was never signed in."""
    try:
        return profile_state(os.fsencode(os.path.join(directory, "azureProfile.json")))
    except OSError:
        return b""


def read_accounts(directory: str) -> list[AzAccount]:
    """The accounts that az is signed in with; none where the profile cannot be understood."""
    try:
        content = Path(directory, "azureProfile.json").read_bytes().decode("utf-8-sig")
        subscriptions = json.loads(content)["subscriptions"]
        return [
            AzAccount(
                name=str(item["user"]["name"]),
                tenant_id=str(item["tenantId"]),
                subscription_id=str(item["id"]),
                is_default=bool(item.get("isDefault")),
            )
            for item in subscriptions
        ]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []


def find_account(directory: str, name: str, tenant_id: str) -> AzAccount:
    """The account called name, in the tenant if it has a subscription there.

    Raises AuthenticationError where az is not signed in as name any more.
    """
    accounts = read_accounts(directory)
    own = [account for account in accounts if account.name == name]
    for account in own:
        if account.tenant_id == tenant_id:
            return account
    if own:
        return own[0]
    now = next((account.name for account in accounts if account.is_default), "")
    raise AuthenticationError(
        f"the token was made for {name}, az is "
        + (f"signed in as {now}" if now else "not signed in any more"),
        step=STEP,
        remedy=f"Sign in to az as {name} again.",
    )
