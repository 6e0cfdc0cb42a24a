"""WS-Trust: what a request says to an identity provider, and what its answers come to."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from datetime import datetime, timezone
from xml.sax.saxutils import escape

import pytest
from lxml import etree

from aks_noninteractive.entra import http as http_module
from aks_noninteractive.entra.http import HttpClient, HttpResponse
from aks_noninteractive.entra.mex import WsTrustEndpoint, WsTrustVersion, discover_endpoint
from aks_noninteractive.entra.realm import UserRealm, discover_user_realm
from aks_noninteractive.entra.saml import SamlVersion
from aks_noninteractive.entra.token_endpoint import TokenRequest, request_token, saml_grant
from aks_noninteractive.entra.wstrust import (
    build_request,
    parse_answer,
    request_assertion,
    request_assertion_without_mex,
)
from aks_noninteractive.errors import (
    AuthenticationError,
    NetworkError,
    ResponseError,
    UsageError,
)
from emulator import Emulator
from emulator import population as known
from unit.entra.signed_assertions import (
    SAML11,
    SAML20,
    SOAP12,
    TRUST13,
    TRUST2005,
    assertion,
    rstr,
    sign,
    verify,
)
from unit.entra.tls_server import Server

V13, V2005 = WsTrustVersion.V13, WsTrustVersion.V2005
NOW = datetime(2026, 2, 3, 23, 55, 4, 5678, timezone.utc)
AUDIENCE = "urn:federation:MicrosoftOnline"
USER, PASSWORD = "joe@contoso.com", "p4ss & <word>"
NASTY = [
    "&amp;<a>]]>\"'</wsse:Password><!--",
    "é漢😀 %41%00+ {0} {password} $x \\",
    " begins and ends with spaces ",
    "\ttabs\tand\nline\r\nends\r",
]
NS = {
    "s": SOAP12,
    "a": "http://www.w3.org/2005/08/addressing",
    "o": "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd",
    "u": "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd",
    "p": "http://schemas.xmlsoap.org/ws/2004/09/policy",
    "t13": TRUST13,
    "t2005": TRUST2005,
}


def request(
    version: WsTrustVersion = V13, username: str = USER, password: str = PASSWORD
) -> etree._Element:
    """The envelope that is sent, as the other side's parser sees it."""
    endpoint = WsTrustEndpoint("https://sts.contoso.com/13/usernamemixed?a=1&b=2", version)
    return etree.fromstring(build_request(endpoint, username, password, AUDIENCE, NOW))


def text(envelope: etree._Element, path: str) -> str:
    """The text of the one element at path."""
    (element,) = envelope.findall(path, NS)
    return element.text


def answer(
    body: str, status: int = 200, content_type: str = "application/soap+xml"
) -> HttpResponse:
    return HttpResponse("sts.contoso.com", status, content_type, body.encode())


def fault12(subcode: str, reason: str, detail: str = "") -> str:
    """A SOAP 1.2 fault as AD FS writes it."""
    return (
        f'<s:Envelope xmlns:s="{SOAP12}" xmlns:a="{NS["a"]}"><s:Header/><s:Body><s:Fault><s:Code>'
        f'<s:Value>s:Sender</s:Value><s:Subcode><s:Value xmlns:x="{TRUST13}">x:{subcode}</s:Value>'
        f'</s:Subcode></s:Code><s:Reason><s:Text xml:lang="en-US">{escape(reason)}</s:Text>'
        f"</s:Reason>{detail}</s:Fault></s:Body></s:Envelope>"
    )


def fault11(code: str, reason: str) -> str:
    """A SOAP 1.1 fault, whose parts have no namespace."""
    return (
        '<E:Envelope xmlns:E="http://schemas.xmlsoap.org/soap/envelope/"><E:Body><E:Fault>'
        f"<faultcode>\n {code} </faultcode><faultstring>{escape(reason)}</faultstring><detail/>"
        "</E:Fault></E:Body></E:Envelope>"
    )


