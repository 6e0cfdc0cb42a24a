"""Identities that are no users: from their secret, certificate or token to kubectl, and renewed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import NameOID

from e2e import clients, installation
from e2e.conftest import AZ_SIGNED_IN, AZ_SIGNED_OUT, AZAKSAUTH, Az, Door, Result, execute
from e2e.test_exec_plugin import HOUR, Plugin, assert_fails, plugin_of, username_of
from emulator import Emulator
from emulator import population as who
from emulator.arm.skeleton import kubeconfig as skeleton_of
from emulator.certificate_files import CertificateFiles
from emulator.directory import AKS_SERVER_ID, FederatedCredential
from emulator.traffic import Request

Kubectl = Callable[..., Result]


@dataclass(frozen=True)
class Identity:
    """What a person gives, and what comes of it.

    words: flags; variables: of the login, and later of kubectl. later: variables that only kubectl
    has, because a flag said at the login what never stands in a kubeconfig.
    """

    name: str
    login: str
    words: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    later: Mapping[str, str] = field(default_factory=dict)

    @property
    def exchanges_a_token(self) -> bool:
        """Whether the token that proves the identity has to be asked for first."""
        return self.login in ("githubactions", "azurepipelines")


@dataclass(frozen=True)
class World:
    """What identities are made of."""

    azure: Emulator
    folder: Path
    certificates: CertificateFiles

    def file(self, name: str, content: str) -> str:
        path = self.folder / name
        path.write_text(content, encoding="utf-8")
        return str(path)

    @property
    def tenant(self) -> dict[str, str]:
        return {"AZURE_TENANT_ID": self.azure.tenant}

    def service_principal(self, *words: str, **variables: str) -> Identity:
        return Identity(who.SERVICE_PRINCIPAL, "spn", words, variables)

    def certificate(
        self, file: Path, name: str = who.CERTIFICATE_PRINCIPAL, **more: str
    ) -> Identity:
        words = ("--client-id", name, "--client-certificate", str(file))
        return Identity(name, "spn", words, self.tenant | more)

    def workload(self, login: str, *words: str, **variables: str) -> Identity:
        given = {"AZURE_CLIENT_ID": who.WORKLOAD_PRINCIPAL, **self.tenant, **variables}
        return Identity(who.WORKLOAD_PRINCIPAL, login, words, given)

    def managed(self, name: str, words: tuple[str, ...], machine: str) -> Identity:
        host = self.azure.managed_identity
        variables = host.imds_environment() if machine == "IMDS" else host.app_service_environment()
        return Identity(name, "msi", words, variables)

    @property
    def user_assigned(self) -> str:
        return self.azure.managed_identity.user_assigned[0].resource_id


def secret_in_a_file(world: World) -> Identity:
    file = world.file("secret", who.SECRET + "\n")
    words = ("--client-id", who.SERVICE_PRINCIPAL, "--client-secret", f"@{file}")
    later = {"AZURE_CLIENT_SECRET": who.SECRET}
    return Identity(who.SERVICE_PRINCIPAL, "spn", words, world.tenant, later)


def secret_in_azures_variables(world: World) -> Identity:
    return world.service_principal(
        AZURE_CLIENT_ID=who.SERVICE_PRINCIPAL, AZURE_CLIENT_SECRET=who.SECRET, **world.tenant
    )


def secret_in_kubelogins_variables(world: World) -> Identity:
    return world.service_principal(
        AAD_SERVICE_PRINCIPAL_CLIENT_ID=who.SERVICE_PRINCIPAL,
        AAD_SERVICE_PRINCIPAL_CLIENT_SECRET=who.SECRET,
        AAD_LOGIN_METHOD="spn",
        **world.tenant,
    )


def secret_in_terraforms_variables(world: World) -> Identity:
    return world.service_principal(
        *("--login", "spn"),
        ARM_CLIENT_ID=who.SERVICE_PRINCIPAL,
        ARM_CLIENT_SECRET=who.SECRET,
        ARM_TENANT_ID=world.azure.tenant,
    )


def pem(world: World) -> Identity:
    return world.certificate(world.certificates.pem)


def encrypted_pem(world: World) -> Identity:
    files = world.certificates
    password = {"AZURE_CLIENT_CERTIFICATE_PASSWORD": files.passphrase}
    return world.certificate(files.encrypted_pem, **password)


def pfx(world: World) -> Identity:
    variables = {
        "AAD_SERVICE_PRINCIPAL_CLIENT_ID": who.CERTIFICATE_PRINCIPAL,
        "AAD_SERVICE_PRINCIPAL_CLIENT_CERTIFICATE": str(world.certificates.pfx),
        **world.tenant,
    }
    return Identity(who.CERTIFICATE_PRINCIPAL, "spn", (), variables)


def encrypted_pfx(world: World) -> Identity:
    files = world.certificates
    variables = {
        "AZURE_CLIENT_ID": who.CERTIFICATE_PRINCIPAL,
        "AZURE_CLIENT_CERTIFICATE_PATH": str(files.encrypted_pfx),
        **world.tenant,
    }
    words = ("--client-cert-password", f"@{world.file('passphrase', files.passphrase)}")
    later = {"AZURE_CLIENT_CERTIFICATE_PASSWORD": files.passphrase}
    return Identity(who.CERTIFICATE_PRINCIPAL, "spn", words, variables, later)


def certificate_trusted_by_its_issuer(world: World) -> Identity:
    return world.certificate(world.certificates.subject_pfx, who.SUBJECT_PRINCIPAL)


def workload_identity_by_flag(world: World) -> Identity:
    file = world.file("token", world.azure.oidc.issue() + "\n")
    return world.workload("workloadidentity", "--federated-token-file", file)


def workload_identity_by_variable(world: World) -> Identity:
    file = world.file("token", world.azure.oidc.issue())
    return world.workload("workloadidentity", AZURE_FEDERATED_TOKEN_FILE=file)


def github_job(world: World) -> Identity:
    return world.workload("githubactions", **world.azure.oidc.github_environment())


def workload_identity_of_a_github_job(world: World) -> Identity:
    words = ("--login", "workloadidentity")
    return world.workload("githubactions", *words, **world.azure.oidc.github_environment())


def service_connection_by_flag(world: World) -> Identity:
    words = ("--service-connection-id", "5e4ec0de-connection")
    return world.workload("azurepipelines", *words, **world.azure.oidc.pipelines_environment())


def service_connection_of_the_task(world: World) -> Identity:
    variables = {
        "AZURESUBSCRIPTION_CLIENT_ID": who.WORKLOAD_PRINCIPAL,
        "AZURESUBSCRIPTION_TENANT_ID": world.azure.tenant,
        "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": "5e4ec0de-connection",
        "TF_BUILD": "True",
        **world.azure.oidc.pipelines_environment(),
    }
    return Identity(who.WORKLOAD_PRINCIPAL, "azurepipelines", (), variables)


def machines_own_identity(world: World) -> Identity:
    return world.managed(who.SYSTEM_IDENTITY, ("--login", "msi"), "IMDS")


def apps_own_identity(world: World) -> Identity:
    return world.managed(who.SYSTEM_IDENTITY, ("--login", "msi"), "App Service")


def machines_identity_by_client_id(world: World) -> Identity:
    words = ("--login", "msi", "--client-id", who.USER_IDENTITY)
    return world.managed(who.USER_IDENTITY, words, "IMDS")


def apps_identity_by_resource_id(world: World) -> Identity:
    words = ("--identity-resource", world.user_assigned)
    return world.managed(who.USER_IDENTITY, words, "App Service")


def machines_identity_by_resource_id(world: World) -> Identity:
    return world.managed(who.USER_IDENTITY, ("--identity-resource", world.user_assigned), "IMDS")


Make = Callable[[World], Identity]
SERVICE_PRINCIPALS: tuple[Make, ...] = (
    secret_in_a_file,
    secret_in_azures_variables,
    secret_in_kubelogins_variables,
    secret_in_terraforms_variables,
    pem,
    encrypted_pem,
    pfx,
    encrypted_pfx,
    certificate_trusted_by_its_issuer,
)
EXCHANGES: tuple[Make, ...] = (
    workload_identity_by_flag,
    workload_identity_by_variable,
    github_job,
    workload_identity_of_a_github_job,
    service_connection_by_flag,
    service_connection_of_the_task,
)
MANAGED_IDENTITIES: tuple[Make, ...] = (
    machines_own_identity,
    apps_own_identity,
    machines_identity_by_client_id,
    machines_identity_by_resource_id,
    apps_identity_by_resource_id,
)
# One of each kind, for what does not depend on how an identity is given.
KINDS: tuple[Make, ...] = (
    secret_in_a_file,
    encrypted_pfx,
    workload_identity_by_variable,
    github_job,
    service_connection_of_the_task,
    machines_own_identity,
)


@pytest.fixture
def world(azure: Emulator, given: Path) -> World:
    return World(azure, given, azure.certificate_files(given))


@pytest.fixture
def plain(world: World, azaksauth: Door, azure: Emulator, kubectl: Kubectl) -> Run:
    return Run(world, azaksauth, azure, kubectl)


@dataclass(frozen=True)
class Run:
    """A login with an identity, and kubectl after it."""

    world: World
    door: Door
    azure: Emulator
    kubectl: Kubectl

    def login(self, identity: Identity, *words: str | Path, cluster: str = "aks-exec") -> Result:
        self.azure.requests.clear()
        result = self.door(
            cluster, *identity.words, *words, password=None, env=dict(identity.variables)
        )
        assert (result.code, result.errors) == (0, "")
        assert (result.json["identity"], result.json["login"]) == (identity.name, identity.login)
        assert result.json["tenant"] == self.azure.tenant
        return result

    def whoami(self, identity: Identity) -> str:
        variables = {**identity.variables, **identity.later}
        return username_of(self.kubectl("auth", "whoami", "-o", "json", env=variables))

    @property
    def plugin(self) -> Plugin:
        return plugin_of(self.door)

    @property
    def asked(self) -> list[str]:
        """What the requests so far were for, but kubectl's own."""
        return [_purpose(r) for r in self.azure.requests if r.service != "apiserver"]


