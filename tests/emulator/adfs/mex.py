"""WS-MetadataExchange: the WSDL that lists an AD FS's endpoints and their policies."""

from __future__ import annotations

from pathlib import Path
from string import Template

from lxml import etree

from .federation import Federation
from .wstrust import WSP, WSU

WSDL = "http://schemas.xmlsoap.org/wsdl/"
_TEMPLATE = Path(__file__).with_name("mex.wsdl")
_USER_NAME_PARTS = {
    "13": "UserNameWSTrustBinding_IWSTrust13Async",
    "2005": "UserNameWSTrustBinding_IWSTrustFeb2005Async1",
}
_ENVELOPE = (
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"'
    ' xmlns:a="http://www.w3.org/2005/08/addressing"><s:Header><a:Action s:mustUnderstand="1">'
    "http://schemas.xmlsoap.org/ws/2004/09/transfer/GetResponse</a:Action></s:Header><s:Body>"
    '<Metadata xmlns="http://schemas.xmlsoap.org/ws/2004/09/mex">'
    '<MetadataSection xmlns="http://schemas.xmlsoap.org/ws/2004/09/mex"'
    f' Dialect="{WSDL}">$wsdl</MetadataSection></Metadata></s:Body></s:Envelope>'
)


def metadata(federation: Federation) -> bytes:
    """The document of a federation's MEX address."""
    config = federation.config
    if config.mex_document is not None:
        text = Template(config.mex_document).safe_substitute(adfs=federation.address)
    else:
        text = _published(federation)
    if config.mex_in_envelope:
        text = Template(_ENVELOPE).substitute(wsdl=text)
    return text.encode()


def _published(federation: Federation) -> str:
    template = Template(_TEMPLATE.read_text(encoding="utf-8"))
    wsdl = etree.fromstring(template.substitute(adfs=federation.address).encode())
    for version, name in _USER_NAME_PARTS.items():
        if version not in federation.config.versions:
            _remove(wsdl, name)
    return etree.tostring(wsdl, encoding="unicode")


def _remove(wsdl: etree._Element, name: str) -> None:
    """Take out the policy, the binding and the port of one endpoint."""
    for part in list(wsdl.iter(f"{{{WSDL}}}binding", f"{{{WSDL}}}port", f"{{{WSP}}}Policy")):
        parent = part.getparent()
        named = part.get("name") == name or part.get(f"{{{WSU}}}Id") == f"{name}_policy"
        if named and parent is not None:
            parent.remove(part)
