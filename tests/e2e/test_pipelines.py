"""The pipelines in docs/, their scripts run as they stand there; only macros have got values."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from aks_noninteractive.providers.azure_pipelines import MAPPING
from e2e import clients, installation
from e2e.azure_cli_task import (
    CONNECTIONS,
    MANAGED_IDENTITY,
    SERVICE_PRINCIPAL,
    WORKLOAD_IDENTITY_FEDERATION,
    AzureCliTask,
)
from e2e.conftest import Result, execute
from e2e.test_exec_plugin import HOUR, Plugin, entry_of
from emulator import Emulator
from emulator import population as who

DOCS = installation.ROOT / "docs"

IDENTITY = {
    SERVICE_PRINCIPAL: who.SERVICE_PRINCIPAL,
    WORKLOAD_IDENTITY_FEDERATION: who.WORKLOAD_PRINCIPAL,
    MANAGED_IDENTITY: who.SYSTEM_IDENTITY,
}
AFTER_THE_ID_TOKEN = 601
WHOAMI = "kubectl auth whoami -o jsonpath={.status.userInfo.username}"
GET_CREDENTIALS = "az aks get-credentials-noninteractive -g rg -n aks-exec"


def read(name: str) -> Any:
    return yaml.safe_load((DOCS / name).read_text(encoding="utf-8"))


def search_path() -> str:
    """PATH of a machine that has az, kubectl and Helm, as hosted ones have."""
    helm = clients.helm("4").parent
    return os.pathsep.join([str(installation.SCRIPTS), str(helm), os.environ["PATH"]])


def copy_wheel(folder: Path) -> None:
    (wheel,) = (installation.ROOT / "dist").glob("*.whl")
    shutil.copy(wheel, folder)


def let_an_hour_pass(azure: Emulator, kubeconfig: Path) -> None:
    """For the servers, and for the token that the kubeconfig's plugin has stored."""
    entry = entry_of(kubeconfig)
    Plugin((entry["command"], *entry["args"]), {}).age(HOUR)
    azure.clock.advance(HOUR)


def assert_quiet(result: Result) -> None:
    assert (result.code, result.errors) == (0, "")


# Azure Pipelines


class PipelineJob:
    """A job of docs/azure-pipelines.yml: an AzureCLI@2 task, and a step that uses the cluster."""

    def __init__(self, name: str, azure: Emulator, connection: str) -> None:
        pipeline = read("azure-pipelines.yml")
        (job,) = (job for job in pipeline["jobs"] if job["job"] == name)
        self._get, self._use = job["steps"]
        assert self._get["task"] == "AzureCLI@2"
        self.agent = AzureCliTask(
            azure,
            connection,
            fail_on_standard_error=self._get["inputs"]["failOnStandardError"],
            variables={
                **pipeline["variables"],
                "resourceGroup": "rg",
                "cluster": "aks-exec",
                "PATH": search_path(),
            },
            secrets={"aksUsername": who.FEDERATED, "aksPassword": who.PASSWORD},
        )

    def __enter__(self) -> PipelineJob:
        self.agent.__enter__()
        copy_wheel(self.agent.sources)
        return self

    def __exit__(self, *error: object) -> None:
        self.agent.__exit__(*error)

    @property
    def kubeconfig(self) -> Path:
        return Path(self.agent.environment["KUBECONFIG"])

    def get_credentials(
        self, *, mapped: Mapping[str, str] | None = None, elapsed: int = 0
    ) -> Result:
        env = {**self._get.get("env", {}), **(mapped or {})}
        return self.agent(self._get["inputs"]["inlineScript"], env, elapsed=elapsed)

    def use_cluster(self) -> Result:
        return self.agent.later_step(self._use["bash"], self._use.get("env"))

    def use_cluster_without_mapping(self) -> Result:
        return self.agent.later_step(self._use["bash"])

    def whoami(self) -> str:
        return self.agent.later_step(WHOAMI, self._use.get("env")).output


def az_is_signed_out(agent: AzureCliTask) -> bool:
    profile = json.loads((agent.config / "azureProfile.json").read_text(encoding="utf-8-sig"))
    return not profile["subscriptions"]


def assert_uses_cluster(result: Result) -> None:
    assert_quiet(result)
    assert "web-0" in result.output  # kubectl get pods
    assert "REVISION" in result.output  # helm list


