"""The HTTP client against a real server: what it refuses, and what its errors say."""

from __future__ import annotations

import gzip
import socket
import traceback
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from aks_noninteractive.entra import http as http_module
from aks_noninteractive.entra.http import HttpClient, HttpResponse, host_of
from aks_noninteractive.errors import AksAuthError, NetworkError, ResponseError
from unit.entra.tls_server import DROPPED, Server, in_drops

SECRET = "s3cret-of-the-proxy"


def everything_said(error: BaseException) -> str:
    """All that a log could show of an error."""
    return f"{error} {error!r} {vars(error)} {''.join(traceback.format_exception(error))}"


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port of this machine that nobody listens on, and that nobody else can take."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def test_gives_status_type_and_body_of_an_answer(http: HttpClient, server: Server) -> None:
    server.status, server.content_type, server.body = 403, "Text/HTML; charset=x", b"\x00body"
    response = http.get(f"{server.url}/path?query=1", step="s")
    assert response == HttpResponse(server.host, 403, "text/html; charset=x", b"\x00body")
    assert server.requests[0].path == "/path?query=1"


def test_uses_one_connection_for_requests_to_one_host(http: HttpClient, server: Server) -> None:
    http.get(f"{server.url}/a", step="s")
    http.post(f"{server.url}/b", b"<x/>", step="s", headers={"Content-Type": "text/xml"})
    http.post(f"{server.url}/c", {"k": "v"}, step="s", headers={})
    assert len(server.requests) == 3
    assert len({request.connection for request in server.requests}) == 1


def test_names_the_ca_variable_where_a_certificate_is_not_trusted(server: Server) -> None:
    with pytest.raises(NetworkError, match="certificate is not trusted: unable to get") as caught:
        HttpClient().get(server.url, step="s")
    assert caught.value.host == server.host
    assert "REQUESTS_CA_BUNDLE" in caught.value.remedy
    assert not server.requests


def test_talks_to_an_untrusted_server_only_where_told_not_to_verify(server: Server) -> None:
    assert HttpClient(verify=False).get(server.url, step="s").status == 200


