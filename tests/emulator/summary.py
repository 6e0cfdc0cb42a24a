"""emulator.json: everything that a person or a script needs to use a running emulator."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .azure import Emulator
from .directory import ManagedIdentity


def write(azure: Emulator, directory: Path) -> Path:
    """Write emulator.json, and the certificates and tokens that it refers to; its path."""
    path = directory / "emulator.json"
    path.write_text(json.dumps(_summary(azure, directory), indent=2), encoding="utf-8")
    return path


def _summary(azure: Emulator, directory: Path) -> dict[str, Any]:
    return {
        "authority_host": azure.authority_host,
        "resource_manager": azure.resource_manager,
        "arm_audience": azure.arm_audience,
        "ca_file": str(azure.ca_file.resolve()),
        "tenant": azure.tenant,
        "subscription": {"id": azure.subscription, "name": azure.subscription_name},
        "environment": azure.environment(),
        "users": [
            {
                "username": user.upn,
                "password": user.password,
                "realm": "federated" if user.federation else "managed",
            }
            for user in azure.users.values()
        ],
        "service_principals": _service_principals(azure, directory),
        "clusters": [
            {
                "name": cluster.name,
                "resource_group": cluster.resource_group,
                "server": cluster.server,
                "skeleton": cluster.skeleton,
                "legacy": cluster.legacy,
            }
            for cluster in azure.clusters.values()
        ],
        "managed_identity": {
            "client_ids": [identity.client_id for identity in _managed_identities(azure)],
            "imds": azure.managed_identity.imds_environment(),
            "app_service": azure.managed_identity.app_service_environment(),
            "arc": azure.managed_identity.arc_environment(),
        },
        "oidc": {
            "issuer": azure.oidc.issuer,
            "github": azure.oidc.github_environment(),
            "pipelines": azure.oidc.pipelines_environment(),
        },
    }


def _managed_identities(azure: Emulator) -> list[ManagedIdentity]:
    system, users = azure.managed_identity.system_assigned, azure.managed_identity.user_assigned
    return [*([system] if system else []), *users]


def _service_principals(azure: Emulator, directory: Path) -> list[dict[str, Any]]:
    listed = []
    for client in azure.service_principals.values():
        entry: dict[str, Any] = {
            "client_id": client.client_id,
            "name": client.name,
            "secret": client.secret,
        }
        if client.certificates:
            certificate = directory / f"{client.name}.pem"
            certificate.touch(mode=0o600)
            certificate.write_text(client.certificates[0].pem, encoding="ascii")
            entry["certificate_file"] = str(certificate.resolve())
        entry["federated"] = bool(client.federated_credentials)
        listed.append(entry)
    return listed
