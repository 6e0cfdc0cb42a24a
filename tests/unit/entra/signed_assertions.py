"""Really signed SAML assertions, the answers that carry them, and the check of a signature."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from lxml import etree
from signxml import XMLVerifier

from emulator.certificates import SigningKey

SAML11 = "urn:oasis:names:tc:SAML:1.0:assertion"
SAML20 = "urn:oasis:names:tc:SAML:2.0:assertion"
TRUST13 = "http://docs.oasis-open.org/ws-sx/ws-trust/200512"
TRUST2005 = "http://schemas.xmlsoap.org/ws/2005/02/trust"
XS = "http://www.w3.org/2001/XMLSchema"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
SOAP12 = "http://www.w3.org/2003/05/soap-envelope"
DSIG = "http://www.w3.org/2000/09/xmldsig#"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
INCLUSIVE = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"

_ID_ATTRIBUTES = {SAML11: "AssertionID", SAML20: "ID"}
_KEY = SigningKey("unit-test-idp")
_SIGNATURE = (
    f'<ds:Signature xmlns:ds="{DSIG}"><ds:SignedInfo>'
    '<ds:CanonicalizationMethod Algorithm="{c14n}">{inclusive}</ds:CanonicalizationMethod>'
    '<ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/>'
    '<ds:Reference URI="#_a1"><ds:Transforms>'
    f'<ds:Transform Algorithm="{DSIG}enveloped-signature"/>'
    '<ds:Transform Algorithm="{c14n}">{inclusive}</ds:Transform></ds:Transforms>'
    '<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>'
    "<ds:DigestValue>{digest}</ds:DigestValue></ds:Reference></ds:SignedInfo>"
    "<ds:SignatureValue><!--value--></ds:SignatureValue></ds:Signature>"
)


def declarations(namespaces: Mapping[str, str]) -> str:
    """Attributes that declare namespaces by prefix; "" is the default one."""
    return "".join(
        f' xmlns{":" if prefix else ""}{prefix}="{uri}"' for prefix, uri in namespaces.items()
    )


def assertion(
    namespace: str = SAML11, namespaces: Mapping[str, str] | None = None, content: str = ""
) -> str:
    """An assertion without a signature.

    namespace: SAML 1.1 or 2.0; namespaces: what its start tag declares, a prefix "saml" for
    namespace unless given; content: more elements, `{p}` in it is the prefix with its colon.
    """
    namespaces = {"saml": namespace} if namespaces is None else namespaces
    prefix = next(name for name, uri in namespaces.items() if uri == namespace)
    p = f"{prefix}:" if prefix else ""
    attributes = 'MajorVersion="1" MinorVersion="1" Issuer="urn:idp"'
    if namespace == SAML20:
        attributes = 'Version="2.0"'
    return (
        f"<{p}Assertion{declarations(namespaces)} {attributes}"
        f' {_ID_ATTRIBUTES[namespace]}="_a1" IssueInstant="2026-01-01T00:00:00Z">'
        f'<{p}Conditions NotBefore="2026-01-01T00:00:00Z" NotOnOrAfter="2026-01-01T01:00:00.000Z"/>'
        f"{content.replace('{p}', p)}</{p}Assertion>"
    )


def sign(text: str, c14n: str = EXCLUSIVE, prefix_list: str = "") -> str:
    """text with an enveloped signature at its end, made where nothing surrounds it.

    signxml would write the assertion anew, and leaves the PrefixList out of enveloped signatures.
    """
    inclusive = f'<ec:InclusiveNamespaces xmlns:ec="{EXCLUSIVE}" PrefixList="{prefix_list}"/>'
    signature = _SIGNATURE.format(
        c14n=c14n,
        inclusive=inclusive if prefix_list else "",
        digest=b64encode(
            sha256(_canonical(etree.fromstring(text), c14n, prefix_list)).digest()
        ).decode(),
    )
    start, end, name = text.rpartition("</")
    unsigned = etree.fromstring(start + signature + end + name)
    signed_info = _canonical(unsigned.find(f".//{{{DSIG}}}SignedInfo"), c14n, prefix_list)
    value = b64encode(_KEY.private_key.sign(signed_info, PKCS1v15(), SHA256())).decode()
    return start + signature.replace("><!--value--><", f">{value}<") + end + name


def _canonical(element: etree._Element, c14n: str, prefix_list: str) -> bytes:
    return etree.tostring(
        element,
        method="c14n",
        exclusive=c14n == EXCLUSIVE,
        inclusive_ns_prefixes=prefix_list.split() if c14n == EXCLUSIVE else None,
        with_comments=False,
    )


def verify(xml: bytes) -> None:
    """Raise unless xml is an assertion by itself whose signature holds."""
    root = etree.fromstring(xml)
    XMLVerifier().verify(
        root,
        x509_cert=_KEY.certificate_pem,
        id_attribute=_ID_ATTRIBUTES[etree.QName(root).namespace or ""],
        # Its schema knows no InclusiveNamespaces.
        validate_schema=False,
    )


def undeclare(text: str, *prefixes: str) -> str:
    """text without the declarations of prefixes in its first start tag."""
    start, close, rest = text.partition(">")
    for prefix in prefixes:
        start, count = re.subn(f' xmlns{":" if prefix else ""}{prefix}="[^"]*"', "", start)
        assert count == 1
    return start + close + rest


def rstr(token: str, *, trust: str = TRUST13, namespaces: Mapping[str, str] | None = None) -> str:
    """An answer in a SOAP envelope, in a collection for 1.3; the envelope declares namespaces."""
    response = (
        "<t:RequestSecurityTokenResponse><t:Lifetime/>"
        f"<t:RequestedSecurityToken>{token}</t:RequestedSecurityToken>"
        "<t:TokenType>urn:any</t:TokenType></t:RequestSecurityTokenResponse>"
    )
    collection = "RequestSecurityTokenResponseCollection"
    if trust == TRUST13:
        response = f"<t:{collection}>{response}</t:{collection}>"
    return (
        f'<s:Envelope xmlns:s="{SOAP12}" xmlns:t="{trust}"{declarations(namespaces or {})}>'
        f"<s:Header/><s:Body>{response}</s:Body></s:Envelope>"
    )
