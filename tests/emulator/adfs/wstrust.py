"""The request side of WS-Trust 1.3 and February 2005: what AD FS demands of an RST.

WS-Trust 1.3 (OASIS), WS-Trust February 2005, WS-Security UsernameToken profile 1.0. The faults
are worded as Windows Communication Foundation and AD FS word them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone

from lxml import etree

SOAP12 = "http://www.w3.org/2003/05/soap-envelope"
WSA = "http://www.w3.org/2005/08/addressing"
WSP = "http://schemas.xmlsoap.org/ws/2004/09/policy"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
PASSWORD_TEXT = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordText"
CLOCK_SKEW = 300


@dataclass(frozen=True)
class WsTrustVersion:
    """The names that differ between the two versions."""

    name: str
    namespace: str
    bearer: str
    final_action: str
    in_collection: bool

    @property
    def issue_action(self) -> str:
        """The action of a request."""
        return f"{self.namespace}/RST/Issue"

    @property
    def request_type(self) -> str:
        """RequestType of a request for a token."""
        return f"{self.namespace}/Issue"


WS_TRUST_13 = WsTrustVersion(
    "13",
    "http://docs.oasis-open.org/ws-sx/ws-trust/200512",
    "http://docs.oasis-open.org/ws-sx/ws-trust/200512/Bearer",
    "http://docs.oasis-open.org/ws-sx/ws-trust/200512/RSTRC/IssueFinal",
    True,
)
WS_TRUST_2005 = WsTrustVersion(
    "2005",
    "http://schemas.xmlsoap.org/ws/2005/02/trust",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/NoProofKey",
    "http://schemas.xmlsoap.org/ws/2005/02/trust/RSTR/Issue",
    False,
)
VERSIONS = {version.name: version for version in (WS_TRUST_13, WS_TRUST_2005)}


class SoapFault(Exception):
    """A SOAP 1.2 fault: its subcode (namespace and name) and reason."""

    def __init__(self, namespace: str, subcode: str, reason: str) -> None:
        super().__init__(f"{subcode}: {reason}")
        self.namespace = namespace
        self.subcode = subcode
        self.reason = reason


@dataclass(frozen=True)
class SecurityTokenRequest:
    """What AD FS takes from a request that it accepts, before it looks at the password."""

    version: WsTrustVersion
    message_id: str
    username: str
    password: str


def read_request(
    body: bytes,
    soap_action: str | None,
    endpoint: str,
    versions: list[WsTrustVersion],
    audience: str,
    now: float,
) -> SecurityTokenRequest:
    """Check a RequestSecurityToken envelope.

    Args:
        body: the envelope.
        soap_action: SOAPAction header or the content type's action; None where neither is sent.
        endpoint: the address that wsa:To has to name.
        versions: those that this endpoint speaks.
        audience: the relying party that AppliesTo has to name.
        now: seconds since the epoch.

    Raises:
        SoapFault: whatever AD FS would not accept.
    """
    envelope = _parse(body)
    version = _version(envelope, soap_action, versions)
    _check_addressing(envelope, endpoint)
    _check_timestamp(envelope, now)
    username, password = _username_token(envelope)
    _check_token_request(envelope, version, audience)
    return SecurityTokenRequest(
        version, _text(envelope, f"{{{SOAP12}}}Header/{{{WSA}}}MessageID"), username, password
    )


def _parse(body: bytes) -> etree._Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise SoapFault(SOAP12, "Sender", f"The message could not be read: {error}") from error
    if root.getroottree().docinfo.internalDTD is not None or root.tag != f"{{{SOAP12}}}Envelope":
        raise SoapFault(SOAP12, "VersionMismatch", "A SOAP 1.2 envelope is expected.")
    return root


def _text(envelope: etree._Element, path: str) -> str:
    found = envelope.findall(path)
    return (found[0].text or "").strip() if len(found) == 1 else ""


def _version(
    envelope: etree._Element, soap_action: str | None, versions: list[WsTrustVersion]
) -> WsTrustVersion:
    action = _text(envelope, f"{{{SOAP12}}}Header/{{{WSA}}}Action")
    for version in versions:
        if action == version.issue_action and soap_action in (None, action):
            return version
    raise SoapFault(
        WSA,
        "ActionNotSupported",
        f"The message with Action '{soap_action or action}' cannot be processed at the receiver, "
        "due to a ContractFilter mismatch at the EndpointDispatcher.",
    )


def _check_addressing(envelope: etree._Element, endpoint: str) -> None:
    to = _text(envelope, f"{{{SOAP12}}}Header/{{{WSA}}}To")
    if to != endpoint:
        raise SoapFault(
            WSA,
            "DestinationUnreachable",
            f"The message with To '{to}' cannot be processed at the receiver, due to an "
            "AddressFilter mismatch at the EndpointDispatcher.",
        )
    message_id = _text(envelope, f"{{{SOAP12}}}Header/{{{WSA}}}MessageID")
    if not re.fullmatch(r"urn:uuid:[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", message_id):
        raise SoapFault(WSA, "InvalidAddressingHeader", "The MessageID header is not a urn:uuid.")


def _check_timestamp(envelope: etree._Element, now: float) -> None:
    path = f"{{{SOAP12}}}Header/{{{WSSE}}}Security/{{{WSU}}}Timestamp/{{{WSU}}}"
    created = _instant(_text(envelope, path + "Created"))
    expires = _instant(_text(envelope, path + "Expires"))
    fresh = (
        created is not None
        and expires is not None
        and created < expires
        and created <= now + CLOCK_SKEW
        and expires >= now - CLOCK_SKEW
    )
    if not fresh:
        raise _invalid_security()


def _instant(text: str) -> float | None:
    match = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?Z", text)
    if not match:
        return None
    moment = datetime.strptime(match.group(1), "%Y-%m-%dT%H:%M:%S")
    return moment.replace(tzinfo=timezone.utc).timestamp() + float(match.group(2) or 0)


def _invalid_security() -> SoapFault:
    return SoapFault(
        WSSE, "InvalidSecurity", "An error occurred when verifying security for the message."
    )


def _username_token(envelope: etree._Element) -> tuple[str, str]:
    path = f"{{{SOAP12}}}Header/{{{WSSE}}}Security/{{{WSSE}}}UsernameToken/{{{WSSE}}}"
    names, passwords = envelope.findall(path + "Username"), envelope.findall(path + "Password")
    if len(names) != 1 or len(passwords) != 1:
        raise _invalid_security()
    if passwords[0].get("Type", PASSWORD_TEXT) != PASSWORD_TEXT:
        raise _invalid_security()
    return names[0].text or "", passwords[0].text or ""


def _check_token_request(envelope: etree._Element, version: WsTrustVersion, audience: str) -> None:
    trust = version.namespace
    request = f"{{{SOAP12}}}Body/{{{trust}}}RequestSecurityToken"
    if _text(envelope, f"{request}/{{{trust}}}RequestType") != version.request_type:
        raise SoapFault(trust, "BadRequest", "ID3035: The request was not valid or is unsupported.")
    if _text(envelope, f"{request}/{{{trust}}}KeyType") != version.bearer:
        raise SoapFault(trust, "InvalidRequest", "ID3037: The specified request failed: KeyType.")
    relying_party = f"{request}/{{{WSP}}}AppliesTo/{{{WSA}}}EndpointReference/{{{WSA}}}Address"
    if _text(envelope, relying_party) != audience:
        raise SoapFault(
            trust, "InvalidScope", "ID3082: The request scope is not valid or is unsupported."
        )