@pytest.mark.parametrize(
    ("version", "action", "key_type"),
    [
        (V13, f"{TRUST13}/RST/Issue", f"{TRUST13}/Bearer"),
        (
            V2005,
            f"{TRUST2005}/RST/Issue",
            "http://schemas.xmlsoap.org/ws/2005/05/identity/NoProofKey",
        ),
    ],
)
def test_asks_for_a_bearer_token_in_the_words_of_the_version(
    version: WsTrustVersion, action: str, key_type: str
) -> None:
    envelope = request(version)
    rst = f"s:Body/{{{version.value}}}RequestSecurityToken"
    assert text(envelope, "s:Header/a:Action") == action
    assert text(envelope, "s:Header/a:To") == "https://sts.contoso.com/13/usernamemixed?a=1&b=2"
    assert text(envelope, "s:Header/a:ReplyTo/a:Address") == f"{NS['a']}/anonymous"
    assert text(envelope, f"{rst}/{{{version.value}}}KeyType") == key_type
    assert text(envelope, f"{rst}/{{{version.value}}}RequestType") == f"{version.value}/Issue"
    assert text(envelope, f"{rst}/p:AppliesTo/a:EndpointReference/a:Address") == AUDIENCE


def test_every_request_has_an_id_of_its_own() -> None:
    first, second = (text(request(), "s:Header/a:MessageID") for _ in range(2))
    assert first.startswith("urn:uuid:") and second.startswith("urn:uuid:")
    assert first != second


def test_the_timestamp_is_valid_for_ten_minutes_from_now_in_utc() -> None:
    stamp = "s:Header/o:Security/u:Timestamp"
    created = text(request(), f"{stamp}/u:Created")
    expires = text(request(), f"{stamp}/u:Expires")
    assert (created, expires) == ("2026-02-03T23:55:04.005Z", "2026-02-04T00:05:04.005Z")


@pytest.mark.parametrize("version", list(WsTrustVersion))
@pytest.mark.parametrize("secret", NASTY)
def test_user_name_and_password_arrive_as_they_are(version: WsTrustVersion, secret: str) -> None:
    envelope = request(version, f"u{secret}", secret)
    token = "s:Header/o:Security/o:UsernameToken"
    assert text(envelope, f"{token}/o:Username") == f"u{secret}"
    assert text(envelope, f"{token}/o:Password") == secret


@pytest.mark.parametrize("bad", ["\x00", "\x0b", "\x1b", "\ud800", "\udce9", "\ufffe", "\uffff"])
@pytest.mark.parametrize("which", ["user name", "password"])
def test_what_xml_cannot_carry_is_a_usage_error_that_does_not_tell_it(bad: str, which: str) -> None:
    value = f"h1dden{bad}value"
    with pytest.raises(UsageError, match=which) as caught:
        request(V13, *((value, PASSWORD) if which == "user name" else (USER, value)))
    told = "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value))
    assert "h1dden" not in told and PASSWORD not in told


@pytest.mark.parametrize("version", list(WsTrustVersion))
def test_sends_one_post_with_the_action_and_reads_the_answer(
    http: HttpClient, server: Server, version: WsTrustVersion
) -> None:
    token = sign(assertion(SAML11))
    server.body = rstr(token, trust=version.value).encode()
    endpoint = WsTrustEndpoint(f"{server.url}/usernamemixed", version)
    found = request_assertion(http, endpoint, USER, NASTY[1], AUDIENCE, NOW.timestamp)
    assert found.xml == token.encode() and found.version is SamlVersion.V11
    (received,) = server.requests
    assert (received.method, received.path) == ("POST", "/usernamemixed")
    assert received.headers["Content-Type"] == "application/soap+xml; charset=utf-8"
    assert received.headers["SOAPAction"].strip('"') == f"{version.value}/RST/Issue"
    sent = etree.fromstring(received.body)
    assert text(sent, ".//o:Password") == NASTY[1]
    assert text(sent, ".//u:Created") == "2026-02-03T23:55:04.005Z"


