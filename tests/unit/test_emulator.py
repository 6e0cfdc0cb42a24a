"""The emulator refuses what the real services refuse, and lets through what they let through."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import escape

import jwt
import msal
import pytest
import requests
import yaml
from lxml import etree

from emulator import Emulator, population
from emulator.adfs.mex import WSDL
from emulator.adfs.wstrust import VERSIONS, WSSE, WSU
from emulator.certificates import SigningKey
from emulator.directory import (
    AKS_CLIENT_ID,
    AKS_SERVER_ID,
    AZURE_CLI_CLIENT_ID,
    MICROSOFT_ONLINE,
    SUBSCRIPTION,
    TENANT,
)

SAML11_GRANT = "urn:ietf:params:oauth:grant-type:saml1_1-bearer"
SAML20_GRANT = "urn:ietf:params:oauth:grant-type:saml2-bearer"
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
DEPLOY_KEY = population.CERTIFICATE_KEY
TESTS = Path(__file__).parents[1]


@pytest.fixture
def azure() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


class Client:
    """What a program does on the wire."""

    def __init__(self, azure: Emulator) -> None:
        self.azure = azure
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.verify = str(azure.ca_file)

    def realm(self, upn: str) -> dict[str, str]:
        path = quote(upn, safe="")
        url = f"{self.azure.authority_host}/common/userrealm/{path}?api-version=1.0"
        answer: dict[str, str] = self.http.get(url).json()
        return answer

    def token(
        self, *, tenant: str = "organizations", path: str = "oauth2/v2.0/token", **form: str
    ) -> requests.Response:
        form = {"client_id": AZURE_CLI_CLIENT_ID, **form}
        if "v2.0" in path:
            scope = f"{self.azure.arm_audience}/.default openid offline_access profile"
            form.setdefault("scope", scope)
        return self.http.post(f"{self.azure.authority_host}/{tenant}/{path}", data=form)

    def by_password(self, upn: str, password: str = population.PASSWORD, **more: str) -> Any:
        return self.token(grant_type="password", username=upn, password=password, **more)

    def by_secret(self, **more: str) -> requests.Response:
        form = {
            "tenant": TENANT,
            "grant_type": "client_credentials",
            "client_id": population.SERVICE_PRINCIPAL,
            "client_secret": population.SECRET,
            "scope": f"{AKS_SERVER_ID}/.default",
        }
        return self.token(**{**form, **more})

    def aks_token(self, upn: str = population.MANAGED, **more: str) -> str:
        form = {"client_id": AKS_CLIENT_ID, "scope": f"{AKS_SERVER_ID}/.default", **more}
        return str(self.by_password(upn, **form).json()["access_token"])

    def arm(self, path: str, token: str, method: str = "GET") -> requests.Response:
        separator = "&" if "?" in path else "?"
        url = f"{self.azure.resource_manager}{path}{separator}api-version=2024-09-01"
        return self.http.request(method, url, headers={"Authorization": f"Bearer {token}"})

    def arm_token(self) -> str:
        return str(self.by_password(population.MANAGED).json()["access_token"])

    def kubernetes(self, cluster: str, path: str, token: str, **options: Any) -> requests.Response:
        known = self.azure.clusters[cluster]
        ca = self.azure.directory / f"{cluster}.pem"
        ca.write_bytes(known.ca)
        headers = {"Authorization": f"Bearer {token}", **options.pop("headers", {})}
        with requests.Session() as http:
            http.trust_env = False
            url = known.server + path
            return http.request(
                options.pop("method", "GET"), url, headers=headers, verify=str(ca), **options
            )


@pytest.fixture
def client(azure: Emulator) -> Client:
    return Client(azure)


def aadsts(response: requests.Response) -> int:
    assert response.status_code in (400, 401)
    body = response.json()
    assert body["error_description"].startswith(f"AADSTS{body['error_codes'][0]}: ")
    assert body["correlation_id"] and body["trace_id"] and body["timestamp"]
    code: int = body["error_codes"][0]
    return code


# User realm


@pytest.mark.parametrize(
    ("upn", "account_type"),
    [
        (population.MANAGED, "Managed"),
        (population.FEDERATED, "Federated"),
        ("o'brien+x%y/z@fed.example", "Federated"),
        (population.UNKNOWN, "Unknown"),
        ("no-domain", "Unknown"),
    ],
)
def test_realm_follows_the_domain(client: Client, upn: str, account_type: str) -> None:
    assert client.realm(upn)["account_type"] == account_type


def test_a_saml20_domain_names_no_active_endpoint(client: Client) -> None:
    realm = client.realm(population.SAML20_ONLY)
    assert realm["federation_protocol"] == "SAML20"
    assert "federation_active_auth_url" not in realm


# MEX


def user_name_ports(client: Client, domain: str) -> list[str]:
    federation = client.azure.federations[domain]
    wsdl = etree.fromstring(client.http.get(federation.metadata_url).content)
    addresses = wsdl.findall(f".//{{{WSDL}}}port/{{*}}EndpointReference/{{*}}Address")
    texts = [(address.text or "").strip() for address in addresses]
    return [text for text in texts if text.endswith("/usernamemixed")]


def test_mex_lists_the_versions_that_are_on(client: Client) -> None:
    address = client.azure.federations["fed.example"].address
    assert sorted(user_name_ports(client, "fed.example")) == [
        f"{address}/adfs/services/trust/13/usernamemixed",
        f"{address}/adfs/services/trust/2005/usernamemixed",
    ]
    assert len(user_name_ports(client, "fed2005.example")) == 1


def test_mex_may_be_down_enveloped_or_another_vendors(client: Client) -> None:
    down = client.azure.federations["fedmexdown.example"]
    assert client.http.get(down.metadata_url).status_code == 500
    enveloped = client.azure.add_federation("enveloped.example", mex_in_envelope=True)
    assert etree.fromstring(client.http.get(enveloped.metadata_url).content).tag.endswith(
        "Envelope"
    )
    own = client.azure.add_federation("own.example", mex_document="<a>$adfs</a>")
    assert client.http.get(own.metadata_url).text == f"<a>{own.address}</a>"


# WS-Trust


@dataclass(frozen=True)
class Rst:
    """A request to AD FS, with everything that can be wrong in it."""

    version: str = "13"
    endpoint_version: str | None = None
    username: str = population.FEDERATED
    password: str = population.PASSWORD
    action: str | None = None
    soap_action: str | None = None
    to: str | None = None
    message_id: str = f"urn:uuid:{uuid.uuid4()}"
    created_ago: float = 0
    lives: float = 600
    applies_to: str = MICROSOFT_ONLINE
    key_type: str | None = None
    request_type: str | None = None
    content_type: str = "application/soap+xml; charset=utf-8"

    def send(self, client: Client, domain: str = "fed.example") -> requests.Response:
        version = VERSIONS[self.version]
        trust = client.azure.federations[domain].address + "/adfs/services/trust/"
        endpoint = f"{trust}{self.endpoint_version or self.version}/usernamemixed"
        action = self.action or version.issue_action
        headers = {"Content-Type": self.content_type, "SOAPAction": self.soap_action or action}
        body = self._envelope(self.to or endpoint, action)
        return client.http.post(endpoint, data=body.encode(), headers=headers)

    def _envelope(self, to: str, action: str) -> str:
        version = VERSIONS[self.version]
        created = time.time() - self.created_ago
        times = [datetime.fromtimestamp(t, timezone.utc) for t in (created, created + self.lives)]
        created_text, expires_text = (t.strftime("%Y-%m-%dT%H:%M:%SZ") for t in times)
        return f"""<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"
            xmlns:wsa="http://www.w3.org/2005/08/addressing" xmlns:wsu="{WSU}"><s:Header>
            <wsa:Action s:mustUnderstand="1">{action}</wsa:Action>
            <wsa:MessageID>{self.message_id}</wsa:MessageID>
            <wsa:To s:mustUnderstand="1">{to}</wsa:To>
            <wsse:Security s:mustUnderstand="1" xmlns:wsse="{WSSE}">
            <wsu:Timestamp wsu:Id="_0"><wsu:Created>{created_text}</wsu:Created>
            <wsu:Expires>{expires_text}</wsu:Expires></wsu:Timestamp>
            <wsse:UsernameToken wsu:Id="U"><wsse:Username>{escape(self.username)}</wsse:Username>
            <wsse:Password>{escape(self.password)}</wsse:Password></wsse:UsernameToken>
            </wsse:Security></s:Header><s:Body>
            <wst:RequestSecurityToken xmlns:wst="{version.namespace}">
            <wsp:AppliesTo xmlns:wsp="http://schemas.xmlsoap.org/ws/2004/09/policy">
            <wsa:EndpointReference><wsa:Address>{self.applies_to}</wsa:Address>
            </wsa:EndpointReference></wsp:AppliesTo>
            <wst:KeyType>{self.key_type or version.bearer}</wst:KeyType>
            <wst:RequestType>{self.request_type or version.request_type}</wst:RequestType>
            </wst:RequestSecurityToken></s:Body></s:Envelope>"""


def subcode(response: requests.Response) -> str:
    assert response.status_code == 500
    assert response.headers["Content-Type"].startswith("application/soap+xml")
    envelope = etree.fromstring(response.content)
    assert envelope.findtext(".//{*}Reason/{*}Text")
    return str(envelope.findtext(".//{*}Subcode/{*}Value", "")).partition(":")[2]


@pytest.mark.parametrize(
    ("request_", "fault"),
    [
        (Rst(password="wrong"), "FailedAuthentication"),
        (Rst(username="nobody@fed.example"), "FailedAuthentication"),
        (Rst(username=population.MANAGED), "FailedAuthentication"),
        (Rst(created_ago=1000), "InvalidSecurity"),
        (Rst(created_ago=-1000), "InvalidSecurity"),
        (Rst(lives=-1), "InvalidSecurity"),
        (Rst(action="urn:other"), "ActionNotSupported"),
        (Rst(soap_action="urn:other"), "ActionNotSupported"),
        (Rst(version="2005", endpoint_version="13"), "ActionNotSupported"),
        (Rst(to="https://localhost/other"), "DestinationUnreachable"),
        (Rst(message_id="1"), "InvalidAddressingHeader"),
        (Rst(applies_to="urn:other"), "InvalidScope"),
        (Rst(key_type="urn:other"), "InvalidRequest"),
        (Rst(version="2005", key_type=VERSIONS["13"].bearer), "InvalidRequest"),
        (Rst(request_type="urn:other"), "BadRequest"),
    ],
)
def test_adfs_refuses(client: Client, request_: Rst, fault: str) -> None:
    assert subcode(request_.send(client)) == fault


def test_adfs_wants_soap_and_serves_only_the_versions_that_are_on(client: Client) -> None:
    assert Rst(content_type="text/xml").send(client).status_code == 415
    assert (
        Rst(username=population.FEDERATED_2005).send(client, "fed2005.example").status_code == 404
    )


def test_adfs_refuses_a_document_type(client: Client) -> None:
    endpoint = client.azure.federations["fed.example"].address + (
        "/adfs/services/trust/13/usernamemixed"
    )
    body = '<!DOCTYPE s:Envelope [<!ENTITY a "b">]>' + Rst()._envelope(endpoint, "a")
    headers = {"Content-Type": "application/soap+xml"}
    assert client.http.post(endpoint, data=body.encode(), headers=headers).status_code == 500


def test_another_vendors_path_takes_either_version(client: Client) -> None:
    federation = client.azure.add_federation("ping.example", active_path="/idp/sts.wst")
    client.azure.add_user("pia@ping.example", population.PASSWORD)
    url = client.realm("pia@ping.example")["federation_active_auth_url"]
    assert url == f"{federation.address}/idp/sts.wst"
    for name, version in VERSIONS.items():
        body = Rst(version=name, username="pia@ping.example")._envelope(url, version.issue_action)
        headers = {"Content-Type": f'application/soap+xml; action="{version.issue_action}"'}
        assert client.http.post(url, data=body.encode(), headers=headers).status_code == 200


# Assertions


def cut_out(answer: bytes) -> bytes:
    """The assertion's text, with the prefixes that it needs and only ancestors declare."""
    text = answer.decode("utf-16" if answer[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8")
    found = re.search(r"<(?:saml:)?Assertion.*?</(?:saml:)?Assertion>", text, re.DOTALL)
    assert found
    assertion = found.group()
    start, rest = assertion.split(" ", 1)
    for declaration in re.findall(r'xmlns(?::\w+)?="[^"]*"', text[: found.start()]):
        prefix = declaration.split("=")[0].partition(":")[2]
        used = f"{prefix}:" in assertion if prefix else start == "<Assertion"
        if used and prefix in ("", "saml", "xs", "xsi"):
            rest = f"{declaration} {rest}"
    return f"{start} {rest}".encode()


def encode(assertion: bytes) -> str:
    return base64.urlsafe_b64encode(assertion).rstrip(b"=").decode()


def assertion_of(client: Client, upn: str, rst: Rst | None = None) -> bytes:
    domain = upn.partition("@")[2]
    response = replace(rst or Rst(), username=upn).send(client, domain)
    assert response.status_code == 200
    return cut_out(response.content)


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"prefixes_on_ancestors": True},
        {"default_namespace": True},
        {"default_namespace": True, "prefixes_on_ancestors": True, "xsi_types": True},
        {"prefixes_on_ancestors": True, "xsi_types": True, "inclusive_prefixes": ("xs",)},
        {"token_type_first": True, "wss_token_type": True, "extra_response": True},
        {"encoding": "utf-16"},
    ],
)
@pytest.mark.parametrize("saml", ["1.1", "2.0"])
@pytest.mark.parametrize("version", ["13", "2005"])
def test_an_assertion_of_any_shape_signs_in(
    client: Client, config: dict[str, Any], saml: str, version: str
) -> None:
    client.azure.add_federation("shape.example", saml=saml, **config)
    client.azure.add_user("sue@shape.example", population.PASSWORD)
    assertion = assertion_of(client, "sue@shape.example", Rst(version=version))
    grant = SAML11_GRANT if saml == "1.1" else SAML20_GRANT
    response = client.token(grant_type=grant, assertion=encode(assertion))
    assert response.status_code == 200, response.text
    claims = jwt.decode(response.json()["access_token"], options={"verify_signature": False})
    assert claims["upn"] == "sue@shape.example"


