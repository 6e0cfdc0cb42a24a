"""The one request to Azure Resource Manager, against a server that does what it likes."""

from __future__ import annotations

import json
import time
from base64 import b64encode
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from aks_noninteractive.arm import ClusterCredentialClient, FunctionCredential
from aks_noninteractive.entra import http as http_module
from aks_noninteractive.entra.token_endpoint import AccessToken
from aks_noninteractive.errors import ClusterError, NetworkError, ResponseError
from unit.entra.tls_server import DROPPED, Server, in_drops

TOKEN = AccessToken("the-token", int(time.time()) + 3600, 3600, "tenant", "client")


def answer(value: Any) -> bytes:
    return json.dumps({"kubeconfigs": [{"name": "clusterUser", "value": value}]}).encode()


@pytest.fixture
def client(server: Server, ca_file: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(ca_file))
    server.body = answer(b64encode(b"a: b").decode())
    return ClusterCredentialClient(FunctionCredential(lambda: TOKEN), "sub", server.url)


def ask(client: ClusterCredentialClient) -> bytes:
    return client.list_cluster_user_credential("rg", "aks")


def test_gives_the_kubeconfig_as_it_is(client: Any, server: Server) -> None:
    assert ask(client) == b"a: b"
    (request,) = server.requests
    assert request.headers["Authorization"] == "Bearer the-token"


@pytest.mark.parametrize("part", DROPPED)
def test_does_not_wait_for_ever_for_an_answer_in_drops(
    client: Any,
    server: Server,
    part: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http_module, "TOTAL_TIMEOUT", 0.1)
    drops = in_drops(server, part)
    with pytest.raises(NetworkError, match="no answer in time") as caught:
        ask(client)
    assert caught.value.host == server.host
    assert len(drops) < 60


@pytest.mark.parametrize("status", [200, 403])
def test_refuses_an_answer_that_is_too_large(
    client: Any,
    server: Server,
    status: int,
) -> None:
    server.status, server.body = status, b" " * (http_module.MAX_BODY + 1)
    with pytest.raises(ResponseError, match="more than 4 MiB"):
        ask(client)


def test_says_that_an_answer_was_cut_short(client: Any, server: Server) -> None:
    def cut(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nab")
        handler.close_connection = True

    server.answer = cut
    with pytest.raises(NetworkError, match="the connection failed"):
        ask(client)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_does_not_follow_a_redirect_with_a_token(
    client: Any,
    server: Server,
    status: int,
) -> None:
    server.status, server.headers = status, {"Location": f"{server.url}/elsewhere"}
    with pytest.raises(ResponseError, match=f"redirected to {server.host} .HTTP {status}"):
        ask(client)
    assert [request.path.partition("?")[0] for request in server.requests] != ["/elsewhere"]
    assert len(server.requests) == 1


def test_does_not_send_what_netrc_has_for_the_host(
    client: Any,
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine localhost login somebody password something\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    ask(client)
    assert server.requests[0].headers["Authorization"] == "Bearer the-token"


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"[" * 100_000, b'{"error": "x"}', b'{"error": [1]}', b"\xff\xfe{\0"],
    ids=["empty", "null", "list", "deep", "text", "a list", "UTF-16"],
)
@pytest.mark.parametrize("status", [200, 400, 404])
def test_whatever_comes_in_place_of_an_answer_is_an_error_of_ours(
    client: Any,
    server: Server,
    status: int,
    body: bytes,
) -> None:
    server.status, server.body = status, body
    with pytest.raises(ResponseError) as caught:
        ask(client)
    assert caught.value.host == server.host


@pytest.mark.parametrize("value", [None, 7, "", "no base64!", ["YQ=="]])
def test_what_is_no_kubeconfig_is_told(client: Any, server: Server, value: Any) -> None:
    server.body = answer(value)
    if value == "":
        assert ask(client) == b""
        return
    with pytest.raises(ResponseError, match="holds no kubeconfig"):
        ask(client)


def test_a_refusal_has_the_servers_own_words(client: Any, server: Server) -> None:
    server.status = 403
    server.headers = {"x-ms-correlation-request-id": "the-id"}
    server.body = b'{"error": {"code": "AuthorizationFailed", "message": "no\\nrole"}}'
    with pytest.raises(ClusterError) as caught:
        ask(client)
    error = caught.value
    assert (error.code, error.correlation_id) == ("AuthorizationFailed", "the-id")
    assert "no role" in str(error) and "Cluster User Role" in error.remedy