def _purpose(request: Request) -> str:
    if "/oidc/" in request.path:
        return "id token"
    if request.service == "arm":
        return "cluster"
    return "API server" if AKS_SERVER_ID in (request.resource or "") else "ARM"


def assert_renewed_from_what_is_there(run: Run, identity: Identity) -> None:
    """The entry holds no secret; once expired, the token is got again without the flags."""
    assert run.whoami(identity) == identity.name
    old = run.plugin.token
    passphrase = run.world.certificates.passphrase
    for secret in (who.SECRET, passphrase, run.azure.oidc.request_token, old):
        assert secret not in str(yaml.safe_load(run.door.kubeconfig.read_text(encoding="utf-8")))
    run.plugin.age(HOUR)
    run.azure.requests.clear()

    assert run.whoami(identity) == identity.name
    assert run.whoami(identity) == identity.name

    assert run.asked == [*(["id token"] if identity.exchanges_a_token else []), "API server"]
    assert run.plugin.token != old


# From the identity to kubectl


@pytest.mark.parametrize("make", SERVICE_PRINCIPALS + EXCHANGES + MANAGED_IDENTITIES)
def test_an_identity_gets_to_kubectl_and_stays_there(plain: Run, make: Make) -> None:
    identity = make(plain.world)

    plain.login(identity)

    proof = ["id token"] if identity.exchanges_a_token else []
    assert plain.asked == [*proof, "ARM", "cluster", "API server"]
    assert_renewed_from_what_is_there(plain, identity)