def test_prefixes_are_really_missing_from_the_assertion(client: Client) -> None:
    response = Rst(username=population.FEDERATED_QUIRKS).send(client, "fedquirks.example")
    text = response.text
    assertion = text[text.index("<saml:Assertion") :]
    assert "xmlns:saml" not in assertion and "xmlns:xs=" not in assertion
    with pytest.raises(etree.XMLSyntaxError):
        etree.fromstring(re.sub(r"</saml:Assertion>.*", "</saml:Assertion>", assertion).encode())


def test_a_listed_inclusive_prefix_is_needed_for_the_signature(client: Client) -> None:
    assertion = assertion_of(client, population.FEDERATED_QUIRKS)
    without = re.sub(rb' ?xmlns:xs="[^"]*"', b"", assertion)
    assert without != assertion
    good, bad = (
        client.token(grant_type=SAML11_GRANT, assertion=encode(a)) for a in (assertion, without)
    )
    assert good.status_code == 200 and aadsts(bad) == 50008


def test_a_tampered_assertion_is_refused(client: Client) -> None:
    assertion = assertion_of(client, population.FEDERATED)
    for old, new in (
        (b"fay@fed.example", b"nasty@fed.example"),
        (b"urn:federation:MicrosoftOnline", b"urn:federation:Other"),
        (b"<saml:AttributeStatement>", b"<saml:AttributeStatement> "),
    ):
        tampered = assertion.replace(old, new)
        assert tampered != assertion
        response = client.token(grant_type=SAML11_GRANT, assertion=encode(tampered))
        assert aadsts(response) == 50008


