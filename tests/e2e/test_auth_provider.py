"""`--format azure`: kubectl's own auth-provider takes what we write, and renews it itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from e2e.conftest import Door, Result
from emulator import Emulator
from emulator import population as who
from emulator.arm.skeleton import kubeconfig as skeleton_of

Kubectl = Callable[..., Result]
CLUSTERS = ("aks-exec", "aks-azure", "aks-legacy-exec", "aks-legacy-azure")


@pytest.mark.parametrize("version", ["1.20", "1.24"])
@pytest.mark.parametrize(
    "cluster", ["aks-exec", "aks-azure", "aks-legacy-exec", "aks-legacy-azure"]
)
@pytest.mark.parametrize("user", [who.MANAGED, who.FEDERATED])
def test_old_kubectl_takes_the_entry(
    azaksauth: Door, kubectl: Kubectl, version: str, cluster: str, user: str
) -> None:
    result = azaksauth(cluster, "--format", "azure", username=user)

    assert result.json["format"] == "azure"
    assert "web-0" in kubectl("get", "pods", version=version).output


@pytest.mark.parametrize("version", ["1.20", "1.24"])
@pytest.mark.parametrize("cluster", ["aks-azure", "aks-legacy-azure"])
def test_old_kubectl_renews_by_the_refresh_token(
    azaksauth: Door, azure: Emulator, kubectl: Kubectl, version: str, cluster: str, tmp_path: Path
) -> None:
    # kubectl knows the emulator's authority by the file that Azure Stack has for this.
    stack = tmp_path / "stack.json"
    stack.write_text(
        json.dumps({"name": "AzureStackCloud", "activeDirectoryEndpoint": azure.authority_host})
    )
    skeleton = tmp_path / "skeleton"
    skeleton.write_text(
        skeleton_of(azure.clusters[cluster], "azure").replace("AzurePublicCloud", "AzureStackCloud")
    )
    words = ["--format", "azure", "--skeleton", str(skeleton)]
    assert azaksauth(cluster, *words, username=who.MANAGED).code == 0
    content = yaml.safe_load(azaksauth.kubeconfig.read_text())
    config = content["users"][0]["user"]["auth-provider"]["config"]
    config |= {"expires-on": "1", "access-token": "expired"}
    azaksauth.kubeconfig.write_text(yaml.safe_dump(content))
    azure.requests.clear()

    result = kubectl("get", "pods", version=version, env={"AZURE_ENVIRONMENT_FILEPATH": str(stack)})

    assert "web-0" in result.output, result.errors
    assert "refresh_token" in [request.grant for request in azure.requests]