@pytest.mark.parametrize("door", [AZ_SIGNED_IN, AZ_SIGNED_OUT], indirect=True)
@pytest.mark.parametrize("make", KINDS)
def test_an_identity_gets_through_az_too(
    world: World, door: Door, azure: Emulator, kubectl: Kubectl, make: Make
) -> None:
    run, identity = Run(world, door, azure, kubectl), make(world)

    run.login(identity)

    proof = ["id token"] if identity.exchanges_a_token else []
    arm = ["ARM"] if door.name == AZ_SIGNED_OUT else []
    assert sorted(run.asked) == sorted([*proof, *arm, "cluster", "API server"])
    assert_renewed_from_what_is_there(run, identity)


@pytest.mark.parametrize("make", KINDS)
def test_the_token_itself_needs_nothing_afterwards(plain: Run, make: Make) -> None:
    identity = make(plain.world)

    assert plain.login(identity, "--format", "token").json["format"] == "token"

    assert plain.whoami(Identity(identity.name, identity.login)) == identity.name


def test_the_az_login_renews_for_azaksauth(
    plain: Run, own_az: Az, azure: Emulator, tmp_path: Path
) -> None:
    azure.token_lifetime = 200  # short enough that az does not answer out of its own cache
    config = own_az.environment["AZURE_CONFIG_DIR"]
    path = os.pathsep.join([str(installation.SCRIPTS), os.environ["PATH"]])
    variables = {"AZURE_CORE_INSTANCE_DISCOVERY": "false", "PATH": path}
    identity = Identity(
        *(who.SERVICE_PRINCIPAL, "azurecli", ("--login", "azurecli")),
        {**variables, "AZURE_CONFIG_DIR": config},
        {"AZURE_CONFIG_DIR": str(tmp_path / "another")},
    )
    plain.login(identity)
    plain.plugin.age(200)
    azure.requests.clear()

    assert plain.whoami(identity) == who.SERVICE_PRINCIPAL

    assert plain.asked == ["API server"]


