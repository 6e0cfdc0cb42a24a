"""MEX: what is usable in the metadata of several vendors, and what one mistake in it spoils."""

from __future__ import annotations

import logging

import pytest

from aks_noninteractive.entra.http import HttpClient
from aks_noninteractive.entra.mex import (
    WsTrustEndpoint,
    WsTrustVersion,
    choose_endpoint,
    discover_endpoint,
    parse_mex,
)
from aks_noninteractive.entra.safe_xml import XmlError
from unit.entra.mex_documents import (
    SP12,
    TRUST13,
    WSP15,
    adfs,
    in_envelope,
    okta,
    ping,
)
from unit.entra.tls_server import Server

V13, V2005 = WsTrustVersion.V13, WsTrustVersion.V2005
ADFS_13 = WsTrustEndpoint("https://sts.contoso.com/adfs/services/trust/13/usernamemixed", V13)
ADFS_2005 = WsTrustEndpoint("https://sts.contoso.com/adfs/services/trust/2005/usernamemixed", V2005)
PING = WsTrustEndpoint("https://fam.contoso.com/idp/sts.wst?TokenProcessorId=ad&x=1", V2005)
OKTA = "https://contoso.okta.com/app/office365/exk1/sso/wsfed/active"
BINDING_13 = "UserNameWSTrustBinding_IWSTrust13Async1"


@pytest.mark.parametrize(
    ("document", "endpoints"),
    [
        pytest.param(adfs(), {ADFS_13, ADFS_2005}, id="adfs"),
        pytest.param(adfs(WSP15), {ADFS_13, ADFS_2005}, id="adfs-ws-policy-1.5"),
        pytest.param(ping(), {PING}, id="ping"),
        pytest.param(okta(), {WsTrustEndpoint(OKTA, V2005), WsTrustEndpoint(OKTA, V13)}, id="okta"),
    ],
)
@pytest.mark.parametrize("enveloped", [False, True], ids=["root", "envelope"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_finds_the_user_name_endpoints_and_no_others(
    document: str, endpoints: set[WsTrustEndpoint], enveloped: bool, encoding: str
) -> None:
    text = in_envelope(document) if enveloped else document
    text = text.replace('encoding="utf-8"', f'encoding="{encoding.removesuffix("-sig")}"')
    text = text.replace("encoding='UTF-8'", f"encoding='{encoding.removesuffix('-sig')}'")
    found = parse_mex(text.encode(encoding))
    assert set(found) == endpoints
    assert len(found) == len(endpoints)


@pytest.mark.parametrize("document", [adfs(), okta()], ids=["adfs", "okta"])
def test_prefers_version_13(document: str) -> None:
    chosen = choose_endpoint(parse_mex(document.encode()))
    assert chosen and chosen.version is V13


def test_takes_2005_where_there_is_no_13() -> None:
    assert choose_endpoint((ADFS_2005,)) is ADFS_2005
    assert choose_endpoint(()) is None


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        pytest.param(f'<wsdl:binding name="{BINDING_13}"', "<wsdl:binding", id="no binding name"),
        pytest.param(
            f'binding name="{BINDING_13}"', 'binding name="Another"', id="other binding name"
        ),
        pytest.param(f' binding="tns:{BINDING_13}"', "", id="port without binding"),
        pytest.param(f'binding="tns:{BINDING_13}"', 'binding="tns:"', id="port with empty binding"),
        pytest.param(f'binding="tns:{BINDING_13}"', 'binding="tns:No"', id="port of no binding"),
        pytest.param(f'wsu:Id="{BINDING_13}_policy"', "", id="policy without id"),
        pytest.param(f'wsu:Id="{BINDING_13}_policy"', 'wsu:Id=""', id="policy with empty id"),
        pytest.param(f'URI="#{BINDING_13}_policy"', "", id="reference without URI"),
        pytest.param(f'URI="#{BINDING_13}_policy"', 'URI="#"', id="empty reference"),
        pytest.param(f'URI="#{BINDING_13}_policy"', 'URI="#no"', id="reference to nothing"),
        pytest.param(
            f'<wsp:PolicyReference URI="#{BINDING_13}_policy"/>', "", id="no reference at all"
        ),
        pytest.param(
            f"<wsa10:Address>{ADFS_13.address}</wsa10:Address>", "", id="reference without address"
        ),
        pytest.param(f"Address>{ADFS_13.address}<", "Address><", id="empty address"),
        pytest.param(f"Address>{ADFS_13.address}<", "Address>https://<", id="no host"),
        pytest.param(f"Address>{ADFS_13.address}<", "Address>https://[<", id="malformed address"),
        pytest.param(
            f"Address>{ADFS_13.address}<",
            f"Address>{ADFS_13.address.replace('https', 'http')}<",
            id="http address",
        ),
    ],
)
def test_one_mistake_spoils_one_endpoint(right: str, wrong: str) -> None:
    document = adfs()
    assert document.count(right) == 1
    assert parse_mex(document.replace(right, wrong).encode()) == (ADFS_2005,)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        pytest.param(f'soapAction="{TRUST13}/RST/Issue"', "", id="no action"),
        pytest.param("RST/Issue", "RST/Validate", id="other action"),
        pytest.param('transport="http://schemas.xmlsoap.org/soap/http"', "", id="no transport"),
        pytest.param("soap/http", "soap/smtp", id="other transport"),
        pytest.param('<soap12:binding transport="', '<other transport="', id="no soap12:binding"),
        pytest.param("<soap12:operation ", "<other ", id="no soap12:operation"),
    ],
)
def test_one_mistake_in_a_binding_spoils_that_binding(right: str, wrong: str) -> None:
    before, start, rest = adfs().partition(f'<wsdl:binding name="{BINDING_13}"')
    binding, end, after = rest.partition("</wsdl:binding>")
    assert binding.count(right) == 1
    document = before + start + binding.replace(right, wrong) + end + after
    assert parse_mex(document.encode()) == (ADFS_2005,)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        pytest.param("TransportBinding", "AsymmetricBinding", id="not over TLS"),
        pytest.param("UsernameToken", "X509Token", id="no user name"),
        pytest.param("SignedEncryptedSupportingTokens", "EncryptedParts", id="no signed token"),
        pytest.param(SP12, "urn:another-security-policy", id="unknown security policy"),
    ],
)
def test_a_policy_for_something_else_is_no_policy_for_a_password(right: str, wrong: str) -> None:
    before, start, rest = adfs().partition(f'wsu:Id="{BINDING_13}_policy"')
    policy, end, after = rest.partition("<wsaw:UsingAddressing/>")
    assert right in policy
    document = before + start + policy.replace(right, wrong) + end + after
    assert parse_mex(document.encode()) == (ADFS_2005,)