def test_an_assertion_signed_by_another_key_is_refused(client: Client) -> None:
    federation = client.azure.federations["fed.example"]
    stranger = replace(federation, key=SigningKey("stranger"))
    client.azure.federations["fed.example"] = stranger
    client.azure.users[population.FEDERATED].federation = stranger
    assertion = assertion_of(client, population.FEDERATED)
    client.azure.federations["fed.example"] = federation
    response = client.token(grant_type=SAML11_GRANT, assertion=encode(assertion))
    assert aadsts(response) == 50008


def test_an_assertion_wrapped_around_another_is_refused(client: Client) -> None:
    signed = assertion_of(client, population.FEDERATED)
    forged = signed.replace(b"fay@fed.example", b"nasty@fed.example")
    forged = re.sub(rb"<ds:Signature.*</ds:Signature>", signed, forged, flags=re.DOTALL)
    response = client.token(grant_type=SAML11_GRANT, assertion=encode(forged))
    assert aadsts(response) == 50008


def test_assertions_end_by_the_clock(client: Client) -> None:
    assertion = encode(assertion_of(client, population.FEDERATED))
    client.azure.clock.advance(3599 - 10)
    assert client.token(grant_type=SAML11_GRANT, assertion=assertion).status_code == 200
    client.azure.clock.advance(11)
    assert aadsts(client.token(grant_type=SAML11_GRANT, assertion=assertion)) == 50008
    client.azure.clock.advance(-4600)
    assert aadsts(client.token(grant_type=SAML11_GRANT, assertion=assertion)) == 50008


def test_assertions_for_others_are_refused(client: Client) -> None:
    client.azure.add_federation("aud.example", audience="urn:other")
    client.azure.add_user("al@aud.example", population.PASSWORD)
    other = encode(assertion_of(client, "al@aud.example", Rst(applies_to="urn:other")))
    assert aadsts(client.token(grant_type=SAML11_GRANT, assertion=other)) == 50008
    unknown = assertion_of(client, population.FEDERATED)
    del client.azure.federations["fed.example"]
    assert aadsts(client.token(grant_type=SAML11_GRANT, assertion=encode(unknown))) == 50107


def test_the_grant_type_has_to_match_the_assertion(client: Client) -> None:
    saml11 = encode(assertion_of(client, population.FEDERATED))
    saml20 = encode(assertion_of(client, population.FEDERATED_SAML20))
    assert aadsts(client.token(grant_type=SAML20_GRANT, assertion=saml11)) == 50008
    assert aadsts(client.token(grant_type=SAML11_GRANT, assertion=saml20)) == 50008


def test_assertions_are_base64url_without_padding(client: Client) -> None:
    assertion = assertion_of(client, population.FEDERATED)
    padded = base64.urlsafe_b64encode(assertion + b" " * (1 + -len(assertion) % 3)).decode()
    assert padded.endswith("=")
    assert aadsts(client.token(grant_type=SAML11_GRANT, assertion=padded)) == 50008
    plain = base64.b64encode(assertion + b"<!--\xc3\xbf\xc3\xbf>>>???-->").decode().rstrip("=")
    if "+" in plain or "/" in plain:
        assert aadsts(client.token(grant_type=SAML11_GRANT, assertion=plain)) == 50008


# Token endpoint: users


@pytest.mark.parametrize(
    ("upn", "password", "code"),
    [
        (population.MANAGED, "wrong", 50126),
        ("absent@managed.example", "any", 50034),
        (population.FEDERATED, population.PASSWORD, 50056),
        (population.LOCKED, population.PASSWORD, 50053),
        (population.DISABLED, population.PASSWORD, 50057),
        (population.MFA, population.PASSWORD, 50076),
        (population.MFA, "wrong", 50126),
        (population.MFA_AT_ARM, population.PASSWORD, 50076),
    ],
)
def test_password_sign_ins_that_fail(client: Client, upn: str, password: str, code: int) -> None:
    assert aadsts(client.by_password(upn, password)) == code


