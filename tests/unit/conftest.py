"""A server with a certificate that is trusted, and a client for it."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from aks_noninteractive.entra.http import HttpClient
from unit.entra.tls_server import Server


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def server_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


@pytest.fixture(scope="session")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture
def server(server_context: ssl.SSLContext) -> Iterator[Server]:
    with Server(server_context) as server:
        yield server


@pytest.fixture
def http(ca_file: Path, monkeypatch: pytest.MonkeyPatch) -> HttpClient:
    """The client under test, for which the server's certificate is a trusted one."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(ca_file))
    return HttpClient()