@pytest.mark.parametrize("cluster", ["aks-legacy-exec", "aks-legacy-azure"])
@pytest.mark.parametrize("make", [secret_in_azures_variables, pem, github_job])
def test_a_legacy_cluster_gets_its_audience(plain: Run, make: Make, cluster: str) -> None:
    identity = make(plain.world)

    plain.login(identity, cluster=cluster)

    last = [request for request in plain.azure.requests if request.resource == AKS_SERVER_ID][-1]
    assert (last.path, last.query) == (
        f"/{plain.azure.tenant}/oauth2/token",
        {"api-version": "1.0"},
    )
    assert_renewed_from_what_is_there(plain, identity)


@pytest.mark.parametrize("login", ["msi", "azurecli"])
def test_a_legacy_cluster_is_refused_to_whom_cannot_ask_for_it(
    plain: Run, az: Az, login: str
) -> None:
    skeleton = plain.world.folder / "skeleton"
    legacy = plain.azure.clusters["aks-legacy-exec"]
    skeleton.write_text(skeleton_of(legacy, None), encoding="utf-8")
    path = f"{installation.SCRIPTS}{os.pathsep}{os.environ['PATH']}"
    variables = {**az.environment, "PATH": path, **machines_own_identity(plain.world).variables}

    words = ("--login", login, "--skeleton", skeleton)
    result = plain.door("aks-legacy-exec", *words, password=None, env=variables)

    assert result.code == 2
    assert "legacy" in result.errors and f"--login {login}" in result.errors
    assert plain.azure.requests == []


# What a renewal finds


def test_a_federated_token_is_read_afresh(plain: Run) -> None:
    identity = workload_identity_by_flag(plain.world)
    plain.login(identity)
    plain.plugin.age(HOUR)
    expired = plain.azure.oidc.issue(lifetime=-1)

    for content, says in (("", "is empty"), (expired, "AADSTS700024")):
        plain.world.file("token", content)
        assert_fails(plain.plugin(**identity.variables), says, plain.plugin.renewal)
    plain.world.file("token", plain.azure.oidc.issue())
    assert plain.whoami(identity) == identity.name  # at once: the refusal was for another token


@pytest.mark.parametrize(
    ("make", "secret"),
    [
        (secret_in_a_file, "AZURE_CLIENT_SECRET"),
        (encrypted_pfx, "AZURE_CLIENT_CERTIFICATE_PASSWORD"),
        (github_job, "ACTIONS_ID_TOKEN_REQUEST_TOKEN"),
    ],
)
def test_a_refusal_ends_when_what_was_refused_changes(plain: Run, make: Make, secret: str) -> None:
    identity = make(plain.world)
    plain.login(identity)
    plain.plugin.age(HOUR)
    good = {**identity.variables, **identity.later}
    plain.azure.requests.clear()

    first = plain.plugin(**{**good, secret: "wr0ng~one"})
    asked = plain.asked
    assert_fails(first, plain.plugin.renewal)
    assert plain.plugin(**{**good, secret: "wr0ng~one"}).errors == first.errors
    assert plain.asked == asked

    assert plain.whoami(identity) == identity.name


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (secret_in_azures_variables, "AZURE_CLIENT_SECRET"),
        (github_job, "ACTIONS_ID_TOKEN_REQUEST_TOKEN"),
        (service_connection_of_the_task, "SYSTEM_ACCESSTOKEN"),
    ],
)
def test_without_its_variables_a_renewal_names_them(plain: Run, make: Make, says: str) -> None:
    plain.login(make(plain.world))
    plain.plugin.age(HOUR)
    plain.azure.requests.clear()

    assert_fails(plain.plugin(), says, f"Renew it with: {plain.plugin.renewal}")

    assert plain.azure.requests == []