def test_mfa_names_its_claims(client: Client) -> None:
    body = client.by_password(population.MFA).json()
    assert body["suberror"] == "basic_action"
    assert json.loads(body["claims"])["access_token"]["capolids"]["essential"] is True


def test_mfa_at_arm_leaves_the_cluster_open(client: Client) -> None:
    assert client.aks_token(population.MFA_AT_ARM)


def test_nasty_passwords_arrive_whole(client: Client) -> None:
    assert client.by_password(population.NASTY, population.NASTY_PASSWORD).status_code == 200
    rst = Rst(password=population.NASTY_PASSWORD)
    assert assertion_of(client, population.FEDERATED_NASTY, rst)


def test_ten_wrong_passwords_lock_the_account(client: Client) -> None:
    for _ in range(10):
        assert aadsts(client.by_password(population.MANAGED, "wrong")) == 50126
    assert aadsts(client.by_password(population.MANAGED)) == 50053


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"scope": ""}, 900144),
        ({"scope": "openid"}, 70011),
        ({"scope": f"{AKS_SERVER_ID}/user_impersonation"}, 70011),
        ({"scope": f"{AKS_SERVER_ID}/.default {AKS_SERVER_ID}/.default"}, 70011),
        ({"scope": "api://other/.default"}, 500011),
        ({"client_id": str(uuid.uuid4())}, 700016),
        ({"client_id": ""}, 900144),
        ({"client_secret": "x"}, 700025),
        ({"client_id": population.SERVICE_PRINCIPAL}, 7000218),
        ({"tenant": str(uuid.uuid4())}, 90002),
        ({"tenant": "common"}, 9001023),
        ({"grant_type": "device_code"}, 70003),
        ({"password": ""}, 900144),
    ],
)
def test_token_requests_that_are_wrong(client: Client, form: dict[str, str], code: int) -> None:
    good = {
        "grant_type": "password",
        "username": population.MANAGED,
        "password": population.PASSWORD,
    }
    assert aadsts(client.token(**{**good, **form})) == code


def test_the_body_has_to_be_a_form(client: Client) -> None:
    url = f"{client.azure.authority_host}/organizations/oauth2/v2.0/token"
    assert aadsts(client.http.post(url, json={"grant_type": "password"})) == 900144


def test_tenants_by_id_and_domain_but_not_another(client: Client) -> None:
    for tenant in (TENANT, TENANT.upper(), "managed.example", "organizations"):
        assert client.by_password(population.MANAGED, tenant=tenant).status_code == 200
    other = client.azure.add_tenant(None, "other.example")
    assert aadsts(client.by_password(population.MANAGED, tenant=other)) == 90072
    client.azure.users[population.MANAGED].guest_in = (other,)
    token = client.by_password(population.MANAGED, tenant=other).json()["access_token"]
    assert jwt.decode(token, options={"verify_signature": False})["tid"] == other


def test_answers_hold_what_the_scope_asked_for(client: Client) -> None:
    bare = client.by_password(population.MANAGED, scope=f"{AKS_SERVER_ID}/.default").json()
    assert bare["expires_in"] == 3600
    assert not {"refresh_token", "id_token", "client_info"} & set(bare)
    full = client.by_password(population.MANAGED).json()
    assert {"refresh_token", "id_token", "client_info"} <= set(full)
    claims = jwt.decode(full["access_token"], options={"verify_signature": False})
    assert claims["aud"] == client.azure.arm_audience
    assert claims["upn"] == population.MANAGED


def test_the_published_keys_verify_tokens(client: Client) -> None:
    base = f"{client.azure.authority_host}/{TENANT}"
    document = client.http.get(f"{base}/v2.0/.well-known/openid-configuration").json()
    keys = jwt.PyJWKSet.from_dict(client.http.get(document["jwks_uri"]).json())
    token = client.aks_token()
    key = keys[jwt.get_unverified_header(token)["kid"]]
    assert jwt.decode(token, key.key, algorithms=["RS256"], audience=AKS_SERVER_ID)


# Version 1


def test_v1_makes_the_spn_prefix_by_its_api_version_alone(client: Client) -> None:
    audiences = []
    for path in ("oauth2/token?api-version=1.0", "oauth2/token"):
        body = client.by_password(population.MANAGED, path=path, resource=AKS_SERVER_ID).json()
        assert body["expires_in"] == "3600" and body["refresh_token"]
        claims = jwt.decode(body["access_token"], options={"verify_signature": False})
        audiences.append(claims["aud"])
    assert audiences == [f"spn:{AKS_SERVER_ID}", AKS_SERVER_ID]


def test_v1_leaves_a_resource_that_is_no_guid_as_it_is(client: Client) -> None:
    path = "oauth2/token?api-version=1.0"
    arm = client.azure.arm_audience
    body = client.by_password(population.MANAGED, path=path, resource=arm).json()
    assert jwt.decode(body["access_token"], options={"verify_signature": False})["aud"] == arm
    spn = client.by_password(population.MANAGED, path=path, resource=f"spn:{AKS_SERVER_ID}")
    assert aadsts(spn) == 500011


def test_legacy_clusters_take_the_prefixed_audience_only(client: Client) -> None:
    plain = client.aks_token()
    body = client.by_password(
        population.MANAGED, path="oauth2/token?api-version=1.0", resource=AKS_SERVER_ID
    ).json()
    refreshed = client.token(
        path="oauth2/token?api-version=1.0",
        grant_type="refresh_token",
        refresh_token=body["refresh_token"],
        resource=AKS_SERVER_ID,
    ).json()
    for token, statuses in (
        (plain, (200, 401)),
        (body["access_token"], (401, 200)),
        (refreshed["access_token"], (401, 200)),
    ):
        clusters = ("aks-exec", "aks-legacy-azure")
        answers = [client.kubernetes(c, "/version", token).status_code for c in clusters]
        assert tuple(answers) == statuses


# Refresh tokens


def test_refresh_tokens_serve_any_resource_of_their_client(client: Client) -> None:
    token = client.by_password(population.MANAGED).json()["refresh_token"]
    form = {"grant_type": "refresh_token", "refresh_token": token}
    aks = f"{AKS_SERVER_ID}/.default"
    assert client.token(**form, scope=aks).status_code == 200
    assert aadsts(client.token(**form, scope=aks, client_id=AKS_CLIENT_ID)) == 70000
    assert aadsts(client.token(**{**form, "refresh_token": "made up"})) == 70000


