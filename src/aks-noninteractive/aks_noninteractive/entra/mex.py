"""MEX: which WS-Trust endpoints of an identity provider take a user name and password.

The metadata is a WSDL (WS-MetadataExchange 1.1). An endpoint is usable when a whole chain holds:
a policy with a user-name token over TLS, a SOAP 1.2 binding that refers to it and has an Issue
action, and a port of that binding with an https address. What is incomplete spoils only itself.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from xml.etree.ElementTree import Element

from ..errors import NetworkError, ResponseError
from .http import HttpClient, host_of
from .safe_xml import XmlError, parse, text_of

STEP = "identity provider metadata (MEX)"

_WSDL = "{http://schemas.xmlsoap.org/wsdl/}"
_SOAP12 = "{http://schemas.xmlsoap.org/wsdl/soap12/}"
_WSA10 = "{http://www.w3.org/2005/08/addressing}"
_WSU = "{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd}"
_WSP = (
    "{http://schemas.xmlsoap.org/ws/2004/09/policy}",
    "{http://www.w3.org/ns/ws-policy}",
)
# security policy namespace -> the assertion that holds a signed supporting user-name token in it
_SUPPORTING_TOKENS = {
    "{http://docs.oasis-open.org/ws-sx/ws-securitypolicy/200702}": (
        "SignedEncryptedSupportingTokens"
    ),
    "{http://schemas.xmlsoap.org/ws/2005/07/securitypolicy}": "SignedSupportingTokens",
}
_HTTP_TRANSPORT = "http://schemas.xmlsoap.org/soap/http"

_logger = logging.getLogger(__name__)


class WsTrustVersion(Enum):
    """The two versions of WS-Trust in use; the value is the namespace of its elements."""

    V13 = "http://docs.oasis-open.org/ws-sx/ws-trust/200512"
    V2005 = "http://schemas.xmlsoap.org/ws/2005/02/trust"

    @property
    def issue_action(self) -> str:
        """The SOAP action, and wsa:Action, of a request for a token."""
        return f"{self.value}/RST/Issue"


@dataclass(frozen=True)
class WsTrustEndpoint:
    """A WS-Trust endpoint for user name and password: an https address and its version."""

    address: str
    version: WsTrustVersion


def discover_endpoint(http: HttpClient, metadata_url: str) -> WsTrustEndpoint | None:
    """The best endpoint that the metadata at metadata_url offers.

    None, with the reason in the log, where the metadata cannot be had or offers nothing: the
    realm's active endpoint may still do.
    """
    try:
        response = http.get(metadata_url, step=STEP)
        if response.status != 200:
            _logger.info("%s: %s answered %s", STEP, response.host, response.describe())
            return None
        endpoints = parse_mex(response.body)
    except (NetworkError, ResponseError, XmlError) as error:
        _logger.info("%s: not usable: %s", STEP, error)
        return None
    if not endpoints:
        _logger.info("%s: %s offers no user-name endpoint", STEP, host_of(metadata_url))
    return choose_endpoint(endpoints)


def choose_endpoint(endpoints: tuple[WsTrustEndpoint, ...]) -> WsTrustEndpoint | None:
    """The first WS-Trust 1.3 endpoint, else the first 2005 one, else None."""
    return next(
        (
            endpoint
            for version in (WsTrustVersion.V13, WsTrustVersion.V2005)
            for endpoint in endpoints
            if endpoint.version is version
        ),
        None,
    )


def parse_mex(document: bytes) -> tuple[WsTrustEndpoint, ...]:
    """All usable endpoints of a MEX document, in its order. Raises XmlError."""
    root = parse(document)
    policies = {f"#{identifier}" for identifier in _user_name_policies(root)}
    bindings = dict(_user_name_bindings(root, policies))
    endpoints = []
    for port in root.iter(f"{_WSDL}port"):
        version = bindings.get(_local(port.get("binding", "")))
        address = text_of(port.find(f"{_WSA10}EndpointReference/{_WSA10}Address"))
        if version and address.lower().startswith("https://") and host_of(address):
            endpoints.append(WsTrustEndpoint(address, version))
    return tuple(endpoints)


def _user_name_policies(root: Element) -> Iterator[str]:
    """Ids of the policies that ask for a user-name token over TLS."""
    for wsp in _WSP:
        for policy in root.iter(f"{wsp}Policy"):
            identifier = policy.get(f"{_WSU}Id", "")
            if identifier and any(
                _takes_user_name(alternative, wsp)
                for alternative in policy.findall(f"{wsp}ExactlyOne/{wsp}All")
            ):
                yield identifier


def _takes_user_name(alternative: Element, wsp: str) -> bool:
    return any(
        alternative.find(f"{sp}TransportBinding") is not None
        and any(
            tokens.find(f"{wsp}Policy/{sp}UsernameToken") is not None
            for tokens in alternative.findall(f"{sp}{supporting}")
        )
        for sp, supporting in _SUPPORTING_TOKENS.items()
    )


def _user_name_bindings(root: Element, policies: set[str]) -> Iterator[tuple[str, WsTrustVersion]]:
    """Names of the SOAP 1.2 bindings under those policies, with the version of their action.

    policies: as a binding refers to them, `#id`.
    """
    for binding in root.iter(f"{_WSDL}binding"):
        name = binding.get("name", "")
        references = {
            reference.get("URI", "").strip()
            for wsp in _WSP
            for reference in binding.findall(f"{wsp}PolicyReference")
        }
        soap = binding.find(f"{_SOAP12}binding")
        version = _issue_version(binding)
        if (
            name
            and version
            and soap is not None
            and soap.get("transport", "").strip() == _HTTP_TRANSPORT
            and not policies.isdisjoint(references)
        ):
            yield name, version


def _issue_version(binding: Element) -> WsTrustVersion | None:
    actions = {
        operation.get("soapAction", "").strip()
        for operation in binding.findall(f"{_WSDL}operation/{_SOAP12}operation")
    }
    return next((version for version in WsTrustVersion if version.issue_action in actions), None)


def _local(qualified: str) -> str:
    return qualified.strip().rpartition(":")[2]