@pytest.mark.parametrize("make", [pem, workload_identity_by_flag])
def test_a_file_named_from_where_the_login_ran_is_found_from_elsewhere(
    plain: Run, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = make(plain.world)
    monkeypatch.chdir(plain.world.folder)
    *flags, file = identity.words
    plain.login(replace(identity, words=(*flags, Path(file).name)))
    plain.plugin.age(HOUR)
    monkeypatch.chdir("/")

    assert plain.whoami(identity) == identity.name


def test_a_machines_own_identity_stays_that_whatever_the_environment_says(plain: Run) -> None:
    identity = machines_own_identity(plain.world)
    plain.login(identity)
    plain.plugin.age(HOUR)
    elsewhere = {**identity.variables, "AZURE_CLIENT_ID": who.USER_IDENTITY}

    whoami = plain.kubectl("auth", "whoami", "-o", "json", env=elsewhere)

    assert username_of(whoami) == who.SYSTEM_IDENTITY


@pytest.mark.parametrize(
    ("make", "service", "path"),
    [
        (github_job, "entra", "/github/"),
        (service_connection_of_the_task, "entra", "/pipelines/"),
        (secret_in_azures_variables, "entra", "/token"),
    ],
)
def test_while_others_fail_a_token_that_lives_is_used(
    plain: Run, make: Make, service: str, path: str
) -> None:
    identity = make(plain.world)
    plain.login(identity)
    plain.plugin.age(HOUR - 200)
    plain.azure.fail(service, path, status=503, times=None, headers={"Retry-After": "0"})

    assert plain.whoami(identity) == identity.name


# Which identity


def test_in_a_pipeline_without_az_a_user_in_the_environment_is_taken(azaksauth: Door) -> None:
    result = azaksauth("aks-exec", env={"TF_BUILD": "True", "AZURE_USERNAME": who.MANAGED})

    assert (result.code, result.errors) == (0, "")
    assert result.json["identity"] == who.MANAGED


@pytest.mark.parametrize("door", [AZ_SIGNED_OUT, AZAKSAUTH], indirect=True)
def test_nobody_is_told_with_all_that_was_looked_for(door: Door, azure: Emulator) -> None:
    result = door("aks-exec", password=None, env={"AZURE_CLIENT_SECRET": who.SECRET})

    assert result.code == (2 if door.name == AZAKSAUTH else 1)
    for words in ("AAD_LOGIN_METHOD", "spn lacks a client id", "password lacks", "az login"):
        assert words in result.errors
    assert azure.requests == []


def test_the_choice_is_explained_verbosely(door: Door, world: World) -> None:
    variables = {**secret_in_azures_variables(world).variables, "AZURE_USERNAME": who.MANAGED}

    result = door("aks-exec", "--verbose", password=None, env=variables)

    assert result.code == 0
    assert "password lacks a password" in result.errors
    assert "identity: spn, because of the environment" in result.errors


@pytest.mark.parametrize("door", [AZ_SIGNED_IN], indirect=True)
def test_two_identities_in_one_run_are_told_verbosely(door: Door, world: World) -> None:
    identity = pem(world)

    result = door(
        "aks-exec", *identity.words, "--verbose", password=None, env=dict(identity.variables)
    )

    assert result.code == 0
    (line,) = (line for line in result.errors.splitlines() if who.SERVICE_PRINCIPAL in line)
    assert who.CERTIFICATE_PRINCIPAL in line


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--client-secret", "s3cret", "--identity-resource", "/r"), "--identity-resource"),
        (("--login", "devicecode"), "devicecode"),
        (("--login", "spn", "--client-secret", "s3cret"), "--client-id"),
    ],
)
def test_what_does_not_fit_together_is_a_usage_error(
    door: Door, azure: Emulator, words: tuple[str, ...], says: str
) -> None:
    result = door("aks-exec", *words, password=None)

    assert result.code == (2 if door.name == AZAKSAUTH else 1)
    assert says in result.errors
    assert azure.requests == []