@pytest.mark.parametrize("namespace", [SAML11, SAML20])
@pytest.mark.parametrize("trust", [TRUST13, TRUST2005])
@pytest.mark.parametrize("type_first", [False, True])
def test_reads_an_answer_in_any_order(namespace: str, trust: str, type_first: bool) -> None:
    token_type = "<t:TokenType>urn:any</t:TokenType>"
    body = rstr(sign(assertion(namespace)), trust=trust)
    if type_first:
        body = body.replace(token_type, "").replace("<t:Lifetime/>", token_type)
    found = parse_answer(answer(body), PASSWORD)
    assert found.version.value == namespace
    verify(found.xml)


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize(
    ("body", "code"),
    [
        (fault12("FailedAuthentication", "MSIS3127: no"), "FailedAuthentication"),
        (fault11("x:FailedAuthentication", "MSIS3127: no"), "FailedAuthentication"),
        (fault12("InvalidSecurity", "MSIS3127: no"), "InvalidSecurity"),
        (fault12("InvalidRequest", "MSIS3127: no"), "InvalidRequest"),
        (
            fault12("FailedAuthentication", "MSIS3127: no")
            .replace("</s:Subcode>", "")
            .replace(
                "</s:Code>",
                "<s:Subcode><s:Value>m:Inner</s:Value></s:Subcode></s:Subcode></s:Code>",
            ),
            "Inner",
        ),
        (fault11("Client", "MSIS3127: no"), "Client"),
    ],
    ids=["1.2", "1.1", "clock", "request", "nested", "client"],
)
def test_tells_code_and_reason_of_a_fault(status: int, body: str, code: str) -> None:
    with pytest.raises(AuthenticationError) as caught:
        parse_answer(answer(body, status), PASSWORD)
    error = caught.value
    assert (error.code, error.host, error.step) == (code, "sts.contoso.com", "WS-Trust sign-in")
    assert "MSIS3127: no" in error.message
    assert error.remedy


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("FailedAuthentication", "password"),
        ("InvalidSecurity", "clock"),
        ("MessageExpired", "clock"),
        ("InvalidRequest", "administrator"),
    ],
)
def test_advises_by_the_code_of_a_fault(code: str, advice: str) -> None:
    with pytest.raises(AuthenticationError) as caught:
        parse_answer(answer(fault12(code, "r"), 500), PASSWORD)
    assert advice in caught.value.remedy


def test_takes_the_code_of_a_fault_from_its_code_and_not_from_its_detail() -> None:
    # A wrong password that is not seen as one would be tried again, and counted twice.
    detail = (
        '<s:Detail><e xmlns="urn:e"><Value>42</Value><Text>stack</Text><Reason>x</Reason></e>'
        "</s:Detail>"
    )
    with pytest.raises(AuthenticationError) as caught:
        parse_answer(answer(fault12("FailedAuthentication", "no", detail), 500), PASSWORD)
    assert caught.value.code == "FailedAuthentication"


@pytest.mark.parametrize("password", [PASSWORD, *NASTY, "two  words\nor three"])
@pytest.mark.parametrize("fault", [fault12, fault11])
def test_blots_out_a_password_that_a_fault_echoes(password: str, fault) -> None:
    body = fault("FailedAuthentication", f"wrong password {password} for joe, twice: {password}")
    with pytest.raises(AuthenticationError) as caught:
        parse_answer(answer(body, 500), password)
    told = f"{caught.value} {caught.value!r} {vars(caught.value)}"
    assert password.split()[0] not in told.replace("wrong password", "")
    assert "for joe" in told and "***" in told


def test_a_fault_without_words_still_says_something() -> None:
    body = f'<s:Envelope xmlns:s="{SOAP12}"><s:Body><s:Fault/></s:Body></s:Envelope>'
    with pytest.raises(AuthenticationError, match="no reason given"):
        parse_answer(answer(body, 500), PASSWORD)


