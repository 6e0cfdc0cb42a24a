"""The kubeconfigs that AKS gives out: what it knows of a cluster, without a credential."""

from __future__ import annotations

import base64
from typing import Any

import yaml

from ..apiserver.cluster import Cluster

_INSTALL_HINT = """
kubelogin is not installed which is required to connect to AAD enabled cluster.

To learn more, please go to https://aka.ms/aks/kubelogin
"""


def kubeconfig(cluster: Cluster, wanted: str | None) -> str:
    """The kubeconfig of a cluster's user.

    Args:
        cluster: which.
        wanted: the request's `format` ("exec", "azure"); None for the cluster's own shape.
    """
    user_name = f"clusterUser_{cluster.resource_group}_{cluster.name}"
    document = {
        "apiVersion": "v1",
        "clusters": [
            {
                "cluster": {
                    "certificate-authority-data": base64.b64encode(cluster.ca).decode(),
                    "server": cluster.server,
                },
                "name": cluster.name,
            }
        ],
        "contexts": [
            {"context": {"cluster": cluster.name, "user": user_name}, "name": cluster.name}
        ],
        "current-context": cluster.name,
        "kind": "Config",
        "preferences": {},
        "users": [{"name": user_name, "user": _user(cluster, wanted)}],
    }
    return yaml.safe_dump(document, sort_keys=False)


def _user(cluster: Cluster, wanted: str | None) -> dict[str, Any]:
    if cluster.skeleton == "local":
        certificate, key = cluster.client_certificate
        return {
            "client-certificate-data": base64.b64encode(certificate).decode(),
            "client-key-data": base64.b64encode(key).decode(),
        }
    if (wanted or cluster.skeleton) == "azure":
        return {"auth-provider": {"config": _provider_config(cluster), "name": "azure"}}
    return {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1beta1",
            "args": _kubelogin_args(cluster),
            "command": "kubelogin",
            "env": None,
            "installHint": _INSTALL_HINT,
            "provideClusterInfo": False,
        }
    }


def _provider_config(cluster: Cluster) -> dict[str, str]:
    config = {
        "apiserver-id": cluster.server_id,
        "client-id": cluster.client_id,
        "config-mode": "1",
        "environment": cluster.environment,
        "tenant-id": cluster.tenant,
    }
    if cluster.legacy:
        del config["config-mode"]
    return config


def _kubelogin_args(cluster: Cluster) -> list[str]:
    args = [
        "get-token",
        "--environment",
        cluster.environment,
        "--server-id",
        cluster.server_id,
        "--client-id",
        cluster.client_id,
        "--tenant-id",
        cluster.tenant,
        "--login",
        "devicecode",
    ]
    if cluster.legacy:
        args.append("--legacy")
    if cluster.pop:
        args += ["--pop-enabled", "--pop-claims", f"u={cluster.resource_id}"]
    return args