@pytest.mark.parametrize("connection", CONNECTIONS)
def test_a_connection_of_any_kind_serves_later_steps_after_the_logout(
    azure: Emulator, connection: str
) -> None:
    with PipelineJob("connection", azure, connection) as job:
        got = job.get_credentials()

        assert_quiet(got)
        assert (got.json["login"], got.json["format"]) == ("azurecli", "token")
        assert az_is_signed_out(job.agent)
        assert_uses_cluster(job.use_cluster())
        assert job.whoami() == IDENTITY[connection]


def test_the_task_can_run_again_in_the_same_job(azure: Emulator) -> None:
    with PipelineJob("connection", azure, SERVICE_PRINCIPAL) as job:
        assert_quiet(job.get_credentials())
        assert_quiet(job.get_credentials())


def test_a_federated_connection_outlives_its_token_in_steps_that_map_the_access_token(
    azure: Emulator,
) -> None:
    with PipelineJob("federation", azure, WORKLOAD_IDENTITY_FEDERATION) as job:
        got = job.get_credentials()
        assert_quiet(got)
        assert (got.json["login"], got.json["format"]) == ("azurepipelines", "exec")
        assert az_is_signed_out(job.agent)

        let_an_hour_pass(azure, job.kubeconfig)

        assert_uses_cluster(job.use_cluster())
        assert job.whoami() == who.WORKLOAD_PRINCIPAL


def test_a_step_that_lacks_the_access_token_is_told_to_map_it(azure: Emulator) -> None:
    with PipelineJob("federation", azure, WORKLOAD_IDENTITY_FEDERATION) as job:
        assert_quiet(job.get_credentials())
        assert_uses_cluster(job.use_cluster_without_mapping())

        let_an_hour_pass(azure, job.kubeconfig)
        failed = job.use_cluster_without_mapping()

    assert failed.code != 0
    (line,) = {line for line in failed.errors.splitlines() if line.startswith("aks-noninteractive")}
    assert MAPPING in line


def test_a_user_needs_neither_name_nor_password_in_later_steps(azure: Emulator) -> None:
    with PipelineJob("user", azure, SERVICE_PRINCIPAL) as job:
        got = job.get_credentials()
        assert_quiet(got)
        assert (got.json["login"], got.json["format"]) == ("federated", "exec")

        let_an_hour_pass(azure, job.kubeconfig)

        assert_uses_cluster(job.use_cluster())
        assert job.whoami() == who.FEDERATED


def test_an_expired_id_token_is_explained_and_the_access_token_helps(azure: Emulator) -> None:
    with PipelineJob("connection", azure, WORKLOAD_IDENTITY_FEDERATION) as job:
        failed = job.get_credentials(elapsed=AFTER_THE_ID_TOKEN)

        assert failed.code != 0
        for advice in ("AADSTS700024", "first in the step", "session active", "SYSTEM_ACCESSTOKEN"):
            assert advice in failed.errors
        name, _, macro = MAPPING.removeprefix("env: ").partition(": ")
        assert_quiet(job.get_credentials(mapped={name: macro}, elapsed=AFTER_THE_ID_TOKEN))
        assert job.whoami() == who.WORKLOAD_PRINCIPAL


# Whose variables an Azure Pipelines job may have besides

STRAY_USER = {"AZURE_USERNAME": who.MANAGED, "AZURE_PASSWORD": who.PASSWORD}
# What a build agent in a pod of AKS with workload identity has.
POD = {
    "AZURE_CLIENT_ID": who.WORKLOAD_PRINCIPAL,
    "AZURE_TENANT_ID": "$(tenant)",
    "AZURE_FEDERATED_TOKEN_FILE": "$(tokenFile)",
    "AZURE_AUTHORITY_HOST": "$(authority)",
}