def test_a_fault_is_one_printable_line() -> None:
    with pytest.raises(AuthenticationError) as caught:
        parse_answer(answer(fault12("x", "a\nb\u202e\x85" + "long " * 200), 500), PASSWORD)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 700


@pytest.mark.parametrize(
    "token",
    [
        f'<saml:EncryptedAssertion xmlns:saml="{SAML20}"><x:EncryptedData'
        ' xmlns:x="http://www.w3.org/2001/04/xmlenc#"/></saml:EncryptedAssertion>',
        '<x:EncryptedData xmlns:x="http://www.w3.org/2001/04/xmlenc#"/>',
        "",
    ],
    ids=["EncryptedAssertion", "EncryptedData", "empty"],
)
def test_says_that_an_answer_holds_no_assertion_that_can_be_used(token: str) -> None:
    with pytest.raises(ResponseError, match="no SAML assertion") as caught:
        parse_answer(answer(rstr(token)), PASSWORD)
    assert "encrypted" in caught.value.remedy


@pytest.mark.parametrize(
    "body", ["", "<html><body><br>Sign in</body></html>", "<html/>", "{}", "<!DOCTYPE html><html/>"]
)
@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 500])
def test_says_what_came_in_place_of_an_answer(body: str, status: int) -> None:
    with pytest.raises(ResponseError) as caught:
        parse_answer(answer(body, status, "text/html"), PASSWORD)
    assert "sts.contoso.com" in str(caught.value)
    assert "Sign in" not in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize("status", [429, 502, 503, 504])
@pytest.mark.parametrize("body", ["", "<html/>", "busy"])
def test_a_busy_server_is_worth_another_try(status: int, body: str) -> None:
    with pytest.raises(NetworkError, match=f"HTTP {status}") as caught:
        parse_answer(answer(body, status, "text/html"), PASSWORD)
    assert "again" in caught.value.remedy


def test_an_answer_that_is_not_harmless_xml_says_so() -> None:
    with pytest.raises(ResponseError, match="document type"):
        parse_answer(answer("<!DOCTYPE a>" + rstr(assertion())), PASSWORD)


@pytest.mark.parametrize("audience", ["urn:a&b<c>", "urn:\ud800", "urn:\x01"])
def test_an_odd_audience_from_the_realm_gives_no_traceback(
    http: HttpClient, server: Server, audience: str
) -> None:
    server.body = rstr(assertion()).encode()
    endpoint = WsTrustEndpoint(server.url, V13)
    try:
        request_assertion(http, endpoint, USER, PASSWORD, audience, NOW.timestamp)
    except (ResponseError, UsageError) as error:
        assert PASSWORD not in str(error)
    for received in server.requests:
        assert text(etree.fromstring(received.body), ".//p:AppliesTo//a:Address") == audience


def realm(address: str) -> UserRealm:
    return UserRealm(
        account_type="Federated", domain_name="contoso.com", federation_active_auth_url=address
    )


def versions_asked(server: Server) -> list[str]:
    return [
        received.headers["SOAPAction"].removesuffix("/RST/Issue") for received in server.requests
    ]


@pytest.mark.parametrize(
    ("path", "tried"),
    [
        ("/adfs/services/trust/13/usernamemixed", [TRUST13]),
        ("/ADFS/Services/Trust/13/UserNameMixed", [TRUST13]),
        ("/adfs/services/trust/2005/usernamemixed", [TRUST2005]),
        ("/idp/sts.wst", [TRUST2005, TRUST13]),
        ("/app/office365/exk/sso/wsfed/active", [TRUST2005, TRUST13]),
    ],
)
@pytest.mark.parametrize(
    ("status", "body"),
    [(500, fault12("InvalidRequest", "no").encode()), (500, b"<html/>"), (404, b"")],
    ids=["fault", "html", "empty"],
)
def test_without_metadata_the_path_tells_the_version_or_both_are_tried_once(
    http: HttpClient, server: Server, path: str, tried: list[str], status: int, body: bytes
) -> None:
    server.status, server.body = status, body
    with pytest.raises((AuthenticationError, ResponseError)):
        request_assertion_without_mex(http, realm(server.url + path), USER, PASSWORD, NOW.timestamp)
    assert versions_asked(server) == tried


