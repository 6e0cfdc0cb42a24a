"""Signed SAML assertions: SAML 1.1 (core section 2) and SAML 2.0 (core section 2).

The signature is enveloped, RSA-SHA256 over exclusive canonical XML. Such a signature holds
wherever a namespace prefix is declared, so an assertion is signed with all its declarations on
itself; those that an AD FS of the `prefixes_on_ancestors` or `default_namespace` kind declares
further up are taken off the finished text.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from ..clock import iso
from ..directory import User
from .federation import Federation
from .signature import signature

SAML11 = "urn:oasis:names:tc:SAML:1.0:assertion"
SAML20 = "urn:oasis:names:tc:SAML:2.0:assertion"
NAMESPACES = {"1.1": SAML11, "2.0": SAML20}
ID_ATTRIBUTES = {SAML11: "AssertionID", SAML20: "ID"}
XS = "http://www.w3.org/2001/XMLSchema"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
CLAIMS = "http://schemas.xmlsoap.org/claims"
LIVE_ID = "http://schemas.microsoft.com/LiveID/Federation/2008/05"
_SIGNATURE_PLACE = "<!-- signature -->"


@dataclass(frozen=True)
class IssuedAssertion:
    """An assertion as it stands in the answer, and what its ancestors have to declare for it."""

    text: str
    assertion_id: str
    namespace: str
    ancestor_prefixes: dict[str, str]
    default_namespace: str | None


def issue(federation: Federation, user: User, now: float) -> IssuedAssertion:
    """A signed assertion for a user.

    Args:
        federation: whose key signs, and whose config says which version and shape.
        user: the subject.
        now: seconds since the epoch.
    """
    config = federation.config
    namespace = NAMESPACES[config.saml]
    assertion_id = f"_{uuid.uuid4()}"
    draft = (_saml11 if config.saml == "1.1" else _saml20)(federation, user, assertion_id, now)
    unsigned = draft.replace(_SIGNATURE_PLACE, "")
    signed = signature(unsigned, assertion_id, federation.key, config.inclusive_prefixes)
    text = draft.replace(_SIGNATURE_PLACE, signed)
    prefixes = _declarations(config.default_namespace, namespace, config.xsi_types)
    hoisted: dict[str, str] = {}
    if config.prefixes_on_ancestors:
        hoisted = {prefix: uri for prefix, uri in prefixes.items() if prefix}
    if config.default_namespace:
        hoisted[""] = namespace
    text = _undeclare(text, hoisted)
    default = hoisted.pop("", None)
    return IssuedAssertion(text, assertion_id, namespace, hoisted, default)


def _declarations(default_namespace: bool, namespace: str, xsi_types: bool) -> dict[str, str]:
    declared = {"" if default_namespace else "saml": namespace}
    if xsi_types:
        declared |= {"xs": XS, "xsi": XSI}
    return declared


def _undeclare(text: str, prefixes: dict[str, str]) -> str:
    start_tag, rest = re.match(r"(<[^>]*>)(.*)", text, re.DOTALL).groups()  # type: ignore[union-attr]
    for prefix, uri in prefixes.items():
        name = f"xmlns:{prefix}" if prefix else "xmlns"
        start_tag = start_tag.replace(f' {name}="{uri}"', "")
    return start_tag + rest


def _start(federation: Federation, namespace: str) -> tuple[str, str, str]:
    """Prefix with its colon, the declarations of the root, the attributes of a value."""
    config = federation.config
    declared = _declarations(config.default_namespace, namespace, config.xsi_types)
    declarations = " ".join(
        f"xmlns:{prefix}={quoteattr(uri)}" if prefix else f"xmlns={quoteattr(uri)}"
        for prefix, uri in declared.items()
    )
    value = ' xsi:type="xs:string"' if config.xsi_types else ""
    return "" if config.default_namespace else "saml:", declarations, value


def _saml11(federation: Federation, user: User, assertion_id: str, now: float) -> str:
    p, declarations, value = _start(federation, SAML11)
    until = iso(now + federation.config.assertion_lifetime)
    subject = (
        f"<{p}Subject><{p}NameIdentifier"
        f' Format="urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified">{user.immutable_id}'
        f"</{p}NameIdentifier><{p}SubjectConfirmation><{p}ConfirmationMethod>"
        f"urn:oasis:names:tc:SAML:1.0:cm:bearer</{p}ConfirmationMethod></{p}SubjectConfirmation>"
        f"</{p}Subject>"
    )
    attributes = "".join(
        f'<{p}Attribute AttributeName="{name}" AttributeNamespace="{uri}">'
        f"<{p}AttributeValue{value}>{escape(text)}</{p}AttributeValue></{p}Attribute>"
        for name, uri, text in (
            ("UPN", CLAIMS, user.upn),
            ("ImmutableID", LIVE_ID, user.immutable_id),
        )
    )
    return (
        f'<{p}Assertion {declarations} MajorVersion="1" MinorVersion="1"'
        f' AssertionID="{assertion_id}" Issuer={quoteattr(federation.issuer)}'
        f' IssueInstant="{iso(now)}">'
        f'<{p}Conditions NotBefore="{iso(now)}" NotOnOrAfter="{until}">'
        f"<{p}AudienceRestrictionCondition><{p}Audience>{escape(federation.config.audience)}"
        f"</{p}Audience></{p}AudienceRestrictionCondition></{p}Conditions>"
        f"<{p}AttributeStatement>{subject}{attributes}</{p}AttributeStatement>"
        f'<{p}AuthenticationStatement AuthenticationInstant="{iso(now)}"'
        f' AuthenticationMethod="urn:oasis:names:tc:SAML:1.0:am:password">{subject}'
        f"</{p}AuthenticationStatement>{_SIGNATURE_PLACE}</{p}Assertion>"
    )


def _saml20(federation: Federation, user: User, assertion_id: str, now: float) -> str:
    p, declarations, value = _start(federation, SAML20)
    until = iso(now + federation.config.assertion_lifetime)
    attributes = "".join(
        f'<{p}Attribute Name="{uri}/{name}"><{p}AttributeValue{value}>{escape(text)}'
        f"</{p}AttributeValue></{p}Attribute>"
        for name, uri, text in (
            ("UPN", CLAIMS, user.upn),
            ("ImmutableID", LIVE_ID, user.immutable_id),
        )
    )
    return (
        f'<{p}Assertion {declarations} Version="2.0" ID="{assertion_id}"'
        f' IssueInstant="{iso(now)}"><{p}Issuer>{escape(federation.issuer)}</{p}Issuer>'
        f"{_SIGNATURE_PLACE}<{p}Subject>"
        f'<{p}NameID Format="urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified">'
        f"{user.immutable_id}</{p}NameID>"
        f'<{p}SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">'
        f'<{p}SubjectConfirmationData NotOnOrAfter="{until}"/></{p}SubjectConfirmation>'
        f'</{p}Subject><{p}Conditions NotBefore="{iso(now)}" NotOnOrAfter="{until}">'
        f"<{p}AudienceRestriction><{p}Audience>{escape(federation.config.audience)}"
        f"</{p}Audience></{p}AudienceRestriction></{p}Conditions>"
        f"<{p}AttributeStatement>{attributes}</{p}AttributeStatement>"
        f'<{p}AuthnStatement AuthnInstant="{iso(now)}"><{p}AuthnContext><{p}AuthnContextClassRef>'
        "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
        f"</{p}AuthnContextClassRef></{p}AuthnContext></{p}AuthnStatement></{p}Assertion>"
    )
