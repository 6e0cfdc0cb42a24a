"""A service that accepts and never answers costs no more than its bound, whoever asks it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest

from aks_noninteractive import arm
from aks_noninteractive.clouds import PUBLIC_CLOUD
from aks_noninteractive.entra.http import HttpClient
from aks_noninteractive.entra.token_endpoint import AccessToken, TokenRequest
from aks_noninteractive.errors import NetworkError, ResponseError
from aks_noninteractive.providers import managed_identity
from aks_noninteractive.providers.base import IdentityOptions, SignInContext
from unit.entra.tls_server import Server

REQUEST = TokenRequest("the-server", "the-tenant", "")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The service that gives managed identities their tokens."""
    with Server(None) as server:
        monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", server.url)
        yield server


def silent(server: Server) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        server.closing.wait()

    server.answer = answer


def token_of_the_machine() -> AccessToken:
    context = SignInContext(HttpClient(), PUBLIC_CLOUD, time.time, {})
    provider = managed_identity.ManagedIdentityProvider(IdentityOptions(login="msi"), context)
    return provider.get_token(REQUEST)


def test_resource_manager(
    server: Server, http: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arm, "READ_TIMEOUT", 0.1)
    silent(server)
    credential = arm.FunctionCredential(
        lambda: AccessToken("eyJ", int(time.time()) + 3600, 3600, "tenant", "client")
    )
    client = arm.ClusterCredentialClient(credential, "a subscription", server.url)

    with pytest.raises(NetworkError, match="no answer in time"):
        client.list_cluster_user_credential("rg", "c1")

    assert len(server.requests) == 2


def test_a_managed_identity(machine: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(managed_identity, "READ_TIMEOUT", 0.1)
    silent(machine)

    with pytest.raises(NetworkError, match="no answer in time"):
        token_of_the_machine()

    assert len(machine.requests) == 1


def test_a_managed_identity_that_stays_busy(
    machine: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(managed_identity, "PAUSES", (0, 0, 0))
    machine.status = 503

    with pytest.raises(NetworkError, match="busy or failing"):
        token_of_the_machine()

    assert len(machine.requests) == 4


def test_a_managed_identity_that_redirects(machine: Server, server: Server) -> None:
    machine.status, machine.headers = 302, {"Location": server.url}

    with pytest.raises(ResponseError, match="redirected to"):
        token_of_the_machine()

    assert server.requests == []
