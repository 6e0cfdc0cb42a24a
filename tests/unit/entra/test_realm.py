"""User realm: the question that is asked, and what its answers mean."""

from __future__ import annotations

import json
from urllib.parse import unquote

import pytest

from aks_noninteractive.entra.http import HttpClient, HttpResponse
from aks_noninteractive.entra.realm import UserRealm, discover_user_realm, parse_user_realm
from aks_noninteractive.errors import (
    AksAuthError,
    AuthenticationError,
    NetworkError,
    ResponseError,
)
from unit.entra.tls_server import Server

FEDERATED = {
    "ver": "1.0",
    "account_type": "Federated",
    "domain_name": "contoso.com",
    "federation_protocol": "WSTrust",
    "federation_metadata_url": "https://sts.contoso.com/adfs/services/trust/mex",
    "federation_active_auth_url": "https://sts.contoso.com/adfs/services/trust/2005/usernamemixed",
    "cloud_instance_name": "microsoftonline.us",
    "cloud_audience_urn": "urn:federation:MicrosoftOnline:us",
}


def discover(http: HttpClient, server: Server, answer: object, username: str = "joe@contoso.com"):
    server.body = json.dumps(answer).encode()
    return discover_user_realm(http, server.url, username)


def test_gives_what_a_federated_domain_says(http: HttpClient, server: Server) -> None:
    expected = {name: value for name, value in FEDERATED.items() if name != "ver"}
    realm = discover(http, server, FEDERATED)
    assert realm == UserRealm(**expected)
    assert realm.is_federated and not realm.is_managed


def test_a_managed_domain_needs_no_more_than_its_type(http: HttpClient, server: Server) -> None:
    realm = discover(http, server, {"account_type": "Managed"})
    assert realm.is_managed and not realm.is_federated
    assert realm.cloud_audience_urn == "urn:federation:MicrosoftOnline"


@pytest.mark.parametrize("name", ["managed", "MANAGED", " Managed "])
def test_the_account_type_is_compared_without_case(
    http: HttpClient, server: Server, name: str
) -> None:
    assert discover(http, server, {"account_type": name}).is_managed


@pytest.mark.parametrize("protocol", ["WSTrust", "wstrust", None])
def test_a_federation_that_speaks_ws_trust_is_taken(
    http: HttpClient, server: Server, protocol: str | None
) -> None:
    answer = FEDERATED | {"account_type": "federated", "federation_protocol": protocol}
    assert discover(http, server, answer).is_federated


@pytest.mark.parametrize(
    "username",
    [
        "joe@contoso.com",
        "o'brien+tag@contoso.com",
        "joe_fabrikam.com#EXT#@contoso.onmicrosoft.com",
        "é漢😀@ü.example",
        "a/b?c=d&e;f@contoso.com",
        "per%41cent%2F@contoso.com",
        'sp ace"\\<>@contoso.com',
    ],
)
def test_the_user_name_arrives_as_it_is(http: HttpClient, server: Server, username: str) -> None:
    discover(http, server, {"account_type": "Managed"}, username)
    (received,) = server.requests
    path, _, query = received.path.partition("?")
    assert query == "api-version=1.0"
    start, common, word, segment = path.split("/")
    assert (received.method, start, common, word) == ("GET", "", "common", "userrealm")
    assert unquote(segment) == username


def test_a_user_name_that_no_url_can_carry_gives_one_of_our_errors(http: HttpClient) -> None:
    # Python makes these of bytes on the command line that are not UTF-8.
    with pytest.raises(AksAuthError):
        discover_user_realm(http, "https://localhost:1", "jos\udce9@contoso.com")


@pytest.mark.parametrize("account_type", ["Unknown", "unknown", "Other", "", None, 5])
def test_a_domain_that_entra_does_not_know_is_refused(
    http: HttpClient, server: Server, account_type: object
) -> None:
    with pytest.raises(AuthenticationError, match=r"'joe@contoso\.com'") as caught:
        discover(http, server, {"account_type": account_type})
    assert str(caught.value).startswith(f"user realm at {server.host}: ")
    assert "user name" in caught.value.remedy


@pytest.mark.parametrize("protocol", ["SAML20", "Saml20", "WsFed"])
def test_a_federation_without_ws_trust_is_refused_with_other_ways(
    http: HttpClient, server: Server, protocol: str
) -> None:
    with pytest.raises(AuthenticationError, match=protocol) as caught:
        discover(http, server, FEDERATED | {"federation_protocol": protocol})
    assert "contoso.com" in caught.value.message
    assert "service principal" in caught.value.remedy


def test_what_the_server_says_is_shown_as_one_printable_line(
    http: HttpClient, server: Server
) -> None:
    odd = "a\x1b[31m\nb"
    with pytest.raises(AuthenticationError) as caught:
        discover(http, server, FEDERATED | {"federation_protocol": odd, "domain_name": odd})
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_busy_server_is_worth_another_try(status: int) -> None:
    with pytest.raises(NetworkError, match=f"HTTP {status}") as caught:
        parse_user_realm(HttpResponse("login.example", status, "text/html", b"<html/>"))
    assert caught.value.host == "login.example"


@pytest.mark.parametrize(
    ("status", "body"),
    [(400, b"{}"), (404, b""), (401, b"<html/>"), (200, b"<html/>"), (200, b""), (200, b"[]")],
)
def test_another_answer_is_described_and_not_shown(status: int, body: bytes) -> None:
    with pytest.raises(ResponseError, match=f"HTTP {status} with {len(body)} bytes of text/html"):
        parse_user_realm(HttpResponse("login.example", status, "text/html", body))


@pytest.mark.parametrize("value", [5, None, [], {}, True])
def test_a_field_of_another_type_is_as_good_as_absent(value: object) -> None:
    answer = dict.fromkeys(FEDERATED, value) | {"account_type": "Managed"}
    body = json.dumps(answer).encode()
    realm = parse_user_realm(HttpResponse("login.example", 200, "application/json", body))
    assert realm == UserRealm("Managed")
