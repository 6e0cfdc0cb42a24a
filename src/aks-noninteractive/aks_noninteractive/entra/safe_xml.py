"""XML from strangers: no document type, no entities beyond the five, bounded depth, any encoding.

Everything is brought to UTF-8 first, so that byte offsets mean the same for every document.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

MAX_DEPTH = 200

_DECLARATION = re.compile(rb"""^\s*<\?xml[^>]*?\sencoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
# Text encodings in use for XML; Python's other codecs are no business of a document's.
_ENCODINGS = re.compile(
    r"utf-?(8|16([bl]e)?)|us-ascii|iso-8859-\d+|windows-125\d|shift_jis|euc-(jp|kr)|gb(k|2312|18030)"
    r"|big5|koi8-[ru]",
    re.IGNORECASE,
)


class XmlError(ValueError):
    """The document is not XML, or more than is accepted of a stranger's XML."""


def to_utf8(document: bytes) -> bytes:
    """document in UTF-8, by its byte order mark or declaration; UTF-8 stays as it is.

    Raises XmlError where the encoding is unknown or the bytes do not follow it.
    """
    if document.startswith(BOM_UTF8):
        return document[len(BOM_UTF8) :]
    if document.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        encoding = "utf-16"
    elif document[:2] in (b"<\0", b"\0<"):  # expat takes it for UTF-16, whatever it is told
        encoding = "utf-16-le" if document[0] else "utf-16-be"
    else:
        declared = _DECLARATION.match(document[:200])
        encoding = declared[1].decode("ascii").lower() if declared else "utf-8"
        # What is legible as ASCII is not UTF-16, whatever it says (.NET's StringWriter says so).
        if encoding in ("utf-8", "utf8") or encoding.startswith("utf-16"):
            return document
        if not _ENCODINGS.fullmatch(encoding):
            raise XmlError(f"its encoding {encoding!r} is unknown")
    try:
        return document.decode(encoding).encode("utf-8")
    except (UnicodeError, LookupError):
        raise XmlError(f"it is not in its encoding, {encoding}") from None


def new_parser(namespace_separator: str | None = None) -> expat.XMLParserType:
    """An expat parser for UTF-8 that refuses a document type, and with it every entity."""
    parser = expat.ParserCreate("utf-8", namespace_separator)
    parser.buffer_text = True

    def refuse_doctype(*_: object) -> None:
        raise XmlError("it has a document type, which is not accepted")

    parser.StartDoctypeDeclHandler = refuse_doctype
    return parser


def run(parser: expat.XMLParserType, document: bytes) -> None:
    """Parse all of document; XmlError where it is not well-formed."""
    try:
        parser.Parse(document, True)
    except expat.ExpatError as error:
        raise XmlError(f"it is not well-formed: {error}") from None


def parse(document: bytes) -> Element:
    """The root element of document (any encoding), names in the form "{namespace}local".

    Raises XmlError.
    """
    builder = TreeBuilder()
    parser = new_parser("}")
    depth = 0

    def name(expanded: str) -> str:
        return "{" + expanded if "}" in expanded else expanded

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise XmlError(f"it is nested more than {MAX_DEPTH} deep")
        builder.start(name(tag), {name(key): value for key, value in attributes.items()})

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(name(tag))

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    run(parser, to_utf8(document))
    return builder.close()


def local_name(element: Element) -> str:
    """An element's name without its namespace."""
    return element.tag.rpartition("}")[2]


def text_of(element: Element | None) -> str:
    """An element's own text without the white space around it; "" where there is no element."""
    return (element.text or "").strip() if element is not None else ""