def test_names_the_variable_of_a_ca_bundle_that_is_not_there(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/bundle.pem")
    with pytest.raises(NetworkError) as caught:
        HttpClient().get(server.url, step="s")
    assert "REQUESTS_CA_BUNDLE" in caught.value.remedy


def test_says_that_a_name_on_the_certificate_is_another(http: HttpClient, server: Server) -> None:
    with pytest.raises(NetworkError, match="not valid for '127.0.0.1'"):
        http.get(server.url.replace("localhost", "127.0.0.1"), step="s")


def test_does_not_blame_a_certificate_where_the_server_speaks_no_tls(http: HttpClient) -> None:
    with Server(None) as plain, pytest.raises(NetworkError) as caught:
        http.get(f"https://{plain.host}/", step="s")
    assert "certificate" not in str(caught.value) + caught.value.remedy


def test_says_that_a_connection_was_refused(http: HttpClient, closed_port: int) -> None:
    with pytest.raises(NetworkError, match="Connection refused") as caught:
        http.get(f"https://localhost:{closed_port}/", step="user realm")
    assert str(caught.value).startswith(f"user realm at localhost:{closed_port}: ")
    assert "HTTPS_PROXY" in caught.value.remedy


def test_says_that_a_name_does_not_resolve(http: HttpClient) -> None:
    with pytest.raises(NetworkError, match=r"nowhere\.invalid.*its name does not resolve"):
        http.get("https://nowhere.invalid/", step="s")


def test_says_that_the_server_closed_the_connection(http: HttpClient, server: Server) -> None:
    server.answer = lambda handler: setattr(handler, "close_connection", True)
    with pytest.raises(NetworkError, match="the connection failed"):
        http.get(server.url, step="s")


def test_says_that_an_answer_was_cut_short(http: HttpClient, server: Server) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        handler.close_connection = True

    server.answer = answer
    with pytest.raises(NetworkError, match="the connection failed"):
        http.get(server.url, step="s")


@pytest.mark.parametrize(
    "sent_first", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"], ids=["head", "body"]
)
def test_does_not_wait_longer_than_the_time_out(
    http: HttpClient, server: Server, sent_first: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_module, "READ_TIMEOUT", 0.1)

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(sent_first)
        server.closing.wait()

    server.answer = answer
    with pytest.raises(NetworkError, match="no answer in time"):
        http.get(server.url, step="s")


@pytest.mark.parametrize("part", DROPPED)
def test_does_not_wait_longer_than_the_total_for_an_answer_in_drops(
    http: HttpClient, server: Server, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_module, "TOTAL_TIMEOUT", 0.1)
    drops = in_drops(server, part)
    with pytest.raises(NetworkError, match="no answer in time"):
        http.get(server.url, step="s")
    assert len(drops) < 60


def test_the_total_is_one_answers_not_one_connections(
    http: HttpClient, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_module, "TOTAL_TIMEOUT", 0.5)
    for _ in range(3):
        assert http.get(server.url, step="s").status == 200
        server.closing.wait(0.25)
    assert len({request.connection for request in server.requests}) == 1


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_refuses_an_answer_that_is_too_large(
    http: HttpClient, server: Server, packed: bool
) -> None:
    server.body = b" " * (http_module.MAX_BODY + 1)
    if packed:
        server.body, server.headers = gzip.compress(server.body), {"Content-Encoding": "gzip"}
    with pytest.raises(ResponseError, match="more than 4 MiB") as caught:
        http.get(server.url, step="s")
    assert caught.value.host == server.host


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_reads_an_answer_in_chunks(http: HttpClient, server: Server, packed: bool) -> None:
    expected = bytes(range(256)) * 1000
    body = gzip.compress(expected) if packed else expected

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        if packed:
            handler.send_header("Content-Encoding", "gzip")
        handler.end_headers()
        for start in range(0, len(body), 700):
            chunk = body[start : start + 700]
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        handler.wfile.write(b"0\r\n\r\n")

    server.answer = answer
    assert http.get(server.url, step="s").body == expected
    assert http.get(server.url, step="s").body == expected
    assert len({request.connection for request in server.requests}) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_does_not_follow_a_redirect_with_a_credential(
    http: HttpClient, server: Server, status: int
) -> None:
    server.status = status
    server.headers = {"Location": "https://joe:pw@elsewhere.example:8443/a?token=1"}
    with pytest.raises(ResponseError, match=r"redirected to elsewhere\.example:8443 ") as caught:
        http.post(f"{server.url}/token", {"password": SECRET}, step="s", headers={})
    assert "joe" not in everything_said(caught.value)
    assert SECRET not in everything_said(caught.value)
    assert [request.path for request in server.requests] == ["/token"]


@pytest.mark.parametrize("location", ["", "/same-host", "https://[bad", "\x80\xff"])
def test_tells_a_redirect_from_a_failure_whatever_its_target(
    http: HttpClient, server: Server, location: str
) -> None:
    server.status, server.headers = 302, {"Location": location}
    with pytest.raises(ResponseError, match="redirected"):
        http.get(server.url, step="s")
    assert len(server.requests) == 1


def test_does_not_read_an_endless_redirect(http: HttpClient, server: Server) -> None:
    written = 0

    def answer(handler: BaseHTTPRequestHandler) -> None:
        nonlocal written
        handler.wfile.write(b"HTTP/1.1 302 Found\r\nLocation: /\r\nConnection: close\r\n\r\n")
        while written < 64:
            handler.wfile.write(b" " * 2**20)
            written += 1
        handler.close_connection = True

    server.answer = answer
    with pytest.raises(ResponseError):
        http.get(server.url, step="s")
    assert written < 64


def test_does_not_send_what_netrc_has_for_the_host(
    http: HttpClient, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine localhost login joe password {SECRET}\n")
    monkeypatch.setenv("NETRC", str(netrc))
    http.get(server.url, step="s")
    assert "Authorization" not in server.requests[0].headers


@pytest.mark.parametrize(
    "url", ["http://localhost/", "ftp://localhost/", "https:///path", "localhost", "", "https://["]
)
def test_sends_nothing_to_an_address_that_is_not_https(http: HttpClient, url: str) -> None:
    with pytest.raises(ResponseError, match="not https, nothing was sent"):
        http.post(url, {"password": SECRET}, step="s", headers={})


@pytest.mark.parametrize(
    "url", ["https://a b/", "https://host:port/", "https://\udce9/", "https://.x/"]
)
def test_an_odd_address_gives_one_of_our_errors(http: HttpClient, url: str) -> None:
    with pytest.raises(AksAuthError):
        http.get(url, step="s")


@pytest.mark.parametrize(
    "proxy",
    [
        f"http://joe:{SECRET}@localhost:{{port}}",
        f"joe:{SECRET}@localhost:{{port}}",
        f"http://joe:{SECRET}@localhost:no-port",
        f"http://joe:{SECRET}@",
        f"http://joe:{SECRET}@[bad",
        f"socks5://joe:{SECRET}@localhost:{{port}}",
        f"nonsense://joe:{SECRET}@localhost:{{port}}",
    ],
)
def test_never_tells_the_password_of_a_proxy(
    http: HttpClient, closed_port: int, proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy.format(port=closed_port))
    with pytest.raises(NetworkError) as caught:
        http.get("https://login.example/", step="s")
    assert SECRET not in everything_said(caught.value)
    assert "proxy" in str(caught.value).lower() + caught.value.remedy.lower()


def test_says_that_a_proxy_refused(http: HttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(None, status=407, body=b"") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://joe:{SECRET}@{proxy.host}")
        with pytest.raises(NetworkError, match="proxy did not let the request through") as caught:
            http.post("https://login.example/x", {"password": SECRET}, step="s", headers={})
    assert SECRET not in everything_said(caught.value)
    assert [(request.method, request.path) for request in proxy.requests] == [
        ("CONNECT", "login.example:443")
    ]


def test_does_not_show_the_body_of_an_answer() -> None:
    assert SECRET not in repr(HttpResponse("h", 200, "", SECRET.encode()))


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b"\xff", b"[" * 99_999, b'"x"'])
def test_says_what_came_in_place_of_a_json_object(body: bytes) -> None:
    response = HttpResponse("host", 200, "text/html; charset=utf-8", body)
    with pytest.raises(ResponseError) as caught:
        response.json_object("the step")
    assert str(caught.value) == (
        f"the step at host: answered HTTP 200 with {len(body)} bytes of text/html where a JSON "
        "object was expected"
    )
    assert "proxy" in caught.value.remedy


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://h.example:8443/p", "h.example:8443"),
        ("https://joe:pw@h.example/", "h.example"),
        ("https://[::1]:8/", "[::1]:8"),
        ("/relative", ""),
        ("https://[bad", ""),
    ],
)
def test_names_a_host_without_user_and_password(url: str, host: str) -> None:
    assert host_of(url) == host


