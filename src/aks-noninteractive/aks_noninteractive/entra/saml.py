"""A SAML assertion, cut out of a WS-Trust answer without touching a byte of what was signed.

The assertion is found by byte offset and handed on exactly as it was received. Out of its
surroundings it may lack namespace declarations that only its ancestors have; those that it uses are
added to its start tag, and no others: a prefix that exclusive canonicalisation does not see is
harmless, but one added needlessly breaks assertions signed with the inclusive kind.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

from .mex import WsTrustVersion
from .safe_xml import MAX_DEPTH, XmlError, new_parser, run, to_utf8

_XML_NAMESPACE = "http://www.w3.org/XML/1998/namespace"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_EXCLUSIVE_C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
_TRUST_NAMESPACES = frozenset(version.value for version in WsTrustVersion)
_MAX_PREFIXES = 256
_INSTANT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)?")


class SamlVersion(Enum):
    """The version of an assertion; the value is the namespace of its elements."""

    V11 = "urn:oasis:names:tc:SAML:1.0:assertion"
    V20 = "urn:oasis:names:tc:SAML:2.0:assertion"

    @property
    def grant_type(self) -> str:
        """The OAuth 2.0 grant (RFC 7522, and Entra's own for SAML 1.1) that takes it."""
        name = "saml1_1-bearer" if self is SamlVersion.V11 else "saml2-bearer"
        return f"urn:ietf:params:oauth:grant-type:{name}"


@dataclass(frozen=True)
class SamlAssertion:
    """A signed assertion.

    version: SAML 1.1 or 2.0.
    xml: the assertion in UTF-8, as received but for namespace declarations that it lacked.
    not_on_or_after: when it ends, seconds since the epoch; None where it does not say.
    """

    version: SamlVersion
    xml: bytes = field(repr=False)
    not_on_or_after: float | None

    def is_valid_at(self, now: float) -> bool:
        """Whether a server whose clock shows now (seconds since the epoch) would still take it."""
        return self.not_on_or_after is None or now < self.not_on_or_after


def cut_assertion(document: bytes) -> SamlAssertion | None:
    """The first SAML assertion in a RequestedSecurityToken of document; None without one.

    Raises XmlError where document is not XML that we accept.
    """
    source = to_utf8(document)
    cutter = _Cutter()
    parser = new_parser()
    parser.StartElementHandler = lambda name, attributes: cutter.start(parser, name, attributes)
    parser.EndElementHandler = lambda name: cutter.end(parser)
    run(parser, source)
    if cutter.version is None or not cutter.stop:
        return None
    end = cutter.stop  # behind an empty element, before the end tag of any other
    if source.startswith(b"</" + cutter.name.encode("utf-8"), end):
        end = source.index(b">", end) + 1
    name_end = cutter.begin + 1 + len(cutter.name.encode("utf-8"))
    declarations = "".join(
        f" xmlns{':' + prefix if prefix else ''}="
        + quoteattr(cutter.outside[prefix], {"\t": "&#9;", "\n": "&#10;", "\r": "&#13;"})
        for prefix in sorted(cutter.missing)
    )
    xml = source[cutter.begin : name_end] + declarations.encode("utf-8") + source[name_end:end]
    return SamlAssertion(cutter.version, xml, cutter.not_on_or_after)


class _Cutter:
    """Follows the elements of a document: where the assertion is, and which prefixes it lacks."""

    def __init__(self) -> None:
        self.version: SamlVersion | None = None
        self.name = ""
        self.begin = 0
        self.stop = 0
        self.outside: dict[str, str] = {}
        self.missing: set[str] = set()
        self.not_on_or_after: float | None = None
        # for each open element: its expanded name, all prefixes in scope, those declared inside
        self._path: list[tuple[str, str]] = []
        self._scopes: list[dict[str, str]] = [{"": "", "xml": _XML_NAMESPACE}]
        self._inner: list[frozenset[str]] = []

    def start(self, parser: expat.XMLParserType, name: str, attributes: dict[str, str]) -> None:
        if len(self._path) >= MAX_DEPTH:
            raise XmlError(f"it is nested more than {MAX_DEPTH} deep")
        declared = {
            key.partition(":")[2]: value
            for key, value in attributes.items()
            if key == "xmlns" or key.startswith("xmlns:")
        }
        scope = self._scopes[-1] | declared if declared else self._scopes[-1]
        if len(scope) > _MAX_PREFIXES:
            raise XmlError(f"it declares more than {_MAX_PREFIXES} prefixes")
        parent = self._path[-1] if self._path else ("", "")
        element = _expand(name, scope)
        inside = bool(self._inner)
        if self.version is None and _holds_a_token(parent) and _is_assertion(element):
            self.version = SamlVersion(element[0])
            self.name = name
            self.begin = parser.CurrentByteIndex
            self.outside = self._scopes[-1]
            inside = True
        self._path.append(element)
        self._scopes.append(scope)
        if inside:
            outer = self._inner[-1] if self._inner else frozenset()
            self._inner.append(outer | declared.keys())
            self._note_prefixes(name, element, attributes, scope)
            if len(self._inner) == 2 and element == (self._path[-2][0], "Conditions"):
                self.not_on_or_after = _instant(attributes.get("NotOnOrAfter", ""))

    def end(self, parser: expat.XMLParserType) -> None:
        self._path.pop()
        self._scopes.pop()
        if self._inner:
            self._inner.pop()
            if not self._inner:
                self.stop = parser.CurrentByteIndex

    def _note_prefixes(
        self, name: str, element: tuple[str, str], attributes: dict[str, str], scope: dict[str, str]
    ) -> None:
        used = {name.rpartition(":")[0]}
        listed: set[str] = set()
        for key, value in attributes.items():
            prefix = key.rpartition(":")[0]
            if key == "xmlns" or prefix == "xmlns":
                continue
            if prefix:
                used.add(prefix)
                if _expand(key, scope) == (_XSI, "type"):
                    used.add(value.strip().rpartition(":")[0])
            elif key == "PrefixList" and element == (_EXCLUSIVE_C14N, "InclusiveNamespaces"):
                listed |= {"" if word == "#default" else word for word in value.split()}
        # A PrefixList is about the prefixes in scope of the assertion, not of the list.
        # A prefix that nobody declares (a PrefixList may name one), and the default namespace
        # where none is set, need nothing.
        self.missing |= {
            prefix
            for prefix in ((used - self._inner[-1]) | (listed - self._inner[0])) - {"xml"}
            if self.outside.get(prefix)
        }


def _holds_a_token(element: tuple[str, str]) -> bool:
    return element[1] == "RequestedSecurityToken" and element[0] in _TRUST_NAMESPACES


def _is_assertion(element: tuple[str, str]) -> bool:
    return element[1] == "Assertion" and element[0] in {version.value for version in SamlVersion}


def _expand(name: str, scope: dict[str, str]) -> tuple[str, str]:
    """Namespace and local name of an element, or of an attribute with a prefix."""
    prefix, _, local = name.rpartition(":")
    if prefix not in scope:
        raise XmlError(f"its prefix {prefix!r} is not declared")
    return scope[prefix], local


def _instant(text: str) -> float | None:
    match = _INSTANT.fullmatch(text.strip())
    if match is None:
        return None
    try:
        moment = datetime.fromisoformat(match[1] + (match[2] or "Z").replace("Z", "+00:00"))
    except ValueError:
        return None
    return moment.timestamp()
