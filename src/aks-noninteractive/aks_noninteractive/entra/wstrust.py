"""WS-Trust: a user name and a password to an identity provider, a SAML assertion back.

A RequestSecurityToken for the Issue binding of WS-Trust 1.3 (OASIS) or of February 2005, in a SOAP
1.2 envelope, with WS-Addressing 1.0 headers and a WS-Security user-name token and timestamp.
"""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape

from ..errors import (
    AksAuthError,
    AuthenticationError,
    NetworkError,
    ResponseError,
    UsageError,
    quote_server,
)
from .http import PROXY_REMEDY, HttpClient, HttpResponse
from .mex import WsTrustEndpoint, WsTrustVersion
from .realm import UserRealm
from .safe_xml import XmlError, local_name, parse, text_of
from .saml import SamlAssertion, cut_assertion

STEP = "WS-Trust sign-in"
TIMESTAMP_LIFETIME = timedelta(minutes=10)

_ENVELOPE = """\
<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"\
 xmlns:wsa="http://www.w3.org/2005/08/addressing"\
 xmlns:wsu="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd">\
<s:Header>\
<wsa:Action s:mustUnderstand="1">{action}</wsa:Action>\
<wsa:MessageID>urn:uuid:{message_id}</wsa:MessageID>\
<wsa:ReplyTo><wsa:Address>http://www.w3.org/2005/08/addressing/anonymous</wsa:Address></wsa:ReplyTo>\
<wsa:To s:mustUnderstand="1">{to}</wsa:To>\
<wsse:Security s:mustUnderstand="1"\
 xmlns:wsse="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd">\
<wsu:Timestamp wsu:Id="_0"><wsu:Created>{created}</wsu:Created>\
<wsu:Expires>{expires}</wsu:Expires></wsu:Timestamp>\
<wsse:UsernameToken wsu:Id="uuid-{token_id}"><wsse:Username>{username}</wsse:Username>\
<wsse:Password Type="http://docs.oasis-open.org/wss/2004/01/\
oasis-200401-wss-username-token-profile-1.0#PasswordText">{password}</wsse:Password>\
</wsse:UsernameToken></wsse:Security></s:Header>\
<s:Body><wst:RequestSecurityToken xmlns:wst="{trust}">\
<wsp:AppliesTo xmlns:wsp="http://schemas.xmlsoap.org/ws/2004/09/policy">\
<wsa:EndpointReference><wsa:Address>{audience}</wsa:Address></wsa:EndpointReference>\
</wsp:AppliesTo><wst:KeyType>{key_type}</wst:KeyType>\
<wst:RequestType>{trust}/Issue</wst:RequestType>\
</wst:RequestSecurityToken></s:Body></s:Envelope>"""

_KEY_TYPES = {
    WsTrustVersion.V13: "http://docs.oasis-open.org/ws-sx/ws-trust/200512/Bearer",
    WsTrustVersion.V2005: "http://schemas.xmlsoap.org/ws/2005/05/identity/NoProofKey",
}
# What XML 1.0 cannot carry, escaped or not (section 2.2).
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_FAILED_AUTHENTICATION = "FailedAuthentication"
# What WS-Security itself answers (1.1, section 12): of the message's credentials and times, not of
# the version of WS-Trust in it.
_SECURITY_FAULTS = (
    *(_FAILED_AUTHENTICATION, "FailedCheck", "InvalidSecurity", "InvalidSecurityToken"),
    *("MessageExpired", "SecurityTokenUnavailable"),
    *("UnsupportedAlgorithm", "UnsupportedSecurityToken"),
)
_FAULT_REMEDIES = {
    _FAILED_AUTHENTICATION: "Check the user name and the password, and whether the account is "
    "locked or its password has expired at the identity provider.",
    "InvalidSecurity": "Set this machine's clock right: the identity provider refuses a request "
    "that is more than five minutes off.",
    "MessageExpired": "Set this machine's clock right: the identity provider refuses a request "
    "that is more than five minutes off.",
    "InvalidScope": "Let the identity provider's administrator look at its trust with Entra: it "
    "does not know the audience that was asked for.",
}
_OTHER_FAULT_REMEDY = (
    "Let the identity provider's administrator look up this fault in its event log."
)

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SoapFault:
    """A SOAP fault: its most specific code without a prefix, and its reason."""

    code: str
    reason: str


def request_assertion(
    http: HttpClient,
    endpoint: WsTrustEndpoint,
    username: str,
    password: str,
    audience: str,
    clock: Callable[[], float],
) -> SamlAssertion:
    """Sign in at endpoint for a token meant for audience (Entra's urn).

    clock gives seconds since the epoch. Raises UsageError for characters that XML cannot carry,
    AuthenticationError for a fault, NetworkError and ResponseError.
    """
    action = endpoint.version.issue_action
    body = build_request(
        endpoint, username, password, audience, datetime.fromtimestamp(clock(), timezone.utc)
    )
    response = http.post(
        endpoint.address,
        body,
        step=STEP,
        headers={
            "Content-Type": "application/soap+xml; charset=utf-8",
            # SOAP 1.2 has the action in the content type and the header, WCF reads this one.
            "SOAPAction": action,
        },
    )
    return parse_answer(response, password)