def test_refresh_tokens_end(client: Client) -> None:
    form = {
        "grant_type": "refresh_token",
        "refresh_token": client.by_password(population.MANAGED).json()["refresh_token"],
    }
    client.azure.clock.advance(91 * 24 * 3600)
    assert aadsts(client.token(**form)) == 700082
    client.azure.clock.advance(-91 * 24 * 3600)
    client.azure.users[population.MANAGED].password = "changed"
    assert aadsts(client.token(**form)) == 50173
    client.azure.users[population.MANAGED].password = population.PASSWORD
    client.azure.revoke_refresh_tokens(population.MANAGED)
    assert aadsts(client.token(**form)) == 50173


# Token endpoint: applications


def test_client_secrets(client: Client) -> None:
    assert client.by_secret().status_code == 200
    assert aadsts(client.by_secret(client_secret="wrong")) == 7000215
    assert aadsts(client.by_secret(client_id=str(uuid.uuid4()))) == 700016
    assert aadsts(client.by_secret(client_id=AKS_CLIENT_ID)) == 7000216
    assert aadsts(client.by_secret(tenant="organizations")) == 50059
    assert aadsts(client.by_secret(tenant=client.azure.add_tenant())) == 7000229
    assert aadsts(client.by_secret(scope=f"{AKS_SERVER_ID}/x")) == 1002012
    client.azure.service_principals[population.SERVICE_PRINCIPAL].secret_expires = 1
    assert aadsts(client.by_secret()) == 7000222


def certificate_assertion(client: Client, **changes: Any) -> str:
    principal = client.azure.service_principals[population.CERTIFICATE_PRINCIPAL]
    key = changes.pop("key", principal.certificates[0])
    now = int(time.time())
    claims = {
        "aud": f"{client.azure.authority_host}/{TENANT}/oauth2/v2.0/token",
        "iss": principal.client_id,
        "sub": principal.client_id,
        "jti": str(uuid.uuid4()),
        "nbf": now,
        "exp": now + 600,
    }
    headers = changes.pop("headers", {"x5t": key.thumbprint})
    return jwt.encode({**claims, **changes}, key.private_key, algorithm="RS256", headers=headers)


def by_assertion(client: Client, client_id: str, assertion: str) -> requests.Response:
    return client.token(
        tenant=TENANT,
        grant_type="client_credentials",
        client_id=client_id,
        client_assertion_type=JWT_BEARER,
        client_assertion=assertion,
        scope=f"{AKS_SERVER_ID}/.default",
    )


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, None),
        ({"headers": {"x5t": DEPLOY_KEY.thumbprint + "="}}, None),
        ({"headers": {"x5t#S256": DEPLOY_KEY.thumbprint_sha256}}, None),
        ({"headers": {}}, 700027),
        ({"aud": "https://other"}, 700027),
        ({"sub": "other"}, 700027),
        ({"jti": ""}, 700027),
        ({"exp": 1}, 700024),
        ({"key": SigningKey("stranger")}, 700027),
    ],
)
def test_certificates(client: Client, changes: dict[str, Any], code: int | None) -> None:
    assertion = certificate_assertion(client, **changes)
    response = by_assertion(client, population.CERTIFICATE_PRINCIPAL, assertion)
    assert response.status_code == 200 if code is None else aadsts(response) == code


def test_a_certificate_assertion_has_to_be_signed(client: Client) -> None:
    head, body, _ = certificate_assertion(client).split(".")
    forged = f"{head}.{body}.{'A' * 342}"
    assert aadsts(by_assertion(client, population.CERTIFICATE_PRINCIPAL, forged)) == 700027


def test_a_certificate_is_registered_by_subject_and_issuer(client: Client) -> None:
    def assertion(key: SigningKey, chain: list[SigningKey], **header: Any) -> str:
        x5c = [base64.b64encode(key.certificate_der).decode() for key in chain]
        header = {"x5t": key.thumbprint, "x5c": x5c, **header}
        names = {"iss": population.SUBJECT_PRINCIPAL, "sub": population.SUBJECT_PRINCIPAL}
        return certificate_assertion(client, key=key, headers=header, **names)

    def answer(assertion: str) -> requests.Response:
        return by_assertion(client, population.SUBJECT_PRINCIPAL, assertion)

    good, authority = population.SUBJECT_KEY, population.SUBJECT_AUTHORITY
    renewed = replace(good, not_after=datetime(2044, 1, 1))
    assert renewed.thumbprint != good.thumbprint
    for key, chain in ((good, [good]), (good, [good, authority]), (renewed, [renewed])):
        assert answer(assertion(key, chain)).status_code == 200
    other_subject = SigningKey("other.emulator", issuer=authority)
    other_issuer = replace(good, issuer=SigningKey(authority.name, not_after=datetime(2040, 1, 1)))
    expired = replace(good, not_after=datetime(2021, 1, 1))
    for key, chain, code in (
        (good, [], 700027),
        (good, [authority, good], 700027),
        (other_subject, [other_subject], 700030),
        (other_issuer, [other_issuer, authority], 700027),
        (expired, [expired], 1000502),
    ):
        assert aadsts(answer(assertion(key, chain))) == code
    head, body, _ = assertion(good, [good]).split(".")
    assert aadsts(answer(f"{head}.{body}.{'A' * 342}")) == 700027
    assert aadsts(answer(assertion(good, [good], x5c="no list"))) == 700027


def confidential(client: Client, client_id: str, credential: Any) -> dict[str, Any]:
    """What msal makes of a credential."""
    app = msal.ConfidentialClientApplication(
        client_id,
        client_credential=credential,
        authority=f"{client.azure.authority_host}/{TENANT}",
        instance_discovery=False,
        http_client=client.http,
    )
    answer: dict[str, Any] = app.acquire_token_for_client([f"{AKS_SERVER_ID}/.default"])
    return answer


def test_msal_signs_in_with_certificates_of_every_form(client: Client, tmp_path: Path) -> None:
    files = client.azure.certificate_files(tmp_path / "certificates")
    pem = files.pem.read_text(encoding="ascii")
    encrypted = files.encrypted_pem.read_text(encoding="ascii")
    subject = files.subject_pem.read_text(encoding="ascii")
    sha1 = base64.urlsafe_b64decode(DEPLOY_KEY.thumbprint + "=").hex()
    by_subject = population.SUBJECT_KEY.certificate_pem
    for client_id, credential in (
        (population.CERTIFICATE_PRINCIPAL, {"private_key": pem, "public_certificate": pem}),
        (population.CERTIFICATE_PRINCIPAL, {"private_key": pem, "thumbprint": sha1}),
        (
            population.CERTIFICATE_PRINCIPAL,
            {"private_key": encrypted, "thumbprint": sha1, "passphrase": files.passphrase},
        ),
        (population.CERTIFICATE_PRINCIPAL, {"private_key_pfx_path": str(files.pfx)}),
        (
            population.CERTIFICATE_PRINCIPAL,
            {"private_key_pfx_path": str(files.encrypted_pfx), "passphrase": files.passphrase},
        ),
        (population.SUBJECT_PRINCIPAL, {"private_key": subject, "public_certificate": by_subject}),
        (population.SUBJECT_PRINCIPAL, {"private_key": subject, "public_certificate": subject}),
        (
            population.SUBJECT_PRINCIPAL,
            {"private_key_pfx_path": str(files.subject_pfx), "public_certificate": True},
        ),
        (population.WORKLOAD_PRINCIPAL, {"client_assertion": client.azure.oidc.issue}),
    ):
        answer = confidential(client, client_id, credential)
        claims = jwt.decode(answer["access_token"], options={"verify_signature": False})
        assert (claims["appid"], claims["idtyp"]) == (client_id, "app")


