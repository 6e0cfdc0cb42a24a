"""A stand-in for a job of Azure Pipelines whose steps are AzureCLI@2 tasks and plain scripts.

It does what the task's own source does, in the order of that: `az login` with AZURE_CONFIG_DIR
in the agent's folder for temporary files, the script with the task's variables, `az account clear`.
"""

from __future__ import annotations

import os
import re
import tempfile
import uuid
from pathlib import Path

from e2e import installation
from e2e.conftest import CLOUD, Result, execute
from e2e.secret_search import SEARCH
from emulator import Emulator
from emulator import population as who

SERVICE_PRINCIPAL = "service principal"
WORKLOAD_IDENTITY_FEDERATION = "workload identity federation"
MANAGED_IDENTITY = "managed identity"
CONNECTIONS = (SERVICE_PRINCIPAL, WORKLOAD_IDENTITY_FEDERATION, MANAGED_IDENTITY)

# Of the emulated service connection.
SERVICE_CONNECTION_ID = "66667777-aaaa-8888-bbbb-9999cccc0000"

_MACRO = re.compile(r"\$\(([\w.]+)\)")


class AzureCliTask:
    """AzureCLI@2 on an agent of its own, whose folder goes when the `with` block ends.

    Each call is one task of the same job. Output is not masked, as the agent's log would be.

    Args:
        azure: the emulator; the job's az has it as its active cloud.
        connection: the kind of service connection, one of CONNECTIONS.
        fail_on_standard_error: the input failOnStandardError.
        add_spn_to_environment: the input addSpnToEnvironment.
        variables: further variables of the whole job, for instance AZURE_EXTENSION_DIR, without
            which az looks for extensions below AZURE_CONFIG_DIR. Values may hold macros.
        secrets: its secret variables: a macro reaches them, no step has them in its environment.

    Scripts and `env:` may hold macros, `$(name)`.
    """

    def __init__(
        self,
        azure: Emulator,
        connection: str,
        *,
        fail_on_standard_error: bool = False,
        add_spn_to_environment: bool = False,
        variables: dict[str, str] | None = None,
        secrets: dict[str, str] | None = None,
    ) -> None:
        if connection not in CONNECTIONS:
            raise ValueError(f"connection is one of {CONNECTIONS}, not {connection!r}")
        self._azure = azure
        self._connection = connection
        self._fail_on_standard_error = fail_on_standard_error
        self._add_spn_to_environment = add_spn_to_environment
        self._variables = variables or {}
        self._secrets = secrets or {}
        self._temporary = tempfile.TemporaryDirectory(prefix="emulated-agent-")
        self.agent = Path(self._temporary.name)

    def __enter__(self) -> AzureCliTask:
        for folder in (self.home, self.sources, self.temp):
            folder.mkdir(parents=True)
        self._register_cloud()
        return self

    def __exit__(self, *_: object) -> None:
        SEARCH.look_below(self.agent)
        self._temporary.cleanup()

    # The agent

    @property
    def home(self) -> Path:
        """The home folder of the agent's user."""
        return self.agent / "home"

    @property
    def sources(self) -> Path:
        """Where scripts start: $(System.DefaultWorkingDirectory)."""
        return self.agent / "_work" / "1" / "s"

    @property
    def temp(self) -> Path:
        """The job's folder for temporary files: $(Agent.TempDirectory)."""
        return self.agent / "_work" / "_temp"

    @property
    def config(self) -> Path:
        """AZURE_CONFIG_DIR of the job's tasks; it stays until the job ends."""
        return self.temp / ".azclitask"

    @property
    def access_token(self) -> str:
        """$(System.AccessToken), for a step that maps it: `env={"SYSTEM_ACCESSTOKEN": ...}`."""
        return self._azure.oidc.pipelines_environment()["SYSTEM_ACCESSTOKEN"]

    @property
    def environment(self) -> dict[str, str]:
        """What every step of the job sees."""
        pipelines = self._azure.oidc.pipelines_environment()
        machine = {k: v for k, v in os.environ.items() if k != "AZURE_CONFIG_DIR"}
        if self._connection == MANAGED_IDENTITY:
            machine |= self._azure.managed_identity.imds_environment()
        return {
            **machine,
            **self._azure.environment(),
            "PATH": os.pathsep.join([str(installation.SCRIPTS), os.environ["PATH"]]),
            "HOME": str(self.home),
            "TF_BUILD": "True",
            "AGENT_TEMPDIRECTORY": str(self.temp),
            "SYSTEM_DEFAULTWORKINGDIRECTORY": str(self.sources),
            "SYSTEM_OIDCREQUESTURI": pipelines["SYSTEM_OIDCREQUESTURI"],
            **{
                name.upper().replace(".", "_"): self._expand(value)
                for name, value in self._variables.items()
            },
        }

    def _expand(self, text: str) -> str:
        """text with the values of its macros; one that names no variable stays as it is."""
        variables = {
            "Agent.TempDirectory": str(self.temp),
            "Build.SourcesDirectory": str(self.sources),
            "Pipeline.Workspace": str(self.sources.parent),
            "System.AccessToken": self.access_token,
            "System.DefaultWorkingDirectory": str(self.sources),
            **self._variables,
            **self._secrets,
        }
        values = {name.lower(): value for name, value in variables.items()}

        def value(macro: re.Match[str]) -> str:
            found = values.get(macro[1].lower())
            return macro[0] if found is None else self._expand(found)

        return _MACRO.sub(value, text)

    def _step_environment(self, env: dict[str, str] | None) -> dict[str, str]:
        mapped = {name: self._expand(value) for name, value in (env or {}).items()}
        return {**self.environment, **mapped}

    # The steps

    def __call__(
        self, script: str, env: dict[str, str] | None = None, *, elapsed: float = 0
    ) -> Result:
        """Run one AzureCLI@2 task.

        Args:
            script: inline, for bash.
            env: the step's `env:`.
            elapsed: seconds that pass by the emulator's clock between login and script; an
                identity token lives 600.

        Returns:
            The script's output and errors, or those of the az command that failed before it. The
            code is the script's, or 1 where the task fails for what is on standard error.
        """
        id_token = self._azure.oidc.issue()
        environment = self._task_environment(env)
        login = self._az(*self._login_words(id_token), environment=environment)
        if login.code != 0:
            return login
        try:
            words = ("account", "set", "--subscription", self._azure.subscription)
            chosen = self._az(*words, environment=environment)
            if chosen.code != 0:
                return chosen
            self._azure.clock.advance(elapsed)
            result = self._bash(script, environment | self._spn_variables(id_token))
        finally:
            self._az("account", "clear", environment=environment)
        if self._fail_on_standard_error and result.errors and result.code == 0:
            return Result(1, result.output, result.errors)
        return result

    def later_step(self, script: str, env: dict[str, str] | None = None) -> Result:
        """Run a plain bash step of the job: az's profile is that of the home folder there."""
        return self._bash(script, self._step_environment(env))

    def _task_environment(self, env: dict[str, str] | None) -> dict[str, str]:
        environment = {**self._step_environment(env), "AZURE_CONFIG_DIR": str(self.config)}
        if self._connection == WORKLOAD_IDENTITY_FEDERATION:
            environment |= {
                "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": SERVICE_CONNECTION_ID,
                "AZURESUBSCRIPTION_CLIENT_ID": who.WORKLOAD_PRINCIPAL,
                "AZURESUBSCRIPTION_TENANT_ID": self._azure.tenant,
            }
        return environment

    def _login_words(self, id_token: str) -> tuple[str, ...]:
        if self._connection == MANAGED_IDENTITY:
            return ("login", "--identity")
        if self._connection == SERVICE_PRINCIPAL:
            username, credential = who.SERVICE_PRINCIPAL, f"--password={who.SECRET}"
        else:
            username, credential = who.WORKLOAD_PRINCIPAL, f"--federated-token={id_token}"
        return (
            *("login", "--service-principal", "--username", username, credential),
            *("--tenant", self._azure.tenant, "--allow-no-subscriptions"),
        )

    def _spn_variables(self, id_token: str) -> dict[str, str]:
        if not self._add_spn_to_environment or self._connection == MANAGED_IDENTITY:
            return {}
        if self._connection == SERVICE_PRINCIPAL:
            identity = {
                "servicePrincipalId": who.SERVICE_PRINCIPAL,
                "servicePrincipalKey": who.SECRET,
            }
        else:
            identity = {"servicePrincipalId": who.WORKLOAD_PRINCIPAL, "idToken": id_token}
        return {**identity, "tenantId": self._azure.tenant}

    def _register_cloud(self) -> None:
        environment = self._task_environment(None)
        for words in (
            (
                *("cloud", "register", "--name", CLOUD),
                *("--endpoint-resource-manager", self._azure.resource_manager),
                *("--endpoint-active-directory", self._azure.authority_host),
                *("--endpoint-active-directory-resource-id", self._azure.arm_audience),
            ),
            ("cloud", "set", "--name", CLOUD),
        ):
            done = self._az(*words, environment=environment)
            assert done.code == 0, done.errors

    def _az(self, *words: str, environment: dict[str, str]) -> Result:
        return execute(installation.az(), *words, env=environment)

    def _bash(self, script: str, environment: dict[str, str]) -> Result:
        path = self.temp / f"{uuid.uuid4()}.sh"
        content = f'cd "$SYSTEM_DEFAULTWORKINGDIRECTORY"\n{self._expand(script)}\n'
        path.write_text(content, encoding="utf-8")
        try:
            return execute("bash", path, env=environment)
        finally:
            path.unlink()