def test_finds_nothing_in_an_unknown_policy_language() -> None:
    assert parse_mex(adfs("urn:another-policy").encode()) == ()


@pytest.mark.parametrize(
    "document",
    [
        '<!DOCTYPE wsdl:definitions SYSTEM "file:///etc/passwd">' + okta(),
        '<!DOCTYPE d [<!ENTITY a "https://evil.example">]>' + okta(),
        okta().replace(OKTA, "&host;"),
        "",
        "<wsdl:definitions>",
        "<html><br></html>",
        "<a>" * 300 + "</a>" * 300,
    ],
    ids=["external", "internal", "entity", "empty", "unclosed", "html", "deep"],
)
def test_refuses_what_is_not_harmless_xml(document: str) -> None:
    with pytest.raises(XmlError):
        parse_mex(document.encode())


def test_asks_for_the_metadata_once(http: HttpClient, server: Server) -> None:
    server.content_type, server.body = "text/xml", adfs().encode()
    assert discover_endpoint(http, f"{server.url}/adfs/services/trust/mex") == ADFS_13
    assert [(r.method, r.path) for r in server.requests] == [("GET", "/adfs/services/trust/mex")]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, adfs().encode()),
        (500, b""),
        (302, b""),
        (200, b"<html>"),
        (200, b"<wsdl/>"),
        (200, b""),
        (200, b"<!DOCTYPE x>" + okta().encode()),
        (200, b" " * (5 * 2**20)),
    ],
    ids=["404", "500", "redirect", "html", "other xml", "empty", "doctype", "too large"],
)
def test_goes_on_without_metadata_and_says_why_in_the_log(
    http: HttpClient, server: Server, status: int, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    server.status, server.body, server.headers = status, body, {"Location": "https://x.example/"}
    with caplog.at_level(logging.INFO, "aks_noninteractive"):
        assert discover_endpoint(http, server.url) is None
    assert "MEX" in caplog.text


def test_goes_on_without_metadata_where_its_address_is_not_https(http: HttpClient) -> None:
    assert discover_endpoint(http, "http://sts.contoso.com/mex") is None