def test_msal_is_told_what_is_wrong_with_a_certificate(client: Client, tmp_path: Path) -> None:
    files = client.azure.certificate_files(tmp_path)
    for client_id, path, reason in (
        (population.CERTIFICATE_PRINCIPAL, files.expired_pfx, "The key used is expired"),
        (population.CERTIFICATE_PRINCIPAL, files.unregistered_pfx, "The key was not found"),
        (population.SUBJECT_PRINCIPAL, files.subject_pfx, "The key was not found"),
    ):
        answer = confidential(client, client_id, {"private_key_pfx_path": str(path)})
        assert answer["error_codes"] == [700027]
        assert reason in answer["error_description"]
    with pytest.raises(ValueError, match="password"):
        confidential(client, "x", {"private_key_pfx_path": str(files.encrypted_pfx)})


def test_federated_credentials(client: Client) -> None:
    principal, oidc = population.WORKLOAD_PRINCIPAL, client.azure.oidc
    assert by_assertion(client, principal, oidc.issue()).status_code == 200
    assert aadsts(by_assertion(client, principal, oidc.issue("repo:other"))) == 700213
    assert aadsts(by_assertion(client, principal, oidc.issue(audience="other"))) == 700212
    late = oidc.issue()
    client.azure.clock.advance(601)
    assert aadsts(by_assertion(client, principal, late)) == 700024
    oidc.issuer = "https://other"
    assert aadsts(by_assertion(client, principal, oidc.issue())) == 700211


def test_github_and_pipelines_hand_out_identity_tokens(client: Client) -> None:
    github = client.azure.oidc.github_environment()
    url = github["ACTIONS_ID_TOKEN_REQUEST_URL"] + "&audience=api://AzureADTokenExchange"
    token = github["ACTIONS_ID_TOKEN_REQUEST_TOKEN"]
    assert client.http.get(url).status_code == 401
    value = client.http.get(url, headers={"Authorization": f"bearer {token}"}).json()["value"]
    assert by_assertion(client, population.WORKLOAD_PRINCIPAL, value).status_code == 200
    pipelines = client.azure.oidc.pipelines_environment()
    url = pipelines["SYSTEM_OIDCREQUESTURI"] + "?api-version=7.1&serviceConnectionId=1"
    headers = {
        "Authorization": f"Bearer {pipelines['SYSTEM_ACCESSTOKEN']}",
        "Content-Type": "application/json",
    }
    value = client.http.post(url, headers=headers).json()["oidcToken"]
    assert by_assertion(client, population.WORKLOAD_PRINCIPAL, value).status_code == 200


# Managed identities

RESOURCE_ID = (
    f"/subscriptions/{SUBSCRIPTION}/resourcegroups/rg/providers"
    "/Microsoft.ManagedIdentity/userAssignedIdentities/deploy-identity"
)
SOURCES = ("imds", "app_service", "arc")


def managed_identity_environment(azure: Emulator, source: str) -> dict[str, str]:
    variables: dict[str, str] = getattr(azure.managed_identity, f"{source}_environment")()
    return variables


