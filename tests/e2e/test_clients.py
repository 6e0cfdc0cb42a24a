"""The kubeconfig as it is written, in the clients that people use, and in kubelogin's own words."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e import clients, installation
from e2e.conftest import Az, Door, Result, execute
from emulator import Emulator
from emulator import population as who
from emulator.arm.skeleton import kubeconfig as skeleton_of

Kubectl = Callable[..., Result]

PODS_BY_KUBERNETES = """
from kubernetes import client, config
config.load_kube_config()
for pod in client.CoreV1Api().list_namespaced_pod("default").items:
    print(pod.metadata.name)
"""
PODS_BY_KR8S = """
import kr8s
for pod in kr8s.get("pods", namespace="default"):
    print(pod.name)
"""
PODS_BY_CLIENT_NODE = """
import { CoreV1Api, KubeConfig } from "@kubernetes/client-node";
const config = new KubeConfig();
config.loadFromDefault();
const api = config.makeApiClient(CoreV1Api);
for (const pod of (await api.listNamespacedPod({ namespace: "default" })).items) {
  console.log(pod.metadata.name);
}
"""


@pytest.fixture(params=["stored", "renewed"])
def signed_in(request: pytest.FixtureRequest, azaksauth: Door, azure: Emulator) -> dict[str, str]:
    """The variables of a client after a user's login, whose token is there or has to be got."""
    assert azaksauth("aks-exec", username=who.MANAGED).code == 0
    if request.param == "renewed":
        Path(user_of(azaksauth.kubeconfig)["args"][3]).unlink()
    azure.requests.clear()
    return {**azaksauth.environment, "KUBECONFIG": str(azaksauth.kubeconfig)}


def assert_lists_pods(result: Result) -> None:
    assert (result.code, result.errors) == (0, "")
    assert "web-0" in result.output


@pytest.mark.parametrize("version", ["1.20", "1.24", "1.30", "1.35", None])
def test_kubectl(signed_in: dict[str, str], kubectl: Kubectl, version: str | None) -> None:
    assert_lists_pods(kubectl("get", "pods", version=version))


@pytest.mark.parametrize("major", ["3", "4"])
def test_helm(signed_in: dict[str, str], major: str, azure: Emulator) -> None:
    result = execute(clients.helm(major), "list", env=signed_in)

    assert result.code == 0, result.errors
    assert result.output.startswith("NAME")
    assert who.MANAGED in {request.username for request in azure.requests}


@pytest.mark.parametrize("program", [PODS_BY_KUBERNETES, PODS_BY_KR8S], ids=["kubernetes", "kr8s"])
def test_python(signed_in: dict[str, str], program: str) -> None:
    # kr8s warns of what the emulated API server does not have.
    settings = {"PYTHONPATH": str(clients.python_libraries()), "PYTHONWARNINGS": "ignore"}

    assert_lists_pods(execute(sys.executable, "-c", program, env={**signed_in, **settings}))


def test_javascript(signed_in: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "node_modules").symlink_to(clients.javascript_library() / "node_modules")
    program = tmp_path / "pods.mjs"
    program.write_text(PODS_BY_CLIENT_NODE)

    assert_lists_pods(execute("node", program, env=signed_in))


# kubelogin


def user_of(kubeconfig: Path) -> dict[str, Any]:
    (user,) = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))["users"]
    fields: dict[str, Any] = user["user"]["exec"]
    fields.pop("interactiveMode", None)  # both leave it to its default, which some write down
    return fields


@pytest.mark.parametrize(
    "cluster", ["aks-exec", "aks-azure", "aks-legacy-exec", "aks-legacy-azure"]
)
@pytest.mark.parametrize("user", [who.MANAGED, who.FEDERATED, None])
def test_the_kubelogin_entry_is_what_its_converter_writes(
    azaksauth: Door, az: Az, azure: Emulator, tmp_path: Path, cluster: str, user: str | None
) -> None:
    if user is None and "legacy" in cluster:
        pytest.skip("az has no token for a legacy cluster")
    skeleton = tmp_path / "skeleton"
    skeleton.write_text(skeleton_of(azure.clusters[cluster], None), encoding="utf-8")
    variables = {
        **az.environment,
        "PATH": f"{installation.SCRIPTS}{os.pathsep}{os.environ['PATH']}",
    }
    result = azaksauth(
        *(cluster, "--format", "kubelogin", "--skeleton", skeleton),
        *(() if user else ("--login", "azurecli")),
        username=user,
        password=who.PASSWORD if user else None,
        env=variables,
    )
    assert (result.code, result.errors) == (0, "")

    converted = tmp_path / "converted"
    shutil.copy(skeleton, converted)
    known = azure.clusters[cluster]
    ours = ("--client-id", known.client_id) if user else ()
    conversion = execute(
        *(clients.kubelogin(), "convert-kubeconfig", "--kubeconfig", converted),
        *("--login", "ropc" if user else "azurecli", "--tenant-id", known.tenant, *ours),
        env=azaksauth.environment,
    )
    assert conversion.code == 0, conversion.errors
    assert user_of(azaksauth.kubeconfig) == user_of(converted)


def test_kubelogin_takes_the_entry_of_the_az_login(
    azaksauth: Door, az: Az, kubectl: Kubectl
) -> None:
    folders = (clients.kubelogin().parent, installation.SCRIPTS, os.environ["PATH"])
    variables = {**az.environment, "PATH": os.pathsep.join(map(str, folders))}
    words = ("--login", "azurecli", "--format", "kubelogin")
    assert azaksauth("aks-exec", *words, password=None, env=variables).code == 0

    assert_lists_pods(kubectl("get", "pods", env=variables))
