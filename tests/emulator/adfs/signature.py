"""Enveloped XML signatures (XML-Signature section 8.6.4): RSA-SHA256 over exclusive canonical XML.

signxml verifies them at the token endpoint; it does not sign them, because it leaves the
PrefixList out of an enveloped signature.
"""

from __future__ import annotations

import base64

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from lxml import etree

from ..certificates import SigningKey

DS = "http://www.w3.org/2000/09/xmldsig#"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"


def signature(
    unsigned: str, element_id: str, key: SigningKey, inclusive_prefixes: tuple[str, ...]
) -> str:
    """The ds:Signature to put into an element.

    Args:
        unsigned: the element without it.
        element_id: its id, which the Reference names.
        key: signs; its certificate goes into KeyInfo.
        inclusive_prefixes: PrefixList of the Reference's canonicalization.
    """
    digest = hashes.Hash(hashes.SHA256())
    digest.update(_canonical(unsigned, inclusive_prefixes))
    inclusive = (
        f'<ec:InclusiveNamespaces xmlns:ec="{EXCLUSIVE}"'
        f' PrefixList="{" ".join(inclusive_prefixes)}"/>'
        if inclusive_prefixes
        else ""
    )
    signed_info = (
        f'<ds:SignedInfo{{0}}><ds:CanonicalizationMethod Algorithm="{EXCLUSIVE}"/>'
        '<ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/>'
        f'<ds:Reference URI="#{element_id}"><ds:Transforms>'
        f'<ds:Transform Algorithm="{DS}enveloped-signature"/>'
        f'<ds:Transform Algorithm="{EXCLUSIVE}">{inclusive}</ds:Transform></ds:Transforms>'
        '<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>'
        f"<ds:DigestValue>{_text(digest.finalize())}</ds:DigestValue></ds:Reference>"
        "</ds:SignedInfo>"
    )
    declared = f' xmlns:ds="{DS}"'
    value = key.private_key.sign(
        _canonical(signed_info.format(declared), ()), padding.PKCS1v15(), hashes.SHA256()
    )
    return (
        f"<ds:Signature{declared}>{signed_info.format('')}"
        f"<ds:SignatureValue>{_text(value)}</ds:SignatureValue><ds:KeyInfo><ds:X509Data>"
        f"<ds:X509Certificate>{_text(key.certificate_der)}</ds:X509Certificate>"
        "</ds:X509Data></ds:KeyInfo></ds:Signature>"
    )


def _canonical(text: str, inclusive_prefixes: tuple[str, ...]) -> bytes:
    canonical: bytes = etree.tostring(
        etree.fromstring(text.encode()),
        method="c14n",
        exclusive=True,
        inclusive_ns_prefixes=list(inclusive_prefixes) or None,
    )
    return canonical


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