@pytest.fixture(params=SOURCES)
def source(request: pytest.FixtureRequest, azure: Emulator, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each source of managed identities in turn, with its variables set."""
    source: str = request.param
    for name, value in managed_identity_environment(azure, source).items():
        monkeypatch.setenv(name, value)
    folders = "msal.managed_identity._supported_arc_platforms_and_their_prefixes"
    monkeypatch.setattr(folders, {sys.platform: str(azure.managed_identity.arc_tokens)})
    return source


def by_managed_identity(
    client: Client, resource: str = AKS_SERVER_ID, **identity: str
) -> dict[str, Any]:
    """What msal makes of the source that the environment names."""
    who = msal.UserAssignedManagedIdentity(**identity) if identity else None
    identity_client = msal.ManagedIdentityClient(
        who or msal.SystemAssignedManagedIdentity(), http_client=client.http
    )
    answer: dict[str, Any] = identity_client.acquire_token_for_client(resource=resource)
    return answer


def test_msal_finds_every_managed_identity(client: Client, source: str) -> None:
    host = client.azure.managed_identity
    (user,) = host.user_assigned
    for selector, client_id in (
        ({}, population.SYSTEM_IDENTITY),
        ({"client_id": population.USER_IDENTITY}, population.USER_IDENTITY),
        ({"object_id": user.object_id}, population.USER_IDENTITY),
        ({"resource_id": RESOURCE_ID.upper()}, population.USER_IDENTITY),
    ):
        answer = by_managed_identity(client, **selector)
        token = answer["access_token"]
        assert 3590 < answer["expires_in"] <= 3600
        claims = jwt.decode(token, options={"verify_signature": False})
        assert (claims["aud"], claims["appid"]) == (AKS_SERVER_ID, client_id)
        assert (claims["idtyp"], claims["tid"]) == ("app", TENANT)
        assert client.kubernetes("aks-exec", "/version", token).status_code == 200
        last = [r for r in client.azure.requests if r.service == "identity"][-1]
        assert (last.client_id, last.resource) == (client_id, AKS_SERVER_ID)
    token = by_managed_identity(client, client.azure.arm_audience)["access_token"]
    assert client.arm("/subscriptions", token).status_code == 200
    assert list(host.arc_tokens.glob("*")) == []


def test_msal_is_told_why_there_is_no_token(client: Client, source: str) -> None:
    absent = by_managed_identity(client, client_id=str(uuid.uuid4()))
    no_resource = by_managed_identity(client, "api://other")
    client.azure.managed_identity.system_assigned = None
    client.azure.managed_identity.user_assigned.clear()
    nobody = by_managed_identity(client)
    descriptions = [answer["error_description"] for answer in (absent, no_resource, nobody)]
    if source == "app_service":
        assert descriptions == [
            "400, No User Assigned or Delegated Managed Identity found for specified "
            "ClientId/ResourceId/PrincipalId.",
            "500, An unexpected error occured while fetching the AAD Token.",
            "400, No Managed Identity found for specified ClientId/ResourceId/PrincipalId.",
        ]
    else:
        assert "Identity not found" in descriptions[0] and "Identity not found" in descriptions[2]
        assert "AADSTS500011: The resource principal named api://other" in descriptions[1]


def test_a_virtual_machine_without_a_system_identity_takes_its_only_other_one(
    client: Client,
) -> None:
    host = client.azure.managed_identity
    url = f"{host.address}/metadata/identity/oauth2/token"
    query = {"api-version": "2018-02-01", "resource": AKS_SERVER_ID}
    host.system_assigned = None
    answer = client.http.get(url, params=query, headers={"Metadata": "true"}).json()
    assert answer["client_id"] == population.USER_IDENTITY
    assert all(isinstance(value, str) for value in answer.values())
    host.assign_user("second")
    answer = client.http.get(url, params=query, headers={"Metadata": "true"}).json()
    assert answer["error_description"].startswith("Multiple user assigned identities exist")


@pytest.mark.parametrize("source", SOURCES)
def test_managed_identity_requests_need_header_version_and_resource(
    client: Client, source: str
) -> None:
    variables = managed_identity_environment(client.azure, source)
    url = variables.get("IDENTITY_ENDPOINT") or (
        f"{variables['AZURE_POD_IDENTITY_AUTHORITY_HOST']}/metadata/identity/oauth2/token"
    )
    header = {"Metadata": "true"}
    if source == "app_service":
        header = {"X-IDENTITY-HEADER": variables["IDENTITY_HEADER"]}
    query = {"api-version": "2019-08-01", "resource": AKS_SERVER_ID}

    def status(query: dict[str, str], header: dict[str, str]) -> int:
        return client.http.get(url, params=query, headers=header).status_code

    assert status(query, header) == (401 if source == "arc" else 200)
    assert status(query, {}) == (401 if source == "app_service" else 400)
    assert status(query, dict.fromkeys(header, "wrong")) == status(query, {})
    assert status({"resource": AKS_SERVER_ID}, header) == 400
    assert status({"api-version": "2019-08-01"}, header) == 400
    assert status({**query, "api-version": "2017-09-01"}, header) == 400
    assert variables.get("IDENTITY_HEADER", "no secret") not in repr(client.azure.requests)


def test_an_arc_secret_lies_in_a_file_and_serves_once(client: Client) -> None:
    url = client.azure.managed_identity.arc_environment()["IDENTITY_ENDPOINT"]
    query = {"api-version": "2020-06-01", "resource": AKS_SERVER_ID}

    def ask(**headers: str) -> requests.Response:
        return client.http.get(url, params=query, headers={"Metadata": "true", **headers})

    challenge = ask()
    assert challenge.json()["error_description"] == "Missing Basic Authorization header"
    realm = challenge.headers["WWW-Authenticate"].removeprefix("Basic realm=")
    secret = Path(realm).read_text(encoding="ascii")
    assert ask(Authorization="Basic guessed").status_code == 401
    assert ask(Authorization=f"Basic {secret}").status_code == 200
    assert ask(Authorization=f"Basic {secret}").status_code == 401
    assert not Path(realm).exists()


def test_managed_identities_have_faults_and_lifetimes_too(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in client.azure.managed_identity.imds_environment().items():
        monkeypatch.setenv(name, value)
    client.azure.fail("identity", "/metadata/", status=410, body='{"error": "gone"}')
    assert by_managed_identity(client)["error"] == "gone"
    client.azure.token_lifetime = 600
    assert by_managed_identity(client)["expires_in"] == 600


# ARM

CREDENTIAL = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers"
    "/Microsoft.ContainerService/managedClusters/{}/listClusterUserCredential"
)


def skeleton_user(client: Client, name: str, query: str = "") -> dict[str, Any]:
    answer = client.arm(CREDENTIAL.format(name) + query, client.arm_token(), "POST").json()
    document = yaml.safe_load(base64.b64decode(answer["kubeconfigs"][0]["value"]))
    user: dict[str, Any] = document["users"][0]["user"]
    return user


def test_skeletons(client: Client) -> None:
    assert skeleton_user(client, "aks-exec")["exec"]["command"] == "kubelogin"
    config = skeleton_user(client, "aks-azure")["auth-provider"]["config"]
    assert config["config-mode"] == "1" and config["apiserver-id"] == AKS_SERVER_ID
    assert "--legacy" in skeleton_user(client, "aks-legacy-exec")["exec"]["args"]
    legacy = skeleton_user(client, "aks-legacy-azure")["auth-provider"]["config"]
    assert "config-mode" not in legacy
    assert "auth-provider" in skeleton_user(client, "aks-exec", "?format=azure")
    assert "exec" in skeleton_user(client, "AKS-AZURE", "?format=exec")
    assert "client-key-data" in skeleton_user(client, "aks-local")
    client.azure.add_cluster("pop", pop=True)
    assert "--pop-enabled" in skeleton_user(client, "pop")["exec"]["args"]


def arm_error(response: requests.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


def test_arm_checks_the_token(client: Client) -> None:
    token = client.arm_token()
    path = CREDENTIAL.format("aks-exec")
    assert client.arm(path, token, "POST").status_code == 200
    wrong = client.arm(path, client.aks_token(), "POST")
    assert arm_error(wrong) == (401, "InvalidAuthenticationTokenAudience")
    assert "authorization_uri" in wrong.headers["WWW-Authenticate"]
    forged = token[:-8] + "AAAAAAAA"
    assert arm_error(client.arm(path, forged, "POST")) == (401, "InvalidAuthenticationToken")
    bare = client.http.post(f"{client.azure.resource_manager}{path}?api-version=2024-09-01")
    assert arm_error(bare) == (401, "AuthenticationFailed")
    client.azure.clock.advance(3601)
    assert arm_error(client.arm(path, token, "POST")) == (401, "ExpiredAuthenticationToken")


def test_arm_names_what_is_missing(client: Client) -> None:
    token = client.arm_token()
    path = CREDENTIAL.format("nope")
    assert arm_error(client.arm(path, token, "POST")) == (404, "ResourceNotFound")
    no_group = path.replace("/rg/", "/nope/")
    assert arm_error(client.arm(no_group, token, "POST")) == (404, "ResourceGroupNotFound")
    no_subscription = path.replace(SUBSCRIPTION, str(uuid.uuid4()))
    answer = client.arm(no_subscription, token, "POST")
    assert arm_error(answer) == (404, "SubscriptionNotFound")
    client.azure.deny(population.MANAGED)
    assert arm_error(client.arm(path, token, "POST")) == (403, "AuthorizationFailed")
    url = f"{client.azure.resource_manager}/subscriptions"
    headers = {"Authorization": f"Bearer {token}"}
    assert client.http.get(url, headers=headers).status_code == 400


def test_arm_audience_with_and_without_slash(client: Client) -> None:
    bare = client.azure.arm_audience.rstrip("/")
    for audience in (bare, f"{bare}/"):
        token = client.by_password(population.MANAGED, scope=f"{audience}/.default").json()
        assert client.arm("/subscriptions", token["access_token"]).status_code == 200


# API server


def test_the_api_server_checks_the_token(client: Client) -> None:
    token = client.aks_token()
    assert client.kubernetes("aks-exec", "/version", token).status_code == 200
    refused = client.kubernetes("aks-exec", "/version", client.arm_token())
    assert refused.status_code == 401 and refused.json()["reason"] == "Unauthorized"
    assert client.kubernetes("aks-exec", "/version", token[:-8] + "AAAAAAAA").status_code == 401
    other = client.azure.add_tenant()
    client.azure.users[population.MANAGED].guest_in = (other,)
    foreign = client.aks_token(tenant=other)
    assert client.kubernetes("aks-exec", "/version", foreign).status_code == 401
    client.azure.clock.advance(3601)
    assert client.kubernetes("aks-exec", "/version", token).status_code == 401


def test_an_own_server_application(client: Client) -> None:
    server_id = str(uuid.uuid4())
    assert aadsts(client.by_password(population.MANAGED, scope=f"{server_id}/.default")) == 500011
    client.azure.add_cluster("own", server_id=server_id, client_id=str(uuid.uuid4()))
    token = client.aks_token(scope=f"{server_id}/.default")
    assert client.kubernetes("own", "/version", token).status_code == 200
    assert client.kubernetes("aks-exec", "/version", token).status_code == 401


def test_whoami_says_who(client: Client) -> None:
    path = "/apis/authentication.k8s.io/v1beta1/selfsubjectreviews"
    for token, name in (
        (client.aks_token(), population.MANAGED),
        (client.by_secret().json()["access_token"], population.SERVICE_PRINCIPAL),
    ):
        review = client.kubernetes("aks-exec", path, token, method="POST", json={}).json()
        assert review["status"]["userInfo"]["username"] == name


def test_lists_come_as_tables_or_lists(client: Client) -> None:
    token = client.aks_token()
    accept = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}
    path = "/api/v1/namespaces/default/pods"
    table = client.kubernetes("aks-exec", path, token, headers=accept).json()
    assert (table["kind"], table["rows"][0]["cells"][0]) == ("Table", "web-0")
    assert client.kubernetes("aks-exec", path, token).json()["kind"] == "PodList"
    missing = client.kubernetes("aks-exec", f"{path}/nope", token)
    assert missing.status_code == 404 and missing.json()["message"] == 'pods "nope" not found'


def test_a_watch_sees_new_pods_and_ends_with_the_token(client: Client) -> None:
    token = client.aks_token()
    cluster = client.azure.clusters["aks-exec"]
    path = f"/api/v1/pods?watch=1&resourceVersion={cluster.store.version}"
    response = client.kubernetes("aks-exec", path, token, stream=True, timeout=10)
    cluster.add_pod("late")
    lines = response.iter_lines()
    event = json.loads(next(lines))
    assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", "late")
    client.azure.clock.advance(3600)
    assert list(lines) == []


# Traffic


def test_requests_are_recorded_without_secrets(client: Client) -> None:
    client.by_password(population.MANAGED)
    client.arm("/subscriptions", client.arm_token())
    first, *_, last = client.azure.requests
    assert (first.service, first.grant, first.username) == (
        "entra",
        "password",
        population.MANAGED,
    )
    assert (last.service, last.path, last.status) == ("arm", "/subscriptions", 200)
    assert last.ended is not None and last.ended >= last.began
    assert client.azure.requests[0].connection == client.azure.requests[1].connection
    text = repr(client.azure.requests)
    assert population.PASSWORD not in text and "eyJ" not in text


def test_faults(client: Client) -> None:
    url = f"{client.azure.authority_host}/common/userrealm/a%40b?api-version=1.0"
    client.azure.fail("entra", "/userrealm/", status=429, headers={"Retry-After": "3"})
    assert client.http.get(url).headers["Retry-After"] == "3"
    assert client.http.get(url).status_code == 200
    for drop in (True, False):
        client.azure.fail("entra", "/userrealm/", drop=drop, garbage=not drop)
        with pytest.raises(requests.RequestException):
            client.http.get(url)
    client.azure.fail("entra", "/userrealm/", delay=5)
    with pytest.raises(requests.Timeout):
        client.http.get(url, timeout=0.2)
    client.azure.fail("entra", "/userrealm/", times=None, body="<html>", content_type="text/html")
    assert [client.http.get(url).text for _ in range(2)] == ["<html>"] * 2
    client.azure.heal()
    assert client.http.get(url).json()["account_type"] == "Unknown"


def test_latency(client: Client) -> None:
    client.azure.latency = 0.2
    client.azure.latencies["arm"] = 0
    client.realm(population.MANAGED)
    client.http.get(f"{client.azure.resource_manager}/metadata/endpoints?api-version=2022-09-01")
    entra, arm = (r.ended - r.began for r in client.azure.requests if r.ended is not None)
    assert entra >= 0.2 > arm


def test_it_listens_on_loopback_only(azure: Emulator) -> None:
    addresses = [azure.authority_host, azure.resource_manager]
    addresses += [cluster.server for cluster in azure.clusters.values()]
    addresses += [federation.address for federation in azure.federations.values()]
    assert all(address.startswith("https://localhost:") for address in addresses)
    assert len(set(addresses)) == len(addresses)
    assert azure.managed_identity.address.startswith("http://localhost:")


# The program


def test_the_program_serves_until_its_input_ends(tmp_path: Path) -> None:
    program = subprocess.Popen(
        [sys.executable, "-m", "emulator", "--directory", str(tmp_path / "here")],
        cwd=TESTS,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert program.stdout is not None
    assert "ready" in program.stdout.readline()
    summary = json.loads((tmp_path / "here" / "emulator.json").read_text(encoding="utf-8"))
    url = f"{summary['authority_host']}/common/userrealm/x%40managed.example?api-version=1.0"
    assert requests.get(url, verify=summary["ca_file"]).json()["account_type"] == "Managed"
    _, errors = program.communicate(timeout=10)
    assert (program.returncode, errors) == (0, "")