def test_without_metadata_the_second_version_may_answer(http: HttpClient, server: Server) -> None:
    def by_version(handler) -> None:
        good = handler.headers["SOAPAction"].startswith(TRUST13)
        server.status = 200 if good else 500
        server.body = (rstr(assertion()) if good else fault11("Client", "what?")).encode()
        server.say(handler)

    server.answer = by_version
    found = request_assertion_without_mex(
        http, realm(f"{server.url}/idp/sts.wst"), USER, PASSWORD, NOW.timestamp
    )
    assert found.xml == assertion().encode()
    assert versions_asked(server) == [TRUST2005, TRUST13]


@pytest.mark.parametrize(
    "body",
    [fault12("FailedAuthentication", "no"), fault11("wsse:FailedAuthentication", "no")],
    ids=["1.2", "1.1"],
)
def test_a_wrong_password_is_not_tried_twice(http: HttpClient, server: Server, body: str) -> None:
    server.status, server.body = 500, body.encode()
    with pytest.raises(AuthenticationError):
        request_assertion_without_mex(
            http, realm(f"{server.url}/idp/sts.wst"), USER, PASSWORD, NOW.timestamp
        )
    assert versions_asked(server) == [TRUST2005]


def test_a_busy_server_is_asked_again_for_the_same_version_only(
    http: HttpClient, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_module, "PAUSES", (0, 0))
    server.status, server.body = 503, b""
    with pytest.raises(NetworkError):
        request_assertion_without_mex(
            http, realm(f"{server.url}/idp/sts.wst"), USER, PASSWORD, NOW.timestamp
        )
    assert versions_asked(server) == [TRUST2005] * 3


def test_a_domain_without_any_endpoint_says_so(http: HttpClient) -> None:
    with pytest.raises(AuthenticationError, match=r"contoso\.com") as caught:
        request_assertion_without_mex(http, realm(""), USER, PASSWORD, NOW.timestamp)
    assert "usernamemixed" in caught.value.remedy


@pytest.fixture(scope="module")
def azure() -> Iterator[Emulator]:
    with Emulator() as azure:
        yield azure


@pytest.mark.parametrize(
    ("username", "password"),
    [
        (known.FEDERATED, known.PASSWORD),
        (known.FEDERATED_NASTY, known.NASTY_PASSWORD),
        (known.FEDERATED_2005, known.PASSWORD),
        (known.FEDERATED_SAML20, known.PASSWORD),
        (known.FEDERATED_MEX_DOWN, known.PASSWORD),
        (known.FEDERATED_QUIRKS, known.PASSWORD),
    ],
)
def test_a_federated_user_gets_a_token_from_the_emulated_azure(
    azure: Emulator, username: str, password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(azure.ca_file))
    http, cluster = HttpClient(), azure.clusters["aks-exec"]
    found = discover_user_realm(http, azure.authority_host, username)
    endpoint = discover_endpoint(http, found.federation_metadata_url)
    if endpoint:
        audience = found.cloud_audience_urn
        saml = request_assertion(http, endpoint, username, password, audience, azure.clock.now)
    else:
        saml = request_assertion_without_mex(http, found, username, password, azure.clock.now)
    wanted = TokenRequest(cluster.server_id, cluster.tenant, cluster.client_id)
    token = request_token(http, azure.authority_host, wanted, saml_grant(saml), azure.clock.now)
    assert token.expires_on > azure.clock.now() and token.refresh_token
