"""The answers of a WS-Trust endpoint: RequestSecurityTokenResponse and SOAP 1.2 faults."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from ..clock import iso
from .assertion import SAML11, IssuedAssertion
from .federation import AdfsConfig
from .wstrust import SOAP12, WSA, WSP, WSSE, WSU, SecurityTokenRequest, SoapFault, WsTrustVersion

WSSE11 = "http://docs.oasis-open.org/wss/oasis-wss-wssecurity-secext-1.1.xsd"
SAML_PROFILE_10 = "http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.0"
SAML_PROFILE_11 = "http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1"
SECURITY_TIMEOUT = 300


def response(
    request: SecurityTokenRequest, assertion: IssuedAssertion, config: AdfsConfig, now: float
) -> bytes:
    """The envelope that carries an assertion, in the config's encoding."""
    version = request.version
    responses = _response(version, assertion, config, now)
    if version.in_collection:
        if config.extra_response:
            responses = _other_response(version) + responses
        collection = "RequestSecurityTokenResponseCollection"
        body = f"<trust:{collection} {_trust(version)}>{responses}</trust:{collection}>"
    else:
        body = responses
    return _envelope(
        version.final_action, request.message_id, body, assertion.ancestor_prefixes, now
    ).encode(config.encoding)


def fault(error: SoapFault, message_id: str | None, now: float) -> bytes:
    """The envelope of a fault, as Windows Communication Foundation writes one."""
    if error.namespace == SOAP12:
        code = f"<s:Value>s:{error.subcode}</s:Value>"
    else:
        code = (
            "<s:Value>s:Sender</s:Value><s:Subcode>"
            f'<s:Value xmlns:a="{error.namespace}">a:{error.subcode}</s:Value></s:Subcode>'
        )
    body = (
        f"<s:Fault><s:Code>{code}</s:Code><s:Reason>"
        f'<s:Text xml:lang="en-US">{escape(error.reason)}</s:Text></s:Reason></s:Fault>'
    )
    action = f"{WSA}/soap/fault"
    return _envelope(action, message_id, body, {}, now).encode()


def _envelope(
    action: str, message_id: str | None, body: str, prefixes: dict[str, str], now: float
) -> str:
    declarations = "".join(f" xmlns:{name}={quoteattr(uri)}" for name, uri in prefixes.items())
    relates_to = f"<a:RelatesTo>{escape(message_id)}</a:RelatesTo>" if message_id else ""
    return (
        f'<s:Envelope xmlns:s="{SOAP12}" xmlns:a="{WSA}" xmlns:u="{WSU}"{declarations}>'
        f'<s:Header><a:Action s:mustUnderstand="1">{action}</a:Action>{relates_to}'
        f'<o:Security s:mustUnderstand="1" xmlns:o="{WSSE}"><u:Timestamp u:Id="_0">'
        f"<u:Created>{iso(now)}</u:Created><u:Expires>{iso(now + SECURITY_TIMEOUT)}</u:Expires>"
        f"</u:Timestamp></o:Security></s:Header><s:Body>{body}</s:Body></s:Envelope>"
    )


def _trust(version: WsTrustVersion) -> str:
    return f'xmlns:trust="{version.namespace}"'


def _response(
    version: WsTrustVersion, assertion: IssuedAssertion, config: AdfsConfig, now: float
) -> str:
    default = f' xmlns="{assertion.default_namespace}"' if assertion.default_namespace else ""
    token = (
        f"<trust:RequestedSecurityToken{default}>{assertion.text}</trust:RequestedSecurityToken>"
    )
    token_type = f"<trust:TokenType>{_token_type(assertion, config)}</trust:TokenType>"
    reference = _reference(assertion)
    until = iso(now + config.assertion_lifetime)
    return (
        f"<trust:RequestSecurityTokenResponse {_trust(version)}>"
        f"{token_type if config.token_type_first else ''}"
        f'<trust:Lifetime><wsu:Created xmlns:wsu="{WSU}">{iso(now)}</wsu:Created>'
        f'<wsu:Expires xmlns:wsu="{WSU}">{until}</wsu:Expires></trust:Lifetime>'
        f'<wsp:AppliesTo xmlns:wsp="{WSP}"><wsa:EndpointReference xmlns:wsa="{WSA}">'
        f"<wsa:Address>{escape(config.audience)}</wsa:Address></wsa:EndpointReference>"
        f"</wsp:AppliesTo>{token}"
        f"<trust:RequestedAttachedReference>{reference}</trust:RequestedAttachedReference>"
        f"<trust:RequestedUnattachedReference>{reference}</trust:RequestedUnattachedReference>"
        f"{'' if config.token_type_first else token_type}"
        f"<trust:RequestType>{version.request_type}</trust:RequestType>"
        f"<trust:KeyType>{version.bearer}</trust:KeyType></trust:RequestSecurityTokenResponse>"
    )


def _other_response(version: WsTrustVersion) -> str:
    return (
        "<trust:RequestSecurityTokenResponse><trust:RequestedSecurityToken>"
        f'<o:BinarySecurityToken xmlns:o="{WSSE}" ValueType="urn:ietf:params:oauth:token-type:jwt"'
        f' EncodingType="{WSSE}#Base64Binary">bm90IHRoaXMgb25l</o:BinarySecurityToken>'
        "</trust:RequestedSecurityToken>"
        "<trust:TokenType>urn:ietf:params:oauth:token-type:jwt</trust:TokenType>"
        f"<trust:RequestType>{version.request_type}</trust:RequestType>"
        "</trust:RequestSecurityTokenResponse>"
    )


def _token_type(assertion: IssuedAssertion, config: AdfsConfig) -> str:
    if config.wss_token_type:
        return f"{SAML_PROFILE_11}#SAMLV{config.saml}"
    return assertion.namespace


def _reference(assertion: IssuedAssertion) -> str:
    if assertion.namespace == SAML11:
        token_type, value_type = f"{SAML_PROFILE_11}#SAMLV1.1", f"{SAML_PROFILE_10}#SAMLAssertionID"
    else:
        token_type, value_type = f"{SAML_PROFILE_11}#SAMLV2.0", f"{SAML_PROFILE_11}#SAMLID"
    return (
        f'<o:SecurityTokenReference k:TokenType="{token_type}" xmlns:o="{WSSE}"'
        f' xmlns:k="{WSSE11}"><o:KeyIdentifier ValueType="{value_type}">'
        f"{assertion.assertion_id}</o:KeyIdentifier></o:SecurityTokenReference>"
    )