def wrong_secret(world: World) -> Identity:
    variables = {"AZURE_CLIENT_ID": who.SERVICE_PRINCIPAL, "AZURE_CLIENT_SECRET": "n0t~the-secret"}
    return world.service_principal(**variables, **world.tenant)


def token_of_another_workload(world: World) -> Identity:
    file = world.file("bad", world.azure.oidc.issue(subject="repo:somebody/else"))
    return world.workload("workloadidentity", AZURE_FEDERATED_TOKEN_FILE=file)


def job_without_permission(world: World) -> Identity:
    variables = {
        **world.azure.oidc.github_environment(),
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "of-an-old-job",
    }
    return world.workload("githubactions", **variables)


def step_without_mapping(world: World) -> Identity:
    variables = {
        **service_connection_of_the_task(world).variables,
        "SYSTEM_ACCESSTOKEN": "of-an-old-job",
    }
    return Identity("", "azurepipelines", (), variables)


def identity_of_another_machine(world: World) -> Identity:
    return world.managed("", ("--login", "msi", "--client-id", who.SERVICE_PRINCIPAL), "IMDS")


def machine_without_identities(world: World) -> Identity:
    nowhere = {"AZURE_POD_IDENTITY_AUTHORITY_HOST": "http://127.0.0.1:1"}
    return Identity("", "msi", ("--login", "msi"), nowhere)


@pytest.mark.parametrize(
    ("make", "says", "remedy"),
    [
        (wrong_secret, "AADSTS7000215", "secret's value"),
        (token_of_another_workload, "AADSTS700213", "subject"),
        (job_without_permission, "HTTP 401", "id-token: write"),
        (step_without_mapping, "HTTP 401", "$(System.AccessToken)"),
        (identity_of_another_machine, who.SERVICE_PRINCIPAL, "--identity-resource"),
        (machine_without_identities, "cannot be reached", "another --login"),
    ],
)
def test_a_refused_identity_says_why(plain: Run, make: Make, says: str, remedy: str) -> None:
    error, advice = refusal(plain, make(plain.world))

    assert says in error
    assert remedy in advice


# Clouds


@pytest.fixture(
    params=[
        ("AzureUSGovernmentCloud", "core.usgovcloudapi.net", "USGov"),
        ("AzureChinaCloud", "core.chinacloudapi.cn", "China"),
    ],
    ids=lambda cloud: cloud[0],
)
def cloud(request: pytest.FixtureRequest, azure: Emulator) -> Iterator[tuple[str, str, str]]:
    """The emulator as another cloud: its name, Resource Manager's and the exchange's audience."""
    name, domain, suffix = request.param
    before = azure.arm_audience
    azure.arm_audience = f"https://management.{domain}/"
    yield name, azure.arm_audience, f"api://AzureADTokenExchange{suffix}"
    azure.arm_audience = before


def test_another_cloud_has_its_own_audiences(
    plain: Run, azure: Emulator, cloud: tuple[str, str, str]
) -> None:
    name, arm_audience, exchange_audience = cloud
    trust = FederatedCredential(azure.oidc.issuer, azure.oidc.subject, exchange_audience)
    client = azure.add_service_principal(federated_credentials=(trust,)).client_id
    identity = Identity(
        *(client, "githubactions", ("--environment", name)),
        {**github_job(plain.world).variables, "AZURE_CLIENT_ID": client},
    )

    plain.login(identity)

    assert azure.requests[0].query["audience"] == exchange_audience
    assert azure.requests[1].resource == f"{arm_audience}/.default"
    assert_renewed_from_what_is_there(plain, identity)
    assert azure.requests[0].query["audience"] == exchange_audience


REALM = {
    "AzureUSGovernmentCloud": "microsoftonline.us",
    "AzureChinaCloud": "partner.microsoftonline.cn",
}


def realm_in(cloud: str, azure: Emulator) -> str:
    """What Entra says of a federated user of another cloud."""
    federation = azure.federations["fed.example"]
    return json.dumps(
        {
            "account_type": "Federated",
            "cloud_instance_name": REALM[cloud],
            "federation_protocol": "WSTrust",
            "federation_metadata_url": federation.metadata_url,
            "federation_active_auth_url": federation.active_url,
        }
    )