def request_assertion_without_mex(
    http: HttpClient,
    realm: UserRealm,
    username: str,
    password: str,
    clock: Callable[[], float],
) -> SamlAssertion:
    """Sign in at the realm's active endpoint, of which only the path may tell the version.

    Where it does not, 2005 is tried and then 1.3 once, unless the first answer was of the password
    itself: should that be wrong, a second try would count towards a lock-out.
    """
    address = realm.federation_active_auth_url
    if not address:
        raise AuthenticationError(
            f"the domain {realm.domain_name!r} publishes no WS-Trust endpoint for a password: its "
            "metadata offers none and it has no active endpoint",
            step=STEP,
            remedy="Let the identity provider's administrator enable the usernamemixed endpoint, "
            "or use another identity, such as a service principal.",
        )
    versions: tuple[WsTrustVersion, ...] = (WsTrustVersion.V2005, WsTrustVersion.V13)
    if "/trust/13/" in address.lower():
        versions = (WsTrustVersion.V13,)
    elif "/trust/2005/" in address.lower():
        versions = (WsTrustVersion.V2005,)
    first, *others = (WsTrustEndpoint(address, version) for version in versions)
    try:
        return request_assertion(http, first, username, password, realm.cloud_audience_urn, clock)
    except (AuthenticationError, ResponseError) as error:
        if not others or error.code in _SECURITY_FAULTS:
            raise
        _logger.info("%s; trying WS-Trust 1.3", error)
        return request_assertion(
            http, others[0], username, password, realm.cloud_audience_urn, clock
        )


def build_request(
    endpoint: WsTrustEndpoint, username: str, password: str, audience: str, now: datetime
) -> bytes:
    """The envelope, in UTF-8. UsageError names the argument that XML cannot carry."""
    for what, value in (("user name", username), ("password", password)):
        if _NOT_XML.search(value):
            raise UsageError(
                f"the {what} has a control character, which WS-Trust cannot carry",
                remedy=f"Check how the {what} is passed; a line end may have come with it.",
            )
    if _NOT_XML.search(audience + endpoint.address):
        raise ResponseError(
            "the realm or the metadata names an address that XML cannot carry", step=STEP
        )
    return _ENVELOPE.format(
        action=endpoint.version.issue_action,
        message_id=uuid.uuid4(),
        to=escape(endpoint.address),
        created=_timestamp(now),
        expires=_timestamp(now + TIMESTAMP_LIFETIME),
        token_id=uuid.uuid4(),
        username=_text(username),
        password=_text(password),
        trust=endpoint.version.value,
        audience=escape(audience),
        key_type=_KEY_TYPES[endpoint.version],
    ).encode("utf-8")


def parse_answer(response: HttpResponse, password: str) -> SamlAssertion:
    """The assertion in an identity provider's answer.

    password is what is blotted out, should the server echo it. Raises AuthenticationError for a
    fault, NetworkError for a busy server, ResponseError for anything else.
    """
    try:
        if response.status == 200 and (assertion := cut_assertion(response.body)):
            return assertion
        root = parse(response.body)
    except XmlError as problem:
        raise _not_soap(response, f": {problem}" if response.status == 200 else "") from None
    fault = find_fault(root)
    if fault:
        raise AuthenticationError(
            "the identity provider refused the sign-in: "
            + (quote_server(fault.reason, password) or "no reason given"),
            step=STEP,
            host=response.host,
            code=quote_server(fault.code, password),
            remedy=_FAULT_REMEDIES.get(fault.code, _OTHER_FAULT_REMEDY),
        )
    if response.status == 200 and local_name(root) == "Envelope":
        raise ResponseError(
            "the answer holds no SAML assertion that can be used",
            step=STEP,
            host=response.host,
            remedy="Let the identity provider's administrator check that tokens for Entra are "
            "issued as SAML 1.1 or 2.0 and not encrypted.",
        )
    raise _not_soap(response)


def find_fault(root: Element) -> SoapFault | None:
    """The fault in a SOAP 1.1 or 1.2 envelope: the innermost subcode, else the code."""
    if local_name(root) != "Envelope":
        return None
    fault = next((element for element in root.iter() if local_name(element) == "Fault"), None)
    if fault is None:
        return None
    parts = [e for part in fault if local_name(part).lower() != "detail" for e in part.iter()]
    values = [text_of(e) for e in parts if local_name(e) in ("Value", "faultcode")]
    reasons = [text_of(e) for e in parts if local_name(e) in ("Text", "faultstring")]
    code = next((value for value in reversed(values) if value), "")
    return SoapFault(code.rpartition(":")[2], next(filter(None, reasons), ""))


def _not_soap(response: HttpResponse, why: str = "") -> AksAuthError:
    if response.status in (429, 502, 503, 504):
        return NetworkError(
            f"the identity provider is busy or failing ({response.describe()})",
            step=STEP,
            host=response.host,
            remedy="Try again in a minute. " + PROXY_REMEDY,
        )
    return ResponseError(
        f"answered {response.describe()} where a WS-Trust answer was expected{why}",
        step=STEP,
        host=response.host,
        remedy=PROXY_REMEDY,
    )


def _text(value: str) -> str:
    # A bare carriage return would reach the other side as a line feed (XML 1.0, section 2.11).
    return escape(value, {"\r": "&#13;"})


def _timestamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