@pytest.mark.parametrize(
    ("variables", "arguments", "identity"),
    [
        (STRAY_USER, "", who.SERVICE_PRINCIPAL),
        (STRAY_USER | {"AAD_LOGIN_METHOD": "ropc"}, "", who.MANAGED),
        (STRAY_USER, "--login password", who.MANAGED),
        (STRAY_USER, f"--username {who.MANAGED}", who.MANAGED),
        (POD, "", who.SERVICE_PRINCIPAL),
        (POD | {"AAD_LOGIN_METHOD": "workloadidentity"}, "", who.WORKLOAD_PRINCIPAL),
        (POD, "--login workloadidentity", who.WORKLOAD_PRINCIPAL),
        (POD, "--federated-token-file $(tokenFile)", who.WORKLOAD_PRINCIPAL),
    ],
)
def test_only_what_is_asked_for_wins_over_the_connection(
    azure: Emulator, given: Path, variables: dict[str, str], arguments: str, identity: str
) -> None:
    token = given / "azure-identity-token"
    token.write_text(azure.oidc.issue(), encoding="ascii")
    job_variables = {
        **variables,
        "tenant": azure.tenant,
        "authority": azure.authority_host,
        "tokenFile": str(token),
        "AZURE_EXTENSION_DIR": str(installation.extension_directory()),
    }

    with AzureCliTask(
        azure, SERVICE_PRINCIPAL, fail_on_standard_error=True, variables=job_variables
    ) as task:
        result = task(f"{GET_CREDENTIALS} {arguments}")

        assert_quiet(result)
        assert result.json["identity"] == identity
        assert task.later_step(WHOAMI).output == identity


# GitHub Actions


class WorkflowJob:
    """A job of docs/github-workflow.yml, run as GitHub's runner runs it.

    The emulator is a private cloud to azaksauth, which is told so; az has it registered.
    """

    def __init__(self, name: str, azure: Emulator, environment: dict[str, str], folder: Path):
        workflow = read("github-workflow.yml")
        job = workflow["jobs"][name]
        self._steps = [step["run"] for step in job["steps"] if "run" in step]
        self._folder = folder
        self._emulated = frozenset(azure.environment())
        self._cloud = (
            f"--authority-host {azure.authority_host} --resource-manager {azure.resource_manager}"
        )
        workspace, temporary = folder / "workspace", folder / "temp"
        for path in (workspace, temporary):
            path.mkdir()
        copy_wheel(workspace)
        self._expressions = {
            "github.workspace": str(workspace),
            "vars.AZURE_CLIENT_ID": who.WORKLOAD_PRINCIPAL,
            "vars.AZURE_TENANT_ID": azure.tenant,
            "vars.AZURE_SUBSCRIPTION_ID": azure.subscription,
        }
        assert workflow["permissions"]["id-token"] == "write"
        self._environment = {
            **environment,
            **azure.oidc.github_environment(),
            "GITHUB_ACTIONS": "true",
            "GITHUB_WORKSPACE": str(workspace),
            "PATH": search_path(),
            "RUNNER_TEMP": str(temporary),
            **{
                name: self._evaluate(value)
                for name, value in {**workflow["env"], **job.get("env", {})}.items()
            },
            "RESOURCE_GROUP": "rg",
            "CLUSTER": "aks-exec",
        }

    @property
    def kubeconfig(self) -> Path:
        return Path(self._environment["HOME"]) / ".kube" / "config"

    def prepare(self) -> list[Result]:
        """Every step but the last."""
        return [self.run(script) for script in self._steps[:-1]]

    def use_cluster(self) -> Result:
        return self.run(self._steps[-1])

    def run(self, script: str) -> Result:
        path = self._folder / "step.sh"
        path.write_text(
            'cd "$GITHUB_WORKSPACE"\n'
            + self._evaluate(script).replace('/azaksauth" ', f'/azaksauth" {self._cloud} '),
            encoding="utf-8",
        )
        environment = self._environment
        if "pip" in script:  # the package index is not emulated, and has another CA
            environment = {k: v for k, v in environment.items() if k not in self._emulated}
        return execute("bash", "-e", path, env=environment)

    def _evaluate(self, text: str) -> str:
        return re.sub(r"\$\{\{ *([\w.]+) *\}\}", lambda match: self._expressions[match[1]], text)


@pytest.mark.parametrize("name", ["azaksauth", "az"])
def test_a_github_job_signs_in_and_outlives_its_token(
    azure: Emulator,
    az_configs: dict[str, Path],
    environment: dict[str, str],
    tmp_path: Path,
    name: str,
) -> None:
    signed_out = {"AZURE_CONFIG_DIR": str(az_configs["signed-out"])}
    job = WorkflowJob(name, azure, environment | signed_out, tmp_path)

    for result in job.prepare():
        assert_quiet(result)
    let_an_hour_pass(azure, job.kubeconfig)

    assert_uses_cluster(job.use_cluster())
    assert job.run(WHOAMI).output == who.WORKLOAD_PRINCIPAL