@pytest.mark.parametrize("theirs", REALM)
def test_a_user_of_another_cloud_is_told_which(
    azaksauth: Door, azure: Emulator, theirs: str
) -> None:
    azure.fail("entra", "userrealm", body=realm_in(theirs, azure))

    result = azaksauth("aks-exec", username=who.FEDERATED)

    assert result.code == 1
    assert f"--environment {theirs}" in result.errors
    assert len(azure.requests) == 1


def test_a_user_of_another_cloud_stays_there(
    plain: Run, azure: Emulator, cloud: tuple[str, str, str]
) -> None:
    azure.fail("entra", "userrealm", body=realm_in(cloud[0], azure), times=None)
    words = ("--environment", cloud[0])
    assert plain.door("aks-exec", *words, username=who.FEDERATED).code == 0
    plain.plugin.age(HOUR)
    plain.plugin.lose_refresh_token()

    later = Identity(who.FEDERATED, "federated", variables={"AZURE_PASSWORD": who.PASSWORD})
    assert plain.whoami(later) == who.FEDERATED


# Certificates


KEY = who.CERTIFICATE_KEY
PASSWORD = "AZURE_CLIENT_CERTIFICATE_PASSWORD"


def pfx_without_key(encryption: KeySerializationEncryption) -> bytes:
    return pkcs12.serialize_key_and_certificates(b"x", None, KEY.certificate, None, encryption)


def pem_of_an_elliptic_key() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "elliptic")])
    now = datetime.now(timezone.utc)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(1))
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + builder.sign(key, SHA256()).public_bytes(Encoding.PEM)


# What the file is (one of CertificateFiles, or its content), its password, what is said of it.
BAD_CERTIFICATES: dict[str, tuple[str | Callable[[], bytes], str, str, str]] = {
    "no file": ("missing", "", "No such file", "PEM or PFX"),
    "a folder": ("", "", "Is a directory", "PEM or PFX"),
    "PEM, no passphrase": ("encrypted_pem", "", "needs a password", PASSWORD),
    "PFX, no passphrase": ("encrypted_pfx", "", "needs a password", PASSWORD),
    "PEM, another passphrase": ("encrypted_pem", "x", "another password", PASSWORD),
    "PFX, another passphrase": ("encrypted_pfx", "x", "another password", PASSWORD),
    "PEM, no key": (KEY.certificate_pem.encode, "", "no private key", "key and certificate"),
    "PEM, no certificate": (KEY.private_key_pem.encode, "", "no certificate", "PEM or PFX"),
    "PEM, another's key": (
        (KEY.private_key_pem + who.UNREGISTERED_KEY.certificate_pem).encode,
        *("", "no certificate for its private key", "PEM or PFX"),
    ),
    "PEM, cut short": (KEY.pem[:500].encode, "", "broken", "PEM or PFX"),
    "PEM, elliptic": (pem_of_an_elliptic_key, "", "RSA", ""),
    "PFX, no key": (partial(pfx_without_key, NoEncryption()), "", "no private key", "private key"),
    "PFX, no key, encrypted": (
        partial(pfx_without_key, BestAvailableEncryption(b"p")),
        *("p", "no private key", "private key"),
    ),
    "DER": (lambda: KEY.certificate_der, "", "neither PEM nor PFX", "PEM or PFX"),
    "empty": (bytes, "", "neither PEM nor PFX", "PEM or PFX"),
    "text": ("in the vault".encode, "", "neither PEM nor PFX", "PEM or PFX"),
    "PEM, expired": ("expired_pem", "", "expired on 2021-01-01", "Renew it"),
    "PFX, expired": ("expired_pfx", "", "expired on 2021-01-01", "Renew it"),
}


@pytest.mark.parametrize(
    ("content", "password", "says", "remedy"), BAD_CERTIFICATES.values(), ids=BAD_CERTIFICATES
)
def test_a_certificate_that_will_not_do_is_told_before_any_request(
    plain: Run, content: str | Callable[[], bytes], password: str, says: str, remedy: str
) -> None:
    if isinstance(content, str):
        file = getattr(plain.world.certificates, content, plain.world.folder / content)
    else:
        file = plain.world.folder / "bad"
        file.write_bytes(content())
    identity = plain.world.certificate(file, **({PASSWORD: password} if password else {}))

    error, advice = refusal(plain, identity)

    assert f"the file {file} " in error and says in error
    assert remedy in advice
    assert plain.azure.requests == []