@pytest.mark.parametrize(
    ("status", "repeatable", "tries"),
    [
        (429, True, 3),
        (503, True, 3),
        (502, True, 3),
        (504, True, 3),
        (500, True, 1),
        (400, True, 1),
        (429, False, 3),
        (503, False, 3),
        (502, False, 1),  # a gateway may have let the password through
        (504, False, 1),
    ],
)
def test_asks_a_busy_server_again_where_that_does_no_harm(
    http: HttpClient,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    repeatable: bool,
    tries: int,
) -> None:
    monkeypatch.setattr(http_module, "PAUSES", (0, 0))
    server.status = status
    response = http.post(server.url, b"x", step="s", headers={}, repeatable=repeatable)
    assert response.status == status
    assert len(server.requests) == tries


@pytest.mark.parametrize(("repeatable", "tries"), [(True, 3), (False, 1)])
def test_sends_again_what_a_dropped_connection_may_have_lost_only_if_it_may_arrive_twice(
    http: HttpClient,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    repeatable: bool,
    tries: int,
) -> None:
    monkeypatch.setattr(http_module, "PAUSES", (0, 0))
    server.answer = _hang_up
    with pytest.raises(NetworkError, match="connection failed"):
        http.post(server.url, b"x", step="s", headers={}, repeatable=repeatable)
    assert len(server.requests) == tries


def test_waits_as_long_as_the_server_asks(
    http: HttpClient, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    server.status, server.headers = 429, {"Retry-After": "7"}
    assert http.get(server.url, step="s").status == 429
    assert len(waits) == 3
    assert all(7 <= wait <= 7 * 1.25 for wait in waits)


@pytest.mark.parametrize("retry_after", ["31", "86400", "Fri, 31 Dec 2999 23:59:59 GMT"])
def test_does_not_wait_longer_than_a_pipeline_would(
    http: HttpClient, server: Server, retry_after: str
) -> None:
    server.status, server.headers = 503, {"Retry-After": retry_after}
    assert http.get(server.url, step="s").status == 503
    assert len(server.requests) == 1


def _hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)
