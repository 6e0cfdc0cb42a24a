"""The SAML bearer assertion grants (RFC 7522): verify the assertion, find its user."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import datetime, timezone

from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.exceptions import SignXMLException
from signxml.verifier import SignatureConfiguration, XMLVerifier

from ..adfs.assertion import ID_ATTRIBUTES, SAML11, SAML20
from ..adfs.federation import Federation
from ..directory import MICROSOFT_ONLINE, Directory, User, domain_of
from .aadsts import TokenRefused

GRANTS = {
    "urn:ietf:params:oauth:grant-type:saml1_1-bearer": SAML11,
    "urn:ietf:params:oauth:grant-type:saml2-bearer": SAML20,
}
CLOCK_SKEW = 300


@dataclass(frozen=True)
class _Claims:
    issuer: str
    audience: str
    not_before: float
    not_on_or_after: float
    upn: str
    immutable_id: str


def user_of(directory: Directory, grant_type: str, assertion: str, now: float) -> User:
    """The user that an assertion speaks for.

    Args:
        directory: where federated domains and users are known.
        grant_type: one of GRANTS.
        assertion: the `assertion` parameter: base64url without padding.
        now: seconds since the epoch.

    Raises:
        TokenRefused: 50008, 50107 or 51004.
    """
    namespace = GRANTS[grant_type]
    root = _parse(_decode(assertion))
    if etree.QName(root) != etree.QName(namespace, "Assertion"):
        raise TokenRefused(50008, detail=f"An assertion in {namespace} is expected.")
    issuer = _issuer(root, namespace)
    federation = directory.federation_by_issuer(issuer)
    if federation is None:
        raise TokenRefused(50107, detail=issuer)
    claims = _claims(_verify(root, federation, namespace), namespace)
    _check(claims, now)
    user = directory.find_user(claims.upn)
    if user is None or user.immutable_id != claims.immutable_id:
        raise TokenRefused(51004, user=claims.upn, tenant=federation.tenant)
    if domain_of(claims.upn) != federation.domain:
        raise TokenRefused(50107, detail=issuer)
    return user


def _decode(assertion: str) -> bytes:
    if not re.fullmatch(r"[A-Za-z0-9_-]+", assertion):
        raise TokenRefused(50008, detail="The assertion is not base64url without padding.")
    try:
        return base64.b64decode(assertion + "=" * (-len(assertion) % 4), "-_", validate=True)
    except binascii.Error as error:
        raise TokenRefused(50008, detail=f"{error}.") from error


def _parse(document: bytes) -> etree._Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
    try:
        root = etree.fromstring(document, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise TokenRefused(50008, detail=f"Not XML: {error}.") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise TokenRefused(50008, detail="A document type is not allowed.")
    return root


def _issuer(root: etree._Element, namespace: str) -> str:
    if namespace == SAML11:
        return root.get("Issuer", "")
    return root.findtext(f"{{{namespace}}}Issuer", "")


def _verify(root: etree._Element, federation: Federation, namespace: str) -> etree._Element:
    """The element as signed, which is the whole assertion or nothing."""
    config = SignatureConfiguration(
        location="./",
        expect_references=1,
        signature_methods=frozenset({SignatureMethod.RSA_SHA256}),
        digest_algorithms=frozenset({DigestAlgorithm.SHA256}),
    )
    try:
        result = XMLVerifier().verify(
            root,
            x509_cert=federation.key.certificate_pem,
            id_attribute=ID_ATTRIBUTES[namespace],
            expect_config=config,
        )
    except (SignXMLException, etree.LxmlError, ValueError) as error:
        raise TokenRefused(50008, detail=f"Signature: {error}.") from error
    if isinstance(result, list) or result.signed_xml is None:
        raise TokenRefused(50008, detail="The signature does not cover the assertion.")
    if result.signed_xml.tag != root.tag:
        raise TokenRefused(50008, detail="The signature does not cover the assertion.")
    return result.signed_xml


def _claims(root: etree._Element, namespace: str) -> _Claims:
    def text(path: str) -> str:
        found = root.findall(path.replace("*:", f"{{{namespace}}}"))
        return (found[0].text or "").strip() if len(found) == 1 else ""

    conditions = root.find(f"{{{namespace}}}Conditions")
    if conditions is None:
        raise TokenRefused(50008, detail="The assertion has no Conditions.")
    if namespace == SAML11:
        audience = text("*:Conditions/*:AudienceRestrictionCondition/*:Audience")
        upn = text("*:AttributeStatement/*:Attribute[@AttributeName='UPN']/*:AttributeValue")
        subject = text("*:AttributeStatement/*:Subject/*:NameIdentifier")
    else:
        audience = text("*:Conditions/*:AudienceRestriction/*:Audience")
        upn = text(
            "*:AttributeStatement/*:Attribute[@Name='http://schemas.xmlsoap.org/claims/UPN']"
            "/*:AttributeValue"
        )
        subject = text("*:Subject/*:NameID")
    return _Claims(
        _issuer(root, namespace),
        audience,
        _instant(conditions.get("NotBefore", "")),
        _instant(conditions.get("NotOnOrAfter", "")),
        upn,
        subject,
    )


def _instant(text: str) -> float:
    try:
        moment = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ")
    except ValueError as error:
        raise TokenRefused(50008, detail=f"'{text}' is no instant.") from error
    return moment.replace(tzinfo=timezone.utc).timestamp()


def _check(claims: _Claims, now: float) -> None:
    if claims.audience != MICROSOFT_ONLINE:
        raise TokenRefused(50008, detail=f"Audience '{claims.audience}' is not expected.")
    if claims.not_before > now + CLOCK_SKEW:
        raise TokenRefused(50008, detail="The assertion is not yet valid.")
    if claims.not_on_or_after <= now:
        raise TokenRefused(50008, detail="The assertion has expired.")