@pytest.mark.parametrize("kind", ["unregistered_pem", "unregistered_pfx"])
def test_a_certificate_that_entra_does_not_know_is_told(plain: Run, kind: str) -> None:
    error, advice = refusal(plain, plain.world.certificate(getattr(plain.world.certificates, kind)))

    assert "AADSTS700027" in error
    assert "Upload" in advice


def refusal(run: Run, identity: Identity, *words: str) -> list[str]:
    """The two lines of a login that fails: what is wrong, and what to do."""
    result = run.door("aks-exec", *identity.words, password=None, env=dict(identity.variables))
    assert (result.code, result.output) == (1, "")
    assert not run.door.kubeconfig.exists()
    assert len(result.errors.splitlines()) == 2, result.errors
    return result.errors.splitlines()


def test_a_passphrase_that_a_certificate_does_not_need_is_in_nobodys_way(plain: Run) -> None:
    stray = {"AZURE_CLIENT_CERTIFICATE_PASSWORD": "of another file"}

    for file in (plain.world.certificates.pem, plain.world.certificates.pfx):
        plain.login(plain.world.certificate(file, **stray))


def test_a_pfx_with_an_empty_passphrase_is_read(plain: Run) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl on this machine")
    file = plain.world.folder / "empty.pfx"
    words = ("pkcs12", "-export", "-in", plain.world.certificates.pem, "-out", file)
    made = execute(openssl, *words, "-passout", "pass:", env=dict(os.environ))
    assert made.code == 0, made.errors

    plain.login(plain.world.certificate(file))


# Formats


def test_the_azure_format_is_for_users_only(plain: Run) -> None:
    plain.azure.requests.clear()
    for make in KINDS:
        identity = make(plain.world)
        words = (*identity.words, "--format", "azure")
        result = plain.door("aks-exec", *words, password=None, env=dict(identity.variables))
        assert result.code == 2
        assert "--format azure" in result.errors and identity.login in result.errors

    assert plain.azure.requests == []


@pytest.mark.parametrize(
    ("make", "mode", "flags"),
    [
        (secret_in_a_file, "spn", ("client", "tenant")),
        (pem, "spn", ("client", "tenant")),
        (workload_identity_by_flag, "workloadidentity", ("client", "tenant")),
        (github_job, "workloadidentity", ("client", "tenant")),
        (service_connection_by_flag, "azurepipelines", ("tenant", "connection")),
        (machines_own_identity, "msi", ()),
        (machines_identity_by_client_id, "msi", ("client",)),
        (machines_identity_by_resource_id, "msi", ("resource",)),
    ],
)
@pytest.mark.parametrize("cluster", ["aks-exec", "aks-azure"])
def test_the_kubelogin_entry_is_what_its_converter_writes(
    plain: Run, make: Make, mode: str, flags: tuple[str, ...], cluster: str
) -> None:
    identity = make(plain.world)
    plain.login(identity, "--format", "kubelogin", cluster=cluster)

    converted = plain.world.folder / "converted"
    converted.write_text(skeleton_of(plain.azure.clusters[cluster], None), encoding="utf-8")
    values = {
        "client": ("--client-id", identity.name),
        "tenant": ("--tenant-id", plain.azure.tenant),
        "connection": ("--azure-pipelines-service-connection-id", "5e4ec0de-connection"),
        "resource": ("--identity-resource-id", plain.world.user_assigned),
    }
    conversion = execute(
        *(clients.kubelogin(), "convert-kubeconfig", "--kubeconfig", converted, "--login", mode),
        *(word for flag in flags for word in values[flag]),
        env=plain.door.environment,
    )
    assert conversion.code == 0, conversion.errors
    theirs = _plugin_in(converted)
    if mode == "azurepipelines":  # the converter forgets the client, which get-token has to know
        theirs["args"] += values["client"]
    assert _plugin_in(plain.door.kubeconfig) == theirs


def _plugin_in(kubeconfig: Path) -> dict[str, Any]:
    (user,) = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))["users"]
    fields: dict[str, Any] = user["user"]["exec"]
    return {name: value for name, value in fields.items() if name != "interactiveMode"}
