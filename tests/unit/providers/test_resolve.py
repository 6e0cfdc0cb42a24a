"""Which identity is taken, from flags, variables and the az login alone; nobody is asked."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

import pytest

from aks_noninteractive.clouds import PUBLIC_CLOUD
from aks_noninteractive.entra.http import HttpClient
from aks_noninteractive.entra.token_endpoint import AccessToken, TokenRequest
from aks_noninteractive.errors import UsageError
from aks_noninteractive.providers import resolve
from aks_noninteractive.providers.base import IdentityOptions, SignInContext, TokenProvider

Variables = Mapping[str, str]

APP = {"AZURE_CLIENT_ID": "app", "AZURE_TENANT_ID": "tenant"}
USER = {"AZURE_USERNAME": "mia@managed.example", "AZURE_PASSWORD": "p"}
CONNECTION = {
    "AZURESUBSCRIPTION_CLIENT_ID": "connection-app",
    "AZURESUBSCRIPTION_TENANT_ID": "connection-tenant",
    "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": "connection",
}
PIPELINES = {
    "SYSTEM_OIDCREQUESTURI": "https://dev/oidc",
    "SYSTEM_ACCESSTOKEN": "t",
    **CONNECTION,
}
GITHUB_JOB = {
    "ACTIONS_ID_TOKEN_REQUEST_URL": "https://github/t?",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "t",
}
GITHUB = {**GITHUB_JOB, **APP}
WORKLOAD = {"AZURE_FEDERATED_TOKEN_FILE": "/token", **APP}
SECRET = {"AZURE_CLIENT_SECRET": "s", **APP}
CERTIFICATE = {"AZURE_CLIENT_CERTIFICATE_PATH": "/c.pem", **APP}
KUBELOGIN_SECRET = {
    "AAD_SERVICE_PRINCIPAL_CLIENT_ID": "aad-app",
    "AAD_SERVICE_PRINCIPAL_CLIENT_SECRET": "s",
    "AZURE_TENANT_ID": "tenant",
}
TERRAFORM = {
    "ARM_CLIENT_ID": "terraform-app",
    "ARM_CLIENT_SECRET": "s",
    "ARM_TENANT_ID": "terraform-tenant",
}
BUILD = {"TF_BUILD": "True"}


class AzLogin(TokenProvider):
    """What az is signed in as."""

    name = "azurecli"
    identity = "az"

    def get_token(self, request: TokenRequest) -> AccessToken:
        raise NotImplementedError


def provider_of(environ: Variables, *, az: bool = False, **options: Any) -> TokenProvider:
    given = IdentityOptions(**options)
    context = SignInContext(HttpClient(), PUBLIC_CLOUD, time.time, environ)
    if az:
        login = AzLogin(given, context)
        context = SignInContext(
            HttpClient(), PUBLIC_CLOUD, time.time, environ, az_login=lambda: login
        )
    return resolve(given, context)


def refusal_of(environ: Variables, *, az: bool = False, **options: Any) -> str:
    with pytest.raises(UsageError) as error:
        provider_of(environ, az=az, **options)
    assert error.value.remedy
    return f"{error.value} {error.value.remedy}"


# auto


@pytest.mark.parametrize("az", [True, False], ids=["az login", "no az login"])
@pytest.mark.parametrize(
    ("environ", "login"),
    [
        ({**USER, **PIPELINES, **GITHUB, **WORKLOAD, **SECRET}, "password"),
        ({**PIPELINES, **GITHUB, **WORKLOAD, **SECRET}, "azurepipelines"),
        ({**GITHUB, **WORKLOAD, **SECRET}, "githubactions"),
        ({**WORKLOAD, **SECRET}, "workloadidentity"),
        (SECRET, "spn"),
        (CERTIFICATE, "spn"),
        (KUBELOGIN_SECRET, "spn"),
        ({**SECRET, "AZURE_USERNAME": "without@password"}, "spn"),
        ({**SECRET, **GITHUB_JOB, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": ""}, "spn"),
        ({**SECRET, **PIPELINES, "SYSTEM_ACCESSTOKEN": ""}, "spn"),
        ({**SECRET, **USER, "AZURE_PASSWORD": ""}, "spn"),
    ],
)
def test_the_environments_first_complete_identity_is_taken(
    environ: Variables, login: str, az: bool
) -> None:
    assert provider_of(environ, az=az).name == login


@pytest.mark.parametrize(
    "environ",
    [
        {},
        APP,
        TERRAFORM,
        BUILD,
        {"AZURE_PASSWORD": "p"},
        {"AZURE_FEDERATED_TOKEN_FILE": "/token"},
        {"AZURE_CLIENT_SECRET": "s", "AZURE_CLIENT_ID": "app"},
        {**BUILD, **USER},
        {**BUILD, **WORKLOAD},
        {**BUILD, **GITHUB},
        {**BUILD, **SECRET},
        {**BUILD, **PIPELINES, "SYSTEM_ACCESSTOKEN": ""},
    ],
)
def test_else_the_az_login_and_in_a_pipeline_before_what_strays_there(environ: Variables) -> None:
    assert provider_of(environ, az=True).name == "azurecli"


@pytest.mark.parametrize(
    ("environ", "options", "login"),
    [
        ({**PIPELINES, **USER}, {}, "azurepipelines"),
        ({"AAD_LOGIN_METHOD": "spn", **SECRET}, {}, "spn"),
        (USER, {"username": "mia@managed.example"}, "password"),
        (SECRET, {"login": "spn"}, "spn"),
    ],
)
def test_what_is_said_outright_comes_before_az_in_a_pipeline_too(
    environ: Variables, options: dict[str, Any], login: str
) -> None:
    assert provider_of({**BUILD, **environ}, az=True, **options).name == login


def test_a_pipeline_without_an_az_login_is_like_anywhere_else() -> None:
    assert provider_of({**BUILD, **USER}).name == "password"


# What decides alone


@pytest.mark.parametrize("method", [{}, {"AAD_LOGIN_METHOD": "azurecli"}])
@pytest.mark.parametrize(
    ("options", "environ", "login"),
    [
        ({"username": "fay@fed.example", "password": "p"}, SECRET, "password"),
        ({"password": "p"}, {"AZURE_USERNAME": "mia@managed.example", **SECRET}, "password"),
        ({"client_secret": "s"}, {**APP, **USER}, "spn"),
        ({"client_certificate": "/c.pfx"}, {**APP, **USER}, "spn"),
        ({"client_cert_password": "p"}, {**CERTIFICATE, **USER}, "spn"),
        ({"federated_token_file": "/token"}, {**APP, **USER}, "workloadidentity"),
        ({"federated_token_file": "/token"}, {**GITHUB, **USER}, "workloadidentity"),
        ({"identity_resource": "/subscriptions/s/..."}, {**APP, **USER}, "msi"),
        ({"service_connection_id": "c"}, {**PIPELINES, **USER}, "azurepipelines"),
    ],
)
def test_an_identitys_flag_decides(
    options: dict[str, Any], environ: Variables, login: str, method: Variables
) -> None:
    assert provider_of({**environ, **method}, az=True, **options).name == login


@pytest.mark.parametrize(
    ("method", "environ", "login"),
    [
        ("ropc", {**USER, **SECRET}, "password"),
        ("ROPC", USER, "password"),
        ("spn", {**USER, **SECRET}, "spn"),
        ("msi", {**USER, **SECRET}, "msi"),
        ("azurecli", {**USER, **SECRET}, "azurecli"),
        ("workloadidentity", {**USER, **WORKLOAD}, "workloadidentity"),
        ("workloadidentity", {**WORKLOAD, **GITHUB}, "workloadidentity"),
        ("workloadidentity", {**USER, **GITHUB}, "githubactions"),
        ("azurepipelines", {**USER, **PIPELINES}, "azurepipelines"),
    ],
)
def test_kubelogins_names_are_understood(method: str, environ: Variables, login: str) -> None:
    by_variable = provider_of({**environ, "AAD_LOGIN_METHOD": method}, az=True)
    by_flag = provider_of(environ, az=True, login=method)

    assert (by_variable.name, by_flag.name) == (login, login)


@pytest.mark.parametrize("name", ["spn", "SPN"])
def test_terraforms_variables_are_for_who_asks_for_a_service_principal(name: str) -> None:
    assert provider_of(TERRAFORM, login=name).identity == "terraform-app"
    assert "AZURE_CLIENT_ID" in refusal_of({**TERRAFORM, "AAD_LOGIN_METHOD": name})


@pytest.mark.parametrize(
    ("options", "environ", "identity"),
    [
        ({}, {**SECRET, **KUBELOGIN_SECRET}, "app"),
        ({"client_id": "flag"}, {**SECRET, **KUBELOGIN_SECRET}, "flag"),
        ({"login": "spn"}, {**SECRET, **TERRAFORM}, "app"),
        ({"login": "azurepipelines"}, {**PIPELINES, **APP}, "connection-app"),
        ({"username": "fay@fed.example"}, {"AZURE_PASSWORD": "p"}, "fay@fed.example"),
        ({}, {**USER, "AAD_USER_PRINCIPAL_NAME": "other@x"}, "mia@managed.example"),
        ({"login": "msi"}, APP, "app"),
        ({"identity_resource": "/a"}, APP, "/a"),
    ],
)
def test_a_flag_comes_before_azures_variables_and_they_before_kubelogins(
    options: dict[str, Any], environ: Variables, identity: str
) -> None:
    assert provider_of(environ, **options).identity == identity


# What is refused


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"username": "u", "client_secret": "s"}, ("--username", "--client-secret")),
        (
            {"federated_token_file": "/t", "identity_resource": "/r"},
            ("--federated-token-file", "--identity-resource"),
        ),
        ({"login": "managed", "client_secret": "s"}, ("--login managed", "--client-secret")),
        ({"login": "azurecli", "username": "u"}, ("--login azurecli", "--username")),
        ({"login": "msi", "service_connection_id": "c"}, ("--service-connection-id",)),
        (
            {"client_secret": "s", "client_certificate": "/c"},
            ("--client-secret", "--client-certificate"),
        ),
    ],
)
def test_flags_of_two_identities_are_refused(
    options: dict[str, Any], names: tuple[str, ...]
) -> None:
    said = refusal_of({**USER, **SECRET}, az=True, **options)

    assert all(name in said for name in names)
    assert "Leave" in said


@pytest.mark.parametrize("login", ["managed", "federated"])
def test_a_users_flags_fit_either_kind_of_user(login: str) -> None:
    assert provider_of({}, login=login, username="u@x", password="p").name == login


@pytest.mark.parametrize("mode", ["devicecode", "interactive", "azd"])
def test_a_mode_of_kubelogin_that_is_not_here_is_named(mode: str) -> None:
    for said in (
        refusal_of(USER, login=mode),
        refusal_of({**USER, "AAD_LOGIN_METHOD": mode}, az=True),
    ):
        assert f"{mode!r}" in said
        assert "workloadidentity" in said


@pytest.mark.parametrize(
    ("options", "environ", "lacks"),
    [
        ({"login": "spn"}, {}, ("--client-id", "--tenant", "AZURE_CLIENT_SECRET")),
        ({"username": "u@x"}, {}, ("AZURE_PASSWORD",)),
        ({"username": "u@x"}, USER, ("AZURE_PASSWORD",)),  # it is of another user
        ({"login": "password"}, {}, ("--username", "AZURE_PASSWORD")),
        (
            {"login": "workloadidentity"},
            {},
            ("--federated-token-file", "--client-id", "--tenant"),
        ),
        (
            {"login": "githubactions"},
            APP,
            ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "id-token: write"),
        ),
        (
            {"login": "azurepipelines"},
            {},
            ("SYSTEM_OIDCREQUESTURI", "$(System.AccessToken)", "--service-connection-id"),
        ),
        ({"service_connection_id": "c"}, CONNECTION, ("SYSTEM_ACCESSTOKEN",)),
        ({"login": "azurecli"}, USER, ("az login",)),
    ],
)
def test_what_a_named_identity_lacks_is_said_at_once(
    options: dict[str, Any], environ: Variables, lacks: tuple[str, ...]
) -> None:
    said = refusal_of(environ, **options)

    assert all(name in said for name in lacks)


PARTIAL = {"AZURE_USERNAME": "u@x", "AZURE_CLIENT_SECRET": "s", **CONNECTION, **GITHUB_JOB}
PARTIAL_LACKS = (
    "password lacks a password",
    "azurepipelines lacks SYSTEM_OIDCREQUESTURI",
    "githubactions lacks a client id",
    "workloadidentity lacks a token file",
    "spn lacks a client id",
)


def test_without_an_identity_all_that_was_looked_for_is_named() -> None:
    said = refusal_of(PARTIAL)

    assert all(lack in said for lack in PARTIAL_LACKS)
    assert all(word in said for word in ("AAD_LOGIN_METHOD", "az login", "--username"))


def test_partial_identities_are_named_verbosely(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "aks_noninteractive")

    assert provider_of(PARTIAL, az=True).name == "azurecli"

    assert all(lack in caplog.text for lack in PARTIAL_LACKS)
    assert "azurecli, because of the az login" in caplog.text


def test_an_unknown_mode_is_answered_with_those_there_are() -> None:
    said = refusal_of(USER, login="telepathy")

    assert "'telepathy'" in said
    assert "githubactions" in said
